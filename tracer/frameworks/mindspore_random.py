"""MindSpore's random generators. Needs no import of MindSpore: it is given.

MindSpore has four: the generator that `manual_seed` sets; a global seed; a table from which every random operator
takes its next seed while a global seed is set; and the seed of its data sets. Its initialisers draw from numpy's.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import numpy as np

from tracer.frameworks.store import Contents

_HOME = "mindspore.common.seed"
_DROPOUT = (
    "a MindSpore nn.Dropout that was made before keeps its own generator, which no seed reaches: make the net "
    "afterwards, or put it into evaluation mode"
)


def keep_generators(mindspore: Any, contents: Contents) -> None:
    """Where MindSpore's generator stands, and the seeds that it hands to operators."""
    try:
        state = np.array(mindspore.get_rng_state().asnumpy())
    except Exception:
        contents.missing("MindSpore's random state")
    else:
        contents.add("MindSpore's random state", lambda: mindspore.set_rng_state(mindspore.Tensor(state)))
    table = getattr(sys.modules.get(_HOME), "_KERNEL_SEED", None)  # private, as is the global seed
    contents.keep("MindSpore's seeds of operators", table if isinstance(table, dict) else None)


def keep_seeds(mindspore: Any, contents: Contents) -> None:
    """The global seed and that of data sets, which `fix` sets."""
    home, name = sys.modules.get(_HOME), "_GLOBAL_SEED"
    if hasattr(home, name):
        contents.add("MindSpore's global seed", partial(setattr, home, name, mindspore.get_seed()))
    else:
        contents.missing("MindSpore's global seed")
    config = _config_of_datasets()
    if config is not None:
        contents.add("the seed of MindSpore's data sets", partial(config.set_seed, config.get_seed()))


def fix(mindspore: Any, seed: int) -> tuple[str, ...]:
    """Set every seed of MindSpore; what that does not fix, in sentences.

    Numpy's generator is seeded too, since MindSpore's `set_seed` does it. The table of operators begins anew.
    """
    mindspore.set_seed(seed)
    mindspore.manual_seed(seed)
    table = getattr(sys.modules.get(_HOME), "_KERNEL_SEED", None)
    if isinstance(table, dict):
        table.clear()  # set_seed itself leaves each entry where it is in some versions
    cannot = [_DROPOUT]
    if mindspore.get_context("device_target") != "CPU":
        cannot.append(
            "MindSpore's kernels may add in another order: call mindspore.set_deterministic(True) before you make a net"
        )
    return tuple(cannot)


def _config_of_datasets() -> Any | None:
    return getattr(sys.modules.get("mindspore.dataset"), "config", None)
