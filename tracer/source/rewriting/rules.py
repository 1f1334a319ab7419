"""What a row of the tables says: `Rule`, the rewriting of one torch name, and `Argument`, what becomes of one argument.

A row reads like the call it makes. Its arguments stand in MindSpore's order:

    Rule("torch.nn.LayerNorm", "mindspore.nn.LayerNorm", mint="mindspore.mint.nn.LayerNorm", arguments=(
        to("normalized_shape", convert=as_tuple),
        to("eps", "epsilon", always=True, keyword=True),
    ))

An argument that a row does not name may only be left out or be torch's default: otherwise the use is by hand. What
changes no number (`device=`) is dropped everywhere. Several rows of one name are tried in order: the first that takes
the call makes it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tracer.source.rewriting.binding import Bound
from tracer.source.rewriting.suggestion import Status
from tracer.source.rewriting.writing import ByHand, Value

__all__ = ["Argument", "ByHand", "Mention", "Rule", "Writer", "Written", "arguments_of", "constant", "made", "to"]

Conversion = Callable[[Value], str | None]
"""From torch's argument to the source of MindSpore's, None to leave it out; raises `ByHand` where it cannot tell."""


@dataclass(frozen=True)
class Argument:
    """What becomes of one argument. Made by `to`, `constant` and `made`.

    Attributes:
        torch: torch's parameter, `*size` for a rest parameter; "" for what torch does not have.
        name: MindSpore's keyword.
        convert: from torch's value to MindSpore's; None as it stands.
        make: the text of an argument that follows from the whole call; None (as a result) leaves it out.
        always: written out, converted from torch's default, where the call leaves it out.
        keyword: MindSpore has this argument at another place than torch: it and what follows is given by keyword.
        loud: torch's value as it stands, or MindSpore's default, raises in MindSpore, so nothing goes wrong silently.
        only: the values MindSpore knows; others, and what cannot be read off the source, are by hand.
        why: a sentence of what is otherwise in MindSpore, said where it matters; "" for a plain one.
        needed: by hand where the call leaves it out: what torch does then cannot be said.
        form: the conversion changes how the value is given and not what it means: sizes in one tuple.
    """

    torch: str
    name: str
    convert: Conversion | None = None
    make: Callable[[Bound], str | None] | None = None
    always: bool = False
    keyword: bool = False
    loud: bool = False
    only: tuple[object, ...] | None = None
    why: str = ""
    needed: bool = False
    form: bool = False


def to(
    torch: str,
    name: str = "",
    *,
    convert: Conversion | None = None,
    always: bool = False,
    keyword: bool = False,
    loud: bool = False,
    only: tuple[object, ...] | None = None,
    why: str = "",
    needed: bool = False,
    form: bool = False,
) -> Argument:
    """Torch's argument becomes MindSpore's of that name (the same one where `name` is left out)."""
    return Argument(torch, name or torch, convert, None, always, keyword, loud, only, why, needed, form)


def constant(name: str, text: str, why: str = "", *, loud: bool = False) -> Argument:
    """An argument that MindSpore is always told: its source text."""
    return Argument("", name, make=lambda _: text, keyword=True, loud=loud, why=why)


def made(name: str, make: Callable[[Bound], str | None], why: str = "", *, loud: bool = False) -> Argument:
    """An argument that follows from the whole call, by keyword; left out where `make` gives None."""
    return Argument("", name, make=make, keyword=True, loud=loud, why=why)


@dataclass(frozen=True)
class Written:
    """What a writer makes of a call.

    Attributes:
        text: the expression to write.
        differences: what is otherwise in MindSpore for these arguments, a sentence each; empty when nothing is.
        silent: would the call with only its name changed run and compute something else?
        status: "differs" where there are differences, else "renamed", unless it is said here.
    """

    text: str
    differences: tuple[str, ...] = ()
    silent: bool = False
    status: Status | None = None


Writer = Callable[[Bound], Written]
"""Writes a call that no row of arguments can; raises `ByHand` where it cannot either."""


@dataclass(frozen=True)
class Rule:
    """The rewriting of one torch name, in classic MindSpore and in mint.

    Attributes:
        torch: the full name.
        mindspore: the classic counterpart; None: this row says nothing of classic MindSpore.
        mint: the counterpart in mint; None: this row says nothing of mint.
        arguments: classic arguments in MindSpore's order, a plain name for one that is the same; None: as both
            signatures say.
        mint_arguments: the same for mint.
        takes: torch's parameters where the facts have others, or the overload that this row is for
            ("input, dim, keepdim=False"); "" as the facts say.
        when: the calls that this row is for; None: all.
        drops: arguments that change no number in MindSpore or that it does without.
        by_hand: what to do by hand; makes a row without a rewriting.
        differences: sentences that hold for each classic call of this row.
        mint_differences: the same for mint.
        silent: would the call with only its name changed run and compute something else? None: reckoned from both
            signatures; of a row by hand: no.
        loud: for these arguments the call with only its name changed raises, or computes the same: not silent.
        advice: what to look at.
        write: makes the classic call where arguments alone cannot say it.
        mint_write: the same for mint.
    """

    torch: str
    mindspore: str | None = None
    mint: str | None = None
    arguments: tuple[Argument | str, ...] | None = None
    mint_arguments: tuple[Argument | str, ...] | None = None
    takes: str = ""
    when: Callable[[Bound], bool] | None = None
    drops: tuple[str, ...] = ()
    by_hand: str = ""
    differences: tuple[str, ...] = ()
    mint_differences: tuple[str, ...] = ()
    silent: bool | Callable[[Bound], bool] | None = None
    loud: Callable[[Bound], bool] | None = None
    advice: str = ""
    write: Writer | None = None
    mint_write: Writer | None = None


@dataclass(frozen=True)
class Mention:
    """What stands for a torch name that is no call: a dtype, an attribute, a base, a definition, an operator.

    Attributes:
        torch: the full name.
        mindspore: the classic counterpart; None where there is none.
        write: the expression, with `{x}` for what an attribute is taken of; "" for the counterpart's name, or the
            attribute of that name; of an operator the expression as it stands.
        differences: what is otherwise there, a sentence each.
        silent: would it run but mean something else if only the name were changed?
        advice: what to look at; with `by_hand` what to do.
        by_hand: nobody can write it for the user.
    """

    torch: str
    mindspore: str | None = None
    write: str = ""
    differences: tuple[str, ...] = ()
    silent: bool = False
    advice: str = ""
    by_hand: bool = False


def arguments_of(row: tuple[Argument | str, ...]) -> tuple[Argument, ...]:
    """The row's arguments, those that are a plain name made whole."""
    return tuple(to(part) if isinstance(part, str) else part for part in row)
