"""What rewriting asks of the facts."""

from __future__ import annotations

from typing import Protocol

from tracer.source.facts.table import Pair, Signature, TorchName


class Known(Protocol):
    """What is known of both frameworks; `facts.table.Facts` is it."""

    def name(self, name: str) -> TorchName | None:
        """The torch name, None where torch has none such."""

    def pair(self, name: str) -> Pair | None:
        """Its counterparts, None where nothing is known."""

    def signature_of(self, name: str) -> tuple[Signature, ...]:
        """The signatures of a MindSpore name, none where they are not known."""
