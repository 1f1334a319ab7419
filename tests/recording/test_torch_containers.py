"""Containers of the user's own making: what a layer gets is a copy, and what it does to it reaches the caller."""

from __future__ import annotations

from collections import OrderedDict, UserDict, defaultdict
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pytest
import torch
from torch import nn

import tracer
from tests.recording.nets import D, batch, made


@dataclass
class State:
    h: object
    out: object = None


@dataclass(frozen=True)
class Frozen:
    h: object


class Slots:
    """In the manner of attrs, without the package."""

    __slots__ = ("h",)
    __attrs_attrs__ = (type("Attribute", (), {"name": "h"}),)

    def __init__(self, h):
        self.h = h


class WritesItem(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(D, D)

    def forward(self, found):
        found["out"] = self.fc(found["h"])
        found["same"] = found["h"]


class WritesField(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(D, D)

    def forward(self, state):
        state.out = self.fc(state.h)
        state.later = state.h


class Holder(nn.Module):
    """Hands its layer a container and reads what that wrote."""

    def __init__(self, make, layer, read):
        super().__init__()
        self.first, self.layer, self.make, self.read = nn.Linear(D, D), layer, make, read

    def forward(self, x):
        h = self.first(x)
        held = self.make(h)
        self.layer(held)
        out, same = self.read(held)
        assert same is h
        return out


MAPPINGS = {
    "dict": lambda h: {"h": h},
    "OrderedDict": lambda h: OrderedDict(h=h),
    "UserDict": lambda h: UserDict(h=h),
    "defaultdict": lambda h: defaultdict(list, h=h),
}


@pytest.mark.parametrize("make", MAPPINGS.values(), ids=MAPPINGS)
def test_items_that_a_layer_writes_reach_the_caller(make, tmp_path):
    """In a mapping of any class; and the layer's input gradient is there."""
    net = made(lambda: Holder(make, WritesItem(), lambda d: (d["out"], d["same"])))
    trace = tracer.record(net, batch(2, D), out=tmp_path / "t.h5")
    assert set(trace["layer"].calls[0].grad_inputs) == {"0.h"}
    with tracer.recording(net, out=tmp_path / "t.h5"):
        net(batch(2, D)).sum().backward()


def test_fields_that_a_layer_writes_reach_the_caller(tmp_path):
    """In a dataclass, new attributes too."""
    net = made(lambda: Holder(State, WritesField(), lambda s: (s.out, s.later)))
    trace = tracer.record(net, batch(2, D), out=tmp_path / "t.h5")
    assert set(trace["layer"].calls[0].grad_inputs) == {"0.h"}


class ReadsField(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(D, D)

    def forward(self, held):
        return self.fc(held["h"] if isinstance(held, MappingProxyType) else held.h)


@pytest.mark.parametrize("make", [State, Frozen, Slots, lambda h: MappingProxyType({"h": h})])
def test_arrays_inside_become_tensors_and_the_users_object_stays(make, tmp_path):
    """Dataclasses, frozen ones, attrs classes, mappings that are fixed."""
    x = np.ones((2, D), "float32")
    given = make(x)
    trace = tracer.record(made(ReadsField), (given,), out=tmp_path / "t.h5")
    assert trace["fc"].calls[0].output.shape == (2, D)
    assert (given["h"] if isinstance(given, MappingProxyType) else given.h) is x


def test_any_mapping_as_inputs_names_the_arguments(tmp_path):
    """As a tokenizer gives one."""

    class Named(nn.Module):
        def forward(self, a, b):
            return a + b

    x = np.ones((2, D), "float32")
    trace = tracer.record(Named(), UserDict(b=x, a=x), out=tmp_path / "t.h5")
    assert set(trace["(root)"].calls[0].kwargs) == {"a", "b"}


def test_a_container_that_refuses_to_be_copied_is_handed_on_itself(tmp_path):
    """Then its tensors have no gradient of their own, and the net goes on."""

    class Stubborn(UserDict):
        def __copy__(self):
            raise TypeError("one of a kind")

    net = made(lambda: Holder(lambda h: Stubborn(h=h), WritesItem(), lambda d: (d["out"], d["same"])))
    trace = tracer.record(net, batch(2, D), out=tmp_path / "t.h5")
    assert trace.complete
    assert isinstance(net(batch(2, D)), torch.Tensor)
