"""Every random generator that nets draw from, fixed by one seed, and put back.

What is seeded is what is imported: a framework is never imported to be seeded.
"""

from __future__ import annotations

import importlib
import operator
import random
import sys
import warnings
from types import TracebackType
from typing import Any

import numpy as np

from tracer.errors import StartingPointError
from tracer.frameworks import framework_names
from tracer.frameworks.store import Contents, Store, keep_random_state

_NAMES = {"torch": "torch", "mindspore": "MindSpore"}

_ALWAYS = (
    "one seed draws other numbers in torch than in MindSpore: give both nets the same weights and samples",
    "generators of your own (random.Random, numpy.random.default_rng, torch.Generator) stay where they are",
)
_HASHES = "the order of sets of texts changes from process to process: start Python with PYTHONHASHSEED=0"


class FixedRandomness:
    """What `tracer.fix_random` gives: a seed that is set, and how everything was before.

    In a `with` statement everything is put back at its end, bit for bit, whatever was raised: as it was before
    `fix_random` was called. Entered once more, it fixes the same seed anew.

    Attributes:
        seed: the seed.
        seeded: what was seeded, in words.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.seeded: tuple[str, ...] = ()
        self._cannot: tuple[str, ...] = ()
        self._frameworks: frozenset[str] = frozenset()
        self._kept: list[Contents] = []
        self._entered = True
        self._fix()
        self._entered = False

    @property
    def cannot(self) -> tuple[str, ...]:
        """What the seed does not fix, a sentence each; a framework that was imported since is among it."""
        later = sorted(_imported() - self._frameworks)
        return (*self._cannot, *(_came_later(name) for name in later))

    @property
    def whole(self) -> bool:
        """Was every framework seeded that is imported by now?"""
        return _imported() <= self._frameworks

    def put_back(self) -> tuple[str, ...]:
        """Put everything back as it was before the seed was fixed last; names what could not be."""
        return self._kept.pop().restore() if self._kept else ()

    def __enter__(self) -> FixedRandomness:  # noqa: PYI034 (Self is not in Python 3.10)
        if self._entered:
            self._fix()
        self._entered = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        later = sorted(_imported() - self._frameworks)
        problems = self.put_back()
        said = [_came_later(name) for name in later]
        said += [f"{problem} (it was not put back as it was)" for problem in problems]
        if said and error is None:
            warnings.warn("; ".join(said), stacklevel=2)

    def _fix(self) -> None:
        """Keep everything as it is, then seed it."""
        self._frameworks = _imported()
        homes = [importlib.import_module(f"tracer.frameworks.{name}") for name in sorted(self._frameworks)]
        kept = Contents(Store(), lambda _: None)
        for home in homes:
            home.keep_random(kept)
        keep_random_state(kept)  # put back last: MindSpore's data sets seed Python and numpy as well
        self._kept.append(kept)
        cannot = list(_ALWAYS)
        if sys.flags.hash_randomization:
            cannot.append(_HASHES)
        try:
            random.seed(self.seed)
            np.random.seed(self.seed)  # noqa: NPY002 (it is the one that nets draw from)
            for home in homes:
                cannot += home.fix_random(self.seed)
        except BaseException:  # half of it fixed is nothing
            self.put_back()
            raise
        self._cannot = tuple(cannot)
        self.seeded = ("Python", "numpy", *(_NAMES.get(name, name) for name in sorted(self._frameworks)))

    def __repr__(self) -> str:
        lines = [f"seed {self.seed} fixed in {', '.join(self.seeded)}"]
        return "\n  ".join([*lines, *(f"not fixed: {sentence}" for sentence in self.cannot)])


def fixed(seed: Any) -> FixedRandomness:
    """Fix every random generator at once; `with` puts them back.

    Raises:
        StartingPointError: `seed` is no whole number of 0 to 2**32 - 1, which is what every generator takes.
    """
    try:
        number = operator.index(seed)
    except TypeError:
        number = -1
    if isinstance(seed, bool) or not 0 <= number < 1 << 32:
        raise StartingPointError(
            "a seed is a whole number from 0 to 4294967295",
            where=f"seed={str(seed)[:80]!r}" if isinstance(seed, str) else f"seed={str(seed)[:80]}",
            then="give one that every generator takes, as tracer.fix_random(0)",
        )
    return FixedRandomness(number)


def _imported() -> frozenset[str]:
    """The frameworks that are imported, whole: one that is half imported has no generators yet."""
    found = {name: sys.modules.get(name) for name in framework_names()}
    return frozenset(
        name
        for name, module in found.items()
        if module is not None and not getattr(getattr(module, "__spec__", None), "_initializing", False)
    )


def _came_later(name: str) -> str:
    shown = _NAMES.get(name, name)
    return f"{shown} was imported after the seed was fixed, so its generators are not: import it before"
