"""Real layers of both frameworks: by default they differ as is known, aligned they do not, and the edits align them."""

from __future__ import annotations

import pytest
from recorded import differences, recorded, spaces, understood

from tracer.divergence.rules import TABLES, edit_line, meaning, setting_differences
from tracer.trace.schema import ROOT

DEFAULTS = [
    # torch's call, MindSpore's call as a port would write it first, settings that then differ
    ("nn.Linear(3, 4)", "nn.Dense(3, 4)", ""),
    ("nn.Linear(3, 4, bias=False)", "nn.Dense(3, 4)", "bias"),
    ("nn.Linear(3, 4)", "nn.Dense(3, 4, activation='relu')", "activation"),
    ("nn.Linear(3, 4)", "mint.nn.Linear(3, 4)", ""),
    ("nn.Linear(3, 4)", "nn.Dense(3, 5)", "out_features"),
    ("nn.Bilinear(3, 4, 5)", "nn.BiDense(3, 4, 5)", ""),
    ("nn.Conv1d(3, 4, 3)", "nn.Conv1d(3, 4, 3)", "padding bias"),
    ("nn.Conv2d(3, 4, 3)", "nn.Conv2d(3, 4, 3)", "padding bias"),
    ("nn.Conv3d(3, 4, 3)", "nn.Conv3d(3, 4, 3)", "padding bias"),
    ("nn.Conv2d(3, 64, 7, 2, 3)", "nn.Conv2d(3, 64, 7, 2)", "padding bias"),
    ("nn.Conv2d(3, 4, 1)", "nn.Conv2d(3, 4, 1)", "bias"),
    ("nn.Conv2d(3, 4, 3, padding=1)", "nn.Conv2d(3, 4, 3, has_bias=True)", ""),
    ("nn.Conv2d(3, 4, 3, padding='same')", "nn.Conv2d(3, 4, 3, has_bias=True)", ""),
    ("nn.Conv2d(3, 4, (3, 5), padding=(1, 2), dilation=1)", "nn.Conv2d(3, 4, (3, 5), has_bias=True)", ""),
    ("nn.Conv2d(4, 4, 3, groups=4, bias=False)", "nn.Conv2d(4, 4, 3, pad_mode='valid')", "groups"),
    ("nn.Conv2d(4, 4, 3, padding=2, dilation=2)", "nn.Conv2d(4, 4, 3, pad_mode='pad', padding=2)", "dilation bias"),
    ("nn.Conv2d(3, 4, 3)", "mint.nn.Conv2d(3, 4, 3)", ""),
    ("nn.Conv2d(3, 4, 3, 2)", "mint.nn.Conv2d(3, 4, 3)", "stride"),
    ("nn.ConvTranspose1d(3, 4, 3)", "nn.Conv1dTranspose(3, 4, 3)", "padding bias"),
    ("nn.ConvTranspose2d(3, 4, 3)", "nn.Conv2dTranspose(3, 4, 3)", "padding bias"),
    ("nn.ConvTranspose3d(3, 4, 3)", "nn.Conv3dTranspose(3, 4, 3)", "padding bias"),
    ("nn.ConvTranspose2d(3, 4, 2, 2)", "nn.Conv2dTranspose(3, 4, 2, 2, has_bias=True)", ""),
    ("nn.ConvTranspose2d(3, 4, 4, 2, 1)", "nn.Conv2dTranspose(3, 4, 4, 2, has_bias=True)", ""),
    (
        "nn.ConvTranspose2d(3, 4, 3, 2, 1, 1)",
        "nn.Conv2dTranspose(3, 4, 3, 2, pad_mode='pad', padding=1, has_bias=True)",
        "output_padding",
    ),
    (
        "nn.ConvTranspose2d(3, 4, 3, 2, 1, 1)",
        "nn.Conv2dTranspose(3, 4, 3, 2, pad_mode='pad', padding=(1, 0, 1, 0), has_bias=True)",
        "",
    ),
    (
        "nn.ConvTranspose3d(3, 4, 3, 2, 1, 1)",
        "nn.Conv3dTranspose(3, 4, 3, 2, pad_mode='pad', padding=1, output_padding=1, has_bias=True)",
        "",
    ),
    (
        "nn.ConvTranspose2d(3, 4, 3, 2, 0, 1, bias=False)",
        "nn.Conv2dTranspose(3, 4, 3, 2, pad_mode='pad', padding=0, output_padding=1)",
        "",
    ),
    ("nn.BatchNorm1d(4)", "nn.BatchNorm1d(4)", ""),
    ("nn.BatchNorm2d(4)", "nn.BatchNorm2d(4)", ""),
    ("nn.BatchNorm3d(4)", "nn.BatchNorm3d(4)", ""),
    ("nn.BatchNorm2d(4)", "nn.BatchNorm2d(4, momentum=0.1)", "momentum"),
    ("nn.BatchNorm3d(4)", "nn.BatchNorm3d(4, eps=1e-3, momentum=0.1)", "eps momentum"),
    ("nn.BatchNorm2d(4, track_running_stats=False)", "nn.BatchNorm2d(4)", "track_running_stats"),
    ("nn.BatchNorm2d(4, affine=False)", "nn.BatchNorm2d(4)", "affine"),
    ("nn.BatchNorm2d(4, affine=False)", "nn.BatchNorm2d(4, affine=False)", ""),
    ("nn.BatchNorm2d(4)", "mint.nn.BatchNorm2d(4)", ""),
    ("nn.BatchNorm2d(4, momentum=0.2)", "mint.nn.BatchNorm2d(4)", "momentum"),
    ("nn.LayerNorm(4)", "nn.LayerNorm((4,))", "eps"),
    ("nn.LayerNorm((3, 4), eps=1e-6)", "nn.LayerNorm((3, 4), 1, 1, epsilon=1e-6)", ""),
    ("nn.LayerNorm((3, 4), eps=1e-6)", "nn.LayerNorm((3, 4), epsilon=1e-6)", "normalized_shape"),
    ("nn.LayerNorm(4)", "mint.nn.LayerNorm(4)", ""),
    ("nn.GroupNorm(2, 4)", "nn.GroupNorm(2, 4)", ""),
    ("nn.GroupNorm(2, 4)", "nn.GroupNorm(4, 4)", "num_groups"),
    ("nn.GroupNorm(2, 4, affine=False)", "nn.GroupNorm(2, 4)", "affine"),
    ("nn.InstanceNorm2d(4)", "nn.InstanceNorm2d(4)", "affine"),
    ("nn.InstanceNorm2d(4, affine=True)", "nn.InstanceNorm2d(4)", ""),
    ("nn.LocalResponseNorm(5)", "nn.LRN(2)", "alpha beta"),
    ("nn.LocalResponseNorm(5)", "nn.LRN()", "size alpha beta"),
    ("nn.Embedding(5, 4)", "nn.Embedding(5, 4)", ""),
    ("nn.Embedding(5, 4, padding_idx=0)", "nn.Embedding(5, 4)", "padding_idx"),
    ("nn.Embedding(5, 4)", "mint.nn.Embedding(5, 4)", ""),
    ("nn.Dropout(0.1)", "nn.Dropout(0.1)", "p"),
    ("nn.Dropout(0.1)", "nn.Dropout(0.9)", ""),
    ("nn.Dropout(0.1)", "nn.Dropout(p=0.1)", ""),
    ("nn.Dropout()", "nn.Dropout()", ""),
    ("nn.Dropout(0.2)", "mint.nn.Dropout()", "p"),
    ("nn.Dropout1d(0.2)", "nn.Dropout1d()", "p"),
    ("nn.Dropout2d(0.2)", "nn.Dropout2d()", "p"),
    ("nn.Dropout3d(0.2)", "nn.Dropout3d(0.2)", ""),
    ("nn.MaxPool1d(2)", "nn.MaxPool1d(2)", "stride"),
    ("nn.MaxPool2d(2)", "nn.MaxPool2d(2)", "stride"),
    ("nn.MaxPool3d(2)", "nn.MaxPool3d(2)", "stride"),
    ("nn.MaxPool2d(3, 2, 1)", "nn.MaxPool2d(3, 2, pad_mode='same')", "padding"),
    ("nn.MaxPool2d(3, 2, 1)", "nn.MaxPool2d(3, 2, pad_mode='pad', padding=1)", ""),
    ("nn.MaxPool2d(3, 2, ceil_mode=True)", "nn.MaxPool2d(3, 2)", "ceil_mode"),
    ("nn.MaxPool2d(2)", "mint.nn.MaxPool2d(2)", ""),
    ("nn.AvgPool1d(2)", "nn.AvgPool1d(2)", "stride"),
    ("nn.AvgPool2d(2)", "nn.AvgPool2d(2)", "stride"),
    ("nn.AvgPool3d(2)", "nn.AvgPool3d(2)", "stride"),
    ("nn.AvgPool2d(3, 2, 1)", "nn.AvgPool2d(3, 2, pad_mode='same')", "padding count_include_pad"),
    ("nn.AvgPool2d(3, 1, 1)", "nn.AvgPool2d(3, 1, pad_mode='same')", "count_include_pad"),
    ("nn.AvgPool2d(3, 2, 1)", "nn.AvgPool2d(3, 2, pad_mode='pad', padding=1)", ""),
    ("nn.AvgPool2d(2, divisor_override=3)", "nn.AvgPool2d(2, 2)", "divisor_override"),
    ("nn.AvgPool2d(2)", "mint.nn.AvgPool2d(2)", ""),
    ("nn.LPPool2d(2, 3)", "nn.LPPool2d(2, 3)", ""),
    *((f"nn.Adaptive{w}Pool{n}d(2)", f"nn.Adaptive{w}Pool{n}d(2)", "") for w in ("Avg", "Max") for n in (1, 2, 3)),
    ("nn.AdaptiveAvgPool2d((None, 3))", "nn.AdaptiveAvgPool2d((None, 3))", ""),
    ("nn.AdaptiveAvgPool2d(1)", "nn.AdaptiveAvgPool2d(2)", "output_size"),
    ("nn.GELU()", "nn.GELU()", "approximate"),
    ("nn.GELU('tanh')", "nn.GELU()", ""),
    ("nn.GELU()", "mint.nn.GELU()", ""),
    ("nn.GELU('tanh')", "mint.nn.GELU()", "approximate"),
    ("nn.LeakyReLU()", "nn.LeakyReLU()", "negative_slope"),
    ("nn.RReLU()", "nn.RReLU()", ""),
    ("nn.PReLU()", "nn.PReLU()", ""),
    ("nn.PReLU(4)", "nn.PReLU()", "num_parameters"),
    ("nn.ELU()", "nn.ELU()", ""),
    ("nn.ELU(0.5)", "nn.ELU()", "alpha"),
    ("nn.CELU(0.5)", "nn.CELU()", "alpha"),
    ("nn.Hardtanh(0, 6)", "nn.Hardtanh()", "min_val max_val"),
    ("nn.Hardshrink(0.3)", "nn.HShrink()", "lambd"),
    ("nn.Softshrink(0.3)", "nn.SoftShrink()", "lambd"),
    ("nn.Threshold(0.1, 2)", "nn.Threshold(0.2, 2)", "threshold"),
    ("nn.GLU()", "nn.GLU()", ""),
    ("nn.GLU(1)", "nn.GLU(-1)", ""),  # equal for two axes; without the rank nobody knows
    *(
        (f"nn.{torch}()", f"nn.{mindspore}()", "")
        for torch, mindspore in (
            ("ReLU", "ReLU"),
            ("ReLU6", "ReLU6"),
            ("SELU", "SeLU"),
            ("SiLU", "SiLU"),
            ("Mish", "Mish"),
            ("Hardswish", "HSwish"),
            ("Hardsigmoid", "HSigmoid"),
            ("Sigmoid", "Sigmoid"),
            ("Tanh", "Tanh"),
            ("Tanhshrink", "Tanhshrink"),
            ("LogSigmoid", "LogSigmoid"),
            ("Softsign", "Softsign"),
            ("Softmax2d", "Softmax2d"),
            ("Identity", "Identity"),
            ("Flatten", "Flatten"),
        )
    ),
    *((f"nn.{kind}()", f"nn.{kind}()", "dim") for kind in ("Softmax", "LogSoftmax", "Softmin")),
    ("nn.Softmax(-1)", "nn.Softmax()", ""),
    ("nn.Softmax(-1)", "mint.nn.Softmax()", "dim"),
    ("nn.LSTM(3, 4)", "nn.LSTM(3, 4)", ""),
    (
        "nn.LSTM(3, 4, 2, batch_first=True, bidirectional=True, dropout=0.1)",
        "nn.LSTM(3, 4, 2, bidirectional=True)",
        "batch_first dropout",
    ),
    ("nn.GRU(3, 4, bias=False)", "nn.GRU(3, 4)", "bias"),
    ("nn.RNN(3, 4, nonlinearity='relu')", "nn.RNN(3, 4)", "nonlinearity"),
    ("nn.LSTMCell(3, 4)", "nn.LSTMCell(3, 4)", ""),
    ("nn.GRUCell(3, 4)", "nn.GRUCell(3, 4)", ""),
    ("nn.RNNCell(3, 4, nonlinearity='relu')", "nn.RNNCell(3, 4)", "nonlinearity"),
    ("nn.MultiheadAttention(4, 2)", "nn.MultiheadAttention(4, 2)", ""),
    (
        "nn.MultiheadAttention(4, 2, dropout=0.1, bias=False, batch_first=True)",
        "nn.MultiheadAttention(4, 2)",
        "dropout batch_first bias",
    ),
    ("nn.TransformerEncoderLayer(4, 2)", "nn.TransformerEncoderLayer(4, 2)", ""),
    ("nn.TransformerEncoderLayer(4, 2, activation='gelu')", "nn.TransformerEncoderLayer(4, 2)", "activation"),
    ("nn.TransformerDecoderLayer(4, 2, norm_first=True)", "nn.TransformerDecoderLayer(4, 2)", "norm_first"),
    ("nn.ReflectionPad2d((1, 2, 3, 4))", "nn.ReflectionPad2d((1, 2, 3, 4))", ""),
    ("nn.ReflectionPad2d((1, 2, 3, 4))", "nn.ReflectionPad2d((3, 4, 1, 2))", "padding"),
    ("nn.ReplicationPad2d(1)", "nn.ReplicationPad2d(2)", "padding"),
    ("nn.ZeroPad2d(1)", "nn.ZeroPad2d(1)", ""),
    ("nn.ZeroPad2d(1)", "nn.ConstantPad2d(1, 0.5)", "value"),
    ("nn.ConstantPad1d(1, 0.5)", "nn.ConstantPad1d(1, 0.5)", ""),
    ("nn.PixelShuffle(2)", "nn.PixelShuffle(2)", ""),
    ("nn.PixelUnshuffle(2)", "nn.PixelUnshuffle(2)", ""),
    ("nn.ChannelShuffle(2)", "nn.ChannelShuffle(2)", ""),
    ("nn.Upsample(scale_factor=2)", "nn.Upsample(scale_factor=2.0, recompute_scale_factor=True)", ""),
    (
        "nn.Upsample(scale_factor=2, mode='bilinear')",
        "nn.Upsample(scale_factor=2.0, recompute_scale_factor=True)",
        "mode",
    ),
    (
        "nn.Upsample(size=8, mode='bilinear', align_corners=True)",
        "nn.Upsample(size=8, mode='bilinear')",
        "align_corners",
    ),
    ("nn.UpsamplingBilinear2d(scale_factor=2)", "mint.nn.UpsamplingBilinear2d(scale_factor=2)", ""),
    ("nn.Unflatten(1, (2, 2))", "nn.Unflatten(1, (2, 2))", ""),
    ("nn.Unfold(2)", "nn.Unfold([1, 2, 2, 1], [1, 1, 1, 1], [1, 1, 1, 1])", ""),
    ("nn.CrossEntropyLoss()", "nn.CrossEntropyLoss()", ""),
    ("nn.CrossEntropyLoss(label_smoothing=0.1)", "nn.CrossEntropyLoss()", "label_smoothing"),
    ("nn.CrossEntropyLoss()", "nn.SoftmaxCrossEntropyWithLogits(sparse=True)", "reduction"),
    ("nn.CrossEntropyLoss()", "nn.SoftmaxCrossEntropyWithLogits(reduction='mean')", "sparse"),
    ("nn.SmoothL1Loss()", "nn.SmoothL1Loss()", "reduction"),
    ("nn.SmoothL1Loss()", "mint.nn.SmoothL1Loss()", ""),
    ("nn.MSELoss()", "nn.MSELoss()", ""),
    ("nn.MSELoss(reduction='sum')", "nn.MSELoss()", "reduction"),
    ("nn.L1Loss()", "nn.L1Loss('none')", "reduction"),
    ("nn.HuberLoss(delta=2.0)", "nn.HuberLoss()", "delta"),
    ("nn.NLLLoss()", "nn.NLLLoss()", ""),
    ("nn.BCELoss()", "nn.BCELoss()", ""),
    ("nn.BCEWithLogitsLoss()", "nn.BCEWithLogitsLoss()", ""),
    ("nn.KLDivLoss()", "nn.KLDivLoss()", ""),
    ("nn.KLDivLoss(log_target=True)", "nn.KLDivLoss()", "log_target"),
    ("nn.CTCLoss()", "nn.CTCLoss()", ""),
    ("nn.TripletMarginLoss()", "nn.TripletMarginLoss()", ""),
    ("nn.TripletMarginLoss(0.5)", "nn.TripletMarginLoss()", "margin"),
    ("nn.MultiMarginLoss()", "nn.MultiMarginLoss()", ""),
    ("nn.CosineEmbeddingLoss(0.1)", "nn.CosineEmbeddingLoss()", "margin"),
]

CANNOT_BE_WRITTEN = {
    "nn.KLDivLoss(log_target=True)",  # MindSpore's has no such argument
    "nn.ELU(0.5)",  # MindSpore's takes 1.0 only
}

RANKS = {"nn.Softmax()": 3, "nn.LogSoftmax()": 3, "nn.Softmin()": 3, "nn.LayerNorm((3, 4), eps=1e-6)": 3}
"""Number of axes of the input, where a setting can only be written with it."""


@pytest.mark.parametrize(("torch", "mindspore", "expected"), DEFAULTS)
def test_what_differs_is_what_is_known_to_differ(torch: str, mindspore: str, expected: str) -> None:
    """A pair of real layers differs in exactly the settings that the table of facts lists."""
    found = differences(("torch", torch), ("mindspore", mindspore))
    assert sorted(d.name for d in found) == sorted(expected.split())


@pytest.mark.parametrize(("torch", "mindspore", "expected"), DEFAULTS)
def test_the_edit_of_a_mindspore_port_leaves_no_difference(torch: str, mindspore: str, expected: str) -> None:
    """The suggested MindSpore call, evaluated, makes a layer that means the same."""
    rank = RANKS.get(torch)
    found = differences(("torch", torch), ("mindspore", mindspore), rank=rank)
    if torch in CANNOT_BE_WRITTEN:
        assert [d.edit for d in found] == [""]
    elif found:
        assert len({d.edit for d in found}) == 1
        assert differences(("torch", torch), ("mindspore", found[0].edit), rank=rank) == ()


ONLY_MINDSPORE = {
    # torch's constructors cannot say these
    "nn.Dense(3, 4, activation='relu')",
    "nn.MaxPool2d(3, 2, pad_mode='same')",
    "nn.AvgPool2d(3, 2, pad_mode='same')",
    "nn.Conv2d(3, 64, 7, 2)",
    "nn.ConstantPad2d(1, 0.5)",
    "nn.SoftmaxCrossEntropyWithLogits(reduction='mean')",
    "nn.LayerNorm((3, 4), epsilon=1e-6)",
}


@pytest.mark.parametrize(("torch", "mindspore", "expected"), DEFAULTS)
def test_the_edit_of_a_torch_port_leaves_no_difference(torch: str, mindspore: str, expected: str) -> None:
    """The same the other way round: torch's layer is the candidate."""
    found = differences(("mindspore", mindspore), ("torch", torch))
    assert sorted(d.name for d in found) == sorted(expected.split())
    if found and mindspore not in ONLY_MINDSPORE:
        assert differences(("mindspore", mindspore), ("torch", found[0].edit)) == ()
    elif found:
        edits = {d.edit for d in found} - {""}
        remaining = [differences(("mindspore", mindspore), ("torch", edit)) for edit in edits]
        assert all(len(r) < len(found) for r in remaining)


@pytest.mark.parametrize("framework", TABLES)
def test_a_layer_does_not_differ_from_itself(framework: str) -> None:
    """Two recordings of one layer, of either framework, have no difference."""
    side = 0 if framework == "torch" else 1
    for row in DEFAULTS:
        assert differences((framework, row[side]), (framework, row[side])) == ()


@pytest.mark.parametrize(
    ("reference", "candidate", "edit"),
    [
        ("nn.Conv2d(3, 4, 3, padding=1)", "nn.Conv2d(3, 4, 3)", "nn.Conv2d(3, 4, 3, padding=1)"),
        ("nn.LayerNorm(4, 1e-6)", "nn.LayerNorm(4)", "nn.LayerNorm(4, eps=1e-06)"),
        ("nn.Dropout(0.1)", "nn.Dropout(0.2)", "nn.Dropout(0.1)"),
        ("nn.GELU('tanh')", "nn.GELU()", "nn.GELU(approximate='tanh')"),
    ],
)
def test_two_nets_of_one_framework(reference: str, candidate: str, edit: str) -> None:
    """Diffs within one framework give edits too."""
    (found,) = differences(("torch", reference), ("torch", candidate))
    assert found.edit == edit


@pytest.mark.parametrize(
    ("torch", "mindspore", "sentence"),
    [
        ("nn.LayerNorm(4)", "nn.LayerNorm((4,))", "eps is 1e-05 in the reference and 1e-07 in the candidate (MindSpore's default)"),
        ("nn.GELU()", "nn.GELU()", "approximate is 'none' in the reference and True in the candidate (MindSpore's default)"),
        ("nn.MaxPool2d(2)", "nn.MaxPool2d(2)", "stride is 2 in the reference and 1 in the candidate (MindSpore's default)"),
        (
            "nn.BatchNorm2d(4)",
            "nn.BatchNorm2d(4, momentum=0.1)",
            "momentum is 0.1 in the reference; the candidate's 0.1 means 0.9 in PyTorch's convention",
        ),
        ("nn.LeakyReLU(0.1)", "nn.LeakyReLU(0.3)", "negative_slope is 0.1 in the reference and 0.3 in the candidate (alpha)"),
    ],
)  # fmt: skip
def test_a_sentence_is_for_a_reader(torch: str, mindspore: str, sentence: str) -> None:
    """Both values as each side wrote them, and where a default put them there."""
    (found,) = differences(("torch", torch), ("mindspore", mindspore))
    assert found.sentence == sentence


def test_a_silent_axis_is_written_only_where_it_is_known() -> None:
    """torch's dim=None is an axis by rank; MindSpore wants a number."""
    calls = ("torch", "nn.Softmax()"), ("mindspore", "nn.Softmax()")
    assert [d.edit for d in differences(*calls)] == [""]
    assert [d.edit for d in differences(*calls, rank=3)] == ["nn.Softmax(axis=0)"]
    assert differences(*calls, rank=2) == ()


def test_a_negative_axis_is_a_positive_one_where_the_rank_is_known() -> None:
    """-1 and 1 are one axis of two and two axes of three."""
    calls = ("torch", "nn.Softmax(1)"), ("mindspore", "nn.Softmax()")
    assert differences(*calls, rank=2) == ()
    assert [d.name for d in differences(*calls, rank=3)] == ["dim"]
    assert differences(*calls) == ()


def test_a_layer_norm_over_more_axes_than_its_shape() -> None:
    """MindSpore's begin_norm_axis may normalise over more axes than the weight has."""
    calls = ("torch", "nn.LayerNorm(4)"), ("mindspore", "nn.LayerNorm((4,), 1, epsilon=1e-5)")
    assert differences(*calls, rank=2) == ()
    (found,) = differences(*calls, rank=3)
    assert (found.name, found.edit) == ("normalized_shape", "nn.LayerNorm((4,), epsilon=1e-05)")


def test_output_padding_of_mindspore_appends_zeros() -> None:
    """Equal numbers, other meaning: the edit crops one row less at the end instead."""
    mindspore = "nn.Conv2dTranspose(3, 4, 3, 2, pad_mode='pad', padding=1, output_padding=1, has_bias=True)"
    (found,) = differences(("torch", "nn.ConvTranspose2d(3, 4, 3, 2, 1, 1)"), ("mindspore", mindspore))
    assert found.name == "output_padding"
    assert "appends zeros" in found.sentence
    assert found.edit == "nn.Conv2dTranspose(3, 4, 3, 2, pad_mode='pad', padding=(1, 0, 1, 0), has_bias=True)"


def test_the_edit_stands_in_its_line() -> None:
    """Place, what stands there, what to write."""
    layers = recorded("mindspore", "nn.GELU()", text="self.act = nn.GELU()")
    assert (
        edit_line(layers[ROOT], "nn.GELU(approximate=False)") == "net.py:41  nn.GELU()  ->  nn.GELU(approximate=False)"
    )


def test_an_edit_without_source_is_still_a_call() -> None:
    """Where nobody knows the line that made the layer, the call says only what to set."""
    ours, our_meaning = understood("torch", "nn.Conv2d(3, 4, 3, padding=1)")
    theirs, their_meaning = understood("mindspore", "nn.Conv2d(3, 4, 3, pad_mode='valid')", text=None)
    found = setting_differences(our_meaning, their_meaning, ours, theirs, "torch", "mindspore")
    assert {d.edit for d in found} == {"nn.Conv2d(..., pad_mode='pad', padding=1, has_bias=True)"}


def test_the_table_of_a_framework_is_not_used_for_another() -> None:
    """A class of torch in a MindSpore trace means nothing."""
    layers = recorded("torch", "nn.Linear(3, 4)")
    assert meaning(layers[ROOT], "mindspore", layers).op == ""


def test_both_frameworks_are_there() -> None:
    """The tests above ran on real layers."""
    assert set(spaces()) == {"torch", "mindspore"}
