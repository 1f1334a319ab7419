"""What recording a training costs: time over the bare step, bytes written, memory; and what a step costs that is not kept.

    python benchmarks/training.py [--framework torch|mindspore] [--rounds 4] [--batch 4] [--steps 100] [--every 50]
                                  [--many 20000] [--small] [--out FOLDER]

A step of ViT-B/16 is forward, backward and update (AdamW; in MindSpore the one of `mindspore.experimental.optim`, which
updates by torch's rule). Weights are random; nothing is downloaded. Steps are counted in three ways:

- *Kept.* Each round takes a bare step, and then a recording of two steps, for each of what can be kept: `values`,
  `statistics`, `curve` (loss and norms alone). "first" is the first of the two, as steps are that are kept now and then;
  "next" the one behind it, as where every step is kept: it waits until the first is on the disk; "until closed" is both
  until the last byte is on the disk and the file in its place, over two bare steps. "per step" is what the second step adds
  to the file. Memory is how much more it grew at most, from before the recording is opened, than it does in the bare step.
- *Sampled.* `--steps` steps with `every=`, and as many bare ones among them in turn: the same loop, the same moment.
- *Skipped.* `--many` steps without a body, in twenty blocks, and a tenth as many of a little net, each bare and skipped in
  turn: what `recording.step()` itself costs, and whether anything stays on the net.

Each ratio is over the bare step *of the same round*; medians over the rounds, and their range. Absolute times are of this
machine at this moment: compare ratios only.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import statistics
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

os.environ.setdefault("GLOG_v", "3")

import numpy as np
from record import Peak, mindspore_nets, spread, timed, torch_nets

import tracer

KINDS = {"values": {"keep": "values"}, "statistics": {"keep": "statistics"}, "curve": {"first": 0, "rest": "curve"}}
"""What can be kept of a step, as options of `tracer.recording`."""


# --------------------------------------------------------------------------------------------------------------------
# A step, in both frameworks: (net, optimizer, step(recording or None))
# --------------------------------------------------------------------------------------------------------------------


def torch_training(net, array, labels):
    import torch

    x, y = torch.from_numpy(array), torch.from_numpy(labels)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-4)
    criterion = torch.nn.CrossEntropyLoss()

    def step(recording=None):
        optimizer.zero_grad()
        loss = criterion(net(x), y)
        if recording is not None:
            recording.loss(loss)
        loss.backward()
        optimizer.step()
        loss.item()

    return net, optimizer, step


def mindspore_training(net, array, labels):
    import mindspore as ms
    from mindspore import nn
    from mindspore.experimental import optim

    x, y = ms.Tensor(array), ms.Tensor(labels.astype(np.int32))
    net.set_train()
    optimizer = optim.AdamW(net.trainable_params(), lr=1e-4)
    criterion = nn.CrossEntropyLoss()
    naming, last = [None], net.trainable_params()[-1]

    def forward(x, y):
        loss = criterion(net(x), y)
        if naming[0] is not None:
            naming[0].loss(loss)
        return loss

    gradients_of = ms.value_and_grad(forward, None, net.trainable_params())

    def step(recording=None):
        naming[0] = recording
        loss, gradients = gradients_of(x, y)
        optimizer(gradients)
        loss.asnumpy()
        last.asnumpy()  # waits for the update

    return net, optimizer, step


def torch_little():
    import torch

    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(32, 64), torch.nn.GELU(), torch.nn.Linear(64, 10))


def mindspore_little():
    from mindspore import nn

    return nn.SequentialCell(nn.Dense(32, 64), nn.GELU(), nn.Dense(64, 10))


def batch_of(shape):
    """Samples and labels, in numpy."""
    numbers = np.random.default_rng(0)
    return numbers.standard_normal(shape).astype(np.float32), numbers.integers(0, 10, shape[0])


# --------------------------------------------------------------------------------------------------------------------
# Kept steps
# --------------------------------------------------------------------------------------------------------------------


def taken(training, out, options, steps):
    """Seconds of each of so many recorded steps, and of all until the trace is in its place; bytes of the trace."""
    net, optimizer, step = training
    out.unlink(missing_ok=True)
    os.sync()
    times = []
    with tracer.recording(net, out=out, optimizer=optimizer, **options) as recording:
        began = time.perf_counter()
        for _ in range(steps):
            before = time.perf_counter()
            with recording.step():
                step(recording)
            times.append(time.perf_counter() - before)
    closed, size = time.perf_counter() - began, out.stat().st_size
    out.unlink()
    return times, closed, size


def kept(training, out, rounds):
    """For each kind: ratios, bytes and memory, a list over the rounds of each; and the seconds of the bare steps."""
    found = {kind: {} for kind in KINDS}
    bare_steps = []
    alone = {kind: taken(training, out, options, 1)[2] for kind, options in KINDS.items()}
    for _ in range(rounds):
        for kind, options in KINDS.items():
            gc.collect()
            with Peak() as bare_peak:
                bare = timed(training[2])
            bare_steps.append(bare)
            with Peak() as peak:
                (first, second), closed, size = taken(training, out, options, 2)
            figures = {
                "first": first / bare,
                "next": second / bare,
                "until closed": closed / bare / 2,
                "bytes": size - alone[kind],
                "memory": peak.bytes - bare_peak.bytes,
            }
            for what, figure in figures.items():
                found[kind].setdefault(what, []).append(figure)
    return found, bare_steps, alone


def print_kept(found, bare_steps, alone, batch):
    print(f"  a step, batch {batch}: bare {statistics.median(bare_steps) * 1e3:.0f} ms "
          f"({min(bare_steps) * 1e3:.0f} .. {max(bare_steps) * 1e3:.0f})")  # fmt: skip
    for kind, figures in found.items():
        ratios = "   ".join(f"{what} {spread(figures[what])}" for what in ("first", "next", "until closed"))
        size, memory = statistics.median(figures["bytes"]) / 1e6, statistics.median(figures["memory"]) / 1e6
        print(f"    {kind:11s} x bare:  {ratios}   {alone[kind] / 1e6:.2f} MB with one step, "
              f"{size:.3f} MB per step   {memory:+.0f} MB memory", flush=True)  # fmt: skip


# --------------------------------------------------------------------------------------------------------------------
# Steps that are not kept
# --------------------------------------------------------------------------------------------------------------------


def sampled(training, out, steps, every):
    """Seconds of steps in a recording that keeps each `every`-th: (bare, skipped, kept), and the bytes of the trace."""
    net, optimizer, step = training
    bare, skipped, chosen = [], [], []
    with tracer.recording(net, out=out, optimizer=optimizer, every=every) as recording:

        def recorded():
            with recording.step():
                step(recording)

        for n in range(steps):
            if n % every == 0:
                chosen.append(timed(recorded))
                step(), step()  # not counted: the disk is still busy with the kept step
                continue
            for work, times in ((recorded, skipped), (step, bare))[:: 1 if n % 2 else -1]:
                times.append(timed(work))
    size = out.stat().st_size
    out.unlink()
    return bare, skipped, chosen, size


def print_sampled(bare, skipped, chosen, size, every, batch):
    ratios = [a / b for a, b in zip(skipped, bare, strict=True)]
    low, high = np.percentile(ratios, [10, 90])
    print(f"  {len(chosen) + len(skipped)} steps, every={every}, batch {batch}: {len(skipped)} skipped, "
          f"{statistics.median(skipped) * 1e3:.1f} ms against {statistics.median(bare) * 1e3:.1f} ms bare, "
          f"ratio step by step {statistics.median(ratios):.4f} (a tenth below {low:.3f}, a tenth above {high:.3f})   "
          f"{len(chosen)} kept, {statistics.median(chosen) * 1e3:.0f} ms   {size / 1e6:.0f} MB in all",
          flush=True)  # fmt: skip


def in_turn(bare, skipped, many, blocks):
    """Seconds per step of a bare loop and of one of skipped steps, block by block in turn."""
    each = max(1, many // blocks)
    found = []
    for n in range(min(blocks, many)):
        pair = {}
        for work in (bare, skipped) if n % 2 else (skipped, bare):
            pair[work] = timed(lambda work=work: work(each)) / each
        found.append((pair[bare], pair[skipped]))
    return found


def skipped(net, optimizer, step, out, many, blocks, body):
    """What a skipped step costs over a bare one, in seconds: a list over the blocks, and the bare step's."""
    with tracer.recording(net, out=out, optimizer=optimizer, keep_steps=[0]) as recording:
        with recording.step():
            step(recording)

        def bare(count):
            for _ in range(count):
                with nullcontext():
                    body(None)

        def watched(count):
            for _ in range(count):
                with recording.step():
                    body(recording)

        bare(10), watched(10)
        found = in_turn(bare, watched, many, blocks)
    out.unlink()
    return found


def print_skipped(name, found):
    """Medians over the blocks, and the middle half of them: a single block that the system interrupted says nothing."""
    bare, extra = np.array([a for a, _ in found]) * 1e6, np.array([b - a for a, b in found]) * 1e6
    ratios = np.array([b / a for a, b in found])
    low, high = np.percentile(extra, [25, 75])
    least, most = np.percentile(ratios, [25, 75])
    print(f"  a skipped step {name}: {np.median(extra):.2f} us over bare (half of them {low:.2f} .. {high:.2f}), "
          f"whose step takes {np.median(bare):.2f} us; ratio {np.median(ratios):.4f} (half {least:.3f} .. {most:.3f})",
          flush=True)  # fmt: skip


# --------------------------------------------------------------------------------------------------------------------


def measure(framework, chosen, folder):
    out = Path(folder) / "training.h5"
    make = (torch_nets if framework == "torch" else mindspore_nets)(chosen.small)["vit"]
    begin = torch_training if framework == "torch" else mindspore_training
    training = begin(make(), *batch_of((chosen.batch, 3, 224, 224)))
    for _ in range(2):
        training[2]()
    if chosen.rounds:
        print_kept(*kept(training, out, chosen.rounds), chosen.batch)
    if chosen.steps:
        one = begin(training[0], *batch_of((1, 3, 224, 224)))
        for _ in range(2):
            one[2]()
        print_sampled(*sampled(one, out, chosen.steps, chosen.every), chosen.every, 1)
        del one
    del training
    if chosen.many:
        little = begin((torch_little if framework == "torch" else mindspore_little)(), *batch_of((8, 32)))
        print_skipped("without a body", skipped(*little, out, chosen.many, 20, lambda _: None))
        count = max(1, chosen.many // 10)
        print_skipped("of a little net", skipped(*little, out, count, count, little[2]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--framework", choices=("torch", "mindspore"))
    parser.add_argument("--rounds", type=int, default=4, help="rounds of kept steps; 0 for none")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--steps", type=int, default=100, help="steps in the sampled training; 0 for none")
    parser.add_argument("--every", type=int, default=50)
    parser.add_argument("--many", type=int, default=20000, help="skipped steps without a body; 0 for none")
    parser.add_argument("--small", action="store_true", help="a little ViT, to see that everything runs")
    parser.add_argument("--out", help="folder for the traces; its disk is what is measured")
    chosen = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, "
          f"Python {platform.python_version()}, numpy {np.__version__}, tracer {tracer.__version__}")  # fmt: skip
    net = "a small ViT" if chosen.small else "ViT-B/16"
    for framework in [chosen.framework] if chosen.framework else ["torch", "mindspore"]:
        print(f"\n{framework} {__import__(framework).__version__}, {net}, AdamW", flush=True)
        began = time.perf_counter()
        with tempfile.TemporaryDirectory(dir=chosen.out) as folder:
            measure(framework, chosen, folder)
        print(f"  ({time.perf_counter() - began:.0f} s in all)", flush=True)


if __name__ == "__main__":
    main()
