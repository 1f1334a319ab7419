"""Published nets against published ports: what the tracer says of each, and what it takes.

    python benchmarks/published.py [NAME ...] [--folder FOLDER]
    python benchmarks/published.py --weights [NAME ...]

Needs the packages of tests/published/README.md. For each pair of nets, as published and after each mend: the verdict,
the first origin with its cause, how many pairs of layers are right and wrong, and the seconds of the diff. Traces are
removed when they are judged, unless a folder is named. With `--weights`: the table of tests/published/README.md, what
becomes of the weights of each family when the tracer alone moves them.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import tracer
from tests.published.alignment import fit
from tests.published.families import FAMILIES
from tests.published.pairs import PAIRS, Pair


def record(name: str, folder: Path) -> float:
    """Record both sides, each in a process of its own; returns the seconds of both together."""
    started = time.perf_counter()
    for side in ("reference", "candidate"):
        command = [sys.executable, "-m", "tests.published.record", name, side, str(folder)]
        subprocess.run(command, cwd=ROOT, check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def judge(pair: Pair, folder: Path, stage: int) -> str:
    """One line: what the diff says of the port after `stage` mends."""
    started = time.perf_counter()
    with tracer.Trace(folder / "reference.h5") as right, tracer.Trace(folder / f"candidate_{stage}.h5") as port:
        report = tracer.diff(right, port).to_dict()
        seconds = time.perf_counter() - started
        fits = fit(pair, report, right.skeleton, port.skeleton)
    origin = report["origin"]
    where = f"{origin['reference']['path']}: {origin['causes'][0]['name']}" if origin and origin["causes"] else ""
    if origin and not where:
        where = f"{(origin['reference'] or origin['candidate'])['path']}: no cause"
    pairs = f"{fits.right} of {fits.known} pairs right, {len(fits.wrong)} wrong"
    phases = ", ".join(
        f"{phase} {'judged' if said == 'judged' else 'not judged'}"
        for phase, said in report["coverage"]["phases"].items()
    )
    return f"  {stage} mended  {report['verdict']:<9} {where:<44} {pairs}; {phases}; diff {seconds:.1f} s"


_HEAD = (
    "family",
    "reference",
    "port (mindcv)",
    "parameters",
    "placed",
    "transformed",
    "ambiguous",
    "alone",
    "by",
    "proved",
)
_HEAD += ("output as published", "mended", "not mended")


def weights_table(names: list[str]) -> None:
    """A Markdown table, a row for each family, printed as it is measured."""
    for cells in (_HEAD, ["---"] * len(_HEAD)):
        print(f"| {' | '.join(cells)} |", flush=True)
    for name in names or FAMILIES:
        family = FAMILIES[name]
        command = [sys.executable, "-m", "tests.published.weights", name]
        done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        found = json.loads(done.stdout.splitlines()[-1])
        package, _, net = family.reference.rpartition(":")
        numbers = [str(found[key]) for key in ("parameters", "placed", "transformed", "ambiguous", "alone")]
        outputs = ["does not run" if found[key] is None else f"{found[key]:.1e}" for key in ("published", "mended")]
        if not family.mends:
            outputs[1] = ""
        proofs = [word for word in ("equal", "back", "checkpoint") if not found[word]] + (found["wrong"] or [])
        proofs += [] if found["compared"] == "agree" else [found["compared"]]
        cells = [name, f"{package or 'torchvision'} `{net}`", f"`{family.candidate}`", *numbers, found["how"]]
        cells += ["; ".join(proofs) or "yes", *outputs, family.left]
        print(f"| {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(FAMILIES)}; all without")
    parser.add_argument("--folder", type=Path, help="keep the traces here")
    parser.add_argument("--weights", action="store_true", help="print the table of what becomes of weights")
    chosen = parser.parse_args()
    if chosen.weights:
        weights_table(chosen.names)
        return
    for name in chosen.names or PAIRS:
        pair = PAIRS[name]
        folder = (chosen.folder or Path(tempfile.mkdtemp(prefix="published-"))) / name
        folder.mkdir(parents=True, exist_ok=True)
        seconds = record(name, folder)
        print(f"{pair.reference} against mindcv {pair.candidate}, recorded in {seconds:.0f} s", flush=True)
        for stage in range(len(pair.findings) + 1):
            print(judge(pair, folder, stage), flush=True)
        if chosen.folder is None:
            shutil.rmtree(folder.parent)


if __name__ == "__main__":
    main()
