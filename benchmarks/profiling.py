"""What timing a net costs, and whether the times are right.

    python benchmarks/profiling.py [--framework torch|mindspore] [--rounds 15] [--batch 2] [--threads N] [--small]

**Cost.** `tracer.recording(keep="timing")` of a loop of forward, loss and backward: every second step is watched, those
between are bare. Printed are watched over bare, of the medians over all rounds and as the median of the ratios round by
round: "step" by the times in the trace, in which the clock stands still while hooks are put on the backward pass; "all"
with everything that watching does from `step()` to its end; "computed" the same by the time that the process computed,
which other processes on the machine move less.

**Agreement** (torch). In each round a third step runs under torch's own profiler, with a range around every module; a
fourth is watched and profiled at once. Forward is the module's range. The backward of a module is the sum of the
engine's `evaluate_function` events whose sequence number belongs to an operation that ran in the module's range and in
none inside it; an accumulation of a gradient belongs to the operation before it. Compared are the twenty largest layers,
forward and backward together, as `tracer profile` shows them. "each its steps" compares other steps of the same run,
"the same steps" those of the fourth kind, where nothing but the two ways to measure differs.

The net is timm's ViT-B/16 where timm is installed, else the same net from record.py. Weights are random, nothing is
downloaded. Absolute times are of this machine at this moment: compare ratios only.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
import time
from collections import defaultdict
from pathlib import Path

os.environ.setdefault("GLOG_v", "3")

import numpy as np

import tracer

LARGEST = 20
ALLOWED_COST, ALLOWED_ERROR = 1.05, 0.05


# --------------------------------------------------------------------------------------------------------------------
# torch
# --------------------------------------------------------------------------------------------------------------------


def torch_net(small):
    import torch

    torch.manual_seed(0)
    try:
        import timm
    except ImportError:
        from record import torch_nets

        return torch_nets(small)["vit"]()
    return timm.create_model("vit_tiny_patch16_224" if small else "vit_base_patch16_224", pretrained=False)


def ranges(net):
    """A range of the profiler around every call of every module; gives what takes them off."""
    import torch

    handles, open_ = [], []

    def begin(path):
        def hook(*_):
            open_.append(torch.profiler.record_function(f"layer:{path}"))
            open_[-1].__enter__()

        return hook

    def end(*_):
        open_.pop().__exit__(None, None, None)

    for path, module in net.named_modules():
        handles += [module.register_forward_pre_hook(begin(path)), module.register_forward_hook(end)]
    return lambda: [handle.remove() for handle in handles]


def layer_times(profile):
    """Microseconds that each module took, forward (with all inside it) and backward (without), by its path."""
    events = list(profile.events())
    layers = [event for event in events if event.name.startswith("layer:")]
    layers.sort(key=lambda event: event.time_range.start)
    found = {event.name.removeprefix("layer:"): 0.0 for event in layers}
    for event in layers:
        found[event.name.removeprefix("layer:")] += event.time_range.elapsed_us()
    engine = [event for event in events if event.name.startswith("autograd::engine::evaluate_function")]
    inside = {id(child) for event in engine for child in below(event)} | {id(event) for event in engine}
    makers = {}
    for event in sorted(events, key=lambda event: event.time_range.start):
        if event.sequence_nr >= 0 and id(event) not in inside:
            makers[event.sequence_nr] = event  # the last one with a number is the one that uses it up
    owners = {number: innermost(layers, event.time_range.start) for number, event in makers.items()}
    owner = None
    for event in sorted(engine, key=lambda event: event.time_range.start):
        if event.sequence_nr >= 0:
            owner = owners.get(event.sequence_nr)
        if owner is not None:
            found[owner] += event.time_range.elapsed_us()
    return found


def below(event):
    for child in event.cpu_children:
        yield child
        yield from below(child)


def innermost(layers, moment):
    inside = [event for event in layers if event.time_range.start <= moment <= event.time_range.end]
    return inside[-1].name.removeprefix("layer:") if inside else None


def run_torch(args, folder):
    import torch

    if args.threads:
        torch.set_num_threads(args.threads)
    net = torch_net(args.small).train()
    x = torch.randn(args.batch, 3, 224, 224)

    def step():
        net.zero_grad(set_to_none=True)
        loss = net(x).square().mean()
        loss.backward()

    def profiled(run):
        remove = ranges(net)
        try:
            with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
                run()
        finally:
            remove()
        return layer_times(profile)

    theirs, both_theirs, spent = [], [], Spent()
    apart, both = folder / "apart.h5", folder / "both.h5"
    options = {"keep": "timing", "warmup": 1, "repeat": args.rounds}
    with tracer.recording(net, out=apart, **options) as one, tracer.recording(net, out=both, **options) as two:
        for _ in range(2):  # the first run, and to warm up
            for recording in (one, two):
                with recording.step():
                    step()
        profiled(step)
        for number in range(args.rounds):
            for kind in ("bare", "watched"):
                with spent.measured(kind), one.step():
                    step()
            theirs.append(profiled(step))
            with two.step():  # a bare one: every second is
                pass
            with two.step():
                both_theirs.append(profiled(step))
            print(f"  round {number + 1} of {args.rounds}", flush=True)
    cost(apart, spent)
    agree("each its steps", apart, theirs, same=False)
    agree("the same steps", both, both_theirs, same=True)


def agree(name, file, theirs, *, same):
    """Print how far the largest layers are from what torch's profiler says of them: of the `same` steps the median of
    the errors in each, else the error of the medians, and of the fastest tenth, which a busy machine moves less."""
    report = tracer.profile(file)
    ours = {row.reference.path: row.reference.times / 1e3 for row in report.rows if row.sort == "layer"}
    said = {path: np.array([one[path] for one in theirs]) for path in theirs[0]}
    largest = sorted(ours, key=lambda path: -np.median(said[path]))[:LARGEST]
    ways = {"each step": lambda a, b: np.median(a / b) - 1} if same else {}
    ways |= {"medians": lambda a, b: np.median(a) / np.median(b) - 1}
    ways |= {} if same else {"fastest tenth": lambda a, b: np.percentile(a, 10) / np.percentile(b, 10) - 1}
    print(f"\n{name}: {len(largest)} largest layers against torch.profiler, {len(theirs)} rounds; {', '.join(ways)}")
    errors = {way: {path: of(ours[path], said[path]) for path in largest} for way, of in ways.items()}
    for path in largest:
        columns = "".join(f"{errors[way][path]:+10.2%}" for way in ways)
        print(
            f"  {path:24} {np.median(ours[path]) / 1e3:9.2f} ms  profiler {np.median(said[path]) / 1e3:9.2f} ms {columns}"
        )
    for way, found in errors.items():
        worst = max(found, key=lambda path: abs(found[path]))
        off = sum(abs(error) > ALLOWED_ERROR for error in found.values())
        middle = np.median(list(found.values()))
        print(f"  {way}: median {middle:+.2%}, worst {worst} {found[worst]:+.2%}, beyond {ALLOWED_ERROR:.0%}: {off}")


# --------------------------------------------------------------------------------------------------------------------
# MindSpore
# --------------------------------------------------------------------------------------------------------------------


def run_mindspore(args, folder):
    import mindspore
    from record import mindspore_nets

    net = mindspore_nets(args.small)["vit"]().set_train()
    x = mindspore.Tensor(np.random.default_rng(0).standard_normal((args.batch, 3, 224, 224)).astype(np.float32))
    both = mindspore.value_and_grad(lambda x: mindspore.ops.square(net(x)).mean(), None, net.trainable_params())
    spent = Spent()
    out = folder / "mindspore.h5"
    with tracer.recording(net, out=out, keep="timing", warmup=1, repeat=args.rounds) as recording:
        for number in range(2 * args.rounds + 2):
            kind = "before" if number < 2 else "watched" if number % 2 else "bare"
            with spent.measured(kind), recording.step():
                both(x)
                mindspore.runtime.synchronize()
    cost(out, spent)


# --------------------------------------------------------------------------------------------------------------------
# Both
# --------------------------------------------------------------------------------------------------------------------


class Spent:
    """Seconds on the wall and of the process, by kind of step."""

    def __init__(self):
        self.wall, self.computed = defaultdict(list), defaultdict(list)

    @contextlib.contextmanager
    def measured(self, kind):
        wall, computed = time.perf_counter(), time.process_time()
        yield
        self.wall[kind].append(time.perf_counter() - wall)
        self.computed[kind].append(time.process_time() - computed)


def cost(file, spent):
    """Print what a watched step takes over a bare one."""
    with tracer.Trace(file) as trace:
        timing = trace.timing
    kinds = {
        "step": (timing.watched / 1e9, timing.bare / 1e9),
        "all": (spent.wall["watched"], spent.wall["bare"]),
        "computed": (spent.computed["watched"], spent.computed["bare"]),
    }
    calls = len(timing.orders)
    print(f"\nwatched over bare, {len(timing.bare)} rounds, {calls} calls (allowed {ALLOWED_COST})")
    for name, (watched, bare) in kinds.items():
        rounds = np.sort(np.divide(watched, bare))
        low, high = rounds[len(rounds) // 4], rounds[-1 - len(rounds) // 4]
        ratio, over = np.median(watched) / np.median(bare), f"{np.median(watched):.3f} s over {np.median(bare):.3f} s"
        print(f"  {name:9} {ratio:.4f}   {over}; round by round {np.median(rounds):.4f}, half {low:.4f} to {high:.4f}")
    hooks = calls * (timing.enter_cost + timing.leave_cost + timing.inside_cost)
    print(f"  hooks of the forward, as calibrated: {hooks / 1e6:.3f} ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--framework", choices=("torch", "mindspore"), default="torch")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--small", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        {"torch": run_torch, "mindspore": run_mindspore}[args.framework](args, Path(folder))


if __name__ == "__main__":
    main()
