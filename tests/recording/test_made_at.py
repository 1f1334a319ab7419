"""The line that made a layer: found by what is really there, and none rather than a wrong one."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

import pytest
import torch
from torch import nn

from tracer.frameworks.torch import TorchWatcher

W = 4


def lines(net):
    """The text of the line that made each layer, by path; None where none is named."""
    watcher = TorchWatcher()
    table = watcher.layers(net)
    found = {path: watcher.describe(layer, None, "").made_at for path, layer, _ in table}
    return {path: source and source.text for path, source in found.items()}


class Branches(nn.Module):
    def __init__(self, version):
        super().__init__()
        if version == "wide":
            self.body = nn.Sequential(
                nn.Linear(W, 8, bias=False),  # wide
                nn.ReLU(),
                nn.Linear(8, W),  # wide
            )
        elif version == "narrow":
            self.body = nn.Sequential(
                nn.Linear(W, 2),  # narrow
                nn.ReLU(),  # narrow
                nn.Linear(2, W),
            )
        elif version == "short":
            self.body = nn.Sequential(nn.Linear(W, W), nn.GELU())
        else:
            raise ValueError(version)
        if version == "short":
            self.same = nn.Tanh()
        else:
            self.same = nn.Tanh()
        self.norm = nn.LayerNorm(W) if version == "wide" else None
        self.act = nn.ReLU() if version == "wide" else nn.GELU()


@pytest.mark.parametrize(("version", "last"), [("wide", "nn.Linear(8, W),  # wide"), ("narrow", "nn.Linear(2, W),")])
def test_the_branch_that_fits_is_taken(version, last):
    """By the numbers that are written out."""
    found = lines(Branches(version))
    assert found["body.0"].endswith(f"# {version}")
    assert found["body.2"] == last


def test_the_branch_is_known_by_kinds_and_count():
    """Two layers, the second a GELU."""
    found = lines(Branches("short"))
    assert found["body"] == found["body.1"] == "self.body = nn.Sequential(nn.Linear(W, W), nn.GELU())"
    assert found["act"] == 'self.act = nn.ReLU() if version == "wide" else nn.GELU()'


def test_what_cannot_be_decided_is_not_said():
    """Two branches make the same."""
    assert lines(Branches("short"))["same"] is None


class Block(nn.Sequential):
    """In the manner of a published one: builds a list, hands it to its base."""

    def __init__(self, width, norm=nn.BatchNorm1d, act=nn.ReLU, make=nn.Linear):
        layers = [make(width, width)]
        if norm is not None:
            layers.append(norm(width))
        if act is not None:
            layers.append(act())
        super().__init__(*layers)


class Derived(Block):
    def __init__(self, width, act=nn.Sigmoid):
        super().__init__(width, None, act, make=nn.Linear)


class UsesBlocks(nn.Module):
    def __init__(self):
        super().__init__()
        self.full = Block(W)
        self.bare = Block(W, norm=None, act=nn.GELU)
        self.derived = Derived(W)


def test_layers_of_a_container_of_ones_own_are_made_in_its_constructor():
    """Never in the framework's own code."""
    found = lines(UsesBlocks())
    assert found["full"] == "self.full = Block(W)"
    assert found["full.0"] == found["derived.0"] == "layers = [make(width, width)]"
    assert found["full.1"] == "layers.append(norm(width))"
    assert found["full.2"] == found["bare.1"] == found["derived.1"] == "layers.append(act())"


class Appends(nn.ModuleList):
    def __init__(self, n):
        super().__init__()
        for _ in range(n):
            self.append(nn.Linear(W, W))
        self.extend([nn.GELU()])


def test_a_container_that_fills_itself():
    """By append and extend."""
    found = lines(nn.ModuleDict({"it": Appends(2)}))
    assert found["it.1"] == "self.append(nn.Linear(W, W))"
    assert found["it.2"] == "self.extend([nn.GELU()])"


def stem(width):
    return nn.Sequential(nn.Linear(width, width), nn.ReLU())


def pick(name):
    table = {"relu": nn.ReLU, "gelu": nn.GELU}
    return table[name]()


class Ways(nn.Module):
    """One way of each kind to put a layer into a net."""

    def __init__(self, norm_layer=None, make=partial(nn.Linear, bias=False)):
        super().__init__()
        if norm_layer is None:
            norm_layer = nn.LayerNorm
        self.stem = stem(W)
        self.comprehended = nn.ModuleList([nn.Linear(W, W) for _ in range(2)] + [nn.Tanh()])
        self.looped = nn.ModuleList()
        for width in (W, W):
            self.looped.append(nn.Linear(width, W))
            self.looped.append(norm_layer(W))
        stages = []
        for _ in range(2):
            layers = [make(W, W)]
            layers += [nn.Dropout(0.1), nn.SiLU()]
            stages.append(nn.Sequential(*layers))
        self.stages = nn.Sequential(*stages)
        self.named = nn.Sequential(OrderedDict([("one", nn.Linear(W, W)), ("two", nn.ELU())]))
        self.keyed = nn.ModuleDict()
        for key in ("a", "b"):
            self.keyed[key] = nn.Softmax(dim=1)
        self.added = nn.Sequential()
        self.added.add_module("first", nn.Linear(W, W))
        self.added.add_module("second", nn.Mish())
        for n in range(2):
            setattr(self, f"set{n}", nn.CELU())
        self.add_module("direct", nn.Softplus())
        self.picked = pick("gelu")
        self.times = nn.Sequential(*[nn.Identity()] * 3)
        self.pair, self.other = nn.Linear(W, 1), nn.Linear(W, 2)
        tail = [nn.Linear(W, W)]
        for _ in range(1, 3):
            tail.append(nn.Linear(W, W, bias=True))
        self.tail = nn.Sequential(*tail)
        self.attention = nn.MultiheadAttention(W, 2)
        self.lazy = nn.LazyLinear(3)
        self.replaced = nn.Linear(W, W)
        self.block = Residual(W, nn.Sequential(nn.Linear(W, W), norm_layer(W)))
        self.helped = self._helper(nn.Hardtanh)

    def _helper(self, kind):
        return nn.Sequential(kind(), nn.Flatten())


class Residual(nn.Module):
    def __init__(self, width, shortcut):
        super().__init__()
        self.shortcut = shortcut
        self.act = nn.ReLU()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("stem.1", "return nn.Sequential(nn.Linear(width, width), nn.ReLU())"),
        ("comprehended.1", "self.comprehended = nn.ModuleList([nn.Linear(W, W) for _ in range(2)] + [nn.Tanh()])"),
        ("looped.2", "self.looped.append(nn.Linear(width, W))"),
        ("looped.3", "self.looped.append(norm_layer(W))"),
        ("stages", "self.stages = nn.Sequential(*stages)"),
        ("stages.1", "stages.append(nn.Sequential(*layers))"),
        ("stages.1.0", "layers = [make(W, W)]"),
        ("stages.0.2", "layers += [nn.Dropout(0.1), nn.SiLU()]"),
        ("named.two", 'self.named = nn.Sequential(OrderedDict([("one", nn.Linear(W, W)), ("two", nn.ELU())]))'),
        ("keyed.b", "self.keyed[key] = nn.Softmax(dim=1)"),
        ("added.second", 'self.added.add_module("second", nn.Mish())'),
        ("set1", 'setattr(self, f"set{n}", nn.CELU())'),
        ("direct", 'self.add_module("direct", nn.Softplus())'),
        ("picked", 'self.picked = pick("gelu")'),
        ("times.0", "self.times = nn.Sequential(*[nn.Identity()] * 3)"),
        ("other", "self.pair, self.other = nn.Linear(W, 1), nn.Linear(W, 2)"),
        ("tail.0", "tail = [nn.Linear(W, W)]"),
        ("tail.2", "tail.append(nn.Linear(W, W, bias=True))"),
        ("attention.out_proj", "self.attention = nn.MultiheadAttention(W, 2)"),
        ("lazy", "self.lazy = nn.LazyLinear(3)"),
        ("block.act", "self.act = nn.ReLU()"),
        ("block.shortcut.1", "self.block = Residual(W, nn.Sequential(nn.Linear(W, W), norm_layer(W)))"),
        ("helped", "return nn.Sequential(kind(), nn.Flatten())"),
        ("helped.0", "return nn.Sequential(kind(), nn.Flatten())"),
    ],
)
def test_every_way_to_make_a_layer(path, text):
    """Lists, loops, comprehensions, names put together, helper functions, arguments."""
    net = Ways()
    net.lazy(torch.ones(1, W))
    assert lines(net)[path] == text


def test_a_layer_put_there_from_outside_has_no_line():
    """Another class, or where the class has nothing of it."""
    net = Ways()
    net.replaced = nn.Identity()
    net.stem[1] = nn.GELU()
    net.new = nn.Linear(W, W)
    found = lines(net)
    assert found["replaced"] is None
    assert found["stem.1"] is None
    assert found["new"] is None
    assert found["stem.0"] == "return nn.Sequential(nn.Linear(width, width), nn.ReLU())"


def test_a_layer_handed_in_from_nowhere_has_no_line():
    """The caller of the net is not read."""
    assert lines(Residual(W, nn.Linear(W, W))) == {"(root)": None, "shortcut": None, "act": "self.act = nn.ReLU()"}


class Base(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(W, W)
        self.body = nn.ModuleList([nn.ReLU()])


class Child(Base):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(W, W)  # the child's
        self.body.append(nn.ReLU())  # the child's

    def reset(self):
        self.unused = nn.Linear(W, W)


def test_a_subclass_has_the_last_word():
    """What it sets again is its own; what it adds comes after."""
    found = lines(Child())
    assert found["head"] == "self.head = nn.Linear(W, W)  # the child's"
    assert found["body.0"] == "self.body = nn.ModuleList([nn.ReLU()])"
    assert found["body.1"] == "self.body.append(nn.ReLU())  # the child's"


class Later(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(W, W)
        self.late = None
        for pair in (("one", nn.ReLU()), ("two", nn.Sequential(nn.GELU()))):
            self.add_module(*pair)
        self._build()

    def _build(self):
        self.built = nn.ModuleList()
        self.built.append(nn.Tanh())

    def change(self):
        self.head = nn.Linear(W, W)
        self.late = nn.Sequential(nn.ELU())
        self.one = nn.ReLU()


def test_what_has_run_comes_before_what_may_have_run():
    """The constructor and what it calls; other methods where those do not explain the layer."""
    net = Later()
    net.change()
    found = lines(net)
    assert found["head"] == "self.head = nn.Linear(W, W)"
    assert found["built.0"] == "self.built.append(nn.Tanh())"
    assert found["late.0"] == "self.late = nn.Sequential(nn.ELU())"


def test_the_nearest_line_is_named_where_the_rest_comes_from_elsewhere():
    """Names and layers that a loop hands on together."""
    found = lines(Later())
    assert found["one"] == found["two"] == found["two.0"] == "self.add_module(*pair)"


class Tangled(nn.Module):
    """Names that lead to each other in very many ways."""

    def __init__(self, flags=(0,) * 12):
        super().__init__()
        x, y = nn.ReLU(), nn.GELU()
        x, y = (x if flags[0] else y), (y if flags[0] else x)
        x, y = (x if flags[1] else y), (y if flags[1] else x)
        x, y = (x if flags[2] else y), (y if flags[2] else x)
        x, y = (x if flags[3] else y), (y if flags[3] else x)
        x, y = (x if flags[4] else y), (y if flags[4] else x)
        x, y = (x if flags[5] else y), (y if flags[5] else x)
        x, y = (x if flags[6] else y), (y if flags[6] else x)
        x, y = (x if flags[7] else y), (y if flags[7] else x)
        x, y = (x if flags[8] else y), (y if flags[8] else x)
        self.x = x
        one = [x]
        two = one
        one = two + [y]
        two = one + two
        self.many = nn.Sequential(*one, *two)


def test_tangled_names_come_to_an_end():
    """With or without a line: each way back through the assignments is gone once, not two to the tenth times."""
    assert set(lines(Tangled())) == {"(root)", "x", "many", "many.1"}
