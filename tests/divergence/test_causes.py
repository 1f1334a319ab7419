"""What is said of an origin: the true cause first, no cause that the numbers speak against, an edit that can be made."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import tracer
from tests.divergence.worlds import World
from tracer.divergence.diagnosis import Diagnosis, diagnose
from tracer.divergence.rules import own_call
from tracer.trace.schema import Layer, Source

X = np.random.default_rng(0).standard_normal((3, 4, 20), dtype=np.float32)

Body = Callable[[nn.Module, torch.Tensor], torch.Tensor]


class Own(nn.Module):
    """Layers and parameters by name, and the code that uses them."""

    def __init__(self, body: Body, **parts):
        super().__init__()
        self.body = body
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, *given):
        return self.body(self, *given)


def found(ours: nn.Module, theirs: nn.Module, folder: Path, x=X, **options) -> Diagnosis:
    """Record both nets and compare them."""
    for name, net in (("ours", ours), ("theirs", theirs)):
        tracer.record(net, x, out=folder / f"{name}.h5", backward=False, **options)
    return tracer.diff(folder / "ours.h5", folder / "theirs.h5").diagnosis


def sentences(diagnosis: Diagnosis) -> list[str]:
    return [cause.sentence for cause in diagnosis.origin.causes]


# -- parameters under other names ------------------------------------------------------------------------------------


def scaled(body: Body, first: str, second: str, values=(1.0, 2.0)) -> nn.Module:
    """A layer of one's own with two parameters of one shape, and a layer after it."""
    torch.manual_seed(1)
    a, b = torch.randn(20), torch.randn(20)
    own = Own(body, **{first: nn.Parameter(a * values[0]), second: nn.Parameter(b * values[1])})
    return nn.Sequential(own, nn.Linear(20, 3)).eval()


def test_own_parameters_under_other_names_are_paired_by_their_numbers(tmp_path):
    """Two parameters of one shape, renamed and declared in another order, are the same: then the code differs."""
    ours = scaled(lambda s, x: (x + s.loc) * s.log_s, "loc", "log_s")
    torch.manual_seed(1)
    parts = {"shift": nn.Parameter(torch.randn(20)), "scale": nn.Parameter(torch.randn(20) * 2)}
    own = Own(lambda s, x: x * s.scale + s.shift, scale=parts["scale"], shift=parts["shift"])
    theirs = nn.Sequential(own, nn.Linear(20, 3)).eval()
    theirs[1].load_state_dict(ours[1].state_dict())
    diagnosis = found(ours, theirs, tmp_path)
    assert diagnosis.origin.reference.path == "0"
    assert sentences(diagnosis) == ["settings and parameters are the same: the code of the layer differs"]


def test_own_parameters_that_were_never_loaded_are_paired_in_their_order(tmp_path):
    """As many of a shape on both sides, other names and numbers: each holds other numbers, none is to be added."""
    ours = scaled(lambda s, x: (x + s.loc) * s.log_s, "loc", "log_s")
    theirs = scaled(lambda s, x: (x + s.shift) * s.logs, "shift", "logs", values=(0.5, 3.0))
    theirs[1].load_state_dict(ours[1].state_dict())
    diagnosis = found(ours, theirs, tmp_path)
    assert diagnosis.origin.phase == "start"
    assert [c.name for c in diagnosis.origin.causes] == ["loc", "log_s"]
    assert diagnosis.origin.causes[0].edit == "load the reference's 0.loc into 0.shift"


def test_a_parameter_of_the_net_itself_is_named_in_the_edit(tmp_path):
    """Of a class that no rule knows not "the weights of (root)" but the parameter is to be loaded."""
    nets = [
        Own(lambda s, x: s.fc(x * s.seeds), seeds=nn.Parameter(torch.full((20,), n)), fc=nn.Linear(20, 2))
        for n in (2.0, 3.0)
    ]
    nets[1].fc.load_state_dict(nets[0].fc.state_dict())
    diagnosis = found(nets[0].eval(), nets[1].eval(), tmp_path)
    assert diagnosis.origin.causes[0].edit == "load the reference's seeds into seeds"


@pytest.mark.parametrize("keep", ["values", "statistics"])
def test_an_axis_of_one_in_a_weight_is_no_other_shape(keep):
    """A Conv1d weight that MindSpore keeps as (O, I, 1, K) and that was never loaded holds other numbers."""
    rng = np.random.default_rng(2)
    weights = [rng.standard_normal((8, 4, 1), dtype=np.float32) for _ in range(2)]

    def net(framework: str, weight: np.ndarray, held: np.ndarray) -> World:
        world = World(framework, keep=keep)
        conv = lambda t: np.einsum("oi,nil->nol", weight[:, :, 0], t.array)
        body = lambda t: world.call("conv", "Conv1d", conv, t, parameters={"weight": held})
        world.call("(root)", "Net", body, X)
        return world

    theirs = net("mindspore", weights[1], weights[1][:, :, None, :])
    diagnosis = diagnose(net("torch", weights[0], weights[0]).trace(), theirs.trace())
    assert (diagnosis.origin.phase, diagnosis.origin.reference.path) == ("start", "conv")
    assert "holds other numbers" in diagnosis.origin.causes[0].sentence
    assert "turned into its shape" not in diagnosis.origin.causes[0].edit


# -- layers without a partner ----------------------------------------------------------------------------------------


def padded(finish: Body, *, layer: bool, pad=(2, 0), dilation: int = 1) -> nn.Module:
    """A causal convolution that is padded in code, or (`layer`) by a layer that only this net has."""
    torch.manual_seed(0)
    parts = {"conv": nn.Conv1d(4, 4, 3, dilation=dilation), "mix": nn.Conv1d(4, 4, 1), "skip": nn.Conv1d(4, 4, 1)}
    if layer:
        parts["pad"] = nn.ConstantPad1d(pad, 0.0)
    before = (lambda s, x: s.pad(x)) if layer else lambda s, x: nn.functional.pad(x, pad)
    block = Own(lambda s, x: finish(s, x, torch.tanh(s.conv(before(s, x)))), **parts)
    return nn.Sequential(block, nn.Conv1d(4, 2, 1)).eval()


def right(s, x, h):
    return x + s.mix(h) + s.skip(h)


@pytest.mark.parametrize(
    ("slip", "said"),
    [
        (lambda s, x, h: s.mix(h) + s.skip(h), ["the reference adds the input of 0 here, the candidate does not"]),
        (lambda s, x, h: x + s.mix(h), None),
        (lambda s, x, h: x + s.mix(h) * s.skip(h), None),
    ],
)
def test_a_lone_layer_before_what_agrees_is_no_cause(slip, said, tmp_path):
    """The pad feeds the convolution, which agrees: a fault after it is not laid on the pad."""
    diagnosis = found(padded(right, layer=False), padded(slip, layer=True), tmp_path)
    assert (diagnosis.origin.place, diagnosis.origin.reference.path) == ("between", "0")
    assert not any("no layer of the reference answers it" in s for s in sentences(diagnosis))
    assert said is None or sentences(diagnosis) == said


def test_a_lone_layer_that_makes_the_difference_is_a_cause(tmp_path):
    """The pad fills the wrong end: what the convolution is given differs, and only the pad lies before it."""
    diagnosis = found(padded(right, layer=False), padded(right, layer=True, pad=(0, 2)), tmp_path)
    assert any("ConstantPad1d 0.pad" in s for s in sentences(diagnosis))


# -- settings next to the code ---------------------------------------------------------------------------------------


def test_a_setting_that_the_code_before_a_layer_has_to_fit_is_the_first_cause(tmp_path):
    """Padding and dilation of one slip: the code pads more because the convolution reaches further."""
    theirs = padded(right, layer=True, pad=(4, 0), dilation=2)
    diagnosis = found(padded(right, layer=False), theirs, tmp_path)
    first = diagnosis.origin.causes[0]
    assert (diagnosis.origin.place, first.kind, first.name) == ("between", "setting", "dilation")
    assert first.sentence.endswith("at 0.conv")
    assert not any("dilation" in note for note in diagnosis.notes)


def test_a_setting_that_shapes_nothing_is_no_cause_of_what_came_in(tmp_path):
    """A norm's eps does not explain that the norm was given other numbers."""

    def net(scale: float, eps: float) -> nn.Module:
        torch.manual_seed(0)
        parts = {"fc": nn.Linear(20, 20), "norm": nn.LayerNorm(20, eps=eps)}
        return Own(lambda s, x: s.norm(s.fc(x).sin() + scale * x), **parts).eval()

    diagnosis = found(net(1.0, 1e-5), net(0.5, 1e-3), tmp_path)
    assert [c.name for c in diagnosis.origin.causes if c.kind == "setting"] == []
    assert any("eps" in note for note in diagnosis.notes)


# -- edits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "edit"),
    [
        ("self.c = Coupling(dim, cond, i % 2 == 0)", "set flip to False"),
        ("self.c = [Coupling(dim, cond, at) for at in flips]", "set flip to False"),
        ("self.c = Coupling(*arguments)", "set flip to False"),
        ("self.c = Coupling(dim, True, True)", "set flip to False"),
        ("self.c = Coupling(dim, cond, True)", "Coupling(dim, cond, False)"),
        ("self.c = Coupling(dim, cond, self.flip)", "Coupling(dim, cond, False)"),
        ("self.c = Coupling(dim, cond, flip=i % 2 == 0)", "Coupling(dim, cond, flip=False)"),
        ("self.c = Coupling(dim, 8)", "Coupling(dim, 8, flip=False)"),
    ],
)
def test_an_argument_is_never_given_twice(text, edit):
    """A setting of one's own class is replaced where it stands, added where it does not, else said in words."""
    layer = Layer("c", "Coupling", ("my.Coupling",), {"flip": True}, made_at=Source("net.py", 3, text))
    assert own_call(layer, {"flip": (True, False)}) == edit


FLIPS = """
import torch
from torch import nn


class Flip(nn.Module):
    def __init__(self, flip):
        super().__init__()
        self.flip = flip

    def forward(self, x):
        return x.flip(-1) if self.flip else x


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.steps = nn.ModuleList([Flip(i % 2 == 1) for i in range(3)])
        self.mix = nn.ModuleList([nn.Conv1d(4, 4, 1) for _ in range(3)])

    def forward(self, x):
        for step, mix in zip(self.steps, self.mix):
            x = mix(step(x))
        return x
"""


def build(text: str, file: Path) -> nn.Module:
    file.write_text(text)
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = sys.modules[file.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    torch.manual_seed(0)
    return module.Net().eval()


def test_an_edit_in_a_loop_says_for_which_layer_it_is(tmp_path):
    """One line makes layers that need opposite values: the edit is not called right for all of them."""
    ours, theirs = (build(FLIPS.replace("== 1", f"== {n}"), tmp_path / f"port_flips{n}.py") for n in (1, 0))
    diagnosis = found(ours, theirs, tmp_path)
    assert [c.name for c in diagnosis.origin.causes] == ["flip"]
    edit = diagnosis.origin.causes[0].edit
    assert "set flip to False" in edit
    assert "for steps.0; other layers that this line makes need other values" in edit
    assert not any("the same edit" in note for note in diagnosis.notes)


# -- notes and repeated slips ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("training", [True, False])
def test_another_momentum_is_said_beforehand_where_the_step_writes_statistics(training, tmp_path):
    """No output shows it, so the nets agree; in training mode the reader must know all the same."""
    nets = []
    for momentum in (0.1, 0.9):
        torch.manual_seed(0)
        nets.append(nn.Sequential(nn.Conv1d(4, 4, 1), nn.BatchNorm1d(4, momentum=momentum)).train(training))
    diagnosis = found(*nets, tmp_path)
    assert diagnosis.verdict == "agree"
    assert any("momentum" in said and "moving statistics" in said for said in diagnosis.beforehand) == training
    assert sum("momentum" in note for note in diagnosis.notes) == 1


def test_a_slip_in_code_that_runs_again_has_the_cause_of_its_first_run(tmp_path):
    """Further on the numbers differ for more than one reason; the lines are the same, and so is the cause."""

    def net(factor: float) -> nn.Module:
        torch.manual_seed(0)
        body = lambda s, x: (x + torch.tanh(s.fc(x)), factor * s.fc(x).sum((1, 2)))
        parts = [Own(lambda s, x: body(s, x), fc=nn.Linear(20, 20)) for _ in range(3)]

        def run(s, x):
            total = 0
            for layer in s.steps:
                x, size = layer(x)
                total = total + size
                x = x + 0.01 * size[:, None, None]
            return s.head(x), total

        return Own(run, steps=nn.ModuleList(parts), head=nn.Linear(20, 2)).eval()

    diagnosis = found(net(1.0), net(0.5), tmp_path)
    assert [o.reference.path for o in diagnosis.origins][:2] == ["steps.0", "steps.1"]
    assert {(c.name, c.sentence) for o in diagnosis.origins for c in o.causes} == {
        ("scale", "the candidate is 0.5 times the reference")
    }
