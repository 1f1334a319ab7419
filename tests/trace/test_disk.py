"""What HDF5 writes is held back, and reaches the disk as a whole or not at all."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracer.trace import disk as module
from tracer.trace.disk import Disk, Patches, Ranges, View, locked

pieces = st.lists(st.tuples(st.integers(0, 60), st.binary(max_size=30)), max_size=25)


@settings(max_examples=200, deadline=None)
@given(pieces)
def test_patches_are_bytes_laid_over_each_other(given_pieces):
    """Patches behave like writing into one long buffer."""
    patches, model, known = Patches(), bytearray(100), set()
    for offset, data in given_pieces:
        patches.put(offset, data)
        model[offset : offset + len(data)] = data
        known.update(range(offset, offset + len(data)))
    found = bytearray(100)
    patches.over(0, memoryview(found))
    assert found == model
    assert patches.size == len(known)
    assert sum(len(data) for _, data in patches) == len(known)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=20), st.integers(0, 60), st.integers(1, 20))
def test_ranges_know_what_they_touch(given_ranges, low, length):
    """Ranges behave like a set of positions."""
    ranges, model = Ranges(), set()
    for start, size in given_ranges:
        ranges.add(start, start + size)
        model.update(range(start, start + size))
    assert ranges.touches(low, low + length) == bool(model & set(range(low, low + length)))


def write(disk: Disk, offset: int, data: bytes) -> None:
    """As HDF5 writes."""
    disk.seek(offset)
    disk.write(data)


def seen(path) -> bytes:
    """As HDF5 reads."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        view = View(descriptor)
        buffer = bytearray(view.size)
        view.readinto(buffer)
        return bytes(buffer)
    finally:
        os.close(descriptor)


@pytest.fixture
def opened(tmp_path):
    """(path, disk) of an empty file."""
    path = tmp_path / "file"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    yield path, Disk(descriptor)
    os.close(descriptor)


def test_nothing_reaches_the_disk_before_a_commit(opened):
    """Held back, but seen by who wrote it."""
    path, disk = opened
    write(disk, 0, b"hello")
    buffer = bytearray(5)
    disk.seek(0)
    disk.readinto(buffer)
    assert bytes(buffer) == b"hello"
    assert path.stat().st_size == 0
    disk.commit()
    assert path.read_bytes() == b"hello"


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("tear", [False, True])
def test_a_kill_at_any_write_leaves_the_old_or_the_new_state(opened, monkeypatch, tear):
    """Whichever call to the disk is the last one, also when it is done by half, a reader sees one whole state."""
    path, disk = opened
    real_write, real_truncate = os.pwrite, os.ftruncate
    states = [b"A" * 100 + b"B" * 50]
    write(disk, 0, states[0])
    disk.commit()
    before = path.read_bytes()
    for kill_at in range(20):
        real_truncate(disk._descriptor, 0)
        real_write(disk._descriptor, before, 0)
        again = Disk(disk._descriptor)
        again._known.add(0, 150)
        again._end = 150
        write(again, 10, b"x" * 20)
        write(again, 90, b"y" * 30)
        write(again, 150, b"new" * 9)
        new = bytearray(before + b"new" * 9)
        new[10:30], new[90:120] = b"x" * 20, b"y" * 30
        calls = iter(range(1000))

        def pwrite(descriptor, data, offset, calls=calls, kill_at=kill_at):
            if next(calls) == kill_at:
                if tear:
                    real_write(descriptor, bytes(data)[: len(data) // 2], offset)
                raise Killed
            return real_write(descriptor, data, offset)

        def ftruncate(descriptor, size, calls=calls, kill_at=kill_at):
            if next(calls) == kill_at:
                raise Killed
            return real_truncate(descriptor, size)

        monkeypatch.setattr(module.os, "pwrite", pwrite)
        monkeypatch.setattr(module.os, "ftruncate", ftruncate)
        try:
            again.commit()
            killed = False
        except Killed:
            killed = True
        monkeypatch.undo()
        found = seen(path)
        assert found[:150] == before or found == new, kill_at
        if not killed:
            assert found == new
            assert path.read_bytes() == new
            break
    else:
        pytest.fail("never reached the end")


def test_a_lock_keeps_others_out(tmp_path):
    """The same file cannot be taken twice, not even by the same process."""
    first, second = (os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT) for _ in range(2))
    assert locked(first)
    assert not locked(second)
    os.close(first)
    assert locked(second)
    os.close(second)
