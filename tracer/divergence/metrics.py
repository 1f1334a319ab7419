"""How far two arrays are apart, in float64, a block at a time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """How far a candidate value is from its reference, over the elements that are finite on both sides.

    `relative_l2` is ||c - r|| / ||r|| (for a zero reference ||c - r|| / sqrt(count), so that it stays comparable);
    None when it cannot be had (other shapes). `max_abs` is the largest |c - r|, at index `max_at` of the reference.
    `beyond` is the share of elements beyond the tolerance, `tolerance` what relative_l2 was held against.
    `nan_reference`, `nan_candidate`: not finite elements of each side; `mask_differs` that they sit elsewhere.
    `layout` says how the candidate had to be turned ("NHWC -> NCHW", "size-1 axes"); `exact` that both are bit-equal;
    `leaf` which leaf of the result this is about; `from_statistics` that no arrays were read.
    """

    relative_l2: float | None
    tolerance: float
    max_abs: float | None = None
    max_at: tuple[int, ...] | None = None
    cosine: float | None = None
    beyond: float | None = None
    nan_reference: int = 0
    nan_candidate: int = 0
    mask_differs: bool = False
    layout: str = ""
    exact: bool = False
    leaf: str = ""
    shapes: tuple[tuple[int, ...], tuple[int, ...]] | None = None
    dtypes: tuple[str, str] = ("", "")
    from_statistics: bool = False
    problem: str = ""
    """Why the two cannot be compared, or what differs besides numbers ("shape", "dtype", "structure", "nan")."""
