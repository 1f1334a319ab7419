"""What the names of files say: words, and numbers that only count."""

from __future__ import annotations

import pytest

from tracer.divergence.files.names import alike, read_name


@pytest.mark.parametrize(
    ("name", "words", "front", "behind"),
    [
        ("3_fc1.npy", ("linear", "1"), 3, None),
        ("fc1_float32_0.npy", ("linear", "1"), 0, None),
        ("3_fc1_float32_0.npy", ("linear", "1"), 3, 0),
        ("0_grads_17.npy", ("grad",), 0, 17),
        ("1_None.npy", ("none",), 1, None),
        ("7.npy", (), 7, None),
        ("0_float32_16.npy", ("0",), 16, None),
        ("blocks.0.attn.npy", ("block", "0", "attn"), None, None),
        ("step0/003-norm1.npy", ("step", "0", "norm", "1"), 3, None),
        ("all.npz:encoder.layer.2", ("all", "encoder", "layer", "2"), None, None),
        ("conv2d_float16.npy", ("conv", "2", "d"), None, None),
        ("norm1.gamma.npy", ("norm", "1", "weight"), None, None),
    ],
)
def test_words_and_numbers(name, words, front, behind):
    """A number that counts files is no part of the name; one that a layer is called by is."""
    found = read_name(name, ())
    assert (found.words, found.front, found.behind) == (words, front, behind)


@pytest.mark.parametrize(
    ("a", "b", "more", "less"),
    [
        ("attn", "attention", "attn", "activation"),
        ("blocks.0.mlp.fc1", "encoder.layers.0.ffn.dense1", "blocks.0.mlp.fc1", "encoder.layers.1.ffn.dense1"),
        ("blocks.0.mlp.fc1", "encoder.layers.0.ffn.dense1", "blocks.0.mlp.fc1", "encoder.layers.0.ffn.dense2"),
    ],
)
def test_likeness_orders_names(a, b, more, less):
    """What is meant is more alike than what is not."""
    one, other = ([read_name(text, ()).words for text in pair] for pair in ((a, b), (more, less)))
    assert alike(*one) > alike(*other)
