"""Which file is paired with which: names of both tools, other numbers, other orders, files that are not there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tracer
from tests.files.folders import (
    DEPTH,
    Saved,
    counted_behind,
    counted_in_front,
    last_word,
    port_path,
    port_word,
    save,
    vit,
)

REFERENCE = vit()
CLEAN = vit(noise=1e-7)
FAULTY = vit({"blocks.2.mlp.act": lambda value: 0.1 - 0.7 * value}, noise=1e-7)
PORTS = {"clean": CLEAN, "fault": FAULTY}


def paths(saved: Saved) -> list[str]:
    return [path for path, _ in saved]


class Compared:
    """A report, with the pairs as the paths that the files came from."""

    def __init__(self, folder, ours: Saved, our_paths: list[str], theirs: Saved, their_paths: list[str], **options):
        names = [
            {f"{name}.npy": path for (name, _), path in zip(named, known, strict=True)}
            for named, known in ((ours, our_paths), (theirs, their_paths))
        ]
        self.report = tracer.diff(save(folder / "pt", ours), save(folder / "ms", theirs), **options)
        pairs = self.report.alignment.pairs
        self.pairs = [(names[0][p.reference.path], names[1][p.candidate.path]) for p in pairs]
        self.possible = set(our_paths) & set(their_paths)
        self.first = names[0][self.report.origin.reference.path] if self.report.origin else None

    @property
    def right(self) -> set[str]:
        return {a for a, b in self.pairs if a == b}

    @property
    def wrong(self) -> list[tuple[str, str]]:
        return [(a, b) for a, b in self.pairs if a != b]


def keys_first(saved: Saved) -> Saved:
    """A port that computes k before q."""
    found = list(saved)
    for n, (path, _) in enumerate(saved):
        if path.endswith("attn.q"):
            found[n], found[n + 1] = saved[n + 1], saved[n]
    return found


def shuffled(saved: Saved, call, seed: int = 1) -> Saved:
    """Numbers that say nothing."""
    numbers = np.random.default_rng(seed).permutation(len(saved))
    return [(f"{number}_{call(path)}", array) for number, (path, array) in zip(numbers, saved, strict=True)]


def without(saved: Saved, count: int, seed: int) -> Saved:
    gone = set(np.random.default_rng(seed).choice(len(saved), count, replace=False))
    return [one for n, one in enumerate(saved) if n not in gone]


def nameless(path: str) -> str:
    """As `ts.save` names what has no name."""
    return "None"


NAMED = {
    "both tools": (counted_in_front(REFERENCE), lambda s: counted_behind(s, 5)),
    "other words": (counted_in_front(REFERENCE), lambda s: counted_behind(s, 5, port_word)),
    "numbers and paths": (counted_in_front(REFERENCE), lambda s: [(port_path(p), x) for p, x in s]),
    "paths": (REFERENCE, lambda s: [(port_path(p), x) for p, x in s]),
    "paths with numbers that say nothing": (counted_in_front(REFERENCE, 0, str), lambda s: shuffled(s, port_path)),
    "no names": (counted_in_front(REFERENCE, 0, nameless), lambda s: counted_in_front(s, 9, nameless)),
    "names on one side": (counted_in_front(REFERENCE), lambda s: counted_in_front(s, 9, nameless)),
}


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("named", NAMED)
def test_every_file_finds_its_partner(tmp_path, named, port):
    """Whatever the tools and the port call it; a fault changes no pair."""
    ours, call = NAMED[named]
    theirs = PORTS[port]
    done = Compared(tmp_path, ours, paths(REFERENCE), call(theirs), paths(theirs))
    assert done.wrong == []
    assert done.right == done.possible
    assert done.report.verdict == ("agree" if port == "clean" else "diverged")
    assert done.first == (None if port == "clean" else done.first)


@pytest.mark.parametrize("named", ["both tools", "other words", "paths with numbers that say nothing"])
def test_the_first_in_order_is_the_fault(tmp_path, named):
    """Where the reference's numbers are those of execution."""
    ours, call = NAMED[named]
    assert Compared(tmp_path, ours, paths(REFERENCE), call(FAULTY), paths(FAULTY)).first == "blocks.2.mlp.act"


@pytest.mark.parametrize("port", PORTS)
def test_another_order_within_blocks(tmp_path, port):
    """k before q, in every block: names and neighbours say which is which."""
    theirs = keys_first(PORTS[port])
    done = Compared(
        tmp_path, counted_in_front(REFERENCE), paths(REFERENCE), counted_behind(theirs, 0, port_word), paths(theirs)
    )
    assert done.wrong == []
    assert done.right == done.possible


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("seed", range(5))
def test_files_that_are_not_there_stay_alone(tmp_path, seed, port):
    """Each side lacks others; none is paired with a stranger."""
    ours, theirs = without(REFERENCE, 4, seed + 50), without(PORTS[port], 7, seed)
    done = Compared(tmp_path, counted_in_front(ours), paths(ours), counted_behind(theirs, 1, port_word), paths(theirs))
    assert done.wrong == []
    assert done.right == done.possible
    assert done.report.coverage.alone == len(ours) + len(theirs) - 2 * len(done.possible)


def test_numbers_that_say_nothing_and_equal_names_are_paired_by_value(tmp_path):
    """And the report says so."""
    done = Compared(tmp_path, counted_in_front(REFERENCE), paths(REFERENCE), shuffled(CLEAN, last_word), paths(CLEAN))
    assert done.wrong == []
    assert done.right == done.possible
    assert any("by value" in note for note in done.report.diagnosis.notes)
    assert any("do not go together" in note for note in done.report.diagnosis.notes)


def test_numbers_that_say_nothing_and_a_fault_leave_files_alone(tmp_path):
    """What nothing tells is named with its candidates, not guessed."""
    done = Compared(tmp_path, counted_in_front(REFERENCE), paths(REFERENCE), shuffled(FAULTY, last_word), paths(FAULTY))
    assert done.wrong == []
    assert all("could be" in one.kind for one in done.report.alignment.alone_reference)
    assert done.report.verdict != "agree"


def of_blocks(saved: Saved) -> Saved:
    return [one for one in saved if one[0].endswith("fc1")]


def test_what_is_in_each_others_place_is_shown(tmp_path):
    """Values never pair across what names and order say: two that are exchanged differ, and are told."""
    theirs = of_blocks(CLEAN)
    theirs[2], theirs[3] = (theirs[2][0], theirs[3][1]), (theirs[3][0], theirs[2][1])
    done = Compared(
        tmp_path, counted_in_front(of_blocks(REFERENCE)), paths(theirs), counted_behind(theirs), paths(theirs)
    )
    assert done.wrong == []
    assert done.report.verdict == "diverged"
    assert "each other's numbers" in done.report.origin.causes[0].sentence


def test_a_layer_that_is_skipped_does_not_move_the_pairs(tmp_path):
    """Its file holds what came in, which equals the file before it."""
    held: list[np.ndarray] = []
    skipped = vit({"blocks.2.mlp.fc1": lambda v: held.append(v) or v, "blocks.2.mlp.act": lambda v: held[-1]})
    done = Compared(
        tmp_path, counted_in_front(REFERENCE), paths(REFERENCE), counted_behind(skipped, 0, port_word), paths(skipped)
    )
    assert done.wrong == []
    assert done.first == "blocks.2.mlp.act"


@pytest.mark.parametrize("call", [last_word, nameless])
def test_equal_counts_do_not_hide_that_each_side_lacks_another(tmp_path, call):
    """Five of one name on both sides, and not the same five."""
    ours, theirs = of_blocks(REFERENCE), of_blocks(CLEAN)
    del ours[1], theirs[4]
    done = Compared(
        tmp_path, counted_in_front(ours, 0, call), paths(ours), counted_behind(theirs, 0, call), paths(theirs)
    )
    assert done.wrong == []
    assert len(done.right) == DEPTH - 2


def test_a_guess_by_number_is_not_believed(tmp_path):
    """Of six of one name one side has five, and behind the fault nothing tells which: no verdict rests on that."""
    ours, theirs = of_blocks(REFERENCE), of_blocks(FAULTY)
    del ours[3]
    done = Compared(tmp_path, counted_in_front(ours), paths(ours), counted_behind(theirs), paths(theirs))
    assert done.report.verdict == "unsure"
    assert all(p.confidence < 0.5 for p, (a, b) in zip(done.report.alignment.pairs, done.pairs, strict=True) if a != b)


def test_subfolders_for_steps(tmp_path):
    """What is saved in each step lies in a folder of its own."""
    steps = [[(f"step{n}/{name}", array + n) for name, array in counted_in_front(REFERENCE[:9])] for n in range(3)]
    ports = [[(f"step_{n}/{name}", array + n) for name, array in counted_behind(REFERENCE[:9])] for n in range(3)]
    known = [f"{n}:{path}" for n in range(3) for path, _ in REFERENCE[:9]]
    done = Compared(tmp_path, sum(steps, []), known, sum(ports, []), known)
    assert done.wrong == []
    assert done.right == done.possible


def test_layers_counted_from_one(tmp_path):
    """`layers.1` to `layers.6` are `blocks.0` to `blocks.5`."""
    ours = [one for one in REFERENCE if "blocks" in one[0]]

    def counted_from_one(path: str) -> str:
        _, number, *rest = path.split(".")
        return ".".join(["layers", str(int(number) + 1), *rest])

    theirs = [(counted_from_one(path), array) for path, array in CLEAN if "blocks" in path]
    done = Compared(tmp_path, ours, paths(ours), theirs, paths(ours))
    assert done.wrong == []
    assert done.right == done.possible


def test_an_archive_and_a_folder(tmp_path):
    """One .npz holds all arrays of a side; their order in it is that in which they were put."""
    np.savez(tmp_path / "all.npz", **{path: array for path, array in CLEAN})
    report = tracer.diff(save(tmp_path / "pt", counted_in_front(REFERENCE)), tmp_path / "all.npz")
    assert report.verdict == "agree"
    assert [p.candidate.path.partition(":")[2] for p in report.alignment.pairs] == paths(CLEAN)


def test_every_pair_has_a_reason_and_a_confidence(tmp_path):
    """Names alone are surer than names with order."""
    done = Compared(tmp_path, counted_in_front(REFERENCE), paths(REFERENCE), counted_behind(CLEAN), paths(CLEAN))
    said = {a: pair for pair, (a, _) in zip(done.report.alignment.pairs, done.pairs, strict=True)}
    assert (said["head"].reason, said["head"].confidence) == ("by name", 1.0)
    assert said["blocks.3.mlp.fc1"].reason == "by name and order (4 of 6)"
    assert said["blocks.3.mlp.fc1"].confidence < 1


def test_a_pin_is_obeyed(tmp_path):
    """The rest follows."""
    ours, theirs = [("a", CLEAN[1][1]), ("b", CLEAN[2][1])], [("x", CLEAN[2][1]), ("y", CLEAN[1][1])]
    done = Compared(tmp_path, ours, ["a", "b"], theirs, ["x", "y"], pins={"a": "x.npy"})
    assert ("a", "x") in done.pairs
    assert done.report.alignment.pairs[0].reason == "pinned"


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_other_numbers_do_not_change_the_pairs(tmp_path_factory, data):
    """Numbers that start elsewhere and leave gaps, in the same order, are the same numbers."""
    port = data.draw(st.sampled_from([CLEAN, FAULTY]))
    gaps = data.draw(st.lists(st.integers(1, 40), min_size=len(port), max_size=len(port)))
    numbers = np.cumsum(gaps)
    front = data.draw(st.booleans())
    call = data.draw(st.sampled_from([last_word, port_word]))
    named = [
        (f"{number}_{call(path)}" if front else f"{call(path)}_float32_{number}", array)
        for number, (path, array) in zip(numbers, port, strict=True)
    ]
    done = Compared(
        tmp_path_factory.mktemp("renumbered"), counted_in_front(REFERENCE), paths(REFERENCE), named, paths(port)
    )
    assert done.wrong == []
    assert done.right == done.possible


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10**6))
def test_any_numbers_do_not_change_pairs_of_names(tmp_path_factory, seed):
    """Where each name is there once, numbers in any order change nothing."""
    done = Compared(
        tmp_path_factory.mktemp("shuffled"),
        counted_in_front(REFERENCE, 0, str), paths(REFERENCE), shuffled(FAULTY, port_path, seed), paths(FAULTY),
    )  # fmt: skip
    assert done.wrong == []
    assert done.right == done.possible
