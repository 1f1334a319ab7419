"""What the walk asks of the facts: what a name of torch is, what it has, and what calling it gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Protocol

from tracer.source.facts.table import Signature, TorchName
from tracer.source.values import (
    LAYER,
    NUMBER,
    NUMPY,
    OTHER,
    RESULT,
    TENSOR,
    TENSORS,
    TEXT,
    UNKNOWN,
    Made,
    Plain,
    Several,
    Table,
    Value,
    listed,
    one,
)
from tracer.source.words import words

NOT_CALLED = frozenset({"reset_parameters"})
"""Methods that layers of torch have for themselves."""


class Facts(Protocol):
    """What is asked of `tracer.source.facts.table.Facts`."""

    def canonical(self, name: str) -> str | None: ...
    def name(self, name: str) -> TorchName | None: ...
    def members(self, module: str) -> Sequence[str]: ...
    def attribute(self, of: str, attribute: str) -> str | None: ...
    def pair(self, name: str) -> object: ...


_PARAMETERS = one(Several(TENSOR))
_NAMED_LAYERS = one(Several(listed([TEXT, LAYER])))

GIVES: Mapping[str, Value] = {
    "torch.Tensor.shape": one(Made("torch.Size")),
    "torch.Tensor.size": one(Made("torch.Size")),
    "torch.Tensor.dtype": one(Made("torch.dtype")),
    "torch.Tensor.device": one(Made("torch.device")),
    "torch.Tensor.numpy": NUMPY,
    "torch.Tensor.grad": TENSOR,
    "torch.Tensor.unbind": TENSORS,
    "torch.nn.Module.parameters": _PARAMETERS,
    "torch.nn.Module.buffers": _PARAMETERS,
    "torch.nn.Module.named_parameters": one(Several(listed([TEXT, TENSOR]))),
    "torch.nn.Module.named_buffers": one(Several(listed([TEXT, TENSOR]))),
    "torch.nn.Module.modules": one(Several(LAYER)),
    "torch.nn.Module.children": one(Several(LAYER)),
    "torch.nn.Module.named_modules": _NAMED_LAYERS,
    "torch.nn.Module.named_children": _NAMED_LAYERS,
    "torch.nn.Module.get_submodule": LAYER,
    "torch.nn.Module.state_dict": one(Table((), TENSOR)),
    "torch.nn.Module.training": NUMBER,
    "torch.get_default_dtype": one(Made("torch.dtype")),
    "torch.promote_types": one(Made("torch.dtype")),
    "torch.result_type": one(Made("torch.dtype")),
    "torch.autograd.function.FunctionCtx.saved_tensors": TENSORS,
}
"""What the tables of torch's signatures cannot say."""

ITSELF = words(
    """
    to cuda cpu xpu mps half float double bfloat16 type eval train requires_grad_ apply share_memory to_empty
    """
)
"""Methods of a layer that give the layer back."""

SAME = words(
    """
    torch.jit.script torch.jit.trace torch.compile torch.nn.DataParallel torch.nn.parallel.DistributedDataParallel
    torch.nn.SyncBatchNorm.convert_sync_batchnorm torch.nn.utils.weight_norm torch.nn.utils.spectral_norm
    torch.nn.utils.parametrizations.weight_norm torch.nn.utils.parametrizations.spectral_norm torch.fx.wrap
    torch.jit.ignore torch.jit.export torch.jit.unused torch.jit.script_if_tracing torch.compiler.disable
    torch._dynamo.disable torch.jit.interface torch.nn.utils.skip_init
    """
)
"""Functions that give back, in some form, what they were given first."""

PAIRED = frozenset(
    {"torch.nn.LSTM", "torch.nn.GRU", "torch.nn.RNN", "torch.nn.LSTMCell", "torch.nn.MultiheadAttention"}
)
"""Layers whose call gives several tensors."""

HOLDERS = frozenset({"torch.nn.Sequential", "torch.nn.ModuleList", "torch.nn.ParameterList"})
NAMED_HOLDERS = frozenset({"torch.nn.ModuleDict", "torch.nn.ParameterDict"})


class TorchNames:
    """The facts, with what was asked before remembered."""

    def __init__(self, facts: Facts) -> None:
        """Ask these facts."""
        self.facts = facts
        self.canonical = lru_cache(maxsize=None)(facts.canonical)
        self.found = lru_cache(maxsize=None)(facts.name)
        self.member = lru_cache(maxsize=None)(self._member)
        self.tensor_has = lru_cache(maxsize=None)(lambda name: facts.attribute("torch.Tensor", name) is not None)
        self.members = lru_cache(maxsize=None)(facts.members)
        self.worth_telling = lru_cache(maxsize=None)(self._worth_telling)
        self.takes_tensor = lru_cache(maxsize=None)(self._takes_tensor)
        self.derives = lru_cache(maxsize=None)(self._derives)

    def sort(self, name: str) -> str | None:
        """Is it a class, a function, a module ...? None when the facts do not know it."""
        found = self.found(name)
        return found.sort if found else None

    def _takes_tensor(self, name: str, bound: bool) -> bool:
        """Is the first thing that is handed to it a tensor, and nothing else?"""
        found = self.found(name)
        if found is None or bound or found.sort != "function" or not found.signatures:
            return False
        first = [signature.parameters[0].name for signature in found.signatures if signature.parameters]
        return len(first) == len(found.signatures) and set(first) <= {"input", "tensor"}

    def chosen(self, names: Sequence[str], *, spelled: bool) -> str | None:
        """The name to tell of several: where imports in branches brought them, the first that torch has; else none."""
        if len(names) == 1:
            return names[0]
        return next((name for name in names if self.sort(name)), None) if spelled and names else None

    def _worth_telling(self, name: str) -> bool:
        """Is it a name of torch, or one of a package beside it that the facts speak of?"""
        return name.partition(".")[0] == "torch" or self.facts.pair(name) is not None

    def called_as(self, bases: Sequence[str], name: str) -> str | None:
        """The method of torch that a class of the tree defines anew and torch calls; None if it is nothing to torch."""
        if name in NOT_CALLED or (name.startswith("__") and name not in ("__getitem__", "__len__", "__iter__")):
            return None
        for base in bases:
            full = self.member(base, name)
            if full is not None:
                if self.is_layer(base) and self.member("torch.nn.Module", name):
                    return self.member("torch.nn.Module", name)
                return full
        return None

    def _member(self, of: str, name: str) -> str | None:
        return self.facts.attribute(of, name)

    def _derives(self, name: str, base: str) -> bool:
        found = self.found(name)
        return name == base or (found is not None and base in found.bases)

    def is_layer(self, name: str) -> bool:
        """Is it `nn.Module` or a class derived from it?"""
        return bool(self.derives(name, "torch.nn.Module"))

    def is_tensor(self, name: str) -> bool:
        """Is it `torch.Tensor` or a class derived from it?"""
        return bool(self.derives(name, "torch.Tensor"))

    def tensor(self, value: Value) -> bool:
        """Can the value be a tensor?"""
        return any(isinstance(thing, Made) and self.is_tensor(thing.name) for thing in value.things)

    def attribute_gives(self, name: str) -> Value:
        """What an attribute of an instance is, by its full name."""
        special = GIVES.get(name)
        if special is not None:
            return special
        found = self.found(name)
        return _given(found.gives if found else "unknown")

    def make(self, name: str, items: Value | None = None) -> Value:
        """An instance of a class of torch."""
        if self.is_tensor(name):
            return TENSOR
        return one(Made(name, items))

    def call_gives(self, name: str, arguments: Sequence[Value], keywords: Mapping[str, Value], flags: bool) -> Value:
        """What calling a function, method or class of torch gives.

        Args:
            name: its full name.
            arguments: the positional arguments; a method's without its receiver.
            keywords: the others.
            flags: does a keyword ask for several results (`return_indices=True`)?
        """
        if name == "torch.Tensor.size" and (arguments or keywords):
            return NUMBER
        special = GIVES.get(name)
        if special is not None:
            return special
        found = self.found(name)
        if found is None:
            return UNKNOWN
        if found.sort == "class":
            return self._made(name, arguments)
        if flags:
            return TENSORS
        told = {signature.gives for signature in found.signatures if self._fits(signature, arguments, keywords)}
        told.discard("unknown")
        if not told:
            told = {found.gives}
        return _given(told.pop()) if len(told) == 1 else UNKNOWN

    def _made(self, name: str, arguments: Sequence[Value]) -> Value:
        if name in HOLDERS and arguments:
            several = [item for thing in arguments[0].things for item in (thing,) if _is_list(item)]
            if name != "torch.nn.Sequential" or several:
                return self.make(name, arguments[0])
            if len(arguments) == 1 and any(isinstance(thing, Table) for thing in arguments[0].things):
                return self.make(name, arguments[0])
            return self.make(name, listed(list(arguments)))
        if name in HOLDERS:
            return self.make(name, listed([]))
        if name in NAMED_HOLDERS:
            return self.make(name, arguments[0] if arguments else one(Table((), UNKNOWN)))
        return self.make(name)

    def _fits(self, signature: Signature, arguments: Sequence[Value], keywords: Mapping[str, Value]) -> bool:
        parameters = signature.parameters
        given = set(keywords)
        for number, value in enumerate(arguments):
            if number >= len(parameters) or parameters[number].sort == "keyword_only":
                return False
            parameter = parameters[number]
            if parameter.sort == "rest":
                break
            tensor = self.tensor(value)
            if parameter.name == "dim" and tensor:
                return False
            if parameter.name == "other" and any(isinstance(thing, Plain) for thing in value.things) and not tensor:
                return False
            given.add(parameter.name)
        names = {parameter.name for parameter in parameters}
        loose = any(parameter.sort == "keywords" for parameter in parameters)
        if not loose and not given <= names:
            return False
        needed = {p.name for p in parameters if p.default is None and p.sort not in ("rest", "keywords")}
        return needed <= given

    def layer_gives(self, name: str, tensor: bool, sure: bool) -> Value:
        """What calling a layer of torch gives; a layer that is called with a tensor gives one."""
        if name in PAIRED:
            return TENSORS
        if not self.is_layer(name):
            return UNKNOWN
        if name in NAMED_HOLDERS or name in ("torch.nn.ModuleList", "torch.nn.ParameterList"):
            return UNKNOWN
        if name == "torch.nn.Module":  # of any class: it may give a list, or a dict
            return RESULT
        return TENSOR if sure or tensor else TENSOR.unsure()


def _is_list(thing: object) -> bool:
    from tracer.source.values import Row

    return isinstance(thing, (Row, Several))


def _given(gives: str) -> Value:
    return {"tensor": TENSOR, "tensors": TENSORS, "other": OTHER}.get(gives, UNKNOWN)
