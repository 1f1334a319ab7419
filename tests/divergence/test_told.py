"""What a reader is told besides the place of an origin."""

import numpy as np
import pytest

import tracer
from tests.divergence.worlds import World
from tracer.divergence.diagnosis import diagnose

torch = pytest.importorskip("torch")
nn = torch.nn

X = np.random.default_rng(6).standard_normal((4, 8)).astype(np.float32)
W = np.random.default_rng(7).standard_normal((8, 8)).astype(np.float32)


def mlp(framework: str, slip: float = 1.0, settings=None, count: int = 2):
    """A net of Linears in numpy, the last of them with a slip in its code."""
    world = World(framework)
    kind = "Linear" if framework == "torch" else "Dense"

    def body(x):
        for n in range(count):
            x = world.call(f"fc{n}", kind, lambda t: t.array @ W, x, parameters={"weight": W}, settings=settings)
        return x.array * slip

    world.call("(root)", "MLP", body, X)
    return world.trace()


# ---- which net is the reference --------------------------------------------------------------------------------------


def test_a_diff_the_other_way_round_is_hinted_at():
    """Edits are meant for the candidate, and that is rarely the torch net."""
    swapped = diagnose(mlp("mindspore", 2.0), mlp("torch"))
    assert swapped.verdict == "diverged"
    assert "swap the files" in swapped.notes[0]


@pytest.mark.parametrize(
    ("reference", "candidate", "slip"),
    [("torch", "mindspore", 2.0), ("torch", "torch", 2.0), ("mindspore", "torch", 1.0)],
)
def test_it_is_not_hinted_at_without_need(reference, candidate, slip):
    """Neither for a port to MindSpore, nor within one framework, nor where all agrees."""
    found = diagnose(mlp(reference, slip), mlp(candidate))
    assert not any("swap the files" in note for note in found.notes)


# ---- nothing judged --------------------------------------------------------------------------------------------------


def test_settings_are_without_effect_only_where_something_was_judged():
    """Nets with nothing in common show no effect of anything."""
    ours, theirs = {"in_features": 8, "out_features": 8}, {"in_channels": 8, "out_channels": 9}
    clean = diagnose(mlp("torch", settings=ours), mlp("mindspore", settings=theirs))
    assert clean.verdict == "agree"
    assert any("without effect" in note for note in clean.notes)
    other = World("mindspore")
    other.call("(root)", "Other", lambda x: x.array + 1, X)
    nothing = diagnose(mlp("torch", settings=ours), other.trace())
    assert nothing.coverage.judged == 0
    assert not any("without effect" in note for note in nothing.notes)


# ---- real nets -------------------------------------------------------------------------------------------------------


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc, self.cond = nn.Linear(8, 8), nn.Linear(8, 8)
        self.cut = False

    def forward(self, x, c):
        h = self.cond(c)
        return torch.tanh(self.fc(x) + (h.detach() if self.cut else h))


class Net(nn.Module):
    def __init__(self, *cut):
        super().__init__()
        torch.manual_seed(0)
        self.label = nn.Linear(8, 8)
        self.layers = nn.ModuleList(Layer() for _ in range(3))
        for n in cut:
            self.layers[n].cut = True

    def forward(self, x, label):
        c = self.label(label) * 2
        for layer in self.layers:
            x = layer(x, c)
        return x


def recorded(net, path):
    return tracer.record(net, (X, X[::-1].copy()), out=path)


def test_a_gradient_that_got_lost_further_on_is_no_origin_of_its_own(tmp_path):
    """Where all layers cut it off nothing comes back to what fed them, and that is their doing."""
    reference = recorded(Net(), tmp_path / "a.h5")
    report = tracer.diff(reference, recorded(Net(0, 1, 2), tmp_path / "b.h5"))
    assert {origin.reference.path for origin in report.origins} == {"layers.0", "layers.1", "layers.2"}
    one = tracer.diff(reference, recorded(Net(1), tmp_path / "c.h5"))
    assert one.origin.reference.path == "layers.1"


def test_that_one_net_ran_twice_is_said_before_that_the_losses_differ(tmp_path):
    """It is what the reader can mend first."""
    net = Net()
    once = recorded(net, tmp_path / "once.h5")
    with tracer.recording(net, out=tmp_path / "twice.h5"):
        for _ in range(2):
            net(torch.tensor(X), torch.tensor(X[::-1].copy())).sum().backward()
    report = tracer.diff(tmp_path / "twice.h5", once)
    assert report.verdict == "unsure"
    assert report.reason.startswith("the reference was run 2 times, the candidate once; the gradients")
    assert repr(report).count("compare the losses") == 2  # the first line, and why backward was not judged


def test_a_caller_is_told_from_the_line_that_made_a_layer(tmp_path):
    """Nobody knows where the net itself was made."""
    report = tracer.diff(recorded(Net(), tmp_path / "a.h5"), recorded(Net(1), tmp_path / "b.h5"))
    assert not report.origin.reference.caller  # made in the ModuleList's line
    other = tracer.diff(recorded(Net(), tmp_path / "c.h5"), recorded(_Twice(), tmp_path / "d.h5"))
    assert (other.origin.reference.path, other.origin.reference.caller) == ("(root)", True)


class _Twice(Net):
    def forward(self, x, label):
        return 2 * super().forward(x, label)
