"""Which files a path means, and what is said of those that cannot be read."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.scan.sources import tree
from tracer.source import reading
from tracer.source.reading import Unread, read_sources


def names(folder: Path) -> list[str]:
    """The files that a folder means, from it on."""
    return [file.location.relative_to(folder).as_posix() for file in read_sources([folder]).files]


def unread(folder: Path, content: str | bytes) -> Unread:
    """What is said of a file."""
    (one,) = read_sources([tree(folder, {"it.py": content}) / "it.py"]).unread
    return one


# --------------------------------------------------------------------------------------------------------------------
# Which files
# --------------------------------------------------------------------------------------------------------------------


def test_a_folder_means_all_its_python(tmp_path: Path) -> None:
    """Modules and notebooks to the end of the folder; nothing hidden, no caches, no virtual environment."""
    empty = dict.fromkeys(
        ("b.py", "a/c.py", "a.txt", ".git/x.py", "__pycache__/x.py", "venv/pyvenv.cfg", "venv/lib/x.py", ".x.py"), ""
    )
    assert names(tree(tmp_path, empty)) == ["b.py", "a/c.py"]


def test_a_file_that_is_named_twice_is_read_once(tmp_path: Path) -> None:
    """A folder and a file in it give that file once."""
    tree(tmp_path, {"a.py": ""})
    assert len(read_sources([tmp_path / "a.py", tmp_path, tmp_path / "." / "a.py"]).files) == 1


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    """Links to the folder itself, to one above it and to each other are not followed for ever."""
    tree(tmp_path, {"outside.py": "", "in/a.py": "", "in/deep/b.py": ""})
    for link, target in (("in/self", "."), ("in/up", ".."), ("in/deep/in", ".."), ("in/x", "y"), ("in/y", "x")):
        (tmp_path / link).symlink_to(target)
    assert names(tmp_path / "in") == ["a.py", "deep/b.py"]


def test_a_linked_folder_beside_is_read(tmp_path: Path) -> None:
    """A link to a folder elsewhere is followed."""
    tree(tmp_path, {"other/b.py": "", "in/a.py": ""})
    (tmp_path / "in" / "link").symlink_to("../other")
    assert names(tmp_path / "in") == ["a.py", "link/b.py"]


def test_a_package_is_found_by_its_name_and_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The dotted name of a package on the path means its folder; its code does not run."""
    tree(tmp_path, {"boom_package/__init__.py": "raise SystemExit", "boom_package/inner/deep.py": "import torch"})
    monkeypatch.syspath_prepend(tmp_path)
    assert [file.path for file in read_sources(["boom_package.inner"]).files] == ["boom_package/inner/deep.py"]
    assert "boom_package" not in sys.modules


def test_modules_have_the_names_they_are_imported_by(tmp_path: Path) -> None:
    """A package counts from the folder above it, whichever folder was asked for."""
    tree(tmp_path, {"src/net/__init__.py": "", "src/net/layers/__init__.py": "", "src/net/layers/mlp.py": ""})
    found = {file.location.name: file.root for file in read_sources([tmp_path / "src" / "net" / "layers"]).files}
    assert found == {"__init__.py": "net.layers", "mlp.py": "net.layers.mlp"}


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("gone.py", "there is no such file or folder"),
        ("no_such_package_here", "there is no such file or folder, and no such package on the path"),
        ("\0", "there is no such file or folder"),
        ("/dev/null", "it is neither a file nor a folder"),
    ],
)
def test_a_path_that_means_nothing_is_said(path: str, why: str) -> None:
    """What gives no file is told with its reason, and what to do."""
    (one,) = read_sources([path]).unread
    assert one.why.startswith(why)
    assert one.then


def test_a_pipe_in_a_folder_is_not_waited_for(tmp_path: Path) -> None:
    """What is named as source and is none is told, and the files beside it are read."""
    os.mkfifo(tree(tmp_path, {"net.py": "import torch"}) / "pipe.py")
    sources = read_sources([tmp_path])
    assert [one.why for one in sources.unread] == ["it is neither a file nor a folder"]
    assert [file.location.name for file in sources.files] == ["net.py"]


def test_an_empty_folder_is_said(tmp_path: Path) -> None:
    """A folder without source is a slip of the user's."""
    (one,) = read_sources([tree(tmp_path, {"notes.txt": ""})]).unread
    assert one.why == "the folder holds no .py file and no notebook"


# --------------------------------------------------------------------------------------------------------------------
# What cannot be read
# --------------------------------------------------------------------------------------------------------------------

BAD: dict[str, tuple[str | bytes, str, int | None]] = {
    "a slip": ("x = 1\ny = (\n", "it is no valid Python", 2),
    "print": ("import torch\nprint 'loss', x\n", "it is Python 2: `print` is a statement", 2),
    "except": ("try:\n    f()\nexcept IOError, e:\n    pass\n", "it is Python 2: `except Error, name`", 3),
    "octal": ("os.chmod(f, 0755)\n", "it is Python 2: an octal number", 1),
    "binary": (b"\x7fELF\0\0\xff" * 99, "it is no text: it holds NUL bytes", None),
    "a NUL byte": (b"x = 1\n" * 2000 + b"y = '\0'\n", "it holds a NUL byte", 2001),
    "latin-1": ("x = 1\ny = 'é'\n".encode("latin-1"), "it is not UTF-8: byte 0xe9", 2),
    "UTF-16": ("x = 1".encode("utf-16"), "it is UTF-16 or UTF-32", None),
    "an encoding that is none": ("# coding: klingon\nx = 1\n", "its encoding cannot be read", None),
    "parentheses": ("x = " + "(" * 300 + ")" * 300, "it is no valid Python", 1),
    "minus": ("x = " + "-" * 100_000 + "1", "its expressions are nested too deep", None),
    "a long sum": ("x = " + "+".join(["1"] * 100_000), "its expressions are nested too deep", None),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_read_is_said(tmp_path: Path, name: str) -> None:
    """Each says the reason, the line where one is to blame, and what to do."""
    content, why, line = BAD[name]
    one = unread(tmp_path, content)
    assert one.why.startswith(why), one.why
    assert one.line == line
    assert one.then


def test_the_other_files_are_read_all_the_same(tmp_path: Path) -> None:
    """One bad file of a folder takes nothing from the others."""
    sources = read_sources([tree(tmp_path, {"a.py": "x = 1", "b.py": "x = (", "c.py": "x = 2"})])
    assert [file.location.name for file in sources.files] == ["a.py", "c.py"]
    assert [one.path for one in sources.unread] == [(tmp_path / "b.py").as_posix()]


def test_a_huge_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond 8 MB a file is data; it is told by its size."""
    monkeypatch.setattr(reading, "LARGEST", 1000)
    assert "nobody writes more than" in unread(tmp_path, "x = 1\n" * 1000).why


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_said(tmp_path: Path) -> None:
    """What the system refuses is told in its words."""
    (tree(tmp_path, {"it.py": ""}) / "it.py").chmod(0)
    assert unread(tmp_path, "").why.startswith("it cannot be opened: Permission denied")


@pytest.mark.parametrize(
    "content",
    ["# -*- coding: latin-1 -*-\nx = 'é'\n".encode("latin-1"), b"\xef\xbb\xbfx = 'h\xc3\xa9'\n", b"x = 1\ry = 'e'\r\n"],
)
def test_what_python_reads_is_read(tmp_path: Path, content: bytes) -> None:
    """Encodings by their line, a byte order mark, and line ends of any system."""
    (file,) = read_sources([tree(tmp_path, {"it.py": content})]).files
    assert "\r" not in file.text
    assert not file.text.startswith("\ufeff")


def test_a_very_long_file_is_read(tmp_path: Path) -> None:
    """A hundred thousand lines are no matter."""
    (file,) = read_sources([tree(tmp_path, {"it.py": "x = 1\n" * 100_000})]).files
    assert len(file.tree.body) == 100_000
