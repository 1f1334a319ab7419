"""What the diff says of folders: verdicts, the first in order, other shapes and dtypes, NaN, gradients, reports."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

import tracer
from tests.contract import validate_report
from tests.files.folders import counted_behind, counted_in_front, save, vit

X = np.random.default_rng(3).standard_normal((4, 6)).astype(np.float32)


def diff(folder, ours, theirs, **options):
    """The report on two lists of named arrays, held against the contract."""
    report = tracer.diff(save(folder / "pt", ours), save(folder / "ms", theirs), **options)
    validate_report(report.to_dict())
    return report


def one(folder, ours, theirs, **options):
    """The report on one array on each side."""
    return diff(folder, [("0_x", ours)], [("x_float32_0", theirs)], **options)


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    fault = vit({"blocks.2.mlp.act": lambda value: 2 * value}, noise=1e-7)
    return diff(tmp_path_factory.mktemp("faulty"), counted_in_front(vit()), counted_behind(fault))


def test_the_first_in_order_is_the_origin(faulty):
    """Its place is a file, its path the file's name without the folder."""
    origin = faulty.to_dict()["origin"]
    assert origin["place"] == "file"
    assert origin["reference"]["path"] == "26_act.npy"
    assert origin["candidate"]["path"] == "act_float32_26.npy"
    assert origin["reference"]["kind"] == "float32 (2, 5, 32)"


def test_a_factor_is_said(faulty):
    """As of a layer."""
    assert "2 times the reference" in faulty.origin.causes[0].sentence


def test_the_table_has_every_pair_with_the_first_marked(faulty):
    """One row each, in order; those behind differ too."""
    states = [row.state for row in faulty.diagnosis.rows]
    assert len(states) == len(vit())
    assert states.index("first in order") == 26
    assert set(states[:26]) == {"agrees"}
    assert "differs" in states[27:]


def test_the_text_shows_the_first_before_the_table(faulty):
    """And never calls it more than the first in order."""
    text = repr(faulty)
    assert text.splitlines()[0].startswith("diverged in forward, first in order at 26_act.npy")
    assert text.index("26_act.npy") < text.index("0_patch_embed.npy")
    assert "starts here" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_the_csv_has_a_line_for_every_pair(faulty):
    """With reason and confidence."""
    rows = list(csv.DictReader(io.StringIO(faulty.to_csv())))
    assert len(rows) == len(vit())
    assert rows[26]["state"] == "first in order"
    assert rows[26]["reason"] == "by name and order (3 of 6)"


def test_the_page_is_html(faulty):
    """A notebook shows a fragment of it."""
    assert "26_act.npy" in faulty.to_html()
    assert faulty._repr_html_().startswith("<div")


def test_what_the_order_rests_on_is_said(faulty):
    """And that nobody knows what fed what."""
    assert any("the numbers of the files of the reference" in note for note in faulty.diagnosis.notes)


def test_the_order_of_names_alone_is_said(tmp_path):
    """It need not be that of execution."""
    report = diff(tmp_path, [("b.norm", X), ("a.fc", X + 1)], [("b.norm", X), ("a.fc", X)])
    assert any("need not be" in note for note in report.diagnosis.notes)


def test_a_clean_pair_agrees(tmp_path):
    """Exit code 0."""
    report = diff(tmp_path, counted_in_front(vit()), counted_behind(vit(noise=1e-7)))
    assert (report.verdict, report.exit_code, report.coverage.alone) == ("agree", 0, 0)


def test_nothing_in_common_is_unsure(tmp_path):
    """Exit code 2."""
    report = diff(tmp_path, [("0_a", X)], [("b", np.zeros(5))])
    assert (report.verdict, report.exit_code) == ("unsure", 2)


def test_too_little_in_common_is_unsure(tmp_path):
    """One of four agrees: that is no agreement."""
    ours = [(f"{n}_a{n}", np.zeros(n + 2)) for n in range(4)]
    theirs = [("0_a0", np.zeros(2)), *((f"{n}_z{n}", np.zeros(n + 20)) for n in range(1, 4))]
    report = diff(tmp_path, ours, theirs)
    assert report.verdict == "unsure"
    assert "only 1 of 4" in report.reason


def test_files_alone_are_listed_and_counted(tmp_path):
    """On each side."""
    report = diff(tmp_path, [("0_fc", X), ("1_norm", X[0])], [("fc_float32_0", X), ("loss_float32_1", X[0, 0])])
    assert report.coverage.alone == 2
    assert "1 file only in the reference: 1_norm.npy" in repr(report)
    assert "1 file only in the candidate: loss_float32_1.npy" in repr(report)


def test_a_transpose_is_told(tmp_path):
    """The same numbers in another shape."""
    report = one(tmp_path, X, np.ascontiguousarray(X.T))
    assert report.verdict == "agree"
    assert any("another shape" in note and "axes (1, 0)" in note for note in report.diagnosis.notes)


def test_axes_of_size_one_are_told(tmp_path):
    """They hold nothing."""
    report = one(tmp_path, X, X[:, None])
    assert report.verdict == "agree"
    assert any("size-1 axes" in note for note in report.diagnosis.notes)


def test_another_number_of_elements_diverges(tmp_path):
    """By its shape."""
    report = one(tmp_path, X, X[:2])
    assert report.verdict == "diverged"
    assert report.origin.difference.problem == "shape"


def test_nan_diverges(tmp_path):
    """Where only one side has it; counted."""
    bad = X.copy()
    bad[1, 2] = np.nan
    report = one(tmp_path, X, bad)
    assert report.verdict == "diverged"
    assert (report.origin.difference.problem, report.origin.difference.nan_candidate) == ("nan", 1)


def test_equal_nan_and_inf_agree(tmp_path):
    """As in the diff of traces."""
    bad = X.copy()
    bad[1, 2], bad[0, 0] = np.nan, np.inf
    assert one(tmp_path, bad, bad.copy()).verdict == "agree"


@pytest.mark.parametrize(
    ("ours", "theirs", "verdict"),
    [
        (np.float32, np.float16, "agree"),
        (np.float64, np.float32, "agree"),
        (np.complex64, np.complex128, "agree"),
        (">f4", "<f4", "agree"),
    ],
)
def test_dtypes_are_judged_by_the_coarser(tmp_path, ours, theirs, verdict):
    """What its rounding explains."""
    assert one(tmp_path, X.astype(ours), X.astype(theirs)).verdict == verdict


def test_two_dtypes_are_noted(tmp_path):
    """Nobody is to overlook it."""
    assert any("float32 against float16" in note for note in one(tmp_path, X, X.astype("f2")).diagnosis.notes)


def test_labels_of_two_integer_types_agree(tmp_path):
    """int64 where MindSpore wants int32."""
    labels = np.arange(5)
    assert one(tmp_path, labels, labels.astype(np.int32)).verdict == "agree"


def test_integers_are_equal_or_not(tmp_path):
    """There is no rounding of them."""
    assert one(tmp_path, np.arange(5), np.array([0, 1, 2, 3, 5])).verdict == "diverged"


@pytest.mark.parametrize("shape", [(0,), (3, 0, 2), ()])
def test_nothing_and_scalars(tmp_path, shape):
    """Arrays without elements, and without axes."""
    assert one(tmp_path, np.zeros(shape, np.float32), np.zeros(shape, np.float32)).verdict == "agree"


def test_arrays_without_elements_of_two_shapes_differ(tmp_path):
    """Their shape is all they have."""
    assert one(tmp_path, np.zeros((0, 2)), np.zeros((0, 3))).verdict == "diverged"


def test_fortran_order_is_read_as_it_is_meant(tmp_path):
    """Only how it lies in the file differs."""
    assert one(tmp_path, X, np.asfortranarray(X)).verdict == "agree"
    assert one(tmp_path / "2", X, np.asfortranarray(X[::-1])).verdict == "diverged"


def test_rtol_and_atol(tmp_path):
    """As in the diff of traces."""
    assert one(tmp_path / "a", X, X * 1.01).verdict == "diverged"
    assert one(tmp_path / "b", X, X * 1.01, tolerance=tracer.Tolerance(rtol=0.02)).verdict == "agree"
    assert one(tmp_path / "c", X, X + 0.01, tolerance=tracer.Tolerance(atol=0.02)).verdict == "agree"


def test_more_than_rounding_gives_is_no_agreement(tmp_path):
    """A small epsilon looks like MindSpore's tanh: nobody knows which it is, until the user says what counts."""
    ours, theirs = X.astype(np.float32), (X * (1 + 3e-5)).astype(np.float32)
    report = one(tmp_path / "a", ours, theirs)
    assert (report.verdict, report.diagnosis.rows[0].state) == ("unsure", "unsure")
    assert one(tmp_path / "b", ours, theirs, tolerance=tracer.Tolerance(rtol=1e-4)).verdict == "agree"


def test_only_judges_what_it_names(tmp_path):
    """Globs of names, with or without ending."""
    named = [("0_fc", X), ("1_norm", X + 1)]
    report = diff(tmp_path, named, [("0_fc", X), ("1_norm", X)], only="*fc")
    assert report.verdict == "agree"
    assert [row.reference.path for row in report.diagnosis.rows] == ["0_fc.npy"]


# -- gradients ---------------------------------------------------------------------------------------------------------

SHAPES = [(8, 4), (8,), (8, 8), (8,), (8,), (8,), (3, 8), (3,)] * 5


def gradients(scale: float = 1e-6, **altered: float):
    random = np.random.default_rng(0)
    made = [(scale * random.standard_normal(shape)).astype(np.float32) for shape in SHAPES]
    return [(f"0_grads_{n}", array * altered.get(f"n{n}", 1.0)) for n, array in enumerate(made)]


@pytest.mark.parametrize("factor", [2.0, -1.0, 0.0])
def test_a_gradient_of_a_millionth_that_is_wrong_is_found(tmp_path, factor):
    """Doubled, negated, zeroed: relative to its own size."""
    report = diff(tmp_path / "grads", gradients(), gradients(n11=factor))
    assert report.verdict == "diverged"
    assert report.origin.phase == "backward"
    assert report.origin.reference.path == "0_grads_11.npy"


def test_equal_gradients_agree(tmp_path):
    """Forward was not judged, since there is nothing of it."""
    report = diff(tmp_path, gradients(), gradients())
    assert report.verdict == "agree"
    assert report.coverage.phases == {"forward": "not judged: gradients only", "backward": "judged"}


def test_a_list_that_lacks_one_is_aligned_by_shapes(tmp_path):
    """What follows moves up by one."""
    theirs = gradients()
    del theirs[10]
    theirs = [(f"0_grads_{n}", array) for n, (_, array) in enumerate(theirs)]
    report = diff(tmp_path, gradients(), theirs)
    pairs = {p.reference.path: p.candidate.path for p in report.alignment.pairs}
    assert pairs == {f"0_grads_{n}.npy": f"0_grads_{n - (n > 10)}.npy" for n in range(40) if n != 10}
    assert report.verdict == "agree"


def test_the_rounding_of_a_sum_that_is_nothing_is_no_finding(tmp_path):
    """The gradient of a key's bias is zero but for rounding, which no two frameworks share."""
    random = np.random.default_rng(0)
    weight = random.standard_normal((16, 16)).astype(np.float32)
    ours, theirs = (1e-8 * random.standard_normal((2, 16))).astype(np.float32)
    named = [("grads/k.weight", weight), ("grads/k.bias", ours)]
    assert diff(tmp_path, named, [("grads/k.weight", weight), ("grads/k.bias", theirs)]).verdict == "agree"


def test_folders_of_one_name_are_told_apart(tmp_path):
    """With what lies above them, as pt/npy and ms/npy."""
    ours, theirs = (save(tmp_path / side / "npy", [("0_x", X)]) for side in ("pt", "ms"))
    document = tracer.diff(ours, theirs).to_dict()
    assert (document["reference"]["net"], document["candidate"]["net"]) == ("pt/npy", "ms/npy")
