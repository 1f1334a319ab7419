"""The rule of a pair that has no row by hand: what the mapping table's codes and both signatures say, and no more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tracer.source.facts.table import Parameter, Signature
from tracer.source.rewriting.applying import NO_NUMBERS, alike
from tracer.source.rewriting.rules import Argument, ByHand

MEANINGS = {
    "meaning": "the meaning of an argument",
    "mode": "a mode",
    "rank": "the number of dimensions it takes",
    "shape": "shapes",
    "type": "the type of an argument",
    "range": "the range of an argument",
    "form": "the form of an argument",
    "returns": "what it returns",
    "behaviour": "what it does",
    "algo": "the algorithm",
    "pad": "padding",
    "set": "the values an argument knows",
    "near": "an argument that is not quite the same",
}
"""Codes a person read off a page of differences: no rule follows from them."""

_NEVER = {*NO_NUMBERS, "out"}


def arguments_from(torch: Signature, mindspore: Signature, codes: Iterable[str]) -> tuple[Argument, ...]:
    """MindSpore's arguments by torch's, in MindSpore's order.

    Raises:
        ByHand: where the codes or the signatures leave open which answers which.
    """
    codes = tuple(codes)
    for code in codes:
        if code.partition(":")[0] in MEANINGS:
            raise ByHand(f"the mapping table says that {MEANINGS[code.partition(':')[0]]} differs")
    renamed = dict(_pairs(codes))
    own = {p.name: place for place, p in enumerate(mindspore.parameters)}
    found: dict[str, tuple[int, Parameter]] = {}
    for place, parameter in enumerate(torch.parameters):
        name = _answer(place, parameter, renamed, own, torch, mindspore)
        if name is not None:
            found[name] = (place, parameter)
    arguments = []
    for place, parameter in enumerate(mindspore.parameters):
        if parameter.name in found:
            arguments.append(_argument(place, parameter, *found[parameter.name]))
        elif parameter.default is None and parameter.sort not in ("rest", "keywords"):
            raise ByHand(f"what MindSpore's {parameter.name} is to be does not follow from torch's arguments")
    return tuple(arguments)


def _pairs(codes: Sequence[str]) -> Iterable[tuple[str, str]]:
    for code in codes:
        kind, _, rest = code.partition(":")
        if kind in ("name", "call"):
            a, bar, b = rest.partition("|")
            if bar:
                yield a.strip(), b.strip()


def _answer(
    place: int,
    parameter: Parameter,
    renamed: dict[str, str],
    own: dict[str, int],
    torch: Signature,
    mindspore: Signature,
) -> str | None:
    name = renamed.get(parameter.name, parameter.name)
    if name in own:
        return name
    if parameter.name in _NEVER:
        return None
    known = {p.name for p in torch.parameters}
    first = mindspore.parameters[0] if mindspore.parameters else None
    if place == 0 and first and first.sort == parameter.sort and first.name not in {*known, *renamed.values()}:
        return first.name if first.default is None and parameter.default is None else None
    return None


def _argument(place: int, mindspore: Parameter, torch_place: int, torch: Parameter) -> Argument:
    star = "*" if torch.sort == "rest" else ""
    if (torch.sort == "rest") != (mindspore.sort == "rest"):
        raise ByHand(f"MindSpore takes {mindspore.name} in another form than torch")
    keyword = place != torch_place or mindspore.sort == "keyword_only"
    always = False
    if torch.default is not None and not _equal_defaults(torch, mindspore):
        if torch.default == "None":
            return Argument(f"{star}{torch.name}", mindspore.name, keyword=keyword, needed=True)
        always = True
    return Argument(f"{star}{torch.name}", mindspore.name, keyword=keyword, always=always)


def _equal_defaults(torch: Parameter, mindspore: Parameter) -> bool:
    if torch.default is None or mindspore.default is None:
        return False
    return torch.name == "dtype" or alike(torch.default, mindspore.default)
