"""`tracer diff` on folders: exit codes, the table, options, files for programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from tests.cli.conftest import tracer  # noqa: F401
from tests.contract import validate_report
from tests.docs.pages import REPOSITORY
from tests.files.folders import counted_behind, counted_in_front, save, vit
from tracer import diff as compare


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The reference, a clean port, and one with a fault."""
    at = tmp_path_factory.mktemp("folders")
    fault = vit({"blocks.1.mlp.act": lambda value: value + 0.5}, noise=1e-7)
    return (
        save(at / "pt", counted_in_front(vit())),
        save(at / "ms", counted_behind(vit(noise=1e-7))),
        save(at / "slip", counted_behind(fault)),
    )


def test_exit_codes(tracer, folders, tmp_path):  # noqa: F811
    """0 agree, 1 diverged, 2 could not tell."""
    pt, ms, slip = folders
    other = save(tmp_path / "other", [("z", np.zeros(3))])
    assert [tracer("diff", pt, side).code for side in (ms, slip, other)] == [0, 1, 2]


def test_the_table_is_printed_with_reasons(tracer, folders):  # noqa: F811
    """Also without --every; one line for each pair."""
    out = tracer("diff", folders[0], folders[2]).stdout
    assert out.startswith("diverged in forward, first in order at 17_act.npy")
    assert sum(".npy" in line and "_float32_" in line for line in out.splitlines()) >= len(vit())
    assert "name (2 of 6)" in out


def test_json_for_a_program(tracer, folders, tmp_path):  # noqa: F811
    """The contract of the diff."""
    tracer("diff", folders[0], folders[2], "--json", tmp_path / "r.json", "--quiet")
    report = validate_report(json.loads((tmp_path / "r.json").read_text()))
    assert report["origin"]["place"] == "file"
    assert len(report["rows"]) == len(vit())


def test_pins_globs_and_tolerances(tracer, folders):  # noqa: F811
    """On the names of files."""
    assert tracer("diff", folders[0], folders[2], "--only", "*norm1").code == 1
    assert tracer("diff", folders[0], folders[2], "--only", "0_patch_embed.npy").code == 0
    assert tracer("diff", folders[0], folders[2], "--rtol", "10").code == 0
    done = tracer("diff", folders[0], folders[1], "--pin", "0_patch_embed=head_float32_56")
    assert "pinned" in done.stdout
    assert done.code == 1


def test_an_error_has_three_beats(tracer, folders, tmp_path):  # noqa: F811
    """And exit code 2."""
    (tmp_path / "empty").mkdir()
    done = tracer("diff", folders[0], tmp_path / "empty")
    assert done.code == 2
    assert done.stderr.startswith("error: no .npy")
    assert "where:" in done.stderr
    assert "next:" in done.stderr


def test_a_report_is_not_written_over_a_file_of_the_folder(tracer, folders):  # noqa: F811
    """What is compared stays as it is."""
    before = (folders[0] / "0_patch_embed.npy").read_bytes()
    tracer("diff", folders[0], folders[1], "--json", folders[0] / "0_patch_embed.npy")
    assert (folders[0] / "0_patch_embed.npy").read_bytes() == before


def test_neither_framework_is_needed(folders):
    """Nor imported."""
    code = (
        "import sys, tracer; r = tracer.diff(*sys.argv[1:]); "
        "assert r.exit_code == 0; assert not {'torch', 'mindspore'} & set(sys.modules)"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(folders[0]), str(folders[1])],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, check=True,
    )  # fmt: skip


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_large_file_is_read_in_blocks(tmp_path, order):
    """Memory grows with neither the file nor how its array lies in it."""
    rows = 8192
    for side in ("pt", "ms"):
        (tmp_path / side).mkdir()
        file = tmp_path / side / "0_x.npy"
        made = np.lib.format.open_memmap(file, "w+", np.float32, (rows, 4096), fortran_order=order == "F")
        for start in range(0, rows, 1024):
            made[start : start + 1024] = np.arange(4096, dtype=np.float32)
        del made
    tracemalloc.start()
    try:
        report = compare(tmp_path / "pt", tmp_path / "ms")
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert report.verdict == "agree"
    assert most < 100 << 20 < 4 * rows * 4096
