"""Padding against pad_mode: what the rules call equal is equal, by counting where every window lies, and by running."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from recorded import make

from tracer.divergence.rules.conversions import padding_pairs, same_pads
from tracer.divergence.rules import meaning, setting_differences
from tracer.trace.schema import Layer


def torch_conv(kernel: int, stride: int, dilation: int, padding: object) -> Layer:
    """A Conv1d of torch as recorded."""
    wide = padding if isinstance(padding, str) else [padding]
    settings = {"kernel_size": [kernel], "stride": [stride], "dilation": [dilation], "padding": wide, "bias": True}
    return Layer("conv", "Conv1d", ("torch.nn.modules.conv.Conv1d",), settings)


def mindspore_conv(kernel: int, stride: int, dilation: int, pad_mode: str, padding: tuple[int, int]) -> Layer:
    """A Conv1d of MindSpore as recorded."""
    settings = {
        "kernel_size": [1, kernel],
        "stride": [1, stride],
        "dilation": [1, dilation],
        "pad_mode": pad_mode,
        "padding": [0, 0, *padding],
        "has_bias": True,
    }
    return Layer("conv", "Conv1d", ("mindspore.nn.layer.conv.Conv1d",), settings)


def windows(size: int, kernel: int, stride: int, dilation: int, before: int, after: int) -> list[list[int | None]]:
    """For each output of a convolution: where each of its taps lies, None in the padding."""
    extent = dilation * (kernel - 1) + 1
    count = (size + before + after - extent) // stride + 1
    taps = [[o * stride - before + t * dilation for t in range(kernel)] for o in range(max(count, 0))]
    return [[p if 0 <= p < size else None for p in window] for window in taps]


def brute_same(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Padding of pad_mode "same", found by trying: the least that gives ceil(size / stride) outputs."""
    wanted = -(-size // stride)
    total = next(t for t in range(1000) if len(windows(size, kernel, stride, dilation, 0, t)) >= wanted)
    return total // 2, total - total // 2


SIZES = st.integers(1, 20)
KERNELS, STRIDES, DILATIONS = st.integers(1, 7), st.integers(1, 4), st.integers(1, 3)


@given(SIZES, KERNELS, STRIDES, DILATIONS)
def test_same_pads_as_little_as_it_can(size: int, kernel: int, stride: int, dilation: int) -> None:
    """The formula gives what trying gives."""
    assert same_pads(size, kernel, stride, dilation) == brute_same(size, kernel, stride, dilation)


@given(SIZES, KERNELS, STRIDES, DILATIONS, st.integers(0, 6))
def test_same_equals_explicit_padding_where_the_windows_do(
    size: int, kernel: int, stride: int, dilation: int, padding: int
) -> None:
    """With the size known, a difference is said exactly where some window lies elsewhere."""
    ours, theirs = (
        torch_conv(kernel, stride, dilation, padding),
        mindspore_conv(kernel, stride, dilation, "same", (0, 0)),
    )
    left = windows(size, kernel, stride, dilation, padding, padding)
    right = windows(size, kernel, stride, dilation, *brute_same(size, kernel, stride, dilation))
    if not left:
        return  # torch would raise
    found = compare(ours, theirs, (2, 3, size))
    assert (found == []) == (left == right)


@example(1, 1, 3, 1, 2, (4, 0))  # windows that see nothing but padding
@given(SIZES, KERNELS, STRIDES, DILATIONS, st.integers(0, 4), st.tuples(st.integers(0, 4), st.integers(0, 4)))
def test_explicit_padding_equals_explicit_padding_where_the_windows_do(
    size: int, kernel: int, stride: int, dilation: int, padding: int, pads: tuple[int, int]
) -> None:
    """The same for pad_mode "pad" with two ends of its own."""
    ours, theirs = torch_conv(kernel, stride, dilation, padding), mindspore_conv(kernel, stride, dilation, "pad", pads)
    left, right = (
        windows(size, kernel, stride, dilation, padding, padding),
        windows(size, kernel, stride, dilation, *pads),
    )
    if not left or not right:
        return
    found = compare(ours, theirs, (2, 3, size))
    assert (found == []) == (left == right)


@given(KERNELS, STRIDES, DILATIONS, st.integers(0, 6))
def test_without_the_size_equal_means_equal_for_every_size(
    kernel: int, stride: int, dilation: int, padding: int
) -> None:
    """Where no size is known, nothing is called equal that some size tells apart."""
    ours, theirs = (
        torch_conv(kernel, stride, dilation, padding),
        mindspore_conv(kernel, stride, dilation, "same", (0, 0)),
    )
    equal = [
        windows(n, kernel, stride, dilation, padding, padding)
        == windows(n, kernel, stride, dilation, *brute_same(n, kernel, stride, dilation))
        for n in range(kernel * dilation, kernel * dilation + 12)
    ]
    if compare(ours, theirs, None) == []:
        assert all(equal)
    else:
        assert not all(equal)


@given(KERNELS, DILATIONS)
def test_torchs_same_is_mindspores_same(kernel: int, dilation: int) -> None:
    """At stride 1, which is all that torch allows."""
    assert (
        compare(torch_conv(kernel, 1, dilation, "same"), mindspore_conv(kernel, 1, dilation, "same", (0, 0)), None)
        == []
    )


def compare(ours: Layer, theirs: Layer, shape: tuple[int, ...] | None) -> list[str]:
    """Names of the settings that differ."""
    found = setting_differences(
        meaning(ours, "torch"), meaning(theirs, "mindspore"), ours, theirs, "torch", "mindspore", input_shape=shape
    )
    return [d.name for d in found]


def test_a_strided_same_differs_at_even_sizes_only() -> None:
    """The classic slip: equal shape, other values, unless the size is odd."""
    ours, theirs = torch_conv(3, 2, 1, 1), mindspore_conv(3, 2, 1, "same", (0, 0))
    assert compare(ours, theirs, (1, 3, 8)) == ["padding"]
    assert compare(ours, theirs, (1, 3, 9)) == []
    assert compare(ours, theirs, None) == ["padding"]


# --------------------------------------------------------------------------------------------------------------------
# By running both frameworks
# --------------------------------------------------------------------------------------------------------------------


def run(framework: str, layer: object, weight: np.ndarray, x: np.ndarray) -> np.ndarray:
    """One layer with this weight on this input."""
    if framework == "torch":
        import torch

        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(weight))
            return layer(torch.from_numpy(x)).numpy()
    import mindspore

    layer.weight.set_data(mindspore.Tensor(weight))
    return layer(mindspore.Tensor(x)).asnumpy()


@pytest.mark.parametrize("size", [8, 9])
@pytest.mark.parametrize(
    ("kernel", "stride", "extra"),
    [(3, 1, ""), (3, 2, ""), (4, 2, ""), (2, 3, ""), (3, 1, ", dilation=2"), (2, 1, "")],
)
@pytest.mark.parametrize("mode", ["same", "valid"])
def test_a_convolution_pads_as_the_rules_say(kernel: int, stride: int, extra: str, size: int, mode: str) -> None:
    """MindSpore's output equals torch's on an input that was padded by hand."""
    import torch

    rng = np.random.default_rng(0)
    weight = rng.standard_normal((3, 2, kernel, kernel)).astype(np.float32)
    x = rng.standard_normal((1, 2, size, size)).astype(np.float32)
    call = f"nn.Conv2d(2, 3, {kernel}, {stride}, pad_mode='{mode}'{extra})"
    got = run("mindspore", make("mindspore", call), weight, x)
    before, after = same_pads(size, kernel, stride, 2 if extra else 1) if mode == "same" else (0, 0)
    padded = torch.nn.functional.pad(torch.from_numpy(x), (before, after, before, after)).numpy()
    want = run("torch", make("torch", f"nn.Conv2d(2, 3, {kernel}, {stride}, bias=False{extra})"), weight, padded)
    np.testing.assert_allclose(got, want, atol=1e-5)


@pytest.mark.parametrize(
    ("kernel", "stride", "more"),
    [
        (3, 1, "pad_mode='same'"),
        (3, 2, "pad_mode='same'"),
        (4, 2, "pad_mode='same'"),
        (2, 2, "pad_mode='same'"),
        (2, 3, "pad_mode='same'"),
        (3, 2, "pad_mode='valid'"),
        (2, 3, "pad_mode='valid'"),
        (3, 2, "pad_mode='pad', padding=1"),
        (3, 2, "pad_mode='pad', padding=(1, 0, 1, 0)"),
        (2, 3, "pad_mode='pad', padding=0"),
    ],
)
def test_a_transposed_convolution_crops_as_the_rules_say(kernel: int, stride: int, more: str) -> None:
    """MindSpore's output is torch's full output, cropped as the meaning of the layer says."""
    import torch
    from recorded import recorded

    rng = np.random.default_rng(0)
    weight = rng.standard_normal((2, 3, kernel, kernel)).astype(np.float32)
    x = rng.standard_normal((1, 2, 5, 5)).astype(np.float32)
    call = f"nn.Conv2dTranspose(2, 3, {kernel}, {stride}, {more})"
    got = run("mindspore", make("mindspore", call), weight, x)
    layers = recorded("mindspore", call)
    means = meaning(layers["(root)"], "mindspore", layers)
    extra = means.settings["output_padding"].value[0]
    crop = [(before, after - extra) for before, after in padding_pairs(means.settings["padding"].value)]
    full = run("torch", make("torch", f"nn.ConvTranspose2d(2, 3, {kernel}, {stride}, bias=False)"), weight, x)
    (top, bottom), (left, right) = crop
    want = torch.nn.functional.pad(torch.from_numpy(full), (-left, -right, -top, -bottom)).numpy()
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, atol=1e-5)


@pytest.mark.parametrize("size", [8, 9])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (2, 2), (3, 1), (2, 1)])
def test_max_pool_pads_as_the_rules_say(size: int, kernel: int, stride: int) -> None:
    """pad_mode "same" of MaxPool2d is padding with minus infinity as for convolutions."""
    import mindspore
    import torch

    x = np.random.default_rng(0).standard_normal((1, 2, size, size)).astype(np.float32)
    before, after = same_pads(size, kernel, stride, 1)
    got = make("mindspore", f"nn.MaxPool2d({kernel}, {stride}, pad_mode='same')")(mindspore.Tensor(x)).asnumpy()
    padded = torch.nn.functional.pad(torch.from_numpy(x), (before, after, before, after), value=-np.inf)
    np.testing.assert_array_equal(got, torch.nn.functional.max_pool2d(padded, kernel, stride).numpy())


@pytest.mark.parametrize("size", [8, 9])
def test_average_pool_with_same_never_counts_padding(size: int) -> None:
    """Whatever count_include_pad says, pad_mode "same" divides by what lies inside."""
    import mindspore
    import torch

    x = np.random.default_rng(0).standard_normal((1, 2, size, size)).astype(np.float32)
    got = make("mindspore", "nn.AvgPool2d(3, 1, pad_mode='same', count_include_pad=True)")(
        mindspore.Tensor(x)
    ).asnumpy()
    want = torch.nn.functional.avg_pool2d(torch.from_numpy(x), 3, 1, 1, count_include_pad=False).numpy()
    np.testing.assert_allclose(got, want, atol=1e-6)


def test_lrn_of_both_frameworks_with_aligned_arguments() -> None:
    """torch divides alpha by the size of the window, MindSpore does not."""
    import mindspore
    import torch

    x = np.random.default_rng(0).standard_normal((1, 7, 3, 3)).astype(np.float32)
    got = make("mindspore", "nn.LRN(2, 1.0, 0.5, 0.75)")(mindspore.Tensor(x)).asnumpy()
    want = torch.nn.LocalResponseNorm(5, 2.5, 0.75, 1.0)(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(got, want, atol=1e-5)
