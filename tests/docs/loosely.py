"""Is a printed text what the page says? Measured numbers move from machine to machine, words do not."""

from __future__ import annotations

import re

_MEASURED = [
    (re.compile(r"\x1b\[[0-9;]*m"), ""),
    (re.compile(r"[-+]?\d+(\.\d+)?e[-+]?\d+"), "<number>"),
    (re.compile(r"\d+(\.\d+)? ?(ms|s|B|[kKMG]i?B|bytes|%)(?!\w)"), "<amount>"),
    (re.compile(r"#{2,}|[█▇▆▅▄▃▂▁]+"), ""),
    (re.compile(r"[-─━=]{4,}"), "----"),
]
_ANYTHING = "\0"


def matches(expected: str, actual: str) -> bool:
    """Are both the same but for white space, measured numbers, bars, and what stands where `...` is expected?"""
    pattern = re.escape(_plain(expected.replace("...", _ANYTHING)))
    return re.fullmatch(pattern.replace(re.escape(_ANYTHING), ".*"), _plain(actual), re.DOTALL) is not None


def _plain(text: str) -> str:
    for measured, word in _MEASURED:
        text = measured.sub(word, text)
    return re.sub(r"\s*\0\s*", _ANYTHING, " ".join(text.split()))
