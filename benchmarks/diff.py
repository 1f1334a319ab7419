"""What a diff costs: time against reading both files once, and how much it reads.

    python benchmarks/diff.py [--net vit|gpt2|resnet152] [--rounds 5] [--small] [--out FOLDER]

Two traces of one torch net, forward and backward: a clean pair, and one where a layer in the middle went wrong. The
commands run as processes of their own, in turns with `cat A B > /dev/null` and with a Python that only imports what
the diff imports; times, ratios to `cat`, and the share of bytes read are medians over the rounds with their range.
Files are warm in the page cache for both. Weights are random; nothing is downloaded.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from record import NETS, inputs, spread, torch_nets

import tracer
from tracer.divergence.diagnosis import diagnose
from tracer.trace.reader import Trace


def record_three(name, small, folder):
    """The reference, the same again with other rounding, and one with a fault in the middle."""
    import torch

    torch.manual_seed(0)
    net = torch_nets(small)[name]().eval()
    array = inputs(name)
    array = array.astype(np.int64) if array.dtype == np.int32 else array
    files = [folder / f"{which}.h5" for which in ("reference", "clean", "faulty")]
    tracer.record(net, array, out=files[0]).close()
    torch.backends.mkldnn.enabled = False  # other kernels: rounding differs, as between two frameworks
    torch.set_num_threads(1)
    tracer.record(net, array, out=files[1]).close()
    layers = [
        m for m in net.modules() if not list(m.children()) and isinstance(m, torch.nn.LayerNorm | torch.nn.BatchNorm2d)
    ]
    layers[len(layers) // 2].eps = 1e-2
    tracer.record(net, array, out=files[2]).close()
    return files


def process(command):
    """Seconds of a process from start to end, and its exit code."""
    began = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return time.perf_counter() - began, done.returncode


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", choices=NETS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--small", action="store_true", help="little nets, to see that everything runs")
    parser.add_argument("--out", help="folder for the traces")
    chosen = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, "
          f"Python {platform.python_version()}, numpy {np.__version__}, tracer {tracer.__version__}")  # fmt: skip
    imports = [sys.executable, "-c", "import tracer.cli, tracer.divergence.diagnosis, scipy.optimize, h5py, rich"]
    for name in [chosen.net] if chosen.net else NETS:
        with tempfile.TemporaryDirectory(dir=chosen.out) as folder:
            reference, clean, faulty = record_three(name, chosen.small, Path(folder))
            total = reference.stat().st_size + clean.stat().st_size
            print(f"\n{name}: two traces of {total / 2e6:.0f} MB each")
            for title, candidate in (("clean", clean), ("faulty", faulty)):
                found = {"diff": [], "cat": [], "start": []}
                command = [sys.executable, "-m", "tracer", "diff", str(reference), str(candidate)]
                for _ in range(chosen.rounds):
                    found["cat"].append(process(["cat", str(reference), str(candidate)])[0])
                    found["start"].append(process(imports)[0])
                    seconds, code = process(command)
                    found["diff"].append(seconds)
                beyond = [d - s for d, s in zip(found["diff"], found["start"], strict=True)]
                ratio = [d / c for d, c in zip(beyond, found["cat"], strict=True)]
                with Trace(reference) as ours, Trace(candidate) as theirs:
                    diagnosis = diagnose(ours, theirs)
                    read = ours.bytes_read + theirs.bytes_read
                where = diagnosis.origin.reference.path if diagnosis.origin else "-"
                print(f"  {title:7s} {diagnosis.verdict} (exit {code}) at {where}: {spread(beyond)} s beyond start "
                      f"({spread(found['start'])} s), {spread(ratio)} x cat, "
                      f"read {read / 1e6:.1f} MB = {100 * read / total:.1f} % of both files, "
                      f"judged {diagnosis.coverage.judged} of {diagnosis.coverage.aligned} pairs")  # fmt: skip
                sys.stdout.flush()


if __name__ == "__main__":
    main()
