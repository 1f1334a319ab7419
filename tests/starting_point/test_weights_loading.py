"""Weights go into a live net: all of them or none, by alignment or by a map, and are read back."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import tracer
from tests.starting_point.processes import python_module
from tracer import TracerError
from tracer.starting_point import holders

pytestmark = pytest.mark.torch

ROUNDING = 2e-6
HALF = 1e-2
"""How far a net that computes in float16 may be off."""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:
    """What came of each case with MindSpore, of one process."""
    out = python_module("tests.starting_point.run_loading", tmp_path_factory.mktemp("loading"))
    cases = json.loads(out.splitlines()[-1])
    failed = {name: case["error"] for name, case in cases.items() if "error" in case}
    assert not failed, failed
    return cases


class Mlp(nn.Module):
    """Large enough that a file of it is not in a reader's first buffer."""

    def __init__(self, bias: bool = True) -> None:
        super().__init__()
        self.fc1, self.norm, self.fc2 = nn.Linear(150, 160), nn.BatchNorm1d(160), nn.Linear(160, 10, bias=bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc2(self.norm(self.fc1(x)).relu())


def state(net: nn.Module) -> dict[str, bytes]:
    """The bits of a net."""
    return {name: t.numpy().tobytes() for name, t in net.state_dict().items()}


def refused(net: nn.Module, source: object, **how: object) -> TracerError:
    """The refusal, in three beats; the net is as it was."""
    before = state(net)
    with pytest.raises(TracerError) as caught:
        tracer.load_weights(net, source, **how)
    assert state(net) == before
    assert caught.value.what
    assert caught.value.where
    assert caught.value.then
    return caught.value


# ---- tied ----------------------------------------------------------------------------------------------------------


@pytest.mark.mindspore
def test_tied_weights_are_set_once(found: dict[str, dict]) -> None:
    """Tied on both sides: one parameter, said."""
    case = found["tied on both sides"]
    assert (case["whole"], case["placed"]) == (True, 7)
    assert "1 tied" in case["text"]
    assert case["apart"] < ROUNDING


@pytest.mark.mindspore
def test_a_tied_parameter_goes_to_both_places(found: dict[str, dict]) -> None:
    """Where the candidate has two of it, both are filled, and it is said."""
    case = found["tied in the reference"]
    assert (case["whole"], case["placed"]) == (True, 8)
    assert "one parameter in the reference, and 2 in the candidate" in " ".join(case["text"].split())
    assert case["apart"] < ROUNDING


@pytest.mark.mindspore
def test_two_numbers_do_not_go_into_one_place(found: dict[str, dict]) -> None:
    """Where the candidate shares what the reference has twice with other numbers, nobody guesses."""
    case = found["tied in the candidate"]
    assert "ambiguous" in case["what"]
    assert "emb.weight, head.weight" in case["where"]
    assert case["unchanged"]


@pytest.mark.mindspore
def test_equal_numbers_may_go_into_one_place(found: dict[str, dict]) -> None:
    """Where both hold the same numbers the choice does not matter."""
    case = found["tied in the candidate, equal"]
    assert case["whole"]
    assert "hold the same numbers" in " ".join(case["text"].split())


# ---- wrappers ------------------------------------------------------------------------------------------------------

WRAPPED = ["module.", "_orig_mod.", "module._orig_mod.", "DataParallel", "torch.compile", "into torch.compile",
           "into DataParallel", "WithLossCell", "TrainOneStepCell", "recompute"]  # fmt: skip


@pytest.mark.mindspore
@pytest.mark.parametrize("name", WRAPPED)
def test_wrappers_are_seen_through(found: dict[str, dict], name: str) -> None:
    """All that the field wraps nets and names in is no obstacle, and the nets then compute the same."""
    case = found[name]
    assert (case["whole"], case["placed"]) == (True, 8)
    assert case["apart"] < ROUNDING


@pytest.mark.mindspore
@pytest.mark.parametrize("name", ["amp O1", "amp O2"])
def test_mixed_precision_is_seen_through(found: dict[str, dict], name: str) -> None:
    """Cells that amp puts around layers carry no parameters of their own."""
    assert (found[name]["whole"], found[name]["placed"]) == (True, 8)
    assert found[name]["apart"] < HALF


# ---- dtypes --------------------------------------------------------------------------------------------------------


@pytest.mark.mindspore
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_fits_into_single(found: dict[str, dict], dtype: str) -> None:
    """No digit is lost, so nobody has to ask for it; it is said."""
    case = found[f"from {dtype}"]
    assert (case["whole"], case["cast"], case["equal"]) == (True, 8, True)
    assert f"{dtype} -> float32" in case["text"]


@pytest.mark.mindspore
def test_digits_are_lost_only_where_that_was_asked_for(found: dict[str, dict]) -> None:
    """float32 into float16 is refused, and says what to say; with cast=True it is done."""
    assert "lose digits" in found["into float16"]["what"]
    assert "cast=True" in found["into float16"]["then"]
    assert found["into float16"]["unchanged"]
    assert found["into float16, cast"]["cast"] == 8


def test_what_is_cast_is_rounded_as_torch_rounds() -> None:
    """float32 -> bfloat16 gives the bits that torch's own `.to` gives."""
    source, net = Mlp(), Mlp().bfloat16()
    tracer.load_weights(net, source, cast=True)
    assert torch.equal(net.fc1.weight, source.fc1.weight.bfloat16())


def test_floats_do_not_go_into_whole_numbers() -> None:
    """However they are asked for."""
    net = nn.Module()
    net.register_buffer("table", torch.zeros(3, dtype=torch.int32))
    assert "do not go into int32" in refused(net, {"table": np.ones(3, np.float32)}, cast=True).what


# ---- all or nothing ------------------------------------------------------------------------------------------------


@pytest.mark.mindspore
@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("missing", "fc.bias 4"),
        ("surplus", "more.weight 3x9"),
        ("another shape", "head.weight 7x4"),
        ("fails in the middle", "count"),
    ],  # fmt: skip
)
def test_a_mindspore_net_is_as_it_was(found: dict[str, dict], name: str, word: str) -> None:
    """What does not fit is listed with its shape, and not one parameter of the net has changed."""
    assert word in found[name]["where"]
    assert found[name]["then"]
    assert found[name]["unchanged"]


@pytest.mark.mindspore
def test_partial_goes_on_and_says_what_it_left(found: dict[str, dict]) -> None:
    """A parameter without partner keeps its own numbers, and is named."""
    case = found["missing, partial"]
    assert (case["whole"], case["alone"]) == (False, ["fc.bias"])
    assert "fc.bias" in case["kept"]


def test_a_read_error_in_the_middle_changes_nothing(tmp_path: Path) -> None:
    """A file that loses its end while it is read: the parameters written before are put back."""
    torch.save(Mlp().state_dict(), tmp_path / "a.pth")
    with holders.opened(tmp_path / "a.pth") as source:
        os.truncate(tmp_path / "a.pth", 60_000)
        error = refused(Mlp(), source)
    assert "a.pth" in str(error)


def test_a_number_too_large_changes_nothing() -> None:
    """A whole number that the net has no room for is found in the middle, and all is put back."""
    net, source = Mlp(), copy.deepcopy(Mlp())
    net.register_buffer("count", torch.zeros(1, dtype=torch.int32))
    source.register_buffer("count", torch.tensor([2**40]))
    assert "count" in refused(net, source).where


def test_a_parameter_that_cannot_be_written_to_changes_nothing() -> None:
    """A net with a layer on the meta device is refused whole."""
    net = Mlp()
    net.fc2.to("meta")
    before = net.fc1.weight.clone()
    with pytest.raises(TracerError, match="fc2"):
        tracer.load_weights(net, Mlp())
    assert torch.equal(net.fc1.weight, before)


@pytest.mark.mindspore
def test_a_mindspore_net_holds_numbers_of_its_own(found: dict[str, dict]) -> None:
    """What happens to the source later does not reach it."""
    assert found["own memory"]["unchanged"]


def test_a_torch_net_holds_numbers_of_its_own() -> None:
    """Nor here, of tensors large and small."""
    net, arrays = (
        nn.Linear(2100, 2100),
        {"weight": np.ones((2100, 2100), np.float32), "bias": np.ones(2100, np.float32)},
    )
    tracer.load_weights(net, arrays)
    for array in arrays.values():
        array.fill(7)
    assert (net.weight == 1).all()
    assert (net.bias == 1).all()


def test_a_parameter_that_does_not_lie_in_order_is_filled() -> None:
    """A large transposed view takes its numbers as any other, and stays the view that it was."""
    net, weight = nn.Linear(2100, 2100, bias=False), np.random.default_rng(0).random((2100, 2100), np.float32)
    net.weight = nn.Parameter(torch.empty(2100, 2100).T)
    tracer.load_weights(net, {"weight": weight})
    assert np.array_equal(net.weight.detach().numpy(), weight)
    assert not net.weight.is_contiguous()


def test_nothing_else_of_the_net_is_touched() -> None:
    """Modes, gradients, requires_grad and the parameters themselves stay; only their numbers change."""
    net = Mlp().train()
    net.fc1.weight.requires_grad_(False)
    net.fc2(torch.ones(1, 160)).sum().backward()
    kept = {name: (id(p), p.requires_grad, p.grad) for name, p in net.named_parameters()}
    tracer.load_weights(net, Mlp())
    assert {name: (id(p), p.requires_grad, p.grad) for name, p in net.named_parameters()} == kept
    assert net.training


# ---- sources -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".npz", ".ckpt"])
def test_any_file_is_a_source(tmp_path: Path, suffix: str) -> None:
    """Each format that tracer writes it loads."""
    source, net = Mlp(), Mlp()
    tracer.convert_weights(source, tmp_path / f"a{suffix}")
    report = tracer.load_weights(net, tmp_path / f"a{suffix}")
    assert report.whole
    assert state(net) == state(source)


def test_a_trace_is_a_source(tmp_path: Path) -> None:
    """What was recorded of a net is enough to fill another, moving statistics included."""
    source, net = Mlp().eval(), Mlp()
    source.norm.running_mean.uniform_()
    tracer.record(source, np.ones((2, 150), np.float32), out=tmp_path / "pt.h5").close()
    assert tracer.load_weights(net, tmp_path / "pt.h5").whole
    assert state(net) == state(source)


@pytest.mark.parametrize("part", [None, "model", "model_ema"])
def test_a_part_of_a_nested_file_is_taken(tmp_path: Path, part: str | None) -> None:
    """`model` where nobody says, another where it is named; which one was taken is said."""
    nets = {"model": Mlp(), "model_ema": Mlp()}
    torch.save({name: net.state_dict() for name, net in nets.items()} | {"epoch": 3}, tmp_path / "a.pth")
    net = Mlp()
    report = tracer.load_weights(net, tmp_path / "a.pth", part=part)
    assert state(net) == state(nets[part or "model"])
    assert part or "took 'model'" in str(report)


def test_shards_with_an_index_are_one_source(tmp_path: Path) -> None:
    """A folder as Hugging Face keeps it, without its library."""
    source, net = Mlp(), Mlp()
    names = list(source.state_dict())
    halves = {"model-00001-of-00002.safetensors": names[:3], "model-00002-of-00002.safetensors": names[3:]}
    for file, of in halves.items():
        tracer.convert_weights({n: source.state_dict()[n] for n in of}, tmp_path / file)
    index = {"metadata": {}, "weight_map": {n: file for file, of in halves.items() for n in of}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert tracer.load_weights(net, tmp_path).whole
    assert state(net) == state(source)


def test_arrays_are_a_source() -> None:
    """A mapping of names to arrays."""
    source, net = Mlp(), Mlp()
    tracer.load_weights(net, {name: t.numpy() for name, t in source.state_dict().items()})
    assert state(net) == state(source)


@pytest.mark.parametrize("source", [5, None, object, {}, {"fc1.weight": "text"}, {3: np.ones(2)}], ids=str)
def test_what_holds_no_parameters_is_refused(source: object) -> None:
    """In words, whatever it is."""
    refused(Mlp(), source)


@pytest.mark.parametrize("net", [5, "a.pth", object, {}], ids=str)
def test_what_is_no_net_is_not_filled(net: object) -> None:
    """The net comes first."""
    with pytest.raises(TracerError):
        tracer.load_weights(net, Mlp())


# ---- the report ----------------------------------------------------------------------------------------------------


def test_the_report_proves_it() -> None:
    """It counts what was placed and how much of it was read back equal."""
    report = tracer.load_weights(Mlp(), Mlp())
    assert "read back: 9 of 9 equal bit for bit" in " ".join(str(report).split())
    assert report.exit_code == 0


def test_the_report_is_json() -> None:
    """Every parameter with its shape, source, dtypes and reason."""
    rows = json.loads(tracer.load_weights(Mlp(), Mlp()).to_json())["placed"]
    weight = next(row for row in rows if row["candidate"] == "fc1.weight")
    assert weight["reference"] == "fc1.weight"
    assert weight["shape"] == [160, 150]
    assert weight["equal"] is True
    assert weight["reason"]
