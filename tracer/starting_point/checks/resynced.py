"""A loop of the user's own, each step of which begins as that of another training began."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tracer.recorder import Options, Session, record_while
from tracer.starting_point.checks.likewise import mapped_like
from tracer.starting_point.resync import resynchronised
from tracer.trace.reader import Trace


@contextlib.contextmanager
def record_resynced(net: Any, out: Path, options: Options, optimizer: Any, like: Trace | Path) -> Iterator[Session]:
    """`tracer.recording` with each step begun where the reference's began.

    Raises:
        StartingPointError: the reference's weights cannot all be placed, or it has no steps.
    """
    with contextlib.ExitStack() as opened:
        trace = like if isinstance(like, Trace) else opened.enter_context(Trace(like))
        weights, placed = mapped_like(net, trace, out)
        prepare = resynchronised(net, optimizer, trace, weights)
        with record_while(net, out, options, optimizer, prepare=prepare, placed=placed) as session:
            yield session
