"""The tables against arithmetic: layers that the rules call equal compute the same numbers.

Each pair of calls is first aligned by the suggested edit; torch's parameters are carried over by the names and layouts
of the tables; both run on the same input. One process of its own, as errors in MindSpore may reach later ops.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent

NO_KERNEL = (
    "mint.",  # most kernels of mint are missing on CPU
    "nn.InstanceNorm",
    "nn.Unfold",
    "nn.CTCLoss",
)
OTHER_CALL = ("Loss", "nn.TransformerDecoderLayer", "nn.Bilinear", "nn.Dropout")
"""Layers that take more than one input or are random; their rows are met by the other tests."""


def test_what_the_rules_align_computes_the_same() -> None:
    """Relative L2 of every aligned pair is below 1e-4 (tanh's and exp's kernels are approximations)."""
    done = subprocess.run(
        [sys.executable, str(HERE / "run_aligned_pairs.py")], capture_output=True, text=True, cwd=HERE, timeout=600
    )
    assert done.returncode == 0, done.stderr[-2000:]
    results = json.loads(done.stdout.splitlines()[-1])
    assert len(results) > 80
    assert {call: error for call, error in results.items() if not error < 1e-4} == {}
