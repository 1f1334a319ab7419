"""What is changed in a port until it agrees: a layer replaced by one with other settings and the same parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Mend = Callable[[Any], None]


def replace(net: Any, path: str, new: Any) -> None:
    """Put the cell `new` where the cell at `path` was; it takes over its parameters and its mode."""
    from mindspore import nn

    cells = dict(net.cells_and_names())
    old = cells[path]
    parent_path, _, name = path.rpartition(".")
    parent = cells[parent_path] if parent_path else net
    for attribute, parameter in old._params.items():
        if parameter is not None:
            setattr(new, attribute, parameter)
    new.set_train(old.training)
    if isinstance(parent, nn.SequentialCell | nn.CellList) and name.isdigit():
        parent[int(name)] = new
    else:
        setattr(parent, name, new)


def _all(net: Any, kind: str) -> list[tuple[str, Any]]:
    return [(path, cell) for path, cell in net.cells_and_names() if type(cell).__name__ == kind]


def exact_gelu(net: Any) -> None:
    """GELU without the tanh approximation that MindSpore's default is."""
    from mindspore import nn

    for path, _ in _all(net, "GELU"):
        replace(net, path, nn.GELU(approximate=False))


def norm_eps(eps: float) -> Mend:
    """BatchNorm with the reference's epsilon."""

    def mend(net: Any) -> None:
        from mindspore import nn

        for path, cell in _all(net, "BatchNorm2d"):
            replace(net, path, nn.BatchNorm2d(cell.num_features, eps=eps, momentum=1 - cell.momentum))

    return mend


def symmetric_convolutions(net: Any) -> None:
    """Convolutions that pad both sides alike, as torch does, where `pad_mode="same"` puts the odd row last."""
    from mindspore import nn

    for path, cell in _all(net, "Conv2d"):
        if cell.pad_mode == "same" and max(cell.kernel_size) > 1:
            padding = tuple(size // 2 for size in cell.kernel_size for _ in range(2))
            options = {"pad_mode": "pad", "padding": padding, "group": cell.group, "has_bias": cell.has_bias}
            replace(net, path, nn.Conv2d(cell.in_channels, cell.out_channels, cell.kernel_size, cell.stride, **options))


def symmetric_pooling(net: Any) -> None:
    """Max pools with the same padding on every side, where `pad_mode="same"` puts the odd row last."""
    from mindspore import nn

    for path, cell in _all(net, "MaxPool2d"):
        if cell.pad_mode.lower() == "same" and cell.kernel_size > 1:
            padding = cell.kernel_size // 2
            replace(net, path, nn.MaxPool2d(cell.kernel_size, cell.stride, pad_mode="pad", padding=padding))


def pooling_counts_padding(net: Any) -> None:
    """Average pools that divide by the whole window at the border too, as torch does."""
    from mindspore import nn

    for path, _ in _all(net, "AvgPool2d"):
        if path.endswith("branch_pool.0"):
            replace(net, path, nn.AvgPool2d(kernel_size=3, stride=1, pad_mode="pad", padding=1))


def unpadded_stem(net: Any) -> None:
    """The first convolution without padding."""
    from mindspore import nn

    replace(net, "features.0", nn.Conv2d(3, 64, 3, stride=2, pad_mode="valid", has_bias=True))


def silu_in_gates(net: Any) -> None:
    """SiLU between the two layers of every squeeze-and-excitation, where the port has ReLU."""
    from mindspore import nn

    for path, _ in _all(net, "SqueezeExcite"):
        replace(net, f"{path}.act", nn.SiLU())


def pools_before_norm(net: Any) -> None:
    """The last norm of a PoolFormer behind the mean over the image, where the port has it before."""
    norm, head = net.norm, net.head
    net.forward_features = lambda x: net.network(net.patch_embed(x))
    net.forward_head = lambda x: head(norm(x.mean([-2, -1], True)).flatten(start_dim=1))


def encodes_the_residual(net: Any) -> None:
    """CoaT's serial blocks add to what the position encoding put out, where the port adds to what it was given."""
    for _, cell in _all(net, "SerialBlock"):
        cell.construct = _serial_block(cell)


def _serial_block(cell: Any) -> Callable[[Any, Any], Any]:
    def construct(x: Any, size: Any) -> Any:
        x = cell.cpe(x, size)
        x = x + cell.drop_path(cell.factoratt_crpe(cell.norm1(x), size))
        return x + cell.drop_path(cell.mlp(cell.norm2(x)))

    return construct


def clipped_relu(net: Any) -> None:
    """ReLU6 where the port has ReLU."""
    from mindspore import nn

    for path, _ in _all(net, "ReLU"):
        replace(net, path, nn.ReLU6())
