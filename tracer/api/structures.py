"""The verb that looks at nets without running them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tracer.api.arguments import globs_of, pairs_of, rules_of

if TYPE_CHECKING:
    from tracer.divergence.rules import UserRule
    from tracer.reports.trees import StructureReport


def structure(
    reference: Any,
    candidate: Any,
    *,
    pins: Mapping[str, str] | str | Sequence[str | tuple[str, str]] = (),
    only: str | Sequence[str] = (),
    rules: str | os.PathLike[str] | Sequence[UserRule] = (),
) -> StructureReport:
    """Put both nets side by side, layer by layer, without running anything, and mark where they are built otherwise.

    Args:
        reference: the net that is right: a live net, which need not have run, a trace or its file, a file of
            parameters (.pth, .safetensors, .ckpt, .npz), or a mapping of names to arrays. Files of parameters and
            mappings know no classes and no settings: then sizes are compared.
        candidate: its port, likewise.
        pins: pairs of layers that belong together, the reference's first: a mapping, pairs, or texts "A=B".
        only: globs of paths; other layers are not held against each other.
        rules: your own layers in common words, or the TOML file that has them.

    Returns:
        A report that prints as both trees; `.differs`, `.differing` and `.exit_code` (0 same, 1 differ, 2 nothing could
        be aligned) are for programs.

    Raises:
        TracerError: a side cannot be opened, or is nothing that has layers or parameters.
        RuleError: a pin, filter or rule that does not hold.
    """
    from tracer.reports.trees import StructureReport
    from tracer.starting_point.holders import opened
    from tracer.starting_point.trees import beside

    pairs, globs, own_rules = pairs_of(pins), globs_of(only), rules_of(rules)
    with opened(reference) as ours, opened(candidate) as theirs:
        return StructureReport(beside(ours, theirs, pins=pairs, only=globs, rules=own_rules))
