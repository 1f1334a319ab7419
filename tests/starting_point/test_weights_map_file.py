"""A map is a file that a person reads and edits, and that is held against both sides before anything is moved."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import tracer
from tests.starting_point.checkpoint_files import loaded
from tracer import TracerError
from tracer.starting_point import holders
from tracer.starting_point.weights.loading import made
from tracer.starting_point.weights.map_file import map_of, read_map, to_toml
from tracer.starting_point.weights.weight_map import Choice, WeightMap

RANDOM = np.random.default_rng(0)


def array(*shape: int) -> np.ndarray:
    """Random numbers."""
    return RANDOM.standard_normal(shape).astype(np.float32)


def merged() -> dict[str, np.ndarray]:
    """An attention with one matrix for query, key and value."""
    return {
        "attn.qkv.weight": array(6, 4),
        "attn.qkv.bias": array(6),
        "attn.proj.weight": array(4, 2),
        "head.weight": array(3, 4),
    }


def parted() -> dict[str, np.ndarray]:
    """The same with three."""
    parts = {f"attn.{x}.{name}": array(2, *more) for x in "qkv" for name, more in (("weight", (4,)), ("bias", ()))}
    return parts | {"attn.proj.weight": array(4, 2), "head.weight": array(3, 4)}


def facts(arrays: dict[str, np.ndarray]):
    """The parameters of a side."""
    return holders.of_mapping(arrays).parameters()


def converted(ours: dict[str, np.ndarray], mapping: object, folder: Path) -> dict[str, np.ndarray]:
    """What a map makes of arrays."""
    tracer.convert_weights(ours, folder / "made.npz", mapping=mapping, partial=True)
    return loaded(folder / "made.npz")


def refused(text: str, folder: Path, name: str = "map.toml") -> TracerError:
    """The refusal of a map written by hand, in three beats."""
    (folder / name).write_text(text, encoding="utf-8")
    with pytest.raises(TracerError) as caught:
        read_map(folder / name, facts(merged()), facts(parted()))
    assert caught.value.what
    assert name in caught.value.where
    assert caught.value.then
    return caught.value


HEAD = 'format = "tracer-weights"\nversion = 1\n[parameters]\n'


# ---- written and read ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["map.toml", "map.json"])
@pytest.mark.parametrize("turn", [False, True], ids=["split", "merge"])
def test_what_is_saved_is_read(tmp_path: Path, name: str, turn: bool) -> None:
    """TOML and JSON hold the same map, merged rows included."""
    ours, theirs = (parted(), merged()) if turn else (merged(), parted())
    report = tracer.weight_map(ours, theirs)
    again = read_map(report.save(tmp_path / name), facts(ours), facts(theirs))
    assert report.whole
    assert [str(p) for p in again.placements] == [str(p) for p in report.placements]


def test_the_file_says_why(tmp_path: Path) -> None:
    """A reason stands behind every line."""
    text = tracer.weight_map(merged(), parted()).save(tmp_path / "map.toml").read_text()
    lines = [line for line in text.partition("[parameters]\n")[2].splitlines() if line.startswith('"')]
    assert len(lines) == 8
    assert all("  # " in line for line in lines)
    assert '"attn.k.weight" = "attn.qkv.weight | rows 2:4"' in text


def test_what_is_alone_stands_there(tmp_path: Path) -> None:
    """With nothing made of it."""
    text = tracer.weight_map(merged(), parted() | {"more.weight": array(7, 7)}).save(tmp_path / "map.toml").read_text()
    assert 'candidate = ["more.weight"]' in text


def test_what_is_open_stands_there_to_choose(tmp_path: Path) -> None:
    """As lines that need their # taken away, and that are no map until then."""
    ours = {f"left.{n}.weight": array(4, 4) for n in "ab"}
    report = tracer.weight_map(ours, {f"right.{n}.weight": array(4, 4) for n in "cd"})
    text = report.save(tmp_path / "map.toml").read_text()
    assert '# "right.c.weight" = "left.a.weight" or "left.b.weight"' in text
    assert report.exit_code == 2


@pytest.mark.parametrize("name", ['a"b', "ä.ö", "a b", "a#b", "a=b", "a | b", "a\\b", "a\nb", "a\x7fb", "[a]"])
def test_any_name_is_written_and_read(tmp_path: Path, name: str) -> None:
    """Names are whatever their net calls them."""
    weight = array(3, 2)
    report = tracer.weight_map({name: weight}, {name: weight})
    for file in ("map.toml", "map.json"):
        again = read_map(report.save(tmp_path / file), facts({name: weight}), facts({name: weight}))
        assert [p.target for p in again.placements] == [name]


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    """A map is TOML or JSON."""
    with pytest.raises(TracerError, match=".toml or a .json"):
        tracer.weight_map(merged(), merged()).save(tmp_path / "map.yaml")


# ---- what the lines do ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "make"),
    [
        ("a", lambda a, b: a),
        ("a | T", lambda a, b: a.T),
        ("a | reshape 2x3x1x4", lambda a, b: a.reshape(2, 3, 1, 4)),
        ("a | rows 2:4", lambda a, b: a[2:4]),
        ("a | rows 4:6,0:2", lambda a, b: a[[4, 5, 0, 1]]),
        ("a | T | rows 1:3", lambda a, b: a.T[1:3]),
        ("a | rows 1:5 | T", lambda a, b: a[1:5].T),
        (["a", "b"], lambda a, b: np.concatenate([a, b])),
        (["b", "a | rows 0:1"], lambda a, b: np.concatenate([b, a[:1]])),
        ({"from": ["a", "b"], "then": "T"}, lambda a, b: np.concatenate([a, b]).T),
        ({"from": "a", "then": "T | rows 0:2"}, lambda a, b: a.T[:2]),
    ],
    ids=str,
)
@pytest.mark.parametrize("form", ["lines", "toml"])
def test_a_line_makes_what_it_says(tmp_path: Path, line: object, make, form: str) -> None:
    """Steps from left to right; a list lies one behind the other; `then` is done to the whole."""
    a, b = array(6, 4), array(5, 4)
    mapping: object = {"made": line}
    if form == "toml":
        value = (
            json.dumps(line)
            if not isinstance(line, dict)
            else f'{{ from = {json.dumps(line["from"])}, then = "{line["then"]}" }}'
        )
        (tmp_path / "map.toml").write_text(f'{HEAD}"made" = {value}\n')
        mapping = tmp_path / "map.toml"
    np.testing.assert_array_equal(converted({"a": a, "b": b}, mapping, tmp_path)["made"], make(a, b))


@pytest.mark.parametrize("rows", [(1, 1), (1000, 1100), (1 << 11, 1 << 11)])
def test_large_arrays_are_made_block_by_block(tmp_path: Path, rows: tuple[int, int]) -> None:
    """Rows and pieces that span blocks come out whole."""
    a = RANDOM.standard_normal((sum(rows), 700)).astype(np.float32)
    first, last = f"a | rows 0:{rows[0]}", f"a | rows {rows[0]}:{sum(rows)}"
    found = converted({"a": a}, {"x": first, "y": last, "z": [last, first]}, tmp_path)
    np.testing.assert_array_equal(found["x"], a[: rows[0]])
    np.testing.assert_array_equal(found["y"], a[rows[0] :])
    np.testing.assert_array_equal(found["z"], np.concatenate([a[rows[0] :], a[: rows[0]]]))


def test_a_line_edited_by_hand_counts(tmp_path: Path) -> None:
    """Rows of query and key exchanged: what was written is done."""
    ours = merged()
    text = tracer.weight_map(ours, parted()).to_toml()
    edited = text.replace("rows 0:2", "rows X").replace("rows 2:4", "rows 0:2").replace("rows X", "rows 2:4")
    (tmp_path / "map.toml").write_text(edited)
    found = converted(ours, tmp_path / "map.toml", tmp_path)
    np.testing.assert_array_equal(found["attn.q.weight"], ours["attn.qkv.weight"][2:4])


def test_a_name_as_the_framework_has_it_is_known() -> None:
    """A map may name a parameter by what MindSpore calls it."""
    from dataclasses import replace

    theirs = {"bn.moving_mean": replace(facts({"bn.moving_mean": array(4)})["bn.moving_mean"], alias="mean")}
    made = map_of({"mean": "bn.running_mean"}, facts({"bn.running_mean": array(4)}), theirs)
    assert [str(p) for p in made.placements] == ["bn.moving_mean = bn.running_mean"]


# ---- there and back ------------------------------------------------------------------------------------------------

LINES = {
    "q": "qkv | rows 0:2",
    "k": "qkv | rows 4:6",
    "v": "qkv | rows 2:4",
    "turned": "matrix | T",
    "conv": "kernel | reshape 3x2x1x5",
    "both": ["left", "right"],
    "both turned": {"from": ["up", "down"], "then": "T"},
    "same": "same",
}


def test_the_way_back_is_the_map_turned_round(tmp_path: Path) -> None:
    """What was split is merged, what was merged is split, bit for bit."""
    ours = {"qkv": array(6, 4), "matrix": array(3, 5), "kernel": array(3, 2, 5), "left": array(2, 3), "right": array(4, 3),
            "up": array(2, 3), "down": array(1, 3), "same": array(2)}  # fmt: skip
    there = map_of(LINES, facts(ours), None)
    theirs = converted(ours, LINES, tmp_path)
    back = there.inverse()
    holder = holders.of_mapping(theirs)
    assert {p.target for p in back.placements} == set(ours)
    for placement in back.placements:
        np.testing.assert_array_equal(made(placement, holder), ours[placement.target])


@pytest.mark.parametrize("lines", [{"q": "qkv | rows 0:2"}, {"q": "qkv | rows 0:4", "k": "qkv | rows 2:6"}])
def test_rows_that_are_lost_have_no_way_back(lines: dict[str, str]) -> None:
    """Not all rows, or some twice: said, never half."""
    with pytest.raises(TracerError, match="turned round"):
        map_of(lines, facts({"qkv": array(6, 4)}), None).inverse()


# ---- what cannot be ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ('"head.weigth" = "head.weight"', "did you mean 'head.weight'"),
        ('"head.weight" = "heda.weight"', "did you mean 'head.weight'"),
        ('"head.weight" = ["head.weight", "nowhere"]', "'nowhere'"),
        ('"head.weight" = "head.weight | T"', "(4, 3)"),
        ('"head.weight" = "attn.qkv.weight"', "(6, 4)"),
        ('"head.weight" = "attn.qkv.weight | rows 0:9"', "does not fit"),
        ('"head.weight" = "attn.qkv.weight | rows 3:3"', "does not fit"),
        ('"head.weight" = "attn.qkv.weight | reshape 3x3"', "does not fit"),
        ('"head.weight" = "attn.qkv.bias | T"', "for matrices"),
        ('"head.weight" = "head.weight | twist"', "step"),
        ('"head.weight" = "head.weight | rows"', "step"),
        ('"head.weight" = ["head.weight", "attn.qkv.bias"]', "one behind the other"),
        ('"head.weight" = []', "no names"),
        ('"head.weight" = 3', "no names"),
        ('"head.weight" = [3]', "no names"),
        ('"head.weight" = ""', "no names"),
        ('"head.weight" = { of = "head.weight" }', "from and then"),
        ('"head.weight" = { from = "head.weight", then = 3 }', "no names"),
    ],
)
def test_a_line_that_cannot_be_followed_is_refused(tmp_path: Path, line: str, word: str) -> None:
    """With what is wrong, at which line, and what to write."""
    error = refused(f"{HEAD}{line}\n", tmp_path)
    assert word in str(error)
    assert line.partition(" = ")[0].strip('"') in error.where


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "no map"),
        ("hello", "cannot be read"),
        ('[parameters]\n"a" = "b"\n', "no map"),
        ('format = "tracer-weights"\nversion = 2\n[parameters]\n', "version 2"),
        ('format = "tracer-weights"\nversion = 1\n', "no table"),
        ('format = "tracer-weights"\nversion = 1\nparameters = 3\n', "no table"),
        (f'{HEAD}"head.weight" = "head.weight"\n"head.weight" = "head.weight"\n', "cannot be read"),
        ('{"format": "tracer-weights", "version": 1, "parameters": {"a": "b", "a": "c"}}', "twice"),
        ("[" * 100_000, "cannot be read"),
        ("{" + '"a":{' * 100_000, "cannot be read"),
    ],
    ids=range(10),
)
def test_a_file_that_is_no_map_is_refused(tmp_path: Path, text: str, word: str) -> None:
    """Whatever stands in it."""
    assert word in str(refused(text, tmp_path))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    """A map is UTF-8."""
    (tmp_path / "map.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TracerError, match="UTF-8"):
        read_map(tmp_path / "map.toml", {}, {})


def test_a_map_that_is_not_there(tmp_path: Path) -> None:
    """Says how to make one."""
    with pytest.raises(TracerError, match="tracer weights map"):
        tracer.convert_weights(merged(), tmp_path / "b.npz", mapping=tmp_path / "nowhere.toml")


@pytest.mark.parametrize("mapping", [3, ["a"], object], ids=str)
def test_what_is_no_map_is_refused(tmp_path: Path, mapping: object) -> None:
    """In words."""
    with pytest.raises(TracerError, match="no map"):
        tracer.convert_weights(merged(), tmp_path / "b.npz", mapping=mapping)


def test_a_map_that_leaves_something_out_is_refused(tmp_path: Path) -> None:
    """Unless partial=True: a line that was deleted is a parameter that would be lost."""
    with pytest.raises(TracerError, match="attn.qkv.bias"):
        tracer.convert_weights(merged(), tmp_path / "b.npz", mapping={"head.weight": "head.weight"})
    assert not (tmp_path / "b.npz").exists()


def test_a_map_turned_round_is_followed() -> None:
    """`mapping=` takes what `.weights.inverse()` returns: the way back gives the numbers one came from."""
    ours, theirs = merged(), parted()
    there = tracer.weight_map(ours, theirs)
    forward = {p.target: made(p, holders.of_mapping(ours)) for p in there.placements}
    assert tracer.compare_weights(forward, ours, mapping=there.weights.inverse()).verdict == "agree"


def test_what_names_alone_tell_is_named_so() -> None:
    """A section of its own, with its count; `every` lists each parameter with shape and reason."""
    ours = {f"left.{n}.weight": np.ones((4, 4), np.float32) for n in ("query", "key")}
    theirs = {f"right.{n}.weight": np.ones((4, 4), np.float32) for n in ("k_key", "query_proj")}
    report = tracer.weight_map(ours, theirs)
    said, all_ = ("\n".join(report.lines(every=every)) for every in (False, True))
    assert "by names (2)" in said
    assert "right.k_key.weight = left.key.weight   names break the tie" in said
    assert "every parameter" not in said
    assert "4x4  right.query_proj.weight = left.query.weight   names break the tie" in all_


def test_what_is_open_is_suggested_in_lines_that_hold() -> None:
    """Weight against weight, bias against bias, rows where the other side is longer."""
    whole = {"qkv.weight": array(24, 8), "qkv.bias": array(24)}
    parts = {f"{x}.{name}": array(8, *more) for x in "abc" for name, more in (("weight", (8,)), ("bias", ()))}
    facts = [holders.of_mapping(side).parameters() for side in (whole, parts)]
    split = to_toml(WeightMap(*facts, (), (Choice(tuple(whole), tuple(parts), "rows"),)), "a", "b")
    merged = to_toml(WeightMap(*facts[::-1], (), (Choice(tuple(parts), tuple(whole), "rows"),)), "a", "b")
    assert '# "b.bias" = "qkv.bias | rows 0:8" or "qkv.bias | rows 8:16" or "qkv.bias | rows 16:24"\n' in split
    assert '# "qkv.weight" = ["a.weight", "b.weight", "c.weight"]\n' in merged
