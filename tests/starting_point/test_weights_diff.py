"""Every parameter of two sides against its partner: verdict, differences, and what is alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import tracer
from tracer import Tolerance, TracerError

RANDOM = np.random.default_rng(0)


def numbers() -> dict[str, np.ndarray]:
    """Parameters of a small net."""
    return {
        "fc1.weight": RANDOM.standard_normal((8, 4)).astype(np.float32),
        "fc1.bias": RANDOM.standard_normal(8).astype(np.float32),
        "head.weight": RANDOM.standard_normal((3, 8)).astype(np.float32),
    }


def row(report, name: str):
    """The row of a parameter of the candidate."""
    return next(r for r in report.rows if r.target == name)


def words(report, **how: object) -> str:
    """The report in one line."""
    return " ".join(" ".join(report.lines(**how)).split())


# ---- verdicts ------------------------------------------------------------------------------------------------------


def test_the_same_numbers_agree() -> None:
    """Bit for bit, and exit code 0."""
    ours = numbers()
    report = tracer.compare_weights(ours, dict(ours))
    assert (report.verdict, report.exit_code) == ("agree", 0)
    assert {r.verdict for r in report.rows} == {"equal"}
    assert "3 parameters paired: 3 equal" in words(report)


def test_one_number_that_differs_is_found() -> None:
    """However many agree; exit code 1."""
    ours = numbers()
    theirs = {name: array.copy() for name, array in ours.items()}
    theirs["fc1.bias"][3] += 1e-3
    report = tracer.compare_weights(ours, theirs)
    assert (report.verdict, report.exit_code) == ("diverged", 1)
    assert [r.target for r in report.rows if r.verdict == "differs"] == ["fc1.bias"]
    assert row(report, "fc1.bias").max_abs == pytest.approx(1e-3, rel=1e-3)


def test_the_difference_is_relative_to_the_reference() -> None:
    """||c - r|| / ||r||."""
    ours = numbers()
    report = tracer.compare_weights(ours, ours | {"head.weight": ours["head.weight"] * np.float32(1.5)})
    assert row(report, "head.weight").relative_l2 == pytest.approx(0.5)


def test_the_last_bit_counts_where_dtypes_are_the_same() -> None:
    """Weights that were copied are equal; nearly equal ones were not copied."""
    ours = numbers()
    near = np.nextafter(ours["fc1.bias"], np.float32(9))
    assert tracer.compare_weights(ours, ours | {"fc1.bias": near}).verdict == "diverged"


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_rounding_to_a_coarser_dtype_agrees(dtype: str) -> None:
    """A half precision copy is the same weights; it is said that they are rounded."""
    import ml_dtypes

    kind = np.float16 if dtype == "float16" else ml_dtypes.bfloat16
    ours = numbers()
    report = tracer.compare_weights(ours, {name: array.astype(kind) for name, array in ours.items()})
    assert report.verdict == "agree"
    assert {r.verdict for r in report.rows} == {"rounded"}
    assert f"float32 -> {dtype}, counts as equal" in words(report, every=True)


def test_more_than_rounding_diverges() -> None:
    """A coarser dtype is no excuse for other numbers."""
    ours = numbers()
    theirs = {name: (array * np.float32(1.01)).astype(np.float16) for name, array in ours.items()}
    assert tracer.compare_weights(ours, theirs).verdict == "diverged"


def test_a_wider_dtype_with_the_same_numbers_is_equal() -> None:
    """float32 numbers in float64 lost nothing."""
    ours = numbers()
    report = tracer.compare_weights(ours, {name: array.astype(np.float64) for name, array in ours.items()})
    assert {r.verdict for r in report.rows} == {"equal"}


@pytest.mark.parametrize(("tolerance", "verdict"), [(Tolerance(rtol=1e-2), "agree"), (Tolerance(rtol=1e-4), "diverged"),
                                                    (Tolerance(atol=1e-2), "agree"), (Tolerance(atol=1e-6), "diverged")])  # fmt: skip
def test_a_tolerance_is_what_counts(tolerance: Tolerance, verdict: str) -> None:
    """Instead of equal bits."""
    ours = numbers()
    theirs = {name: array + np.float32(1e-3) for name, array in ours.items()}
    assert tracer.compare_weights(ours, theirs, tolerance=tolerance).verdict == verdict


def test_nan_at_the_same_places_is_equal() -> None:
    """NaN is a number like any other where both have it."""
    ours = numbers()
    ours["fc1.bias"][2] = np.nan
    assert tracer.compare_weights(ours, dict(ours)).verdict == "agree"


def test_nan_on_one_side_diverges_and_is_said() -> None:
    """Whatever the tolerance."""
    ours = numbers()
    theirs = {name: array.copy() for name, array in ours.items()}
    theirs["fc1.bias"][2] = np.nan
    report = tracer.compare_weights(ours, theirs, tolerance=Tolerance(rtol=10))
    assert report.verdict == "diverged"
    assert "NaN or Inf at other places" in words(report)


def test_whole_numbers_are_compared_as_they_are() -> None:
    """Also those that no float holds."""
    ours = {"head.weight": np.ones((2, 2), np.float32), "head.ids": np.array([2**60, 1])}
    assert tracer.compare_weights(ours, dict(ours)).verdict == "agree"
    assert tracer.compare_weights(ours, ours | {"head.ids": np.array([2**60 + 1, 1])}).verdict == "diverged"


# ---- alone and ambiguous -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "arguments"), [("reference", 0), ("candidate", 1)])
def test_a_parameter_without_a_partner_leaves_it_open(side: str, arguments: int) -> None:
    """All others agree: unsure, exit code 2, and it is named with its shape."""
    sides = [numbers()] * 2
    sides[arguments] = sides[arguments] | {"more.weight": np.ones((5, 6), np.float32)}
    report = tracer.compare_weights(*sides)
    assert (report.verdict, report.exit_code) == ("unsure", 2)
    assert f"alone in the {side} more.weight 5x6" in words(report)


def test_a_difference_outweighs_what_is_alone() -> None:
    """Diverged is diverged."""
    ours = numbers()
    theirs = {"fc1.weight": ours["fc1.weight"] + 1, "fc1.bias": ours["fc1.bias"]}
    assert tracer.compare_weights(ours, theirs).verdict == "diverged"


def test_equal_numbers_tell_what_names_do_not() -> None:
    """Under other names values are what pairs, and the reason says so."""
    ours = {f"blocks.{n}.weight": RANDOM.standard_normal((4, 4)).astype(np.float32) for n in range(3)}
    theirs = dict(zip(["c.weight", "a.weight", "b.weight"], ours.values(), strict=True))
    report = tracer.compare_weights(ours, theirs)
    assert report.verdict == "agree"
    assert {r.target: r.sources for r in report.rows}["c.weight"] == "blocks.0.weight"
    assert {r.reason for r in report.rows} == {"by value"}


def test_a_pin_is_followed() -> None:
    """It overrules what would have been paired, and then the numbers differ."""
    ours = {"a.weight": np.ones((2, 2), np.float32), "b.weight": np.zeros((2, 2), np.float32)}
    report = tracer.compare_weights(ours, dict(ours), pins={"a.weight": "b.weight", "b.weight": "a.weight"})
    assert report.verdict == "diverged"
    assert row(report, "a.weight").sources == "b.weight"


def test_nothing_at_all_is_no_agreement() -> None:
    """Where no parameter is paired nothing was seen."""
    ours, theirs = {"a.weight": np.ones((2, 3), np.float32)}, {"b.weight": np.ones((5, 7), np.float32)}
    assert tracer.compare_weights(ours, theirs).verdict == "unsure"


# ---- maps, files, parts --------------------------------------------------------------------------------------------


def test_a_map_tells_the_pairs_and_what_is_done_to_them() -> None:
    """Rows of a merged matrix against its parts."""
    ours = {"qkv.weight": RANDOM.standard_normal((6, 4)).astype(np.float32)}
    theirs = {name: ours["qkv.weight"][n : n + 2].copy() for n, name in ((0, "q.w"), (2, "k.w"), (4, "v.w"))}
    mapping = {"q.w": "qkv.weight | rows 0:2", "k.w": "qkv.weight | rows 2:4", "v.w": "qkv.weight | rows 4:6"}
    assert tracer.compare_weights(ours, theirs, mapping=mapping).verdict == "agree"
    theirs["k.w"][0] += 1
    report = tracer.compare_weights(ours, theirs, mapping=mapping)
    assert [r.sources for r in report.rows if r.verdict == "differs"] == ["qkv.weight | rows 2:4"]


def test_transposed_is_compared_transposed() -> None:
    """Blocks of a view run in its own order."""
    weight = RANDOM.standard_normal((300, 500)).astype(np.float32)
    report = tracer.compare_weights({"a": weight}, {"b": weight.T.copy()}, mapping={"b": "a | T"})
    assert report.verdict == "agree"


def turned(name: str, folder: Path, suffixes: tuple[str, str]) -> list[Path]:
    """Two files; in the second a matrix is stored transposed."""
    ours = numbers()
    theirs = {name if key == "fc1.weight" else key: array for key, array in ours.items()}
    theirs[name] = theirs[name].T.copy()
    files = [folder / f"a{suffixes[0]}", folder / f"b{suffixes[1]}"]
    for file, arrays in zip(files, (ours, theirs), strict=True):
        tracer.convert_weights(arrays, file)
    return files


def test_one_name_of_one_framework_stored_transposed_differs(tmp_path: Path) -> None:
    """No loader takes it, though the numbers are equal once they are turned; it is said why."""
    report = tracer.compare_weights(*turned("fc1.weight", tmp_path, (".pth", ".pth")))
    assert report.verdict == "diverged"
    assert "8x4 there: one name, stored in another shape" in words(report)


@pytest.mark.parametrize(("name", "suffix", "mapping"), [("fc1.weight", ".ckpt", None),
                                                         ("fc1.weight", ".pth", {"fc1.weight": "fc1.weight | T"}),
                                                         ("dense.weight", ".pth", {"dense.weight": "fc1.weight | T"})])  # fmt: skip
def test_what_is_equal_only_after_a_transform_is_listed(
    tmp_path: Path, name: str, suffix: str, mapping: dict[str, str] | None
) -> None:
    """Across frameworks, under other names, or by a map it agrees, and never in silence."""
    files = turned(name, tmp_path, (".pth", suffix))
    if mapping:
        mapping |= {key: key for key in ("fc1.bias", "head.weight")}
    report = tracer.compare_weights(*files, mapping=mapping)
    assert report.verdict == "agree"
    assert f"equal after a transform {name} = fc1.weight | T" in words(report)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".ckpt", ".npz"])
def test_files_of_any_format_are_compared(tmp_path: Path, suffix: str) -> None:
    """By name, across formats."""
    ours = numbers()
    tracer.convert_weights(ours, tmp_path / "a.npz")
    tracer.convert_weights(ours, tmp_path / f"b{suffix}")
    report = tracer.compare_weights(tmp_path / "a.npz", tmp_path / f"b{suffix}")
    assert report.verdict == "agree"
    assert words(report).startswith(f"agree a.npz | b{suffix}")


def test_a_map_that_names_what_is_not_there(tmp_path: Path) -> None:
    """Refused, with the nearest name."""
    with pytest.raises(TracerError, match=r"'fc1.weihgt'(.|\n)*did you mean 'fc1.weight'"):
        tracer.compare_weights(numbers(), numbers(), mapping={"fc1.weight": "fc1.weihgt"})


# ---- the report ----------------------------------------------------------------------------------------------------


def test_the_worst_stands_first() -> None:
    """And only a screen of them is shown, unless all are asked for."""
    ours = {f"l{n}.weight": np.ones((2, n + 2), np.float32) for n in range(40)}
    theirs = {name: array * np.float32(1 + 0.01 * (1 + n)) for n, (name, array) in enumerate(ours.items())}
    report = tracer.compare_weights(ours, theirs)
    lines = list(report.lines())
    assert next(line for line in lines if ".weight" in line).endswith("l39.weight")
    assert "... and 28 more" in lines[-1]
    assert sum(".weight" in line for line in report.lines(every=True)) == 40


def test_the_report_is_json_that_any_program_reads() -> None:
    """Every pair with its numbers; what is not finite is null."""
    ours = numbers()
    theirs = ours | {"fc1.bias": np.full(8, np.inf, np.float32), "more.weight": np.ones((5, 6), np.float32)}
    told = json.loads(tracer.compare_weights(ours, theirs).to_json())
    assert told["verdict"] == "diverged"
    bias = next(p for p in told["parameters"] if p["candidate"] == "fc1.bias")
    assert (bias["verdict"], bias["shape"], bias["finite_alike"]) == ("differs", [8], False)
    assert told["alone"]["candidate"][0]["name"] == "more.weight"


def test_no_line_is_wider_than_the_page() -> None:
    """But for names that are."""
    ours = {f"blocks.{n}.attention.projection.weight": np.ones((2, 2), np.float32) for n in range(4)}
    report = tracer.compare_weights(ours, {name: a + 1 for name, a in ours.items()} | {"x.weight": np.ones((9, 9))})
    assert max(map(len, report.lines(every=True))) <= 80
