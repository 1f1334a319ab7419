"""What moving weights costs: time against copying the file, and memory against the largest tensor.

    python benchmarks/weights.py [--rounds 5] [--small] [--framework torch|mindspore] [--out FOLDER]

A GPT-2 of 1 GB (random weights, its embedding is the largest tensor) is saved by torch. Each round converts it from
format to format, with the map of the net and its MindSpore port where the frameworks change, compares the two files,
and loads both into live nets of either framework; before each of these the source is copied by `shutil.copyfile`. Times,
their ratios to the copy of the same round, and the growth of this process's memory over the largest tensor are medians
over the rounds with their range. Files are warm in the page cache; nothing is forced to the disk, neither by the copy nor
by tracer. Loading keeps what the net held until all is written: 256 MB of it in memory, the rest in a temporary file.
Absolute times are of this machine at this moment: compare ratios only.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("GLOG_v", "3")

import numpy as np
from record import Peak, mindspore_nets, spread, torch_nets

import tracer

GPT2 = {False: (1024, 16, 16, 50257, 1024), True: (64, 2, 4, 5000, 64)}
"""Width, depth, heads, words, length."""


def maker(nets, small):
    """The class of a GPT-2 out of the table of nets, in this benchmark's own size."""
    make = nets["gpt2"]
    kind = next(
        cell.cell_contents for cell in make.__closure__ if getattr(cell.cell_contents, "__name__", "") == "Gpt2"
    )
    return lambda: kind(*GPT2[small])


def copied(source, folder):
    """Seconds that a plain copy takes."""
    target = folder / "copy"
    target.unlink(missing_ok=True)
    began = time.perf_counter()
    shutil.copyfile(source, target)
    seconds = time.perf_counter() - began
    target.unlink()
    return seconds


def measured(task, target):
    """Seconds and growth of memory of a task; a file that it would replace is taken away before."""
    if target is not None:
        target.unlink(missing_ok=True)
    gc.collect()
    with Peak() as peak:
        began = time.perf_counter()
        report = task()
        seconds = time.perf_counter() - began
    assert report.exit_code == 0, report
    return seconds, peak.bytes


def tasks(folder, small, framework):
    """Name -> source, target, and what is done."""
    pth, mapping = folder / "gpt2.pth", folder / "map.toml"
    ckpt, safe, back = folder / "gpt2.ckpt", folder / "gpt2.safetensors", folder / "back.pth"
    way_back = folder / "back.toml"
    found = {}

    def add(name, source, target, task):
        found[name] = (source, target, task)

    import torch

    torch.manual_seed(0)
    ours = maker(torch_nets(small), small)()
    torch.save(ours.state_dict(), pth)
    if framework != "torch":
        theirs = maker(mindspore_nets(small), small)()
        began = time.perf_counter()
        tracer.weight_map(ours, theirs).save(mapping)
        print(f"the map of both nets: {time.perf_counter() - began:.2f} s")
        tracer.weight_map(theirs, ours).save(way_back)
        add(".pth -> .ckpt, by a map", pth, ckpt, lambda: tracer.convert_weights(pth, ckpt, mapping=mapping))
        add(".ckpt -> .pth, by a map", ckpt, back, lambda: tracer.convert_weights(ckpt, back, mapping=way_back))
        add("diff of .pth and .ckpt", pth, None, lambda: tracer.compare_weights(pth, ckpt, mapping=mapping))
    add(".pth -> .safetensors", pth, safe, lambda: tracer.convert_weights(pth, safe))
    add(".pth -> .safetensors, halved", pth, safe, lambda: tracer.convert_weights(pth, safe, dtype="float16"))
    if framework != "torch":
        add("load .pth into MindSpore", pth, None, lambda: tracer.load_weights(theirs, pth))
        add("load torch into MindSpore", pth, None, lambda: tracer.load_weights(theirs, ours))
        add("load .ckpt into torch", ckpt, None, lambda: tracer.load_weights(ours, ckpt))
    add("load .pth into torch", pth, None, lambda: tracer.load_weights(ours, pth))
    return found, max(t.numel() * 4 for t in ours.state_dict().values())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--small", action="store_true", help="a little net, to see that everything runs")
    parser.add_argument(
        "--framework", choices=("torch", "mindspore"), default="mindspore", help="torch: without MindSpore"
    )
    parser.add_argument("--out", help="folder for the files")
    parser.add_argument("--only", default="", help="tasks whose name holds this")
    chosen = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, "
          f"Python {platform.python_version()}, numpy {np.__version__}, tracer {tracer.__version__}")  # fmt: skip
    with tempfile.TemporaryDirectory(dir=chosen.out) as place:
        folder = Path(place)
        found, largest = tasks(folder, chosen.small, chosen.framework)
        size = (folder / "gpt2.pth").stat().st_size
        print(f"gpt2: {size / 1e6:.0f} MB, the largest tensor {largest / 1e6:.0f} MB\n")
        for source, target, task in found.values():  # all files are there, all code is warm
            measured(task, target)
        times = {name: ([], [], []) for name in found if chosen.only in name}
        for _ in range(chosen.rounds):
            for name, (seconds, copies, peaks) in times.items():
                source, target, task = found[name]
                copies.append(copied(source, folder))
                took, grew = measured(task, target)
                seconds.append(took)
                peaks.append(grew)
        for name, (seconds, copies, peaks) in times.items():
            ratio = [s / c for s, c in zip(seconds, copies, strict=True)]
            print(f"  {name:28s} {spread(seconds)} s, {spread(ratio)} x copying ({statistics.median(copies):.2f} s), "
                  f"memory {statistics.median(peaks) / 1e6:.0f} MB = {statistics.median(peaks) / largest:.2f} x the largest")  # fmt: skip
            sys.stdout.flush()


if __name__ == "__main__":
    main()
