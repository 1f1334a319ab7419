"""A MindSpore port does again what the torch net's random layers did, and is compared number for number."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import tracer
from tests.starting_point.again import record_again, record_plain, sample
from tracer.trace.reader import Trace

torch = pytest.importorskip("torch")
pytest.importorskip("mindspore")
from tests.starting_point import torch_nets as nets  # noqa: E402

pytestmark = [pytest.mark.torch, pytest.mark.mindspore]

FLAT, TOKENS, IMAGE = sample(6, 8), sample(4, 5, 16), sample(2, 3, 6, 6)


class OnePart(nets.Checkpointed):
    """The part is run once."""

    def forward(self, x: Any) -> Any:
        return self.b(self.part(self.a(x)))


REFERENCES: Mapping[str, tuple[Callable[[], Any], Any]] = {
    "mlp": (nets.Mlp, FLAT),
    "vit": (nets.Vit, TOKENS),
    "cnn": (nets.Cnn, IMAGE),
    "rrelu": (nets.Slopes, FLAT),
    "shared": (nets.Shared, FLAT),
    "checkpointed": (OnePart, FLAT),
}

TOGETHER = ["mlp", "vit", "cnn", "rrelu", "shared", "recomputed", "keep_prob", "scaled", "path", "drawn", "reference"]
ALONE = ["raising", "graph"]
"""Jobs that might leave their process in disorder."""

AGREE = {"mlp": "mlp", "vit": "vit", "cnn": "cnn", "rrelu": "rrelu", "shared": "shared", "recomputed": "checkpointed"}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The folder of the traces, and what was said of each job."""
    folder = tmp_path_factory.mktemp("replay")
    for name, (build, x) in REFERENCES.items():
        torch.manual_seed(0)
        record_plain(build().train(), x, folder / f"{name}.reference.h5")
    said: dict[str, Any] = {}
    for jobs in (TOGETHER, *([job] for job in ALONE)):
        ran = subprocess.run(
            [sys.executable, "-m", "tests.starting_point.mindspore_side", str(folder), *jobs],
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        lines = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith('{"job"')]
        said.update({line["job"]: line for line in lines})
        assert len(lines) == len(jobs), ran.stderr[-3000:]
    return folder, said


@pytest.mark.parametrize("job", AGREE)
def test_training_mode_agrees_forward_and_backward(job: str, done: tuple[Path, dict[str, Any]]) -> None:
    """With dropout, DropPath and RReLU on, number for number."""
    folder, _ = done
    report = tracer.diff(folder / f"{AGREE[job]}.reference.h5", folder / f"{job}.h5")
    assert (report.verdict, report.reason) == ("agree", "forward and backward agree")


@pytest.mark.parametrize("job", AGREE)
def test_the_net_is_as_it_was(job: str, done: tuple[Path, dict[str, Any]]) -> None:
    """Attributes, modes, generator and Parameters."""
    said = done[1][job]
    assert {key: said[key] for key in ("attributes", "generator", "weights")} == dict.fromkeys(
        ("attributes", "generator", "weights"), True
    )


def test_dropout_draws_again_afterwards(done: tuple[Path, dict[str, Any]]) -> None:
    """From where it would have drawn without a replay."""
    assert done[1]["drawn"]["same"]


def test_graph_mode_is_replayed_too(done: tuple[Path, dict[str, Any]]) -> None:
    """The net is taken out of it for the trace."""
    folder, _ = done
    assert tracer.diff(folder / "mlp.reference.h5", folder / "mlp.h5").verdict == "agree"


def test_a_net_that_raises_is_put_back(done: tuple[Path, dict[str, Any]]) -> None:
    """Its error comes through, and its dropout is its own again."""
    assert done[1]["raising"] == {"job": "raising", "raised": "not today", "put back": True}


def test_a_keep_prob_taken_for_p_is_found(done: tuple[Path, dict[str, Any]]) -> None:
    """`nn.Dropout(0.3)` keeps 30 %: the mask is the reference's, the factor its own."""
    folder, _ = done
    report = tracer.diff(folder / "mlp.reference.h5", folder / "keep_prob.h5")
    assert report.verdict == "diverged"
    assert (report.origins[0].candidate.path, report.origins[0].causes[0].name) == ("drop", "p")


def test_another_drop_path_rate_is_found(done: tuple[Path, dict[str, Any]]) -> None:
    """Of a class that no rule knows too."""
    folder, _ = done
    report = tracer.diff(folder / "vit.reference.h5", folder / "path.h5")
    assert (report.verdict, report.origins[0].candidate.path) == ("diverged", "blocks.0.drop_path")


def test_a_fault_elsewhere_is_found_where_it_is(done: tuple[Path, dict[str, Any]]) -> None:
    """In training mode, behind a dropout."""
    folder, _ = done
    report = tracer.diff(folder / "mlp.reference.h5", folder / "scaled.h5")
    assert (report.origins[0].place, report.origins[0].point.candidate.path) == ("between", "fc2")


def test_a_cell_that_draws_by_dropout_on_ones_is_replayed_whole(done: tuple[Path, dict[str, Any]]) -> None:
    """The Dropout inside a DropPath does not run then."""
    folder, _ = done
    with Trace(folder / "vit.h5") as trace:
        replayed = {r.path for r in trace.skeleton.end.replayed}
        assert "blocks.0.drop_path" in replayed
        assert not any(call.path == "blocks.0.drop_path.dropout" for call in trace.skeleton.steps[0].calls)


def test_a_mindspore_net_can_be_the_reference(done: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    """The other way round."""
    folder, _ = done
    torch.manual_seed(0)
    net = nets.Vit().train()
    record_again(net, folder / "ms_vit.reference.h5", TOKENS, tmp_path / "torch.h5")
    assert tracer.diff(folder / "ms_vit.reference.h5", tmp_path / "torch.h5").verdict == "agree"
