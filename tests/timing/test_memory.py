"""The peak of memory in each call, where a framework tells of it: here one that is made up."""

from __future__ import annotations

from tracer.frameworks.timing import Memory
from tracer.recorder.timing_memory import MemoryLog


class Allocator:
    """Bytes allocated now, and the most since somebody asked to begin anew."""

    def __init__(self) -> None:
        self.bytes = self.peak = 100

    def take(self, count: int) -> None:
        """Allocate, or give back."""
        self.bytes += count
        self.peak = max(self.peak, self.bytes)

    def reset(self) -> None:
        """The peak begins anew."""
        self.peak = self.bytes

    def memory(self) -> Memory:
        """What the framework would give."""
        return Memory(lambda: self.bytes, lambda: self.peak, self.reset)


def test_the_peak_of_a_call_is_over_what_was_there_when_it_began() -> None:
    """That of an inner call counts for the call around it, and what comes after it does not count for the inner."""
    held = Allocator()
    log = MemoryLog(held.memory())
    log.enter("(root)", again=False)
    held.take(10)
    log.enter("a", again=False)
    held.take(50)
    held.take(-45)
    log.leave("a", again=False)
    held.take(20)
    log.leave("(root)", again=False)
    assert log.peaks == {("a", 0): 50, ("(root)", 0): 60}


def test_what_was_there_before_is_nobodys() -> None:
    """A peak of the step before counts for no call."""
    held = Allocator()
    held.take(500)
    held.take(-500)
    log = MemoryLog(held.memory())
    log.enter("a", again=False)
    held.take(5)
    log.leave("a", again=False)
    assert log.peaks == {("a", 0): 5}


def test_calls_of_a_layer_have_each_their_own() -> None:
    """By their number."""
    held = Allocator()
    log = MemoryLog(held.memory())
    for count in (3, 7):
        log.enter("a", again=False)
        held.take(count)
        log.leave("a", again=False)
    assert log.peaks == {("a", 0): 3, ("a", 1): 7}
