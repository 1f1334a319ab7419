"""`tracer.compare` of two torch nets in this process: what it takes, what it refuses, and that nothing is changed."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tracer
from tests.contract import validate_report

torch = pytest.importorskip("torch")
from tests.starting_point import checked_torch as nets  # noqa: E402

pytestmark = pytest.mark.torch

X = tracer.inputs((4, 6), "float32")


def state(net: Any) -> tuple[Any, ...]:
    """Weights, gradients, modes, attributes and random state, to be compared with `==`."""
    arrays = {name: value.numpy().tobytes() for name, value in net.state_dict().items()}
    gradients = [parameter.grad is None for parameter in net.parameters()]
    modes = [module.training for module in net.modules()]
    attributes = [sorted(vars(module)) for module in net.modules()]
    return arrays, gradients, modes, attributes, torch.get_rng_state().numpy().tobytes()


@pytest.fixture(autouse=True)
def tidy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is left in the temporary folder."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield
    assert not [file for file in folder.iterdir() if "inductor" not in file.name]


def changes_nothing(call: Any, *given: Any) -> Any:
    """What the call gives or raises; the nets are as they were."""
    before = [state(net) for net in given]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return call()
        except Exception as error:
            return error
        finally:
            assert [state(net) for net in given] == before


def test_two_torch_nets_are_compared() -> None:
    """The slip between two nets of one framework is found."""
    report = tracer.compare(nets.Net(), nets.tanh(), X)
    assert (report.verdict, report.exit_code) == ("diverged", 1)
    assert report.origin is not None
    assert report.origin.candidate is not None
    assert report.origin.candidate.path == "act"


def test_a_net_may_be_compared_with_itself() -> None:
    """Both sides are one object."""
    net = nets.Net()
    assert changes_nothing(lambda: tracer.compare(net, net, X), net).verdict == "agree"


@pytest.mark.parametrize("mode", ["eval", "train", "as is"])
def test_both_run_in_the_mode_asked_for(tmp_path: Path, mode: str) -> None:
    """As is: the reference's own mode counts on both sides."""
    ours, theirs = nets.Net().train(), nets.Net().eval()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        changes_nothing(lambda: tracer.compare(ours, theirs, X, mode=mode, out=tmp_path / "traces"), ours, theirs)
    for name in ("reference", "candidate"):
        with tracer.Trace(tmp_path / "traces" / f"{name}.h5") as trace:
            assert trace["(root)"].calls[0].training is (mode != "eval")


def test_a_frozen_norm_stays_frozen_where_the_reference_has_it_so(tmp_path: Path) -> None:
    """Modes are taken over layer by layer, not for the net as a whole."""
    ours, theirs = nets.Frozen().train(), nets.Frozen().train()
    for module in theirs.modules():
        module.training = True
    report = tracer.compare(ours, theirs, X, mode="as is", out=tmp_path)
    with tracer.Trace(tmp_path / "candidate.h5") as trace:
        assert not trace["frozen"].calls[0].training
    assert report.verdict == "agree"


def test_weights_are_kept_where_that_is_asked() -> None:
    """Afterwards the candidate computes what the reference does."""
    ours, theirs = nets.Net().eval(), nets.Net().eval()
    tracer.compare(ours, theirs, X, keep_weights=True)
    x = torch.ones(2, 6)
    assert torch.equal(ours(x), theirs(x))


@pytest.mark.parametrize("form", ["npz", "npy", "folder", "trace", "mapping", "list"])
def test_samples_come_in_every_form(tmp_path: Path, form: str) -> None:
    """A file, a folder, a trace, arguments by name, several samples."""
    x = X[0]
    np.save(tmp_path / "x.npy", x)
    (tmp_path / "folder").mkdir()
    np.save(tmp_path / "folder" / "0_x.npy", x)
    tracer.save_samples(X, tmp_path / "x.npz")
    tracer.record(nets.Net(), X, out=tmp_path / "x.h5").close()
    given = {
        "npz": tmp_path / "x.npz", "npy": tmp_path / "x.npy", "folder": tmp_path / "folder", "trace": tmp_path / "x.h5",
        "mapping": {"x": x}, "list": [x, 2 * x],
    }  # fmt: skip
    report = tracer.compare(nets.Net(), nets.Net(), given[form])
    assert report.verdict == "agree"
    assert len(report.reports) == (2 if form == "list" else 1)


def test_the_sample_that_decides_is_shown() -> None:
    """The first sample that diverges, though it is not the first."""
    calm = np.full((4, 6), 0.0, np.float32)
    ours, theirs = torch.nn.Sequential(torch.nn.ReLU()), torch.nn.Sequential(torch.nn.ReLU6())
    report = tracer.compare(ours, theirs, [calm, calm + 9])
    assert [r.verdict for r in report.reports] == ["agree", "diverged"]
    assert report.report is report.reports[1]
    assert "sample 1 is shown" in " ".join(repr(report).split())
    validate_report(report.to_dict())


def test_traces_are_kept_in_the_folder_that_is_named(tmp_path: Path) -> None:
    """And nothing else; `tracer.diff` of them says the same."""
    report = tracer.compare(nets.Net(), nets.tanh(), X, out=tmp_path / "traces")
    assert sorted(file.name for file in (tmp_path / "traces").iterdir()) == ["candidate.h5", "reference.h5"]
    again = tracer.diff(tmp_path / "traces" / "reference.h5", tmp_path / "traces" / "candidate.h5")
    assert (again.verdict, again.reason) == (report.verdict, report.reason)


def test_no_file_is_named_that_is_gone() -> None:
    """Without a folder the traces are not kept."""
    found = tracer.compare(nets.Net(), nets.Net(), X).to_dict()
    assert (found["reference"]["file"], found["candidate"]["file"]) == ("", "")


def test_weights_go_by_a_map_that_is_given() -> None:
    """The map's rows, and no others, are what is moved."""
    ours, theirs = nets.Net(), nets.Net()
    report = tracer.compare(ours, theirs, X, mapping=tracer.weight_map(ours, theirs))
    assert report.verdict == "agree"


def test_pins_of_parameters_and_of_layers_may_be_mixed() -> None:
    """Each goes where it belongs: to the weights, or to the diff too."""
    report = tracer.compare(nets.Net(), nets.Net(), X, pins=["fc2=fc2", "head.weight=head.weight"])
    assert report.verdict == "agree"


def test_only_the_forward_pass_on_request() -> None:
    """Without gradients the verdict is of the forward pass."""
    assert "backward" not in tracer.compare(nets.Net(), nets.Net(), X, backward=False).reason


class Altering(torch.nn.Module):
    """Changes what it is given, tensors and containers."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = torch.nn.Linear(6, 3)

    def forward(self, given: dict[str, Any]) -> Any:
        return self.fc(given.pop("x").add_(1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_net_that_alters_its_inputs_spoils_neither_the_other_nor_yours(dtype: Any) -> None:
    """Every run has samples of its own."""
    given = {"x": torch.zeros(2, 6, dtype=dtype)}
    report = tracer.compare(Altering().to(dtype), Altering().to(dtype), (given,))
    assert report.verdict == "agree"
    assert torch.equal(given["x"], torch.zeros(2, 6, dtype=dtype))


def test_the_report_is_saved(tmp_path: Path) -> None:
    """JSON and a page; another suffix is refused."""
    report = tracer.compare(nets.Net(), nets.Net(), X)
    assert report.save(tmp_path / "r.json").read_text(encoding="utf-8") == report.to_json()
    assert "<title>tracer compare:" in report.save(tmp_path / "r.html").read_text(encoding="utf-8")
    with pytest.raises(tracer.TracerError, match=r"use \.json or \.html"):
        report.save(tmp_path / "r.txt")


def test_a_stopped_check_has_a_page_and_a_document() -> None:
    """Both say what has no place."""
    report = tracer.compare(nets.Net(), nets.More(), X)
    assert report.report is None
    assert "extra.weight" in report.to_html()
    assert validate_report(report.to_dict())["verdict"] == "unsure"


def test_a_reference_with_more_weights_stops_the_check() -> None:
    """What has no partner in the candidate is listed as well."""
    report = tracer.compare(nets.More(), nets.Net(), X)
    assert report.verdict == "unsure"
    assert "alone in the reference" in repr(report)


@pytest.mark.parametrize(
    ("ours", "theirs", "given", "notes"),
    [
        (nets.Raising, nets.Net, X, ["the reference raised in fc2 (call 0)"]),
        (nets.Net, nets.Raising, X, ["the candidate raised in fc2 (call 0)"]),
        (nets.Net, nets.Net, tracer.inputs((4, 7), "float32"), ["the reference raised in fc1 (call 0)"]),
        (nets.Net, nets.Net, [X[0], X[0][:, 1:]],
         ["the reference raised in fc1 (call 0)", "with sample 1 (the first is 0)"]),
    ],
)  # fmt: skip
def test_what_a_net_raises_stays_what_it_is(ours: Any, theirs: Any, given: Any, notes: list[str]) -> None:
    """Notes say which side, in which layer, with which sample; the nets are as they were."""
    reference, candidate = ours(), theirs()
    error = changes_nothing(lambda: tracer.compare(reference, candidate, given), reference, candidate)
    assert type(error) is RuntimeError
    assert not hasattr(error, "__notes__") or error.__notes__ == notes


def test_a_net_that_raises_before_its_weights_are_known_says_so() -> None:
    """The report of what has no place notes that calls could not help."""

    class RaisingMore(nets.Raising):
        def __init__(self) -> None:
            super().__init__()
            self.extra = torch.nn.Linear(3, 3)

    report = tracer.compare(nets.Net(), RaisingMore(), X)
    assert report.verdict == "unsure"
    assert "placed without the net's calls, for it raised in fc2 (call 0)" in " ".join(repr(report).split())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mode": "trian"}, 'give mode="eval"'),
        ({"seed": -1}, "a seed is a whole number"),
        ({"pins": "nowhere=fc1"}, "nowhere"),
        ({"pins": 3}, "a pin does not name two paths"),
        ({"rules": "none.toml"}, "none.toml"),
        ({"mapping": {"nowhere": "fc1.weight"}}, "nowhere"),
        ({"out": __file__}, "the folder for the traces cannot be made"),
        ({"out": 3}, "out= names no folder"),
        ({"tolerance": 1e-3}, "tracer.Tolerance"),
        ({"only": "nothing.*"}, "nothing.*"),
        ({"inputs": None}, "nothing to run on"),
        ({"inputs": []}, "the list of samples is empty"),
        ({"inputs": "4x6:float32"}, "tracer.inputs('4x6:float32')"),
        ({"inputs": "none.npz"}, "none.npz"),
        ({"candidate": [nets.Net()]}, "the candidate: "),
        ({"reference": "nets:Net"}, "processes=True"),
        ({"processes": True}, "the reference cannot go to another process"),
    ],
)
def test_bad_options_are_refused_in_words(options: dict[str, Any], words: str) -> None:
    """Three beats, and nothing is changed."""
    ours, theirs = nets.Net(), nets.Net()
    given = {"reference": ours, "candidate": theirs, "inputs": X, **options}
    error = changes_nothing(lambda: tracer.compare(**given), ours, theirs)
    assert isinstance(error, tracer.TracerError)
    assert words in str(error)
    assert error.then


@pytest.mark.parametrize("option", [{"keep_weights": True}, {"mapping": {"a": "b"}}])
def test_options_that_need_the_nets_here_are_refused_with_processes(option: dict[str, Any]) -> None:
    """Another process leaves no net behind."""
    with pytest.raises(tracer.TracerError, match="needs the nets in this process"):
        tracer.compare("nets:Net", "nets:Net", X, processes=True, **option)


def test_samples_of_several_shapes_are_all_described() -> None:
    """Not by the first of them alone."""
    from tracer.api.sides import samples_of

    samples = [np.ones((1, 3), np.float32), np.ones((4, 3), np.float32), np.ones((1, 3), np.float32)]
    assert samples_of(samples)[1] == ("3 samples of 1x3 float32; 4x3 float32",)
