"""Is a printed text what the page says? Measured numbers move from machine to machine, words do not."""

from __future__ import annotations

import re

_MEASURED = [
    (r"\x1b\[[0-9;]*m", ""),  # colour
    (r"\d{4}-\d\d-\d\dT[\d:.+Z-]+", "<date>"),
    (r"(?<![\w.])\d+\.\d+\.\d+(\+\w+)?", "<version>"),
    (r"(?<![\w.])\d+(\.\d+)? ?(ms|s|[kKMG]i?B|%)(?!\w)", "<amount>"),
    (r"(?<![\w.])[-+]?\d+(\.\d+e[-+]?\d+|e[-+]\d+|\.\d+)(?![\w.])", "<number>"),
    (r"(?<=judged )\d+(?= of)|(?<=\()\d+(?= more by)", "<count>"),
    (r"(?<=apart at )\[[\d, ]*\]", "<index>"),
    (r"#{2,}|[█▉▊▋▌▍▎▏]+", ""),  # bars
    (r"[-─━=]{4,}", "----"),
]
_ANYTHING = "\0"


def matches(expected: str, actual: str) -> bool:
    """Are both the same but for white space, measured numbers, bars, and what stands where `...` is expected?"""
    pattern = re.escape(_plain(expected.replace("...", _ANYTHING)))
    return re.fullmatch(pattern.replace(re.escape(_ANYTHING), ".*"), _plain(actual), re.DOTALL) is not None


def _plain(text: str) -> str:
    for measured, word in _MEASURED:
        text = re.sub(measured, word, text)
    text = " ".join(text.split())
    text = re.sub(r"(?<=<number>)( -?\d+(?![\w.,)]))+", lambda found: " <number>" * found[0].count(" "), text)
    return re.sub(r"\s*\0\s*", _ANYTHING, text)
