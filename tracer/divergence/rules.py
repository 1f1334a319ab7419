"""What a recorded layer means: op, settings and parameters in common words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tracer.trace.schema import Plain


@dataclass(frozen=True)
class Setting:
    """One setting in torch's word and value, with the framework's own beside it. `argument` is what to write in the
    framework's constructor, `default` whether the value is the framework's default."""

    name: str
    value: Plain
    own_name: str
    own_value: Plain
    argument: str
    default: bool = False


@dataclass(frozen=True)
class CommonParameter:
    """One parameter: torch's name, the (layer path, own name) it is recorded under, its shape in torch's layout."""

    name: str
    path: str
    own_name: str
    shape: tuple[int, ...]
    layout: str = "same"


@dataclass(frozen=True)
class Meaning:
    """A layer in common words. `op` is "" for a class that no rule knows; `family` groups ops that stand for each
    other in a wrong port ("activation", "norm", "pool", "conv", ...). The flags are those of `LayerRule`."""

    op: str
    family: str = ""
    settings: Mapping[str, Setting] = field(default_factory=dict)
    parameters: Mapping[str, CommonParameter] = field(default_factory=dict)
    mode: str = ""
    transparent: bool = False
    atomic: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class SettingDifference:
    """A setting that means something else on the two sides. `sentence` says it; `edit` is the call to write in the
    candidate's code ("nn.GELU(approximate=False)")."""

    name: str
    reference: Plain
    candidate: Plain
    sentence: str
    edit: str
