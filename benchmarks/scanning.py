"""What a scan of a tree of torch source takes, and how much of torch in it is told by its name.

    python benchmarks/scanning.py TREE... [--unresolved 20] [--sample 200 --seed 1]

Of each tree: files, lines, seconds to read, to find the uses and to suggest what to write (and how many of them were
this process's own: others may be at work), lines per second, peak memory, uses by sort and by status, sure and guessed,
and the share that was resolved. That share is counted by a second, simple pass over the same syntax, which knows nothing
of the scan:

- spelled: every dotted name (as long as it goes) that begins with a name which its file binds by an import of torch and
  by nothing else. Resolved when a use stands there that the facts know, or when it is one of torch's modules.
- only torch's: every method call `x.name(...)` on something else, where `name` is a method of `torch.Tensor` or
  `torch.nn.Module`, and neither of Python's own values, numpy's arrays or PIL's images, nor a name of the tree's own
  methods or of attributes of `self`, which may hold a layer. Resolved when a use stands there.
- shared: the same for names that torch's tensors or layers have but others too (`x.reshape`, `x.mean`, `x.to`). Nobody
  can say from the name what these are, so they are counted apart: told by a use, or not.

The share resolved is that of the first two together. `--sample` prints uses at random to be checked by eye.
"""

from __future__ import annotations

import argparse
import ast
import collections
import io
import pathlib
import random
import resource
import sys
import threading
import time

import numpy as np

from tracer.source.facts.table import Facts
from tracer.source.finding import find_uses
from tracer.source.reading import read_sources
from tracer.source.rewriting.suggesting import suggest_all

OTHERS = (
    str, bytes, list, dict, set, tuple, int, float, complex, range, collections.OrderedDict, collections.Counter,
    collections.deque, pathlib.Path, io.TextIOWrapper, threading.Thread, argparse.ArgumentParser, np.ndarray, np.generic,
    np.random.Generator,
)  # fmt: skip
"""Whose methods a name may be of."""

PILLOW = frozenset(
    "alpha_composite close convert copy crop draft entropy filter frombytes getbands getbbox getcolors getdata getexif "
    "getextrema getpalette getpixel getprojection getxmp histogram load paste point putalpha putdata putpalette "
    "putpixel quantize reduce remap_palette resize rotate save seek show split tell thumbnail tobitmap tobytes toqimage "
    "transform transpose verify".split()
)


def method_names(facts):
    """Names of methods that only torch has, and those that others have too."""
    torchs = {
        name.rpartition(".")[2]
        for name in facts.torch_names()
        if name.startswith(("torch.Tensor.", "torch.nn.Module.")) and facts.name(name).sort == "method"
    }
    torchs = {name for name in torchs if not name.startswith("_")} - {"forward"}
    others = {name for kind in OTHERS for name in dir(kind)} | PILLOW
    return torchs - others, torchs & others


def modules_of_others(tree):
    """The names that imports bind in a file."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    return found


def own_names(files):
    """Names that the tree gives to its own methods, and to attributes of `self`: a layer in one may be called."""
    for file in files:
        for node in ast.walk(file.tree):
            if isinstance(node, ast.ClassDef):
                yield from (part.name for part in node.body if isinstance(part, ast.FunctionDef))
                yield from (
                    target.id
                    for part in node.body
                    if isinstance(part, ast.Assign)
                    for target in part.targets
                    if isinstance(target, ast.Name)
                )
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                if isinstance(node.value, ast.Name) and node.value.id == "self":
                    yield node.attr


def binders(tree):
    """How often a name is bound in a file, and to what imports bind it."""
    imported, bound = {}, collections.Counter()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.asname or alias.name.partition(".")[0]
                bound[name] += 1
                full = alias.name if alias.asname else name
                if alias.name.partition(".")[0] == "torch":
                    bound[name] -= name in imported and imported[name] == full
                    imported[name] = full
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                name = alias.asname or alias.name
                bound[name] += 1
                full = f"{node.module}.{alias.name}"
                if node.level == 0 and (node.module or "").partition(".")[0] == "torch":
                    bound[name] -= name in imported and imported[name] == full
                    imported[name] = full
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound[node.id] += 1
        elif isinstance(node, ast.arg):
            bound[node.arg] += 1
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            bound[node.name] += 1
        elif isinstance(node, ast.ExceptHandler) and node.name:
            bound[node.name] += 1
    return {name: full for name, full in imported.items() if bound[name] == 1}


def dotted(node):
    """The parts of a dotted name, outermost first; none if it is something else."""
    parts = [node]
    while isinstance(parts[-1], ast.Attribute):
        parts.append(parts[-1].value)
    return parts if isinstance(parts[-1], ast.Name) else []


def expected(file, facts, only, shared, own):
    """Each place where torch must stand, with its sort and text; the last part of it is its syntax."""
    imported, modules = binders(file.tree), modules_of_others(file.tree)
    parent_of = {child: node for node in ast.walk(file.tree) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(file.tree):
        if isinstance(node, (ast.Attribute, ast.Name)):
            if isinstance(parent_of[node], ast.Attribute):
                continue
            parts = dotted(node)
            if parts and parts[-1].id in imported:
                yield "spelled", node, parts, imported[parts[-1].id]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            parts = dotted(node.func)
            if parts and parts[-1].id in modules:
                continue
            name = node.func.attr
            if name in only and name not in own:
                yield "only torch's", node, parts, ""
            elif (name in only or name in shared) and not (parts and parts[-1].id == "self" and len(parts) == 2):
                yield "shared", node, parts, ""


def places(tree):
    """What stands around each expression that a use may hang on."""
    return {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}


def resolved(file, uses, facts, only, shared, own):
    """Counts by sort of what must be torch's and was told, and what was not."""
    found = {use.node: use for use in uses}
    around = places(file.tree)
    told, missed = collections.Counter(), []
    for sort, node, parts, start in expected(file, facts, only, shared, own):
        if sort != "spelled":
            good = node in found
        else:
            call = around[node] if isinstance(around[node], ast.Call) else None
            good = any(part in found for part in parts) or (call is not None and call in found)
            if not good:
                full = ".".join([start, *(part.attr for part in reversed(parts[:-1]))])
                known = facts.name(full)
                good = known is not None and known.sort == "module"
        if good and sort == "spelled":
            use = next((found[part] for part in (*parts, around[node]) if part in found), None)
            good = use is None or facts.name(use.torch) is not None
        told[sort, good] += 1
        if not good:
            missed.append((sort, f"{file.path}:{node.lineno}:{node.col_offset}", ast.unparse(node)[:100]))
    return told, missed


def scanned(tree, facts, arguments):
    """One tree."""
    began, worked = time.perf_counter(), time.process_time()
    files = read_sources([tree]).files
    read = time.perf_counter()
    uses = find_uses(files, facts)
    done = time.perf_counter()
    by_file = collections.defaultdict(list)
    for use in uses:
        by_file[use.file].append(use)
    statuses = collections.Counter()
    for some in by_file.values():
        statuses.update(suggestion.status for suggestion in suggest_all(some, facts))
    suggested, worked = time.perf_counter(), time.process_time() - worked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    lines = sum(file.text.count("\n") for file in files)
    print(f"\n{tree}: {len(files)} files, {lines} lines")
    seconds = f"read {read - began:.1f} s, found {done - read:.1f} s ({lines / (done - read):.0f} lines/s)"
    print(f"  {seconds}, suggested {suggested - done:.1f} s")
    print(f"  together {suggested - began:.1f} s, of which {worked:.1f} s of this process's own; {peak:.2f} GB")
    sorts = collections.Counter(use.sort for use in uses)
    print(f"  {len(uses)} uses: {', '.join(f'{count} {sort}' for sort, count in sorts.most_common())}")
    print(f"  to write: {', '.join(f'{count} {status}' for status, count in statuses.most_common())}")
    guessed = sum(not use.sure for use in uses)
    print(f"  sure {len(uses) - guessed}, guessed {guessed} ({guessed / max(len(uses), 1):.1%})")
    unknown = collections.Counter(use.torch for use in uses if facts.name(use.torch) is None)
    print(f"  names that the facts lack: {sum(unknown.values())} uses {unknown.most_common(10)}")
    own = set(own_names(files))
    only, shared = method_names(facts)
    told, missed = collections.Counter(), []
    for file in files:
        counts, more = resolved(file, by_file[file.path], facts, only, shared, own)
        told += counts
        missed += more
    for sort in ("spelled", "only torch's", "shared"):
        good, bad = told[sort, True], told[sort, False]
        print(f"  {sort}: {good} of {good + bad} resolved ({good / max(good + bad, 1):.2%})")
    good = told["spelled", True] + told["only torch's", True]
    bad = told["spelled", False] + told["only torch's", False]
    print(f"  resolved: {good} of {good + bad} ({good / max(good + bad, 1):.2%})")
    random.seed(arguments.seed)
    counted = [row for row in missed if row[0] != "shared" or arguments.shared]
    for sort, place, text in random.sample(counted, min(arguments.unresolved, len(counted))):
        print(f"    not resolved, {sort}: {place}  {text}")
    texts = {file.path: file.text.split("\n") for file in files}
    for use in random.sample(uses, min(arguments.sample, len(uses))):
        mark = "" if use.sure else "?"
        print(
            f"    {use.file}:{use.line}:{use.column} {use.sort} {use.torch}{mark}  | {texts[use.file][use.line - 1].strip()[:110]}"
        )


def main():
    """Every tree that was named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trees", nargs="+")
    parser.add_argument("--unresolved", type=int, default=0, help="print so many places that were not resolved")
    parser.add_argument("--shared", action="store_true", help="print unresolved ones of shared names too")
    parser.add_argument("--sample", type=int, default=0, help="print so many uses at random")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    facts = Facts.load()
    for tree in arguments.trees:
        scanned(tree, facts, arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
