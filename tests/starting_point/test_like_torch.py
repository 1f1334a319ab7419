"""`tracer.record(like=)`: the trace of one net is all that the other one needs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tracer
from tests.habits.test_frameworks_are_optional import BLOCKED

torch = pytest.importorskip("torch")
from tests.starting_point import checked_torch as nets  # noqa: E402
from tests.starting_point.test_compare_torch import changes_nothing  # noqa: E402

pytestmark = pytest.mark.torch

X = tracer.inputs((4, 6), "float32")
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    """A trace of a net in evaluation mode."""
    tracer.record(nets.Net().eval(), X, out=tmp_path / "pt.h5").close()
    return tmp_path / "pt.h5"


def like(net: Any, reference: Any, **options: Any) -> Any:
    """Record the net beside the reference; what came of it."""
    out = Path(reference).with_name("like.h5")
    return changes_nothing(lambda: tracer.record(net, like=reference, out=out, **options).close(), net)


def test_the_trace_alone_suffices(reference: Path) -> None:
    """Samples, weights and modes come from it; the diff agrees."""
    assert like(nets.Net().train(), reference) is None
    assert tracer.diff(reference, reference.with_name("like.h5")).verdict == "agree"


def test_it_suffices_on_another_machine(reference: Path, tmp_path: Path) -> None:
    """In a folder with nothing but the trace, where the other framework cannot be imported."""
    folder = tmp_path / "machine"
    folder.mkdir()
    shutil.copy(reference, folder / "pt.h5")
    code = BLOCKED.replace('{"torch", "mindspore"}', '{"mindspore"}') + (
        "import tracer\nfrom tests.starting_point.checked_torch import Net\n"
        "tracer.record(Net(), like='pt.h5', out='like.h5')\nprint(tracer.diff('pt.h5', 'like.h5').verdict)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env={"PYTHONPATH": str(REPOSITORY), "PATH": ""},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.stdout.strip() == "agree", done.stderr


def test_the_trace_may_be_open(reference: Path) -> None:
    """A `Trace` serves as its file does, and stays open."""
    with tracer.Trace(reference) as trace:
        tracer.record(nets.Net(), like=trace, out=reference.with_name("like.h5")).close()
        assert np.asarray(trace["fc1"].calls[0].output).shape == (4, 8)


def test_other_samples_may_be_given(reference: Path) -> None:
    """With weights and modes of the trace."""
    assert like(nets.Net(), reference, inputs=tracer.inputs((2, 6), "float32")) is None
    with tracer.Trace(reference.with_name("like.h5")) as trace:
        assert trace["(root)"].calls[0].inputs[0].shape == (2, 6)


def test_weights_stay_where_that_is_asked(reference: Path) -> None:
    """The net holds the reference's numbers afterwards."""
    net = nets.Net()
    tracer.record(net, like=reference, out=reference.with_name("like.h5"), keep_weights=True).close()
    with tracer.Trace(reference) as trace:
        assert np.array_equal(np.asarray(trace.parameters["fc1.weight"]), net.fc1.weight.detach().numpy())


def test_weights_without_place_are_refused_with_a_list(reference: Path) -> None:
    """The net is as it was, and no trace is written."""
    error = like(nets.More(), reference)
    assert isinstance(error, tracer.TracerError)
    assert "extra.weight" in error.where
    assert "partial=True" in error.then
    assert not reference.with_name("like.h5").exists()


def test_partial_goes_on_and_the_trace_says_so(reference: Path) -> None:
    """In a note."""
    assert like(nets.More(), reference, partial=True) is None
    with tracer.Trace(reference.with_name("like.h5")) as trace:
        assert any("8 of 10 parameters" in note for note in trace.skeleton.header.notes)


def test_a_net_that_raises_keeps_its_exception(reference: Path) -> None:
    """The trace holds what came before."""
    assert type(like(nets.Raising(), reference)) is RuntimeError
    with tracer.Trace(reference.with_name("like.h5")) as trace:
        assert not trace.complete


def test_weights_that_were_to_stay_go_back_where_the_net_raises(reference: Path) -> None:
    """A failure leaves the net as it was, whatever was asked."""
    assert type(like(nets.Raising(), reference, keep_weights=True)) is RuntimeError


def test_inputs_that_do_not_fit_are_the_nets_own_error(reference: Path) -> None:
    """And nothing is changed."""
    assert type(like(nets.Net(), reference, inputs=np.ones((4, 9), np.float32))) is RuntimeError


def test_a_trace_of_statistics_is_refused(tmp_path: Path) -> None:
    """It has no numbers to start from."""
    tracer.record(nets.Net(), X, out=tmp_path / "s.h5", keep="statistics").close()
    assert 'keep="values"' in like(nets.Net(), tmp_path / "s.h5").then


@pytest.mark.parametrize("damage", ["cut", "text", "missing", "number"])
def test_what_is_no_trace_is_refused(reference: Path, damage: str) -> None:
    """A file that was cut off, another file, none, no path."""
    bad: Any = reference.with_name("bad.h5")
    if damage == "cut":
        bad.write_bytes(reference.read_bytes()[:20000])
    if damage == "text":
        bad.write_text("no trace")
    net = nets.Net()
    given = 3 if damage == "number" else bad
    out = reference.with_name("like.h5")
    error = changes_nothing(lambda: tracer.record(net, like=given, out=out), net)
    assert isinstance(error, tracer.TracerError)
    assert error.then


def test_the_reference_is_not_replaced_by_what_starts_like_it(reference: Path) -> None:
    """One name for both is refused before anything is run, links included."""
    before = reference.read_bytes()
    link = reference.with_name("link.h5")
    link.symlink_to(reference)
    for out in (reference, link):
        net = nets.Net()
        error = changes_nothing(lambda: tracer.record(net, like=reference, out=out), net)  # noqa: B023
        assert "would replace" in str(error)
    assert reference.read_bytes() == before


@pytest.mark.parametrize("option", [{"partial": True}, {"keep_weights": True}, {"cast": True}, {"pins": "a=b"}])
def test_options_of_like_need_it(tmp_path: Path, option: dict[str, Any]) -> None:
    """Else they would say nothing."""
    with pytest.raises(tracer.TracerError, match="says nothing without like="):
        tracer.record(nets.Net(), X, out=tmp_path / "pt.h5", **option)


def test_a_net_given_nothing_is_refused(tmp_path: Path) -> None:
    """Neither inputs nor a trace to start like."""
    with pytest.raises(tracer.TracerError, match="nothing to run on"):
        tracer.record(nets.Net(), out=tmp_path / "pt.h5")


def test_a_candidate_that_raised_is_told_to_mend_that_first(reference: Path) -> None:
    """Its calls would have told where weights belong; the error names what it raised, and where."""

    class RaisingMore(nets.Raising):
        def __init__(self) -> None:
            super().__init__()
            self.extra = torch.nn.Linear(3, 3)

    error = like(RaisingMore(), reference)
    assert error.what.startswith("the candidate raised in fc2 (call 0): RuntimeError")
    assert error.then.startswith("mend what it raises first")
    assert "tracer structure" in error.then
