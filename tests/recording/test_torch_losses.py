"""What made a loss in torch: a layer beside the net, or the graph behind it."""

from __future__ import annotations

import contextlib
import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.recording.test_torch_training import CLASSES, N, batch, made_net
from tracer.frameworks.torch import TorchWatcher


@pytest.fixture
def trainer():
    return TorchWatcher().trainer()


def seen_in(trainer, net, run):
    seen = []
    with trainer.watch_losses(net, lambda output, facts: seen.append((output, facts))):
        result = run()
    return seen, result


def test_a_loss_layer_beside_the_net_is_seen(trainer):
    """Class, settings, and what it was given by position and name, its weights too."""
    net, (x, y) = made_net(), batch()
    criterion = nn.CrossEntropyLoss(weight=torch.ones(CLASSES), label_smoothing=0.1)
    output = net(x)
    ((loss, facts),), result = seen_in(trainer, net, lambda: criterion(output, target=y))
    assert loss is result and facts.kind == "CrossEntropyLoss" and facts.source is None
    assert facts.bases[0] == "torch.nn.modules.loss.CrossEntropyLoss"
    assert facts.settings["label_smoothing"] == 0.1 and facts.settings["reduction"] == "mean"
    assert [(leaf.path, id(leaf.value)) for leaf in facts.inputs] == [
        ("0", id(output)), ("target", id(y)), ("weight", id(criterion.weight)),
    ]  # fmt: skip


class Own(nn.Module):
    """A loss of the user's, with one of torch's inside."""

    def __init__(self):
        super().__init__()
        self.inner, self.factor = nn.MSELoss(), 2.0

    def forward(self, a, b):
        return self.factor * self.inner(a, b)


def test_layers_inside_a_loss_are_not_told(trainer):
    """The loss of the user's is, with the line of its class."""
    x, y = torch.ones(2), torch.zeros(2)
    ((_, facts),), _ = seen_in(trainer, made_net(), lambda: Own()(x, y))
    assert (facts.kind, facts.settings["factor"], facts.source.text) == ("Own", 2.0, "class Own(nn.Module):")


def test_layers_of_the_net_are_not_told(trainer):
    """Called inside the net or by themselves, nor those that the net makes while it runs."""

    class Making(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(N, CLASSES)

        def forward(self, x):
            return nn.Softmax(-1)(self.fc(x))

    net, (x, _) = Making(), batch()
    assert seen_in(trainer, net, lambda: (net(x), net.fc(x)))[0] == []


class WithLoss(nn.Module):
    """The net and its loss in one."""

    def __init__(self, net):
        super().__init__()
        self.net, self.criterion = net, nn.CrossEntropyLoss()

    def forward(self, x, y):
        return self.criterion(self.net(x), y)


@pytest.mark.parametrize("given", ["inner", "outer"])
def test_a_wrapper_around_the_net_is_no_loss(given, trainer):
    """DataParallel, whichever of the two is given."""
    inner = made_net()
    outer, (x, y) = nn.DataParallel(inner), batch()
    seen, _ = seen_in(trainer, outer if given == "outer" else inner, lambda: nn.CrossEntropyLoss()(outer(x), y))
    assert [facts.kind for _, facts in seen] == ["CrossEntropyLoss"]


def test_the_loss_beside_the_net_in_a_layer_around_both(trainer):
    """The layer around is passed through."""
    net, (x, y) = made_net(), batch()
    seen, loss = seen_in(trainer, net, lambda: WithLoss(net)(x, y))
    assert [(facts.kind, output is loss) for output, facts in seen] == [("CrossEntropyLoss", True)]


def test_a_compiled_net_does_not_warn_of_our_hooks(trainer):
    """Torch warns of hooks for all modules; the list of filters is as before."""
    inner, (x, y) = made_net(), batch()
    net = torch.compile(inner, backend="eager")
    before = list(warnings.filters)
    with torch.compiler.set_stance("force_eager"):
        seen, _ = seen_in(trainer, inner, lambda: nn.CrossEntropyLoss()(net(x), y))
    assert [facts.kind for _, facts in seen] == ["CrossEntropyLoss"] and warnings.filters == before


def test_a_loss_that_raised_is_not_told(trainer):
    """And the next one is."""
    net, criterion = made_net(), nn.MSELoss()

    def run():
        with contextlib.suppress(ValueError):
            nn.CrossEntropyLoss()(torch.ones(2, 3), torch.ones(5, dtype=torch.int64))
        return criterion(torch.ones(2), torch.ones(2))

    assert [facts.kind for _, facts in seen_in(trainer, net, run)[0]] == ["MSELoss"]


logits = torch.randn(4, CLASSES, generator=torch.Generator().manual_seed(0)).requires_grad_()
target, labels, weight = torch.rand(4, CLASSES), torch.tensor([0, 2, 1, 1]), torch.tensor([1.0, 2.0, 3.0])

functions = {
    "mse_loss": (lambda: F.mse_loss(logits, target, reduction="sum"), {"reduction": "sum"}, {"self", "target"}),
    "cross_entropy": (
        lambda: F.cross_entropy(logits, labels, weight),
        {"reduction": "mean", "ignore_index": -100},
        {"self", "target", "weight"},
    ),
    "nll_loss": (lambda: F.nll_loss(logits, labels, ignore_index=3), {"reduction": "mean", "ignore_index": 3}, {"self", "target"}),
    "smooth_l1_loss": (lambda: F.smooth_l1_loss(logits, target, beta=0.5), {"reduction": "mean", "beta": 0.5}, {"self", "target"}),
    "binary_cross_entropy_with_logits": (
        lambda: F.binary_cross_entropy_with_logits(logits, target, pos_weight=weight),
        {"reduction": "mean"},
        {"self", "target", "pos_weight"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", functions)
def test_a_loss_by_a_function_is_known_by_its_graph(kind, trainer):
    """The function's name, its settings, and the tensors it saved."""
    run, settings, names = functions[kind]
    facts = trainer.made_by(run())
    assert (facts.kind, dict(facts.settings), {leaf.path for leaf in facts.inputs}) == (kind, settings, names)


def test_saved_tensors_are_what_the_function_was_given(trainer):
    """Of cross entropy the log-softmax, which has the same cross entropy."""
    found = {leaf.path: leaf.value for leaf in trainer.made_by(F.cross_entropy(logits, labels)).inputs}
    assert torch.equal(found["self"], logits.log_softmax(1)) and torch.equal(found["target"], labels)


def test_cross_entropy_of_images(trainer):
    """It is another function inside torch."""
    maps = torch.randn(2, CLASSES, 2, 2, requires_grad=True)
    assert trainer.made_by(F.cross_entropy(maps, torch.zeros(2, 2, 2, dtype=torch.int64))).kind == "cross_entropy"


@pytest.mark.parametrize(
    "options", [{}, {"reduction": "sum"}, {"weight": weight, "reduction": "sum"}, {"reduction": "none"}]
)
def test_label_smoothing_is_seen_in_the_graph(options, trainer):
    """As the sum of two losses."""
    facts = trainer.made_by(F.cross_entropy(logits, labels, label_smoothing=0.1, **options))
    assert facts.kind == "cross_entropy" and facts.settings["label_smoothing"] == pytest.approx(0.1)
    assert facts.settings["reduction"] == options.get("reduction", "mean")


def test_a_sum_of_two_losses_is_no_smoothing(trainer):
    """It is told as the addition it is."""
    loss = 0.9 * F.cross_entropy(logits, labels) + 0.5 * logits.square().mean()
    assert trainer.made_by(loss).kind == "add"


def test_a_freed_graph_still_has_its_name(trainer):
    """Its tensors are left out."""
    loss = F.mse_loss(logits, target)
    loss.backward()
    logits.grad = None
    facts = trainer.made_by(loss)
    assert (facts.kind, facts.inputs) == ("mse_loss", ())


def test_an_overwritten_tensor_is_left_out(trainer):
    """Torch would refuse it."""
    goal = target.clone()
    loss = F.mse_loss(logits, goal)
    goal.add_(1)
    assert [leaf.path for leaf in trainer.made_by(loss).inputs] == ["self"]


def test_saved_tensors_behind_hooks_are_left_alone(trainer):
    """Getting them would run the user's code (a checkpoint computes all again)."""
    ran = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: ran.append(1) or t):
        loss = F.mse_loss(logits, target)
    assert trainer.made_by(loss).inputs == () and not ran


def test_what_was_no_function_of_anything_tells_nothing(trainer):
    """No graph, no tensor."""
    assert [trainer.made_by(thing) for thing in (torch.ones(()), 1.0, None)] == [None, None, None]


class Mine(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.sum()

    @staticmethod
    def backward(ctx, g):
        return g.expand(4, CLASSES)


def test_a_function_of_the_users_own_is_known_by_its_class(trainer):
    """As it is written."""
    assert trainer.made_by(Mine.apply(logits)).kind == "Mine"
