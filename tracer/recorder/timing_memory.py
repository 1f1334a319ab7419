"""How much memory each call takes at most, as the framework tells."""

from __future__ import annotations

from collections.abc import Callable

from tracer.frameworks.timing import Call, Log, Memory


class MemoryLog(Log):
    """A log that keeps no times, but for each call the most memory that was allocated while it ran, over what was
    allocated when it began."""

    def __init__(self, memory: Memory, wait: Callable[[], None] | None = None) -> None:
        super().__init__(wait)
        self.peaks: dict[Call, int] = {}
        self._memory = memory
        self._running: list[tuple[Call, int, int]] = []

    def enter(self, path: str, *, again: bool, place: int = 0) -> None:
        """A call begins."""
        known = len(self.lines)
        super().enter(path, again=again, place=place)
        self._look()
        if again or len(self.lines) == known:
            return
        call, now = self.lines[-1].call, self._memory.now()
        if call is not None:
            self._running.append((call, now, now))

    def leave(self, path: str, *, again: bool, place: int = 0) -> bool:
        """The call that was entered last on this path ends."""
        self._look()
        while self._running and not again:
            call, began, most = self._running.pop()
            self.peaks[call] = most - began
            if call[0] == path:
                break
        return super().leave(path, again=again, place=place)

    def _look(self) -> None:
        most = self._memory.most()
        self._running = [(call, began, max(known, most)) for call, began, known in self._running]
        self._memory.reset()
