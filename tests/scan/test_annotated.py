"""Copies of source with comments: the code in them is the same, and no file is lost for them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import tracer
from tests.scan.sources import notebook, tree
from tracer.errors import SourceError
from tracer.source.reading import read_sources

NET = '''\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.act = nn.GELU()
        self.words = """
not a statement: nn.GELU()
"""

    def forward(self, x):
        return torch.cat(
            (x, x),
            dim=1,
        )
'''


def annotated(tmp_path: Path, content: str | bytes, name: str = "net.py") -> bytes:
    """The copy of a file."""
    tree(tmp_path / "src", {name: content})
    (copy,) = tracer.scan(tmp_path / "src" / name).annotate(tmp_path / "out")
    assert copy == tmp_path / "out" / name
    return copy.read_bytes()


def test_a_comment_stands_above_the_statement_of_each_use(tmp_path: Path) -> None:
    """As far in as the statement, with the call to write."""
    lines = annotated(tmp_path, NET).decode().splitlines()
    at = lines.index("        self.act = nn.GELU()")
    above = [line for line in lines[:at] if "torch.nn.GELU" in line]
    assert len(above) == 1
    assert above[0].startswith("        # tracer: differs, silently: torch.nn.GELU -> mindspore.nn.GELU(approximate=")
    before = lines.index("        return torch.cat(")
    assert any("-> mindspore.ops.cat(" in line for line in lines[at:before])


def test_the_code_is_the_same(tmp_path: Path) -> None:
    """Without the comments the copy is the file, byte for byte."""
    copy = annotated(tmp_path, NET)
    kept = [line for line in copy.splitlines(True) if not line.lstrip().startswith(b"# tracer") and b"#   " not in line]
    assert b"".join(kept) == NET.encode()
    assert ast.dump(ast.parse(copy)) == ast.dump(ast.parse(NET))


@pytest.mark.parametrize("ends", ["\r\n", "\r"])
def test_line_ends_are_the_files_own(tmp_path: Path, ends: str) -> None:
    """Of any system."""
    copy = annotated(tmp_path, NET.replace("\n", ends).encode())
    assert copy.count(b"\n") == (copy.count(b"\r") if ends == "\r\n" else 0)


def test_the_encoding_is_the_files_own(tmp_path: Path) -> None:
    """A comment on the first line stays where Python looks for it."""
    source = "# -*- coding: latin-1 -*-\nimport torch; x = torch.zeros(2)  # é\n".encode("latin-1")
    copy = annotated(tmp_path, source)
    assert copy.startswith(b"# -*- coding: latin-1 -*-\n")
    assert b"# \xe9\n" in copy
    assert read_sources([tmp_path / "out"]).unread == ()


def test_the_cells_of_a_notebook_get_theirs(tmp_path: Path) -> None:
    """Magics stay, and the copy is a notebook that can be scanned."""
    annotated(tmp_path, notebook("%matplotlib inline\nimport torch", "#md", "y = torch.zeros(3)"), "it.ipynb")
    (file,) = read_sources([tmp_path / "out" / "it.ipynb"]).files
    assert "# tracer: " in file.text
    assert "pass\nimport torch" in file.text


def test_a_folder_keeps_its_shape(tmp_path: Path) -> None:
    """Each copy lies where its file does, in a folder of the scanned one's name."""
    tree(tmp_path / "src", {"a.py": "", "in/b.py": NET})
    copies = tracer.scan(tmp_path / "src").annotate(tmp_path / "out")
    assert [copy.relative_to(tmp_path).as_posix() for copy in copies] == ["out/src/a.py", "out/src/in/b.py"]


def test_only_the_uses_that_were_asked_for_get_a_comment(tmp_path: Path) -> None:
    """The others stand as they are."""
    tree(tmp_path, {"net.py": NET})
    (copy,) = tracer.scan(tmp_path / "net.py", only="silent").annotate(tmp_path / "out")
    heads = [line for line in copy.read_text().splitlines() if "# tracer: " in line]
    assert heads
    assert all("silently" in line for line in heads)


# --------------------------------------------------------------------------------------------------------------------
# Nothing is lost
# --------------------------------------------------------------------------------------------------------------------


def test_no_file_is_replaced(tmp_path: Path) -> None:
    """A copy that is there already is kept, and none of the others is written."""
    tree(tmp_path, {"src/a.py": NET, "src/b.py": NET, "out/src/b.py": "mine"})
    with pytest.raises(SourceError, match="none is overwritten"):
        tracer.scan(tmp_path / "src").annotate(tmp_path / "out")
    assert (tmp_path / "out/src/b.py").read_text() == "mine"
    assert not (tmp_path / "out/src/a.py").exists()


@pytest.mark.parametrize("out", ["src", "src/out"])
def test_copies_do_not_lie_in_what_was_scanned(tmp_path: Path, out: str) -> None:
    """The next scan would find them."""
    tree(tmp_path, {"src/a.py": NET})
    with pytest.raises(SourceError, match="would lie in the folder that was scanned"):
        tracer.scan(tmp_path / "src").annotate(tmp_path / out)


def test_a_file_that_has_changed_since_is_said(tmp_path: Path) -> None:
    """Its lines are no longer those that were scanned."""
    tree(tmp_path, {"a.py": NET})
    report = tracer.scan(tmp_path / "a.py")
    tree(tmp_path, {"a.py": "\n" + NET})
    with pytest.raises(SourceError, match="has changed since it was scanned"):
        report.annotate(tmp_path / "out")
    assert not (tmp_path / "out").exists()
