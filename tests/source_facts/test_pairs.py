"""The tables of pairs name what exists on both sides, and say what to do where no call keeps the meaning."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tracer.source.facts import table
from tracer.source.facts.table import Facts

FACTS = Facts.load()
FOLDER = Path(table.__file__).parent


def rows(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


OWN = rows("own_pairs.csv")
MAP = rows("api_map.csv")

ASK = """
import functools, json, sys
import mindspore
alone = set(json.load(sys.stdin))
made = {
    "mindspore.nn.Dense": (3, 4), "mindspore.nn.Conv2d": (3, 4, 3), "mindspore.nn.BatchNorm2d": (3,),
    "mindspore.nn.LayerNorm": ((3,),), "mindspore.nn.GroupNorm": (1, 3), "mindspore.nn.Embedding": (5, 3),
    "mindspore.nn.Dropout": (), "mindspore.nn.MaxPool2d": (2, 2), "mindspore.nn.AvgPool2d": (2, 2),
    "mindspore.nn.LSTM": (3, 4), "mindspore.nn.MultiheadAttention": (4, 2), "mindspore.nn.PReLU": (), "mindspore.nn.LeakyReLU": (),
    "mindspore.nn.Upsample": ((4, 4),), "mindspore.nn.PixelShuffle": (2,), "mindspore.nn.Flatten": (),
}
def has(name):
    if name.startswith("mindspore.nn.Cell."):
        return hasattr(mindspore.nn.Cell(), name.rpartition(".")[2])
    owner, _, last = name.rpartition(".")
    if owner in made:
        return hasattr(getattr(mindspore.nn, owner.rpartition(".")[2])(*made[owner]), last)
    if name.startswith("mindspore.Parameter."):
        return hasattr(mindspore.Parameter([0.0]), name.rpartition(".")[2])
    try:
        functools.reduce(getattr, name.split(".")[1:], mindspore)
    except AttributeError:
        return False
    return True
first = {name for name in alone if not has(name)}
import mindspore.scipy, mindspore.scipy.linalg, mindspore.dataset.audio, mindspore.dataset.transforms
import mindspore.communication.comm_func
print(json.dumps([sorted(first), sorted(name for name in alone if not has(name))]))
"""


@pytest.fixture(scope="module")
def absent() -> tuple[set[str], set[str]]:
    """The counterparts that are not there after `import mindspore`, and those that are not there at all."""
    names = {row[side] for row in [*OWN, *MAP] for side in ("mindspore", "mint") if row[side]}
    ran = subprocess.run(
        [sys.executable, "-c", ASK], input=json.dumps(sorted(names)), capture_output=True, text=True, check=True
    )
    first, at_all = json.loads(ran.stdout.splitlines()[-1])
    return set(first), set(at_all)


def test_every_counterpart_exists_in_mindspore(absent: tuple[set[str], set[str]]) -> None:
    """A name that nobody can write is no counterpart."""
    assert absent[1] == set()


def test_a_call_to_write_needs_no_import_but_mindspore(absent: tuple[set[str], set[str]]) -> None:
    """What must be imported by itself is by hand."""
    written = {
        name
        for pair in FACTS.pairs()
        if not pair.by_hand and pair.torch.split(".")[0] == "torch"
        for name in (pair.mindspore, pair.mint)
    }
    assert absent[0] & written == set()


def test_every_torch_name_is_its_public_one() -> None:
    """Each row can be found: its name is the one that all others are brought to, or a whole part of torch."""
    lost = [
        row["torch"] for row in OWN if not row["torch"].endswith(".*") and FACTS.canonical(row["torch"]) != row["torch"]
    ]
    assert lost == []
    parts = [row["torch"][:-2] for row in OWN if row["torch"].endswith(".*")]
    assert [part for part in parts if FACTS.canonical(part) is None] == []


def test_rows_are_sorted_and_said_once() -> None:
    """One row a name, so that it is clear which holds."""
    names = [row["torch"] for row in OWN]
    assert names == sorted(set(names))


def test_what_is_by_hand_says_what_to_do_in_a_sentence_or_two() -> None:
    """Whole sentences, not too long, without doubled words or open ends."""
    for row in OWN:
        if row["by_hand"] or row["advice"]:
            assert row["advice"][0].isupper() or row["advice"].startswith(("import ", "mindspore.")), row
            assert row["advice"].endswith("."), row
            assert len(row["advice"]) < 330, row
            assert "  " not in row["advice"] and "{" not in row["advice"], row
        assert row["mindspore"] or row["mint"] or row["by_hand"], row


def test_what_advice_names_exists() -> None:
    """Nobody is sent to a function that MindSpore has not."""
    named = {
        name
        for row in OWN
        for name in re.findall(r"mindspore(?:\.[A-Za-z_]\w*)+", row["advice"])
        if name not in {"mindspore.__version__", "mindspore.profiler.mstx.range_start"}  # of a module, of a class
    }
    assert len(named) > 200
    assert {name for name in named if not FACTS.exists(name)} == set()


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("torch.nn.functional.smooth_l1_loss", "default:reduction 'mean'|'none'"),
        ("torch.Tensor.nanmedian", "default:dim None|-1"),
    ],
)
def test_a_default_that_differs_is_in_the_table(name: str, code: str) -> None:
    """The public tables call these the same; they are not."""
    found = [code for row in MAP if row["torch"] == name for code in row["diff"].split("; ")]
    assert code in found


def test_no_row_is_called_the_same_whose_default_differs() -> None:
    """The status of a row agrees with its codes."""
    kinds = ("default:", "order:", "behaviour:", "meaning:", "returns:", "mode:")
    wrong = [
        row["torch"]
        for row in MAP
        for status, codes in (("status", "diff"), ("mint_status", "mint_diff"))
        if row[status] == "same" and any(code.strip().startswith(kinds) for code in row[codes].split(";"))
    ]
    assert wrong == []


def test_what_stands_in_a_part_of_torch_goes_by_that_part() -> None:
    """`torch.distributed.*` answers for what has no row; a name that torch does not have gets no answer."""
    found = FACTS.pair("torch.backends.cudnn.benchmark")
    assert found is not None
    assert found.by_hand
    assert FACTS.pair("torch.nn.init.no_such_") is None


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("torch.ops.aten.add.Tensor", "torch.ops.aten.add.Tensor"),
        ("torch.float32.itemsize", "torch.dtype.itemsize"),
        ("torch.nn.init._calculate_fan_in_and_fan_out", "torch.nn.init._calculate_fan_in_and_fan_out"),
        ("torch.nn.Conv2d._parameters", "torch.nn.Module._parameters"),
    ],
)
def test_names_that_torch_hides_are_known(name: str, full: str) -> None:
    """Sources use them all the same."""
    assert FACTS.canonical(name) == full
