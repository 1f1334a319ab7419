"""What a net is given and what it returns besides tensors, and what of both the backward pass can be judged by."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import tracer
from tests.contract import validate_report

X = np.random.default_rng(1).normal(size=(5, 8)).astype(np.float32)


class Scaled(nn.Module):
    """A class that no rule knows; `factor` is in no setting."""

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(8))
        self._factor = [factor]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Twice what came in, at least."""
        x = self.inside(x) if isinstance(getattr(self, "inside", None), nn.Tanh) else x
        return self._factor[0] * (x * x + x) * self.weight


class Net(nn.Module):
    """Three layers, and `end` makes of their result, and of the further arguments, what is returned."""

    def __init__(self, end: Callable[..., Any], factor: float = 1.0, inside: nn.Module | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.own, self.last = nn.Linear(8, 8), Scaled(factor), nn.Linear(8, 8)
        if inside is not None:
            self.own.inside = inside
        self._end = [end]

    def forward(self, x: torch.Tensor, *more: Any, **named: Any) -> Any:
        """The layers, then the end."""
        return self._end[0](self.last(self.own(self.first(x))), *more, **named)


def diff(tmp_path: Path, ours: Net, theirs: Net, given: tuple[Any, Any] = (X, X), **options: Any) -> dict[str, Any]:
    """Record both nets; the report of the two."""
    files = [tmp_path / "a.h5", tmp_path / "b.h5"]
    for net, inputs, file in zip((ours, theirs), given, files, strict=True):
        tracer.record(net, inputs, out=file)
    return validate_report(tracer.diff(*files, **options).to_dict())


def ends(tmp_path: Path, ours: Callable[..., Any], theirs: Callable[..., Any], **more: Any) -> dict[str, Any]:
    """The report of two nets that are the same but for what they make of the result."""
    return diff(tmp_path, Net(ours), Net(theirs), **more)


@pytest.mark.parametrize(
    ("ours", "theirs"), [(3.0, 4.0), (3, None), ("y", "z"), (True, False), (0.0, 1.0), (float("nan"), 1.0)]
)
def test_a_leaf_that_is_no_tensor_is_judged(tmp_path, ours, theirs):
    """A number, a flag or a word that the net returns and that differs makes the output diverge, with both values."""
    found = ends(tmp_path, lambda y: (y, ours), lambda y: (y, theirs))
    origin = found["origin"]
    assert (found["verdict"], origin["phase"], origin["place"]) == ("diverged", "forward", "output")
    cause = origin["causes"][0]
    assert cause["kind"] == "code"
    assert cause["name"] == "output 1"
    assert cause["candidate"] == theirs


def test_a_returned_number_may_be_off_by_rounding(tmp_path):
    """A sum of the outputs is taken in another order by another framework."""
    found = ends(tmp_path, lambda y: (y, float(y.detach().sum())), lambda y: (y, float(y.detach().sum()) * (1 + 1e-6)))
    assert found["verdict"] == "agree"


def test_a_flag_and_the_number_that_equals_it_are_one(tmp_path):
    """True and 1, and None that one side leaves out, are no difference."""
    assert ends(tmp_path, lambda y: (y, True, None), lambda y: (y, 1))["verdict"] == "agree"


@pytest.mark.parametrize(
    ("ours", "theirs", "name"),
    [((X, 2), (X, 3), "argument 1"), ({"x": X, "n": True}, {"x": X, "n": False}, "n")],
)
def test_other_arguments_are_no_fault_of_the_net(tmp_path, ours, theirs, name):
    """A number or a flag that both nets were given and that differs is named, and nothing is said of the nets."""
    net = Net(lambda y, n: -y if n is True else y * n)
    found = diff(tmp_path, net, net, (ours, theirs))
    origin = found["origin"]
    assert (found["verdict"], origin["phase"], origin["place"]) == ("unsure", "start", "input")
    assert origin["causes"][0]["name"] == name
    assert name in found["reason"]


def test_an_argument_that_one_side_leaves_out_is_a_note(tmp_path):
    """It may be the default."""
    net = Net(lambda y, n=2: y * n)
    found = diff(tmp_path, net, net, ({"x": X, "n": 2}, {"x": X}))
    assert found["verdict"] == "agree"
    assert any("only the reference was given n = 2" in note for note in found["notes"])


def test_named_results_in_another_order_have_no_common_backward(tmp_path):
    """They are compared by name; the gradients that were sent back went by order, so nothing is said of them."""
    found = ends(tmp_path, lambda y: {"a": y, "b": y.tanh()}, lambda y: {"b": y.tanh(), "a": y})
    assert found["verdict"] == "agree"
    assert "another order" in found["coverage"]["phases"]["backward"]
    assert any(note.endswith("compared by name") for note in found["notes"])


def test_arguments_of_one_name_are_compared_whatever_their_order(tmp_path):
    """Of arguments with partly other names those of one name belong together, and the rest in order."""
    mask = np.ones((5, 8), np.float32)
    found = diff(
        tmp_path,
        Net(lambda y, mask: y * mask),
        Net(lambda y, m: y * m),
        ({"x": X, "mask": mask}, {"m": mask, "x": X}),
    )
    assert found["verdict"] == "agree"


def test_a_mode_that_nothing_is_known_to_depend_on_is_the_last_cause(tmp_path):
    """Wrong code of a class that no rule knows is not put down to the training flag."""
    found = diff(tmp_path, Net(lambda y: y), Net(lambda y: y, factor=1.1).eval())
    causes = found["origin"]["causes"]
    assert found["origin"]["reference"]["path"] == "own"
    assert [cause["kind"] for cause in causes] == ["code", "mode"]
    assert causes[0]["edit"].startswith("compare")


def test_a_mode_that_a_layer_inside_depends_on_is_a_cause(tmp_path):
    """Dropout inside, whose calls were not recorded, may be what differs."""
    nets = [Net(lambda y: y, factor, nn.Dropout(0.5)) for factor in (1.0, 1.1)]
    found = diff(tmp_path, nets[0], nets[1].eval())
    assert found["origin"]["causes"][0]["kind"] == "mode"


def test_weights_outside_of_what_only_names_are_not_blamed(tmp_path):
    """--only restricts what is said of parameters as well."""
    theirs = Net(lambda y: y)
    with torch.no_grad():
        theirs.first.weight += 1
    found = diff(tmp_path, Net(lambda y: y), theirs, only=["last"])
    assert (found["verdict"], found["origin"]) == ("unsure", None)


@pytest.mark.parametrize("only", [[], ["last"]])
def test_settings_outside_of_what_only_names_are_not_told(tmp_path, only):
    """Nothing is known of their effect."""
    theirs = Net(lambda y: y)
    theirs.first.out_features = 9
    found = diff(tmp_path, Net(lambda y: y), theirs, only=only)
    assert any("out_features" in note for note in found["notes"]) == (not only)


def test_gradients_of_a_frozen_net_are_judged(tmp_path):
    """Where no parameter is trained but the input asks for a gradient, a gradient that code cuts off is found."""
    nets = [Net(lambda y: y), Net(lambda y: y * 0.5 + y.detach() * 0.5)]
    for net in nets:
        net.requires_grad_(requires_grad=False)
    found = diff(tmp_path, *nets, given=tuple(torch.tensor(X, requires_grad=True) for _ in nets))
    assert (found["verdict"], found["origin"]["phase"]) == ("diverged", "backward")


def test_a_frozen_net_whose_input_asks_on_one_side_only_is_not_judged_backward(tmp_path):
    """A gradient that one side did not ask for is no finding."""
    nets = [Net(lambda y: y), Net(lambda y: y)]
    nets[0].requires_grad_(requires_grad=False)
    nets[1].requires_grad_(requires_grad=False)
    found = diff(tmp_path, *nets, given=(torch.tensor(X, requires_grad=True), X))
    assert found["verdict"] == "agree"
    assert found["coverage"]["phases"]["backward"] != "judged"


def test_a_result_of_another_dtype_is_said_before_numbers(tmp_path):
    """Code that converts what the net returns may lose nothing, and is told all the same."""
    found = ends(tmp_path, lambda y: y, lambda y: y.double())
    assert found["verdict"] == "agree"
    assert any("float32" in note and "float64" in note for note in found["notes"])


def test_a_mode_is_no_cause_where_the_layers_left_out_do_not_depend_on_it(tmp_path):
    """What a recording left out is the better guess."""
    nets = [Net(lambda y: y, factor, nn.Tanh()) for factor in (1.0, 1.1)]
    nets[1].eval()
    files = [tmp_path / "a.h5", tmp_path / "b.h5"]
    for net, file in zip(nets, files, strict=True):
        tracer.record(net, X, out=file, depth=1)
    origin = validate_report(tracer.diff(*files).to_dict())["origin"]
    assert origin["reference"]["path"] == "own"
    assert [cause["kind"] for cause in origin["causes"]] == ["code"]
