"""Zip files, of which nothing is believed: torch's and numpy's files of parameters are both zips."""

from __future__ import annotations

import struct
import zipfile

from tracer.errors import CheckpointError
from tracer.starting_point.checkpoints.base import DAMAGED, reading
from tracer.starting_point.checkpoints.stored import FileBytes, OpenFile, ZippedBytes

_LOCAL = struct.Struct("<4s5H3I2H")  # the header that stands before each member's bytes
_MOST_INFLATED = 1032  # deflate cannot make more of a byte


class Zip:
    """The members of a zip file, checked: each name once, each inside of the file, none over another.

    Args:
        file: the open file.

    Raises:
        CheckpointError: the file is cut off, damaged, encrypted, or packed in a way nobody uses here.
    """

    def __init__(self, file: OpenFile) -> None:
        self.file = file
        self.where = str(file.path)
        with reading(file.path):
            self.archive = zipfile.ZipFile(file.path)
        try:
            self.members = self._checked()
        except BaseException:
            self.archive.close()
            raise

    def close(self) -> None:
        """Close the zip's own hold on the file."""
        self.archive.close()

    def content(self, member: zipfile.ZipInfo, skip: int = 0) -> FileBytes | ZippedBytes:
        """The bytes of a member: where they stand in the file, or how they are inflated on the way."""
        if member.compress_type != zipfile.ZIP_STORED:
            return ZippedBytes(self.archive, member, skip)
        return FileBytes(self.file, ((self._begin(member) + skip, member.file_size - skip),))

    def whole(self, member: zipfile.ZipInfo) -> bytes:
        """A member as bytes."""
        with reading(self.file.path, member.filename):
            return self.content(member).all().tobytes()

    def _checked(self) -> dict[str, zipfile.ZipInfo]:
        found: dict[str, zipfile.ZipInfo] = {}
        end = 0
        for member in sorted(self.archive.infolist(), key=lambda each: each.header_offset):
            name = member.filename
            if name in found:
                raise CheckpointError(f"the name {name!r} stands twice in one file", where=self.where, then=DAMAGED)
            if member.flag_bits & 1 or member.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
                raise CheckpointError(
                    f"the member {name!r} is encrypted or packed in an unusual way",
                    where=self.where,
                    then="unpack the zip and pack it again, plain",
                )
            stored = member.compress_type == zipfile.ZIP_STORED
            if member.file_size > member.compress_size * (1 if stored else _MOST_INFLATED):
                raise CheckpointError(
                    f"the member {name!r} claims more bytes than it can hold", where=self.where, then=DAMAGED
                )
            if member.header_offset < end or member.header_offset + member.compress_size > self.file.size:
                raise CheckpointError(
                    f"the member {name!r} lies over another or outside of the file", where=self.where, then=DAMAGED
                )
            end = member.header_offset + _LOCAL.size + member.compress_size
            found[name] = member
        return {member.filename: member for member in self.archive.infolist()}

    def _begin(self, member: zipfile.ZipInfo) -> int:
        """Where a stored member's own bytes begin."""
        with reading(self.file.path, member.filename):
            magic, *_, name, extra = _LOCAL.unpack(self.file.bytes(member.header_offset, _LOCAL.size))
        begin = int(member.header_offset + _LOCAL.size + name + extra)
        if magic != b"PK\x03\x04" or begin + member.file_size > self.file.size:
            raise CheckpointError(
                f"the member {member.filename!r} is not where the file says", where=self.where, then=DAMAGED
            )
        return begin
