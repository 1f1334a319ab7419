"""What recording costs: time over the bare step, bytes written, memory.

    python benchmarks/record.py [--net vit|gpt2|resnet152] [--framework torch|mindspore] [--pass forward|backward]
                                [--rounds 5] [--small] [--out FOLDER]

Bare steps and recorded steps take turns in one process; each ratio is recorded over bare *of the same round*, and
median and spread over the rounds are printed. What is timed: "step", the step with recording on (hooks, copies, the
writer beside it); "until closed", the same until the last byte is on the disk and the file in its place; "whole", all
of `tracer.record`, with the net's description, its parameters, and keeping the net as it was. Weights are random; nothing is downloaded.
Absolute times are of this machine at this moment: compare ratios only.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

os.environ.setdefault("GLOG_v", "3")

import numpy as np

import tracer

NETS = ("vit", "gpt2", "resnet152")
BATCH = {"vit": 4, "gpt2": 2, "resnet152": 2}


# --------------------------------------------------------------------------------------------------------------------
# Nets, in both frameworks
# --------------------------------------------------------------------------------------------------------------------


def torch_nets(small):
    import torch
    import torch.nn.functional as F
    from torch import nn

    class Mlp(nn.Module):
        def __init__(self, d):
            super().__init__()
            self.fc1, self.act, self.fc2 = nn.Linear(d, 4 * d), nn.GELU(), nn.Linear(4 * d, d)

        def forward(self, x):
            return self.fc2(self.act(self.fc1(x)))

    class Attention(nn.Module):
        def __init__(self, d, heads, causal):
            super().__init__()
            self.qkv, self.proj, self.heads, self.causal = nn.Linear(d, 3 * d), nn.Linear(d, d), heads, causal

        def forward(self, x):
            b, n, d = x.shape
            q, k, v = self.qkv(x).reshape(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
            y = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
            return self.proj(y.transpose(1, 2).reshape(b, n, d))

    class Block(nn.Module):
        def __init__(self, d, heads, causal=False):
            super().__init__()
            self.norm1, self.attn = nn.LayerNorm(d), Attention(d, heads, causal)
            self.norm2, self.mlp = nn.LayerNorm(d), Mlp(d)

        def forward(self, x):
            x = x + self.attn(self.norm1(x))
            return x + self.mlp(self.norm2(x))

    class ViT(nn.Module):
        def __init__(self, d, depth, heads):
            super().__init__()
            self.patch = nn.Conv2d(3, d, 16, 16)
            self.cls, self.pos = nn.Parameter(torch.zeros(1, 1, d)), nn.Parameter(torch.zeros(1, 197, d))
            self.blocks = nn.Sequential(*[Block(d, heads) for _ in range(depth)])
            self.norm, self.head = nn.LayerNorm(d), nn.Linear(d, 1000)

        def forward(self, x):
            x = self.patch(x).flatten(2).transpose(1, 2)
            x = torch.cat([self.cls.expand(len(x), -1, -1), x], 1) + self.pos
            return self.head(self.norm(self.blocks(x))[:, 0])

    class Gpt2(nn.Module):
        def __init__(self, d, depth, heads, words, length):
            super().__init__()
            self.wte, self.wpe, self.length = nn.Embedding(words, d), nn.Embedding(length, d), length
            self.h = nn.ModuleList([Block(d, heads, causal=True) for _ in range(depth)])
            self.ln_f, self.lm_head = nn.LayerNorm(d), nn.Linear(d, words, bias=False)
            self.lm_head.weight = self.wte.weight

        def forward(self, ids):
            x = self.wte(ids) + self.wpe(torch.arange(ids.shape[1]))
            for block in self.h:
                x = block(x)
            return self.lm_head(self.ln_f(x))

    class Bottleneck(nn.Module):
        def __init__(self, cin, width, stride):
            super().__init__()
            cout = 4 * width
            self.conv1, self.bn1 = nn.Conv2d(cin, width, 1, bias=False), nn.BatchNorm2d(width)
            self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
            self.conv3, self.bn3 = nn.Conv2d(width, cout, 1, bias=False), nn.BatchNorm2d(cout)
            self.relu = nn.ReLU(inplace=True)
            self.down = None
            if stride != 1 or cin != cout:
                self.down = nn.Sequential(nn.Conv2d(cin, cout, 1, stride, bias=False), nn.BatchNorm2d(cout))

        def forward(self, x):
            y = self.relu(self.bn1(self.conv1(x)))
            y = self.relu(self.bn2(self.conv2(y)))
            y = self.bn3(self.conv3(y))
            return self.relu(y + (x if self.down is None else self.down(x)))

    class ResNet(nn.Module):
        def __init__(self, depths):
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
            self.relu, self.pool = nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
            cin = 64
            for i, depth in enumerate(depths):
                blocks = []
                for j in range(depth):
                    blocks.append(Bottleneck(cin, 64 << i, 2 if i and not j else 1))
                    cin = 4 * (64 << i)
                setattr(self, f"layer{i + 1}", nn.Sequential(*blocks))
            self.avgpool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(cin, 1000)

        def forward(self, x):
            x = self.pool(self.relu(self.bn1(self.conv1(x))))
            x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
            return self.fc(self.avgpool(x).flatten(1))

    torch.manual_seed(0)
    return {
        "vit": lambda: ViT(192 if small else 768, 4 if small else 12, 3 if small else 12),
        "gpt2": lambda: Gpt2(128 if small else 768, 4 if small else 12, 4 if small else 12, 50257, 256),
        "resnet152": lambda: ResNet((1, 1, 1, 1) if small else (3, 8, 36, 3)),
    }


def mindspore_nets(small):
    import mindspore as ms
    from mindspore import nn, ops

    class Mlp(nn.Cell):
        def __init__(self, d):
            super().__init__()
            self.fc1, self.act, self.fc2 = nn.Dense(d, 4 * d), nn.GELU(approximate=False), nn.Dense(4 * d, d)

        def construct(self, x):
            return self.fc2(self.act(self.fc1(x)))

    class Attention(nn.Cell):
        def __init__(self, d, heads, mask):
            super().__init__()
            self.qkv, self.proj, self.heads, self.mask = nn.Dense(d, 3 * d), nn.Dense(d, d), heads, mask

        def construct(self, x):
            b, n, d = x.shape
            qkv = self.qkv(x).reshape((b, n, 3, self.heads, d // self.heads)).transpose((2, 0, 3, 1, 4))
            q, k, v = qkv[0], qkv[1], qkv[2]
            scores = ops.matmul(q, k.swapaxes(-1, -2)) * ((d // self.heads) ** -0.5)
            if self.mask is not None:
                scores = scores + self.mask[:n, :n]
            y = ops.matmul(ops.softmax(scores, -1), v)
            return self.proj(y.transpose((0, 2, 1, 3)).reshape((b, n, d)))

    class Block(nn.Cell):
        def __init__(self, d, heads, mask=None):
            super().__init__()
            self.norm1, self.attn = nn.LayerNorm((d,), epsilon=1e-5), Attention(d, heads, mask)
            self.norm2, self.mlp = nn.LayerNorm((d,), epsilon=1e-5), Mlp(d)

        def construct(self, x):
            x = x + self.attn(self.norm1(x))
            return x + self.mlp(self.norm2(x))

    class ViT(nn.Cell):
        def __init__(self, d, depth, heads):
            super().__init__()
            self.patch = nn.Conv2d(3, d, 16, 16, pad_mode="valid", has_bias=True)
            self.cls = ms.Parameter(ops.zeros((1, 1, d), ms.float32))
            self.pos = ms.Parameter(ops.zeros((1, 197, d), ms.float32))
            self.blocks = nn.SequentialCell(*[Block(d, heads) for _ in range(depth)])
            self.norm, self.head = nn.LayerNorm((d,), epsilon=1e-5), nn.Dense(d, 1000)

        def construct(self, x):
            x = self.patch(x)
            x = x.reshape((x.shape[0], x.shape[1], -1)).swapaxes(1, 2)
            cls = ops.broadcast_to(self.cls, (x.shape[0], 1, x.shape[2]))
            x = ops.cat((cls, x), 1) + self.pos
            return self.head(self.norm(self.blocks(x))[:, 0])

    class Gpt2(nn.Cell):
        def __init__(self, d, depth, heads, words, length):
            super().__init__()
            self.wte, self.wpe = nn.Embedding(words, d), nn.Embedding(length, d)
            mask = ms.Tensor(np.triu(np.full((length, length), -1e9, np.float32), 1))
            self.h = nn.CellList([Block(d, heads, mask) for _ in range(depth)])
            self.ln_f = nn.LayerNorm((d,), epsilon=1e-5)

        def construct(self, ids):
            x = self.wte(ids) + self.wpe(ops.arange(ids.shape[1]))
            for block in self.h:
                x = block(x)
            return ops.matmul(self.ln_f(x), self.wte.embedding_table.T)

    class Bottleneck(nn.Cell):
        def __init__(self, cin, width, stride):
            super().__init__()
            cout = 4 * width
            self.conv1, self.bn1 = nn.Conv2d(cin, width, 1), nn.BatchNorm2d(width)
            self.conv2 = nn.Conv2d(width, width, 3, stride, pad_mode="pad", padding=1)
            self.bn2, self.conv3, self.bn3 = nn.BatchNorm2d(width), nn.Conv2d(width, cout, 1), nn.BatchNorm2d(cout)
            self.relu = nn.ReLU()
            self.down = None
            if stride != 1 or cin != cout:
                self.down = nn.SequentialCell(nn.Conv2d(cin, cout, 1, stride), nn.BatchNorm2d(cout))

        def construct(self, x):
            y = self.relu(self.bn1(self.conv1(x)))
            y = self.relu(self.bn2(self.conv2(y)))
            y = self.bn3(self.conv3(y))
            return self.relu(y + (x if self.down is None else self.down(x)))

    class ResNet(nn.Cell):
        def __init__(self, depths):
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, pad_mode="pad", padding=3), nn.BatchNorm2d(64)
            self.relu, self.pool = nn.ReLU(), nn.MaxPool2d(3, 2, pad_mode="pad", padding=1)
            cin, stages = 64, []
            for i, depth in enumerate(depths):
                blocks = []
                for j in range(depth):
                    blocks.append(Bottleneck(cin, 64 << i, 2 if i and not j else 1))
                    cin = 4 * (64 << i)
                stages.append(nn.SequentialCell(*blocks))
            self.stages, self.fc = nn.SequentialCell(*stages), nn.Dense(cin, 1000)

        def construct(self, x):
            x = self.stages(self.pool(self.relu(self.bn1(self.conv1(x)))))
            return self.fc(x.mean((2, 3)))

    ms.set_seed(0)
    return {
        "vit": lambda: ViT(192 if small else 768, 4 if small else 12, 3 if small else 12),
        "gpt2": lambda: Gpt2(128 if small else 768, 4 if small else 12, 4 if small else 12, 50257, 256),
        "resnet152": lambda: ResNet((1, 1, 1, 1) if small else (3, 8, 36, 3)),
    }


def inputs(name):
    """The batch, in numpy."""
    numbers = np.random.default_rng(0)
    if name == "gpt2":
        return numbers.integers(0, 50257, (BATCH[name], 256)).astype(np.int32)
    return numbers.standard_normal((BATCH[name], 3, 224, 224)).astype(np.float32)


# --------------------------------------------------------------------------------------------------------------------
# A step
# --------------------------------------------------------------------------------------------------------------------


def torch_step(net, array, backward):
    import torch

    x = torch.from_numpy(array).long() if array.dtype == np.int32 else torch.from_numpy(array)

    def step():
        if not backward:
            with torch.no_grad():
                net(x)
            return
        net.zero_grad()
        net(x).square().mean().backward()

    return step


def mindspore_step(net, array, backward):
    import mindspore as ms

    x = ms.Tensor(array)
    net.set_train()

    def forward():
        return net(x).square().mean()

    def step():
        if not backward:
            net(x).asnumpy()
            return
        value, gradients = ms.value_and_grad(forward, None, net.trainable_params())()
        value.asnumpy()
        for gradient in gradients:
            gradient.asnumpy()

    return step


# --------------------------------------------------------------------------------------------------------------------
# Measuring
# --------------------------------------------------------------------------------------------------------------------


def resident():
    """Bytes of memory of this process now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


class Peak:
    """By how many bytes memory grew while it was open, at most, looked at every few milliseconds."""

    def __enter__(self):
        self._before, self._open = resident(), True
        self.bytes = 0
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def _look(self):
        while self._open:
            self.bytes = max(self.bytes, resident() - self._before)
            time.sleep(0.005)

    def __exit__(self, *_):
        self._open = False
        self._thread.join()


def timed(work):
    """Seconds that `work` took."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def recorded(net, step, out, keep):
    """Seconds of the step alone while it is recorded, and until the trace is whole and in its place."""
    with tracer.recording(net, out=out, keep=keep):
        began = time.perf_counter()
        step()
        after = time.perf_counter()
    return after - began, time.perf_counter() - began


def measure(framework, name, backward, rounds, small, folder):
    """Rows of (keep, what, ratios, bytes, peaks)."""
    make = (torch_nets if framework == "torch" else mindspore_nets)(small)[name]
    net, array = make(), inputs(name)
    step = (torch_step if framework == "torch" else mindspore_step)(net, array, backward)
    out = Path(folder) / "benchmark.h5"
    for _ in range(2):
        step()
    found = {}
    for _ in range(rounds):
        with Peak() as bare_peak:
            bare = timed(step)
        for keep in ("statistics", "values"):
            out.unlink(missing_ok=True)
            os.sync()
            with Peak() as peak:
                hooked, closed = recorded(net, step, out, keep)
            found.setdefault((keep, "step"), []).append(hooked / bare)
            found.setdefault((keep, "until closed"), []).append(closed / bare)
            found.setdefault((keep, "bytes"), []).append(out.stat().st_size)
            found.setdefault((keep, "extra memory"), []).append(max(0, peak.bytes - bare_peak.bytes))
            out.unlink(missing_ok=True)
            whole = timed(lambda keep=keep: record_whole(framework, net, array, out, keep, backward))
            found.setdefault((keep, "whole record()"), []).append(whole / bare)
        found.setdefault(("", "bare"), []).append(bare)
    out.unlink(missing_ok=True)
    return found


def record_whole(framework, net, array, out, keep, backward):
    x = array.astype(np.int64) if framework == "torch" and array.dtype == np.int32 else array
    tracer.record(net, x, out=out, keep=keep, backward=backward).close()


def spread(values):
    """Median and range."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} .. {max(values):.2f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", choices=NETS)
    parser.add_argument("--framework", choices=("torch", "mindspore"))
    parser.add_argument("--pass", dest="passes", choices=("forward", "backward"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--small", action="store_true", help="little nets, to see that everything runs")
    parser.add_argument("--out", help="folder for the traces; its disk is what is measured")
    chosen = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, "
          f"Python {platform.python_version()}, numpy {np.__version__}, tracer {tracer.__version__}")  # fmt: skip
    for framework in [chosen.framework] if chosen.framework else ["torch", "mindspore"]:
        module = __import__(framework)
        print(f"\n{framework} {module.__version__}")
        for name in [chosen.net] if chosen.net else NETS:
            for passes in [chosen.passes] if chosen.passes else ["forward", "backward"]:
                with tempfile.TemporaryDirectory(dir=chosen.out) as folder:
                    found = measure(framework, name, passes == "backward", chosen.rounds, chosen.small, folder)
                bare = statistics.median(found["", "bare"])
                title = "forward" if passes == "forward" else "forward + backward"
                print(f"  {name}, batch {BATCH[name]}, {title}: bare step {bare * 1e3:.0f} ms")
                for keep in ("statistics", "values"):
                    size = statistics.median(found[keep, "bytes"]) / 1e6
                    peak = statistics.median(found[keep, "extra memory"]) / 1e6
                    ratios = "   ".join(
                        f"{what} {spread(found[keep, what])}" for what in ("step", "until closed", "whole record()")
                    )
                    print(f"    {keep:11s} x bare:  {ratios}   {size:.0f} MB written   {peak:+.0f} MB memory")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
