"""Inputs drawn from a description, "8x3x224x224:float32": the same numbers in every process, framework and version.

Only the raw bits of Philox are taken from numpy, since how numpy makes normal numbers of them may change; and only
operations that IEEE 754 rounds to one result are used, for a logarithm's last bit depends on the processor.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np

from tracer.errors import StartingPointError
from tracer.starting_point.samples.wanted import COMPLEX, Wanted

Array = np.ndarray[Any, Any]

_BLOCK = 1 << 18
"""Elements that are drawn at a time, so that little memory is needed beside the array."""


def draw_all(wants: Sequence[Wanted], seed: int, sample: int = 0) -> tuple[Array, ...] | dict[str, Array]:
    """One sample of all inputs of a net: a tuple of positional arguments, or a mapping of keyword arguments."""
    arrays = tuple(draw(want, seed, number, sample) for number, want in enumerate(wants))
    names = [want.name for want in wants if want.name is not None]
    return dict(zip(names, arrays, strict=True)) if names else arrays


def draw(want: Wanted, seed: int, number: int, sample: int = 0) -> Array:
    """The array: floats standard normal, whole numbers uniform within their bounds, bools even.

    Args:
        want: shape, dtype and bounds.
        seed: any whole number from 0 to 2**64 - 1.
        number: the position of the input among those of a net; each has its own numbers.
        sample: which of several samples.

    Raises:
        StartingPointError: there is no room for it.
    """
    parts = 2 if want.dtype in COMPLEX else 1
    dtype = np.dtype(ml_dtypes.bfloat16) if want.dtype == "bfloat16" else np.dtype(want.dtype)
    bits = np.random.Philox(key=np.array([seed, number << 32 | sample], np.uint64))
    try:
        array = np.empty(want.shape, dtype)
    except (MemoryError, ValueError, OverflowError):
        raise StartingPointError(
            "an input of this shape is larger than the memory", where=str(want), then="ask for a smaller one"
        ) from None
    flat = array.reshape(-1)
    for start in range(0, flat.size, _BLOCK):
        block = flat[start : start + _BLOCK]
        raw = bits.random_raw(parts * block.size)
        if want.high is not None and want.low is not None:
            block[:] = _integers(raw, want.low, want.high).astype(dtype)
        elif want.dtype == "bool":
            block[:] = raw >> np.uint64(63) == 1
        elif parts == 2:
            normal = _normal(raw) * np.sqrt(0.5)  # of both together the variance is 1
            block.real, block.imag = normal[: block.size], normal[block.size :]
        else:
            normal = _normal(raw)
            if want.dtype == "bfloat16":
                normal = normal.astype(np.float32)  # from float64, versions of ml_dtypes could round differently
            block[:] = normal.astype(dtype)
    return array


def _integers(raw: Array, low: int, high: int) -> Array:
    """Uniform whole numbers, as those of 64 bits: the high half of 32 bits times the span where that is enough."""
    span = high - low
    if span <= 1 << 32:
        offset = (raw >> np.uint64(32)) * np.uint64(span) >> np.uint64(32)
    else:
        offset = raw if span == 1 << 64 else raw % np.uint64(span)
    return offset + np.uint64(low % (1 << 64))  # wraps round as two's complement does


def _normal(raw: Array) -> Array:
    """Standard normal float64 of 64 random bits each: the inverse of the normal distribution, by Wichura's AS 241."""
    uniform = ((raw >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    from_half = uniform - 0.5
    near = 0.180625 - from_half * from_half
    centre = from_half * _ratio(near, _CENTRE)
    tail = np.abs(from_half) > 0.425
    if tail.any():
        beyond = np.minimum(uniform[tail], 1.0 - uniform[tail])
        root = np.sqrt(-_log(beyond))
        far = np.where(root <= 5.0, _ratio(root - 1.6, _TAIL), _ratio(root - 5.0, _FAR))
        centre[tail] = np.where(from_half[tail] < 0, -far, far)
    found: Array = centre
    return found


def _log(values: Array) -> Array:
    """The natural logarithm of positive float64, by additions, multiplications and divisions only."""
    fraction, exponent = np.frexp(values)
    small = fraction < 0.7071067811865476
    fraction = np.where(small, fraction * 2.0, fraction)
    exponent = exponent - small
    s = (fraction - 1.0) / (fraction + 1.0)
    square = s * s
    series = np.zeros_like(s)
    for power in range(21, -1, -2):
        series = series * square + 1.0 / power
    found: Array = 2.0 * s * series + exponent * 0.6931471805599453
    return found


def _ratio(x: Array, coefficients: tuple[tuple[float, ...], tuple[float, ...]]) -> Array:
    above, below = (np.zeros_like(x), np.zeros_like(x))
    for a, b in zip(*coefficients, strict=True):
        above, below = above * x + a, below * x + b
    found: Array = above / below
    return found


_CENTRE = (
    (2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4,
     1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080e0),
    (5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4,
     5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1.0),
)  # fmt: skip
_TAIL = (
    (7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258e0,
     3.64784832476320460504e0, 5.76949722146069140550e0, 4.63033784615654529590e0, 1.42343711074968357734e0),
    (1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
     6.89767334985100004550e-1, 1.67638483018380384940e0, 2.05319162663775882187e0, 1.0),
)  # fmt: skip
_FAR = (
    (2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3, 2.65321895265761230930e-2,
     2.96560571828504891230e-1, 1.78482653991729133580e0, 5.46378491116411436990e0, 6.65790464350110377720e0),
    (2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5, 7.86869131145613259100e-4,
     1.48753612908506148525e-2, 1.36929880922735805310e-1, 5.99832206555887937690e-1, 1.0),
)  # fmt: skip
"""Coefficients of AS 241 (PPND16), highest power first."""
