"""The facts as values: names, signatures, pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ParameterSort = Literal["positional_only", "positional", "keyword_only", "rest", "keywords"]
"""`positional` can be given by keyword too; `rest` is *args, `keywords` **kwargs."""


Gives = Literal["tensor", "tensors", "layer", "function", "other", "unknown"]
"""What a call gives back: `tensors` is a tuple or list of tensors, `layer` an instance of the class itself (of
whatever class; one of torch's kinds of tensors gives `tensor`)."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a function: its name, its default as source text (None: must be given), and how it is given.

    `also` are further names a keyword may have: torch's builtins take numpy's (`axis` for `dim`).
    """

    name: str
    default: str | None = None
    sort: ParameterSort = "positional"
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Signature:
    """Parameters in order; a constructor's without `self`, a method's without the receiver.

    `gives` is what this overload gives back: `torch.max(x)` a tensor, `torch.max(x, 0)` two.
    """

    parameters: tuple[Parameter, ...]
    gives: Gives = "unknown"


@dataclass(frozen=True)
class TorchName:
    """A public name of torch.

    Attributes:
        name: the full public name ("torch.nn.GELU"), which all its other names are brought to.
        sort: what it is.
        signatures: of callables, the likeliest first; empty where none could be read.
        gives: of callables, what a call gives back; of attributes (`torch.Tensor.shape`), what they are.
        bases: of classes, the full names of all their bases in torch, nearest first.
        old: True of a name that today's torch no longer has.
    """

    name: str
    sort: Literal["module", "class", "function", "method", "attribute", "dtype", "value"]
    signatures: tuple[Signature, ...] = ()
    gives: Gives = "unknown"
    bases: tuple[str, ...] = ()
    old: bool = False


@dataclass(frozen=True)
class Pair:
    """One torch name and its counterparts.

    Attributes:
        torch: full name.
        mindspore: the classic counterpart, full name, None without one.
        mint: the counterpart in mint, None without one.
        codes: what the mapping table says of `mindspore`, as it writes it ("name:dim|axis", "default:eps 1e-05|1e-07").
        mint_codes: the same of `mint`.
        advice: what to do where no call keeps the meaning, or what to look at; "" when nothing.
        by_hand: True where nobody can write the call for the user.
        source: where the row comes from: "table" (the public mapping tables) or "own".
    """

    torch: str
    mindspore: str | None = None
    mint: str | None = None
    codes: tuple[str, ...] = ()
    mint_codes: tuple[str, ...] = ()
    advice: str = ""
    by_hand: bool = False
    source: Literal["table", "own"] = "table"
