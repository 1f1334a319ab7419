"""Births in words, for every report."""

from __future__ import annotations

from tracer.divergence.births.born import Birth, Mask, Seen
from tracer.trace.views import full_name


def numbers(nan: int, inf: int) -> str:
    """How many are not finite: "3 NaN 1 Inf"."""
    return " ".join(f"{count} {name}" for count, name in ((nan, "NaN"), (inf, "Inf")) if count)


def kind_of(birth: Birth) -> str:
    """NaN or Inf, in one word."""
    return "NaN" if birth.nan else "Inf"


def place(birth: Birth) -> str:
    """Where it was born: "in log (Log)", "in code of (root), after fc and before out"."""
    kind = f" ({birth.kind})" if birth.kind else ""
    if birth.where == "code":
        ends = [f"{word} {name}" for word, name in (("after", birth.after), ("before", birth.before)) if name]
        if birth.phase == "backward" and birth.after == birth.path:
            return f"in code outside the net, after {birth.path}"
        return f"in code of {birth.name}" + (f", {' and '.join(ends)}" if ends else "")
    if birth.where == "input":
        return f"in input {birth.leaf} as the net was given it"
    if birth.where == "parameter":
        when = "updated by " + birth.kind if birth.phase == "update" else birth.kind
        return f"in parameter {full_name(birth.path, birth.leaf)}" + (f" ({when})" if when else "")
    if birth.where == "gradient":
        return f"in the gradient of {full_name(birth.path, birth.leaf)}, between backward and optimizer"
    if birth.where == "loss":
        return f"in the loss{kind}"
    return f"in {birth.name}{kind}"


def value(birth: Birth) -> str:
    """Which value it is, with its counts: "19 NaN of 24 elements (float32) of its output"."""
    leaf = f" {birth.leaf}" if birth.leaf else ""
    where = {
        "output": f"its output{leaf}",
        "input": f"input{leaf}" + (f" of {birth.before}" if birth.before else ""),
        "grad_input": f"the gradient of its input{leaf}",
        "grad_output": f"the gradient of its output{leaf}",
        "grad_param": f"the gradient of its parameter{leaf}",
    }
    if birth.where == "code" and birth.side == "grad_output":
        where["grad_output"] = f"the gradient of the output of {birth.after}"
    if birth.where == "loss":
        where |= {"output": "the loss", "grad_output": "the gradient that is sent back"}
    elements = "1 element" if birth.count == 1 else f"{birth.count} elements"
    said = f"{numbers(birth.nan, birth.inf)} of {elements} ({birth.dtype})"
    return f"{said} of {where[birth.side]}" if birth.side in where else said


def became(birth: Birth) -> list[str]:
    """What became of it, a few words each."""
    said = []
    if birth.passed_on:
        said.append(f"passed on to {few(birth.passed_on)}")
    if birth.healed_by:
        also = "healed by" if birth.healed else "swallowed on one road by"
        said.append(f"{also} {few(birth.healed_by)}")
    reached = {
        "output": "the output of the net",
        "loss": "the loss",
        "gradients": "gradients of parameters",
        "parameters": "the parameters",
    }
    if birth.reached:
        said.append("reached " + ", ".join(reached[word] for word in birth.reached))
    return said or ["seen nowhere else"]


def sentence(birth: Birth) -> str:
    """A birth in one sentence."""
    unsure = "" if birth.sure else " (first seen there: of what it was made is not recorded)"
    return f"{kind_of(birth)} is born {place(birth)}, {birth.phase}{unsure}: {value(birth)}; {'; '.join(became(birth))}"


def given(one: Seen) -> str:
    """A value that was at hand: "input 0  float32 (2, 3, 4), -0.976 to 0.355"."""
    if one.mask:
        held = f"a mask: {one.inf} Inf"
    elif one.minimum is None or one.maximum is None:
        held = numbers(one.nan, one.inf) or "empty"
    else:
        held = f"{one.minimum:.4g} to {one.maximum:.4g}" + (
            f", {numbers(one.nan, one.inf)}" if one.nan or one.inf else ""
        )
    return f"{one.what}: {one.dtype} {one.shape}, {held}"


def mask(one: Mask) -> str:
    """A mask in one sentence."""
    side = f"{one.side} {one.leaf}".rstrip()
    taken = f", consumed by {one.taker}" if one.taker and one.taker != one.path else ""
    return f"{one.inf} of {one.count} Inf in {side} of {one.path} are a mask{taken}"


def few(names: tuple[str, ...]) -> str:
    """The first three, and how many more."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
