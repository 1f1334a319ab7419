"""A net is made once for every seed, and of each parameter some numbers are kept."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xxhash

from tracer.errors import RecordingError, StartingPointError, TracerError
from tracer.starting_point.holders import Holder, of_net
from tracer.starting_point.randomness import fixed

Array = np.ndarray[Any, Any]
Factory = Callable[[], Any]
Part = Callable[[Callable[[str], Array]], Sequence[Array]]
"""Reads parameters of one net and gives those arrays that together stand for one row."""

NUMBERS = 1 << 16
"""Numbers of a parameter that are kept of all seeds together."""

_BLOCK = 1 << 20


@dataclass(frozen=True)
class Sample:
    """What is known of one parameter after all seeds.

    `values` (seeds, numbers) float64 are elements at random places, which are the same for both sides; `fixed` that
    every seed gave the very same array. Mean, standard deviation and bounds are of all finite elements of all seeds;
    `strange` is how many are not finite.
    """

    values: Array = field(repr=False)
    count: int
    strange: int
    fixed: bool
    mean: float
    std: float
    minimum: float
    maximum: float
    shape: tuple[int, ...] = ()


class _Sums:
    """Sum, squares and bounds of the finite elements of arrays that come one after the other."""

    def __init__(self) -> None:
        self.count = self.finite = 0
        self.minimum, self.maximum = math.inf, -math.inf
        self._about: float | None = None
        self._total = self._squares = 0.0

    def add(self, array: Array) -> None:
        flat = array.reshape(-1)
        self.count += flat.size
        for start in range(0, flat.size, _BLOCK):
            block = flat[start : start + _BLOCK].astype(np.float64)
            block = block[np.isfinite(block)]
            if not block.size:
                continue
            if self._about is None:  # squares of what is far from zero would lose their digits
                self._about = float(block.mean())
            away = block - self._about
            self.finite += block.size
            self._total += float(away.sum())
            self._squares += float(away @ away)
            self.minimum, self.maximum = min(self.minimum, float(block.min())), max(self.maximum, float(block.max()))

    @property
    def mean(self) -> float:
        return (self._about or 0.0) + self._total / max(self.finite, 1)

    @property
    def std(self) -> float:
        away = self._total / max(self.finite, 1)
        return math.sqrt(max(self._squares / max(self.finite, 1) - away * away, 0.0))


class _Row:
    """One parameter, while nets are made."""

    def __init__(self) -> None:
        self.sums = _Sums()
        self.values: list[Array] = []
        self.digests: set[bytes] = set()
        self.shape: tuple[int, ...] = ()

    def add(self, arrays: Sequence[Array], places: np.random.Generator, wanted: int) -> None:
        """Numbers of one more net. Raises ValueError where its shape is another."""
        shape = arrays[0].shape if len(arrays) == 1 else (sum(array.size for array in arrays),)
        if self.values and shape != self.shape:
            raise ValueError(f"shape {shape}, and {self.shape} before")
        self.shape = shape
        arrays = [np.stack([a.real, a.imag], -1) if a.dtype.kind == "c" else a for a in arrays]
        digest = xxhash.xxh3_128()
        for array in arrays:
            digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
            self.sums.add(array)
        self.digests.add(digest.digest())
        sizes = [array.size for array in arrays]
        total = sum(sizes)
        chosen = (
            np.sort(places.choice(total, wanted, replace=False, shuffle=False)) if total > wanted else np.arange(total)
        )
        taken, start = [], 0
        for array, size in zip(arrays, sizes, strict=True):
            own = chosen[(chosen >= start) & (chosen < start + size)] - start
            taken.append(array.reshape(-1)[own].astype(np.float64))
            start += size
        self.values.append(np.concatenate(taken))

    def sample(self) -> Sample:
        sums = self.sums
        return Sample(
            values=np.stack(self.values),
            count=sums.count,
            strange=sums.count - sums.finite,
            fixed=len(self.digests) == 1 and len(self.values) > 1,
            mean=sums.mean,
            std=sums.std,
            minimum=sums.minimum,
            maximum=sums.maximum,
            shape=self.shape,
        )


def first_net(factory: Factory, side: str, seed: int) -> Holder:
    """A net of the factory, as a holder.

    Raises:
        StartingPointError: the factory is none, raises, or makes no net.
    """
    if not callable(factory) or _is_net(factory):
        raise StartingPointError(
            f"the {side}'s factory makes no nets",
            where=f"an object of class {type(factory).__module__}.{type(factory).__qualname__}",
            then="give a function without arguments that makes a new net each time, as lambda: Net(10)",
        )
    net = _made(factory, side, seed)
    try:
        return of_net(net)
    except RecordingError:
        raise StartingPointError(
            f"the {side}'s factory gave what is no net",
            where=f"an object of class {type(net).__module__}.{type(net).__qualname__}",
            then="have it return a torch.nn.Module or a mindspore.nn.Cell",
        ) from None


def samples_of(
    factory: Factory,
    side: str,
    seeds: Sequence[int],
    parts: Mapping[str, Part],
    tell: Callable[[int], None],
) -> dict[str, Sample]:
    """Make a net for every seed and keep numbers of each part, by its name.

    Raises:
        StartingPointError: the factory raises, makes one net again and again, or nets of other parameters.
    """
    rows = {name: _Row() for name in parts}
    wanted = max(1, math.ceil(NUMBERS / len(seeds)))
    last: weakref.ref[Any] | None = None  # weak: two nets at a time may be too much
    for number, seed in enumerate(seeds):
        net = _made(factory, side, seed)
        if last is not None and net is last():
            raise StartingPointError(
                f"the {side}'s factory gives the same net again",
                where=f"a {type(net).__name__}",
                then="have it make a new net each time, as lambda: Net(10)",
            )
        last = weakref.ref(net)
        holder = of_net(net)
        for at, (name, part) in enumerate(parts.items()):
            try:
                rows[name].add(part(holder.read), _places(number, at), wanted)
            except (KeyError, ValueError) as error:
                raise StartingPointError(
                    f"the {side}'s factory makes nets of different parameters",
                    where=f"{name}, seed {seed}: {str(error)[:120]}",
                    then="have it make nets of one structure, whatever the seed",
                ) from None
        tell(number + 1)
    return {name: row.sample() for name, row in rows.items() if row.sums.count}


def _places(number: int, at: int) -> np.random.Generator:
    """Chooses places, the same for both sides; no generator of the user's is touched."""
    return np.random.Generator(np.random.Philox(key=np.array([number, at], np.uint64)))


def _is_net(value: Any) -> bool:
    if isinstance(value, type):
        return False
    try:
        of_net(value)
    except TracerError:
        return False
    return True


def _made(factory: Factory, side: str, seed: int) -> Any:
    """A net made after this seed; every generator is put back."""
    for _ in range(2):
        randomness = fixed(seed)
        try:
            net = factory()
        except TracerError:
            raise
        except Exception as error:
            why = str(error).strip().partition("\n")[0][:200]
            raise StartingPointError(
                f"the {side}'s factory raised {type(error).__name__}: {why}",
                where=f"seed {seed}",
                then="see that it makes a net when it is called without arguments",
            ) from error
        finally:
            whole = randomness.whole
            randomness.put_back()
        if whole:  # else a framework was imported by the factory, and not seeded
            break
    return net
