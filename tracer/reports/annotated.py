"""Copies of source files with a comment above each statement that uses torch; the code in them is the same."""

from __future__ import annotations

import io
import os
import re
import tokenize
from collections.abc import Mapping, Sequence
from pathlib import Path

from tracer.errors import SourceError
from tracer.reports import scan_words
from tracer.reports.report import write_whole
from tracer.source.notebooks import with_code
from tracer.source.reading import CannotBeRead, SourceFile, decoded, encoding_of, with_line_feeds
from tracer.source.scanned import Finding, Scan

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")
_COOKIE = re.compile(r"coding(?=[:=])")


def save_annotated(scan: Scan, folder: str | os.PathLike[str], shown: Sequence[Finding]) -> list[Path]:
    """Write a copy of each file that was read into a folder, with comments.

    Args:
        scan: whose files they are.
        folder: a new folder, or one that has none of these files; it must not lie in a scanned one.
        shown: the uses that get a comment.

    Returns:
        The files that were written, in order.

    Raises:
        SourceError: a file is there already, has changed since, or cannot be written; nothing is overwritten.
    """
    out = Path(folder)
    targets = _targets(scan, out)
    by_file: dict[str, list[Finding]] = {}
    for finding in shown:
        by_file.setdefault(finding.file, []).append(finding)
    copies = [(target, annotated(file, by_file.get(file.path, []))) for target, file in targets.items()]
    for target, copy in copies:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            what = f"no folder can be made there ({error.strerror or error})"
            raise SourceError(what, where=str(target.parent), then="name a folder that can be made") from error
        write_whole(target, copy)
    return list(targets)


def _targets(scan: Scan, out: Path) -> dict[Path, SourceFile]:
    """Where each copy goes. Raises SourceError where it would replace something, or be found by the next scan."""
    targets: dict[Path, SourceFile] = {}
    inner = out.resolve()
    for file in scan.files:
        target = out / file.below
        if len(file.below.parts) > 1:
            asked = file.location.parents[len(file.below.parts) - 2].resolve()
            if asked == inner or asked in inner.parents:
                what = "the copies would lie in the folder that was scanned"
                raise SourceError(what, where=str(out), then="name a folder outside it")
        if target in targets:
            what = "two files would have the same copy"
            raise SourceError(what, where=f"{targets[target].path} and {file.path}", then="scan them one by one")
        if os.path.lexists(target):
            what = "a file is there already, and none is overwritten"
            raise SourceError(what, where=str(target), then="name a new folder, or take the old copies away")
        targets[target] = file
    return targets


def annotated(file: SourceFile, findings: Sequence[Finding]) -> bytes:
    """The file with a comment above each statement of a use; line ends, encoding and indentation are the file's own.

    Raises:
        SourceError: it has changed since it was read.
    """
    changed = SourceError("the file has changed since it was scanned", where=file.path, then="scan it again")
    try:
        data = file.location.read_bytes()
    except OSError as error:
        what = f"the file cannot be opened any more ({error.strerror or error})"
        raise SourceError(what, where=file.path, then="scan it again") from error
    if file.cells is not None:
        return _notebook(file, findings, data, changed)
    try:
        raw = decoded(data)
    except CannotBeRead:
        raise changed from None
    if with_line_feeds(raw) != file.text:
        raise changed
    encoding = encoding_of(data)
    copy = with_comments(raw, _comments(findings, file.text), first=True)
    return copy.encode(encoding, "backslashreplace")


def _notebook(file: SourceFile, findings: Sequence[Finding], data: bytes, changed: SourceError) -> bytes:
    held = {cell.number: cell for cell in file.cells or ()}
    lines = file.text.split("\n")
    by_cell: dict[int | None, list[Finding]] = {}
    for finding in findings:
        by_cell.setdefault(finding.cell, []).append(finding)

    def change(number: int, code: str) -> str:
        cell = held.get(number)
        if cell is None or with_line_feeds(code).count("\n") + 1 != cell.lines:
            raise changed
        plain = "\n".join([*lines[cell.start - 1 : cell.start - 1 + cell.lines], ""])
        return with_comments(code, _comments(by_cell.get(number, ()), plain))

    try:
        return with_code(data, change)
    except ValueError:
        raise changed from None


def with_comments(raw: str, comments: Mapping[int, Sequence[str]], *, first: bool = False) -> str:
    """A text with comment lines above some of its lines, as far in as these, and ending as they do.

    Args:
        raw: the text, with whatever ends its lines.
        comments: by the number of a line, from 1, at which a statement begins.
        first: is it a module, in whose first two lines a comment may say the encoding?
    """
    out: list[str] = []
    for number, line in enumerate(_LINE.findall(raw), 1):
        body = line.rstrip("\r\n")
        indent = body[: len(body) - len(body.lstrip(" \t\f"))]
        end = line[len(body) :] or "\n"
        for comment in comments.get(number, ()):
            safe = _COOKIE.sub("coding ", comment) if first and len(out) < 2 else comment
            out.append(f"{indent}# {safe}".rstrip() + end)
        out.append(line)
    return "".join(out)


def _comments(findings: Sequence[Finding], text: str) -> dict[int, list[str]]:
    """The comments by the line that they go above: where the statement of the use begins."""
    if not findings:
        return {}
    starts = _statement_starts(text)
    held: dict[int, list[Finding]] = {}
    for finding in findings:
        held.setdefault(starts[min(finding.line, len(starts) - 1)], []).append(finding)
    return {line: _words(found) for line, found in held.items()}


def _statement_starts(text: str) -> list[int]:
    """For each line of a text, from 1, the line at which its statement begins; a block's head is a statement."""
    starts = list(range(text.count("\n") + 3))
    start: int | None = None
    layout = (tokenize.NL, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    for token in tokenize.generate_tokens(io.StringIO(text, newline="\n").readline):
        if start is None:
            if token.type in layout or token.type == tokenize.NEWLINE:
                continue
            start = token.start[0]
        if token.type == tokenize.NEWLINE:
            for line in range(start, token.end[0] + 1):
                starts[line] = start
            start = None
    return starts


def _words(findings: Sequence[Finding]) -> list[str]:
    """What is said above one statement: each use that must be changed, then in one line those that need not be."""
    out: list[str] = []
    for finding in findings:
        if not scan_words.is_plain(finding):
            said = _one(finding)
            if out[-len(said) :] != said:
                out += said
    same = [finding for finding in findings if scan_words.is_plain(finding)]
    if same:
        out.append(f"tracer: same: {', '.join(scan_words.names(same))}")
    return out


def _one(finding: Finding) -> list[str]:
    status = scan_words.STATUS_WORDS[finding.status] + (", silently" if finding.silent else "")
    guessed = "" if finding.sure else " (guessed)"
    write, *more = scan_words.counterpart(finding).split("\n") if finding.write is None else finding.write.split("\n")
    arrow = ": " if finding.write is None else " -> "
    head = f"tracer: {status}{guessed}: {finding.torch}" + ("" if finding.status == "unknown" else arrow + write)
    sentences = [" ".join(sentence.split()) for sentence in scan_words.sentences(finding)]
    return [head, *more, *(f"  {sentence}" for sentence in sentences)]
