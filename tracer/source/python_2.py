"""Is a line that Python 3 cannot read one of Python 2, and by what is it known?"""

from __future__ import annotations

import re

_SIGNS = (
    (r"^\s*print\s+[^=(\s]|^\s*print\s*>>|[:;]\s*print\s+[\"'\w]", "`print` is a statement"),
    (r"^\s*exec\s+[^=(\s]", "`exec` is a statement"),
    (r"^\s*except\b[^:]*\w\s*,\s*\w+\s*:", "`except Error, name`"),
    (r"^\s*raise\s+[\w.]+\s*,", "`raise Error, words`"),
    (r"<>", "`<>` for `!=`"),
    (r"`[^`]+`", "backquotes for `repr`"),
    (r"\b\d+[lL]\b|\b0[xX][0-9a-fA-F]+[lL]\b", "a long number, as `10L`"),
    (r"\b[uU][rR]['\"]", "a text that begins `ur`"),
    (r"\b0\d+\b", "an octal number, as `0777`"),
    (r"\bdef\s+\w+\s*\([^)]*\(|\blambda\s*\([^)]*,[^)]*\)\s*:", "a parameter that is a tuple"),
)
"""What a line looks like, and what that is called. Asked only of lines that Python 3 refuses."""


def sign_of_python_2(message: str, line: str) -> str | None:
    """What shows that a refused line is Python 2; None where it is only wrong.

    Args:
        message: what Python says of the line.
        line: the line that it refuses.
    """
    code = re.sub(r"#.*", "", line)
    if "inconsistent use of tabs" in message:
        return None
    return next((sign for pattern, sign in _SIGNS if re.search(pattern, code)), None)
