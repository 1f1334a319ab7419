"""Writes the tables of torch's names and MindSpore's signatures from the installed packages.

    python benchmarks/make_facts.py torch         tracer/source/facts/torch_names.json
    python benchmarks/make_facts.py mindspore     tracer/source/facts/mindspore_signatures.json

Both can be run again at any time and write the same; nothing else in the repository is read or written, except
`api_map.csv` and `own_pairs.csv`, whose torch names are the ones that an object with several names goes by.
"""

import csv
import json
import os
import sys
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
FACTS = Path(__file__).parent.parent / "tracer" / "source" / "facts"


def preferred():
    """The torch names that stand in the tables of pairs."""
    found = set()
    for name in ("api_map.csv", "own_pairs.csv"):
        path = FACTS / name
        if path.exists():
            with path.open(encoding="utf-8", newline="") as lines:
                found |= {row["torch"] for row in csv.DictReader(lines)}
    return found - {"torch.nn.parameter.Parameter"}  # one table writes it so, everybody else torch.nn.Parameter


def grouped(table):
    """{"torch.cat": x} as {"torch": {"cat": x}}, sorted."""
    groups = defaultdict(dict)
    for name in sorted(table):
        room, _, last = name.rpartition(".")
        groups[room][last] = table[name]
    return groups


def write(path, parts):
    """One name a line, so that a new version's changes can be read."""
    lines = ["{"]
    for number, (key, value) in enumerate(parts.items()):
        comma = "," if number < len(parts) - 1 else ""
        if not isinstance(value, dict):
            lines.append(f"{json.dumps(key)}:{json.dumps(value)}{comma}")
            continue
        lines.append(f"{json.dumps(key)}:{{")
        rooms = sorted(value.items())
        for place, (room, names) in enumerate(rooms):
            if isinstance(names, list):
                lines.append(f"{json.dumps(room)}:{json.dumps(names)}{',' if place < len(rooms) - 1 else ''}")
                continue
            inner = ",\n".join(f"{json.dumps(k)}:{json.dumps(v, separators=(',', ':'))}" for k, v in names.items())
            lines.append(f"{json.dumps(room)}:{{\n{inner}}}{',' if place < len(rooms) - 1 else ''}")
        lines.append(f"}}{comma}")
    lines.append("}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(path.name, path.stat().st_size)


def torch_names():
    import torch
    from facts_torch_names import Table

    table = Table(preferred())
    short = {
        name: [sort, gives, signatures, bases] if bases else [sort, gives, signatures] if signatures else [sort, gives]
        for name, (sort, gives, signatures, bases) in table.names.items()
    }
    parts = {
        "torch": torch.__version__.split("+")[0],
        "names": grouped(short),
        "aliases": grouped(table.aliases),
        "hidden": table.hidden(),
    }
    write(FACTS / "torch_names.json", parts)


def mindspore_signatures():
    import mindspore
    from facts_mindspore import signatures

    write(FACTS / "mindspore_signatures.json", {"mindspore": mindspore.__version__, "names": grouped(signatures())})


if __name__ == "__main__":
    {"torch": torch_names, "mindspore": mindspore_signatures}[sys.argv[1]]()
    sys.stdout.flush()
    os._exit(0)  # what torch's modules started need not be waited for
