"""Which layer of the port a layer of the reference belongs to, net by net, written down by hand.

Each function takes the path of a reference's layer and gives the port's, "" where the port has no such layer.
"""

from __future__ import annotations

import re


def same(path: str) -> str:
    return path


def resnet(path: str) -> str:
    path = path.replace("downsample", "down_sample")
    return {"maxpool": "max_pool", "avgpool": "pool", "fc": "classifier"}.get(path, path)


def densenet(path: str) -> str:
    path = re.sub(r"denselayer(\d+)", lambda found: f"cell_list.{int(found[1]) - 1}", path)
    path = re.sub(r"(transition\d)\.", r"\1.features.", path)
    return {"features.pool0": "features.pool0.1"}.get(path, path)


def squeezenet(path: str) -> str:
    return {"classifier.1": "final_conv", "classifier.3": "classifier.3"}.get(path, path)


def convnext(path: str) -> str:
    path = path.replace("features", "feature", 1).replace("stochastic_depth", "drop_path")
    inside = {"0": "dwconv", "2": "norm", "3": "pwconv1", "4": "act", "5": "pwconv2", "1": "", "6": ""}
    found = re.fullmatch(r"(feature\.\d\.\d+)\.block(?:\.(\d))?", path)
    if found:
        place = inside[found[2]] if found[2] else ""
        return f"{found[1]}.{place}" if place else ""
    return {"classifier": "", "classifier.0": "norm", "classifier.1": "", "classifier.2": "classifier"}.get(path, path)


def mnasnet(path: str) -> str:
    """torchvision nests its six stacks of 3, 3, 3, 2, 4 and 1 blocks, the port has them in one list."""
    starts = {8: 8, 9: 11, 10: 14, 11: 17, 12: 19, 13: 23}
    parts = path.split(".")
    if parts[0] == "classifier":
        return {"classifier.0": "dropout", "classifier.1": "classifier"}.get(path, "")
    if len(parts) == 1:
        return "features"
    number = int(parts[1])
    if number < 8 or number > 13:
        return f"features.{number if number < 8 else number + 10}"
    if len(parts) == 2:
        return ""
    return ".".join([f"features.{starts[number] + int(parts[2])}", *parts[3:]])


def mobilenet_v2(path: str) -> str:
    return _flat_blocks(path, last=18, gated=frozenset())


def mobilenet_v3(path: str) -> str:
    if path == "avgpool":
        return "pool"
    return _flat_blocks(path, last=16, gated=frozenset({4, 5, 6, 11, 12, 13, 14, 15}))


_GATE = {"avgpool": "pool", "fc1": "conv_reduce", "fc2": "conv_expand", "activation": "act", "scale_activation": "gate"}


def _flat_blocks(path: str, last: int, gated: frozenset[int]) -> str:
    """A conv, a norm and an activation each take a place in the port's list, where torchvision nests them; stem and
    last layers have no list of their own, so every block comes two places later."""
    parts = path.split(".")
    if parts[0] != "features" or len(parts) == 1:
        return path
    number = int(parts[1])
    if number in (0, last):
        return f"features.{int(parts[2]) + (0 if number == 0 else last + 2)}" if len(parts) == 3 else ""
    start = f"features.{number + 2}"
    if len(parts) < 4:
        return start if len(parts) == 2 else f"{start}.layers"
    group = int(parts[3])
    if parts[2] == "conv":  # the last two of a block of mobilenet_v2 stand alone
        grouped = 1 if number == 1 else 2
        if len(parts) == 5:
            return f"{start}.layers.{3 * group + int(parts[4])}"
        return f"{start}.layers.{3 * grouped + group - grouped}" if group >= grouped else ""
    if len(parts) == 4:
        return f"{start}.layers.6" if group == 2 and number in gated else ""
    if parts[4] in _GATE:
        return f"{start}.layers.6.{_GATE[parts[4]]}"
    return f"{start}.layers.{(7 if group == 3 else 3 * group) + int(parts[4])}"


def efficientnet(path: str) -> str:
    parts = path.split(".")
    if parts[0] != "features":
        return {"avgpool": "avgpool", "classifier.0": "dropout", "classifier.1": "mlp_head"}.get(path, "")
    if len(parts) == 1:
        return path
    number = int(parts[1])
    if number in (0, 8):
        return f"features.{int(parts[2]) + (0 if number == 0 else 10)}" if len(parts) == 3 else ""
    start = f"features.{number + 2}"
    if len(parts) == 2:
        return start
    start += f".{parts[2]}"
    if len(parts) < 5:
        return {3: start}.get(len(parts), f"{start}.block" if parts[-1] == "block" else "")
    gate = 1 if number == 1 else 2
    group = int(parts[4])
    if len(parts) == 5:
        return f"{start}.block.{3 * gate}" if group == gate else ""
    if parts[5] in _GATE:
        return f"{start}.block.{3 * gate}.{_GATE[parts[5]]}"
    return f"{start}.block.{(3 * gate + 1 if group > gate else 3 * group) + int(parts[5])}"


def inception_v3(path: str) -> str:
    head = {"maxpool1": "maxpool1", "maxpool2": "maxpool2", "avgpool": "pool", "dropout": "dropout", "fc": "classifier"}
    if path in head:
        return head[path]
    path = re.sub(r"^Conv2d_(\d[ab])_\dx\d", r"conv\1", path)
    path = re.sub(r"^AuxLogits", "aux", path)
    found = re.fullmatch(r"Mixed_(\d)(\w)(?:\.(\w+?))?(?:_(\d)([ab]?))?((?:\.\w+)?)", path)
    if not found:
        return path
    number, letter, branch, step, part, rest = found.groups()
    block = f"inception{number}{letter}"
    if branch is None:
        return block
    if branch == "branch_pool" or branch == "branch":
        return f"{block}.branch_pool.1{rest}"
    where = _BRANCHES[number + letter if number + letter in ("6a", "7a") else number][branch]
    if step is None:
        return f"{block}.{where}{rest}"
    if part:
        return f"{block}.{where}{part}{rest}"
    if (number, where, letter) in (("7", "branch1", "b"), ("7", "branch1", "c")):
        return f"{block}.{where}{rest}"
    return f"{block}.{where}.{int(step) - 1}{rest}"


_BRANCHES = {
    "5": {"branch1x1": "branch0", "branch5x5": "branch1", "branch3x3dbl": "branch2"},
    "6a": {"branch3x3": "branch0", "branch3x3dbl": "branch1"},
    "6": {"branch1x1": "branch0", "branch7x7": "branch1", "branch7x7dbl": "branch2"},
    "7a": {"branch3x3": "branch0", "branch7x7x3": "branch1"},
    "7": {"branch1x1": "branch0", "branch3x3": "branch1", "branch3x3dbl": "branch2"},
}
