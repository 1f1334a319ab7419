"""The torch side of training steps: what an optimizer is told, remembers and gets, and that watching changes
nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.recording.truth import bits
from tracer.errors import RecordingError
from tracer.frameworks.torch import TorchWatcher

N, CLASSES = 6, 3


@pytest.fixture
def trainer():
    return TorchWatcher().trainer()


class Heard:
    """A listener that keeps copies of what it was told."""

    def __init__(self):
        self.gradients, self.updates, self.order = [], 0, []

    def about_to_update(self, gradients):
        self.gradients.append([(p, None if g is None else g.detach().clone()) for p, g in gradients])
        self.order.append("about")

    def updated(self):
        self.updates += 1
        self.order.append("updated")


def made_net(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(N, 8), nn.Tanh(), nn.Linear(8, CLASSES))


def batch(n=0):
    generator = torch.Generator().manual_seed(n)
    return torch.randn(5, N, generator=generator), torch.randint(0, CLASSES, (5,), generator=generator)


def step(net, optimizer, n=0, set_to_none=True):
    x, y = batch(n)
    optimizer.zero_grad(set_to_none=set_to_none)
    loss = F.cross_entropy(net(x), y)
    loss.backward()
    optimizer.step()
    return loss


def sgd(net, **settings):
    return torch.optim.SGD(net.parameters(), **{"lr": 0.1, "momentum": 0.9, **settings})


def everything(optimizer):
    """All that an optimizer holds, with the objects it holds it in."""
    attributes = {name: id(value) for name, value in vars(optimizer).items()}
    groups = [
        (id(g), [(k, id(v)) for k, v in g.items()], [bits(p) for p in g["params"]]) for g in optimizer.param_groups
    ]
    state = [(id(p), id(held), plain_state(held)) for p, held in optimizer.state.items()]
    hooks = {name: list(value) for name, value in vars(optimizer).items() if "hooks" in name}
    grads = [(id(p.grad), bits(p.grad)) for g in optimizer.param_groups for p in g["params"]]
    return attributes, groups, state, hooks, grads


def plain_state(held):
    return [(k, id(v), bits(v) if isinstance(v, torch.Tensor) else repr(v)) for k, v in held.items()]


# ------------------------------------------------------------------------------------------ what an optimizer is told


def test_class_and_bases_of_an_optimizer(trainer):
    """The class, and its bases up to torch's Optimizer."""
    facts = trainer.optimizer(torch.optim.AdamW(made_net().parameters()))
    assert facts.kind == "AdamW"
    assert facts.bases[0] == "torch.optim.adamw.AdamW" and "torch.optim.optimizer.Optimizer" not in facts.bases
    assert facts.source is None


class Halved(torch.optim.SGD):
    """A rule of the user's own, which calls its base's."""

    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad.div_(2)
        return super().step(closure)


def test_an_optimizer_of_the_users_says_where_its_class_is(trainer):
    """The line of the class."""
    facts = trainer.optimizer(Halved(made_net().parameters(), lr=0.1))
    assert facts.source.text == "class Halved(torch.optim.SGD):"
    assert "torch.optim.sgd.SGD" in facts.bases


def test_groups_have_their_own_settings_and_parameters(trainer):
    """Settings that differ stand in the groups only; the learning rate is the one that the schedule gives now."""
    net = made_net()
    groups = [{"params": net[0].parameters()}, {"params": net[2].parameters(), "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=0.1, weight_decay=0.5)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
    step(net, optimizer)
    schedule.step()
    facts = trainer.optimizer(optimizer)
    assert [g.settings["weight_decay"] for g in facts.groups] == [0.5, 0.0]
    assert [g.settings["lr"] for g in facts.groups] == [0.05, 0.05]
    assert facts.settings["betas"] == [0.9, 0.999] and not {"lr", "weight_decay"} & set(facts.settings)
    assert [id(p) for g in facts.groups for p in g.parameters] == [id(p) for p in net.parameters()]


def test_a_tensor_as_learning_rate_is_a_number(trainer):
    """As the next update uses it."""
    optimizer = torch.optim.Adam(made_net().parameters(), lr=torch.tensor(0.25), foreach=False)
    assert trainer.optimizer(optimizer).groups[0].settings["lr"] == 0.25


@pytest.mark.parametrize("thing", [nn.Linear(2, 2), None, {"param_groups": []}])
def test_what_is_no_optimizer_is_refused(thing, trainer):
    """With its class and what to give."""
    with pytest.raises(RecordingError, match="no torch optimizer"):
        trainer.optimizer(thing)


class Wrapper:
    """Hands all on to an optimizer inside."""

    def __init__(self, inner):
        self.inner = inner

    param_groups = property(lambda self: self.inner.param_groups)
    state = property(lambda self: self.inner.state)

    def step(self):
        self.inner.step()

    def zero_grad(self, set_to_none=True):
        self.inner.zero_grad(set_to_none)


def test_a_wrapper_with_groups_and_state_is_an_optimizer(trainer):
    """It need not be a subclass."""
    facts = trainer.optimizer(Wrapper(sgd(made_net())))
    assert facts.kind == "Wrapper" and facts.groups[0].settings["momentum"] == 0.9


# ------------------------------------------------------------------------------------------ what it remembers


def test_an_optimizer_remembers_nothing_before_its_first_step(trainer):
    """And asking makes no entries."""
    optimizer = sgd(made_net())
    assert trainer.state(optimizer) == [] and not optimizer.state


def test_state_is_by_parameter_and_key(trainer):
    """The tensors themselves, in the order of the parameters."""
    net = made_net()
    optimizer = torch.optim.Adam(net.parameters())
    step(net, optimizer)
    found = trainer.state(optimizer)
    assert [id(fact.parameter) for fact in found] == [id(p) for p in net.parameters() for _ in range(3)]
    assert [fact.key for fact in found[:3]] == ["step", "exp_avg", "exp_avg_sq"]
    assert all(fact.value is optimizer.state[fact.parameter][fact.key] for fact in found)


def test_lists_in_the_state_are_opened(trainer):
    """LBFGS keeps directions in lists."""
    net = made_net()
    optimizer = torch.optim.LBFGS(net.parameters(), max_iter=3)
    loops["lbfgs"][1](net, optimizer, 0)
    keys = {fact.key for fact in trainer.state(optimizer)}
    assert {"old_dirs.0", "n_iter", "d"} <= keys


def test_state_of_no_parameter(trainer):
    """Under its own key."""
    optimizer = sgd(made_net())
    optimizer.state["updates"] = 3
    assert [(f.parameter, f.key, f.value) for f in trainer.state(optimizer)] == [(None, "updates", 3)]


makers = {
    "sgd": sgd,
    "nesterov": lambda net: sgd(net, nesterov=True),
    "adam": lambda net: torch.optim.Adam(net.parameters(), lr=0.01),
    "amsgrad": lambda net: torch.optim.Adam(net.parameters(), lr=0.01, amsgrad=True),
    "adamw foreach": lambda net: torch.optim.AdamW(net.parameters(), lr=0.01, foreach=True),
    "adamw fused": lambda net: torch.optim.AdamW(net.parameters(), lr=0.01, fused=True),
    "rmsprop": lambda net: torch.optim.RMSprop(net.parameters(), lr=0.01, momentum=0.5, centered=True),
    "adagrad": lambda net: torch.optim.Adagrad(net.parameters(), lr=0.01),
    "adadelta": lambda net: torch.optim.Adadelta(net.parameters()),
    "nadam": lambda net: torch.optim.NAdam(net.parameters()),
    "radam": lambda net: torch.optim.RAdam(net.parameters()),
    "rprop": lambda net: torch.optim.Rprop(net.parameters()),
    "asgd": lambda net: torch.optim.ASGD(net.parameters()),
    "adamax": lambda net: torch.optim.Adamax(net.parameters()),
    "own": lambda net: Halved(net.parameters(), lr=0.1, momentum=0.9),
}


@pytest.mark.parametrize("name", makers)
@pytest.mark.parametrize("begun", [True, False])
def test_an_optimizer_goes_on_from_state_it_was_given(name, begun, trainer):
    """Whether or not it has made a step, it then updates bit for bit as the one that the state is from."""
    one, other = made_net(), made_net()
    first, second = makers[name](one), makers[name](other)
    for n in range(2):
        step(one, first, n)
    if begun:
        step(other, second, 7)
    for p, q in zip(one.parameters(), other.parameters(), strict=True):
        q.data.copy_(p.data)
        values = {f.key: numbers(f.value) for f in trainer.state(first) if f.parameter is p}
        assert trainer.assign_state(second, q, values) == ()
    step(one, first, 3), step(other, second, 3)
    assert [bits(p) for p in one.parameters()] == [bits(q) for q in other.parameters()]
    assert [(f.key, type(f.value)) for f in trainer.state(first)] == [
        (f.key, type(f.value)) for f in trainer.state(second)
    ]


def numbers(value):
    return value.numpy().copy() if isinstance(value, torch.Tensor) else value


def test_keys_that_an_optimizer_does_not_keep_are_named(trainer):
    """SGD without momentum has no buffer, Adam no moment of another shape."""
    net = made_net()
    weight = net[0].weight
    plain = torch.optim.SGD(net.parameters(), lr=0.1)
    assert trainer.assign_state(plain, weight, {"momentum_buffer": np.zeros((8, N), np.float32)}) == (
        "momentum_buffer",
    )
    adam = torch.optim.Adam(net.parameters())
    assert trainer.assign_state(adam, weight, {"exp_avg": np.zeros((2, 2), np.float32)}) == ("exp_avg",)


def test_a_parameter_that_is_not_the_optimizers_is_told_nothing(trainer):
    """All keys are named, and no entry appears."""
    optimizer, stranger = sgd(made_net()), nn.Parameter(torch.zeros(2))
    assert trainer.assign_state(optimizer, stranger, {"momentum_buffer": np.zeros(2)}) == ("momentum_buffer",)
    assert not optimizer.state


# ------------------------------------------------------------------------------------------ when it updates


def test_gradients_are_told_before_the_update(trainer):
    """Every parameter in order with the gradient it has, None for one that has none, then that it updated."""
    net, heard = made_net(), Heard()
    net.register_parameter("idle", nn.Parameter(torch.ones(2)))
    optimizer = sgd(net)
    with trainer.watch_updates(optimizer, heard):
        step(net, optimizer)
    assert heard.order == ["about", "updated"]
    (told,) = heard.gradients
    assert [id(p) for p, _ in told] == [id(p) for p in net.parameters()]
    assert all(bits(g) == bits(p.grad) for p, g in told)
    assert sum(g is None for _, g in told) == 1


def test_an_optimizer_that_calls_its_base_updates_once(trainer):
    """Both have hooks; what counts is what the outer one got."""
    net, heard = made_net(), Heard()
    sgd(net), Halved(net.parameters(), lr=0.1)
    optimizer = Halved(net.parameters(), lr=0.1)
    with trainer.watch_updates(optimizer, heard):
        step(net, optimizer)
    assert heard.order == ["about", "updated"]
    assert torch.equal(heard.gradients[0][0][1] / 2, net[0].weight.grad)


def test_a_wrapper_without_hooks_is_heard(trainer):
    """By its step, which is its own again afterwards."""
    net, heard = made_net(), Heard()
    optimizer = Wrapper(sgd(net))
    with trainer.watch_updates(optimizer, heard):
        step(net, optimizer)
    assert heard.order == ["about", "updated"] and list(vars(optimizer)) == ["inner"]


def test_with_a_closure_gradients_are_told_behind_its_first_call(trainer):
    """LBFGS calls it several times in an update."""
    net, heard = made_net(), Heard()
    optimizer = torch.optim.LBFGS(net.parameters(), max_iter=4)
    first, (x, y) = made_net(), batch(0)
    F.cross_entropy(first(x), y).backward()
    with trainer.watch_updates(optimizer, heard):
        loops["lbfgs"][1](net, optimizer, 0)
    assert heard.order == ["about", "updated"]
    assert [bits(g) for _, g in heard.gradients[0]] == [bits(p.grad) for p in first.parameters()]


def test_an_update_that_raised_is_no_update(trainer):
    """And the next one is heard again."""
    net, heard = made_net(), Heard()
    optimizer = torch.optim.Adam(net.parameters())

    def fails():
        raise ValueError("mine")

    with trainer.watch_updates(optimizer, heard):
        with pytest.raises(ValueError, match="mine"):
            optimizer.step(fails)
        step(net, optimizer)
    assert heard.order == ["about", "updated"]


@pytest.mark.parametrize("fused", [False, True])
def test_gradients_of_a_scaled_loss_are_told_unscaled(fused, trainer):
    """GradScaler unscales them before the step, or hands a fused optimizer the scale."""
    net, heard = made_net(), Heard()
    optimizer = torch.optim.AdamW(net.parameters(), fused=fused)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    x, y = batch()
    F.cross_entropy(net(x), y).backward()
    expected = [bits(p.grad) for p in net.parameters()]
    optimizer.zero_grad()
    with trainer.watch_updates(optimizer, heard):
        scaler.scale(F.cross_entropy(net(x), y)).backward()
        scaler.step(optimizer)
        scaler.update()
    assert [bits(g) for _, g in heard.gradients[0]] == expected


@pytest.mark.parametrize("fused", [False, True])
def test_a_step_that_the_scaler_skips_tells_nothing(fused, trainer):
    """It found an overflow."""
    net, heard = made_net(), Heard()
    optimizer = torch.optim.AdamW(net.parameters(), fused=fused)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    x, y = batch()
    with trainer.watch_updates(optimizer, heard):
        scaler.scale(F.cross_entropy(net(x), y) * float("inf")).backward()
        scaler.step(optimizer)
        scaler.update()
    assert heard.order == []


def test_a_hook_of_the_users_acts_before_the_gradients_are_told(trainer):
    """Clipping in a hook on the optimizer is seen."""
    net, heard = made_net(), Heard()
    optimizer = sgd(net)
    optimizer.register_step_pre_hook(lambda *_: torch.nn.utils.clip_grad_norm_(net.parameters(), 1e-3) and None)
    with trainer.watch_updates(optimizer, heard):
        step(net, optimizer)
    norm = torch.stack([g.norm() for _, g in heard.gradients[0]]).norm()
    assert float(norm) == pytest.approx(1e-3, rel=1e-3)


@pytest.mark.parametrize("when", ["before", "during"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_schedule_does_not_warn(when, wrapped, trainer):
    """It looks whether somebody replaced `step`; warnings are errors here."""
    net = made_net()
    optimizer = Scheduled(net.parameters(), lr=0.1) if wrapped else sgd(net)
    make = lambda: torch.optim.lr_scheduler.StepLR(optimizer, 1)  # noqa: E731
    schedule = make() if when == "before" else None
    heard = Heard()
    with trainer.watch_updates(optimizer, heard):
        schedule = schedule or make()
        step(net, optimizer)
        schedule.step()
    step(net, optimizer)
    schedule.step()
    assert heard.updates == 1


class Scheduled(torch.optim.SGD):
    """An optimizer whose class calls no hooks, as some wrappers are."""

    def _patch_step_function(self):
        super()._patch_step_function()
        type(self).step = Scheduled.__dict__["plain_step"]

    def plain_step(self, closure=None):
        return torch.optim.SGD.step.__wrapped__(self, closure)

    step = plain_step


@pytest.mark.parametrize("name", ["sgd", "adam", "own"])
def test_nothing_of_the_watching_stays(name, trainer):
    """Attributes and hooks are as before."""
    net = made_net()
    optimizer = makers[name](net)
    optimizer.register_step_post_hook(lambda *_: None)
    before = everything(optimizer)
    with trainer.watch_updates(optimizer, Heard()), trainer.watch_losses(net, lambda *_: None):
        pass
    assert everything(optimizer) == before
    assert not torch.nn.modules.module._has_any_global_hook()  # torch itself would leave an entry


# ------------------------------------------------------------------------------------------ training is bit-equal


def plainly(net, optimizer, n):
    step(net, optimizer, n)


def in_place(net, optimizer, n):
    step(net, optimizer, n, set_to_none=False)


def clipped(net, optimizer, n):
    x, y = batch(n)
    optimizer.zero_grad()
    nn.CrossEntropyLoss()(net(x), y).backward()
    nn.utils.clip_grad_norm_(net.parameters(), 0.1)
    optimizer.step()


def accumulated(net, optimizer, n):
    optimizer.zero_grad()
    for m in range(3):
        x, y = batch(3 * n + m)
        (nn.CrossEntropyLoss()(net(x), y) / 3).backward()
    optimizer.step()


def closed(net, optimizer, n):
    x, y = batch(n)

    def closure():
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        return loss

    optimizer.step(closure)


def scaled(net, optimizer, n):
    scaler = getattr(net, "scaler", None)
    if scaler is None:
        object.__setattr__(net, "scaler", scaler := torch.amp.GradScaler("cpu", growth_interval=3, init_scale=2.0**100))
    x, y = batch(n)
    optimizer.zero_grad()
    with torch.autocast("cpu", torch.bfloat16):
        loss = F.cross_entropy(net(x), y)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer) if n % 2 and not optimizer.defaults.get("fused") else None
    scaler.step(optimizer)
    scaler.update()


def hooked(net, optimizer, n):
    if n == 0:
        optimizer.register_step_pre_hook(
            lambda o, *_: [p.grad.mul_(0.5) for g in o.param_groups for p in g["params"]] and None
        )
        optimizer.register_step_post_hook(
            lambda o, *_: [p.data.clamp_(-0.3, 0.3) for g in o.param_groups for p in g["params"]]
        )
    step(net, optimizer, n)


loops = {
    **{name: (make, plainly) for name, make in makers.items()},
    "set to zero": (makers["adam"], in_place),
    "clipped": (sgd, clipped),
    "accumulated": (makers["adam"], accumulated),
    "closure": (makers["adam"], closed),
    "lbfgs": (lambda net: torch.optim.LBFGS(net.parameters(), max_iter=4), closed),
    "scaled": (makers["adam"], scaled),
    "scaled fused": (makers["adamw fused"], scaled),
    "hooks": (sgd, hooked),
    "wrapper": (lambda net: Wrapper(sgd(net)), plainly),
}


@pytest.mark.parametrize("name", loops)
def test_twenty_steps_are_bit_equal(name, trainer):
    """Parameters and state end the same with everything watched and read."""
    make, loop = loops[name]
    alone, watched = made_net(), made_net()
    first, second = make(alone), make(watched)
    heard = Heard()
    for n in range(20):
        loop(alone, first, n)
        with trainer.watch_updates(second, heard), trainer.watch_losses(watched, lambda *_: None):
            loop(watched, second, n)
        trainer.optimizer(second), trainer.state(second)
    assert [bits(p) for p in watched.parameters()] == [bits(p) for p in alone.parameters()]
    assert [str(f.value) for f in trainer.state(first)] == [str(f.value) for f in trainer.state(second)]
    assert heard.updates >= 1 and len(heard.gradients) == heard.updates


@pytest.mark.parametrize(
    ("loss", "mean"),
    [
        (torch.tensor(2.0), 2.0),
        (torch.tensor([1.0, 2.0], requires_grad=True), 1.5),
        (torch.tensor([1, 2]), 1.5),
        (torch.tensor(2.0, dtype=torch.bfloat16), 2.0),
        (0.5, 0.5),
        (torch.ones(0), None),
        (torch.ones(2, device="meta"), None),
        ("a", None),
    ],
)
def test_the_mean_of_a_loss(loss, mean, trainer):
    """Over all elements; None where there is none."""
    assert trainer.mean(loss) == mean


# ------------------------------------------------------------------------------------------ put back


@pytest.mark.parametrize("begun", [True, False])
@pytest.mark.parametrize("name", [*makers, "lbfgs"])
def test_an_optimizer_is_put_back(name, begun, trainer):
    """Every object it held, every bit of them, the parameters it updates too."""
    make, loop = loops[name]
    net = made_net()
    optimizer = make(net)
    for n in range(2 if begun else 0):
        loop(net, optimizer, n)
    before = everything(optimizer)
    restore = trainer.preserve(optimizer)
    for n in range(3):
        loop(net, optimizer, n)
        optimizer.param_groups[0]["lr"] *= 0.5
    optimizer.register_step_pre_hook(lambda *_: None)
    optimizer.add_param_group({"params": [nn.Parameter(torch.ones(1))]}) if name != "lbfgs" else None
    assert restore() == ()
    assert everything(optimizer) == before
    assert begun or name in {"adagrad"} or not optimizer.state


def test_the_counters_of_schedules_are_put_back(trainer):
    """What a scheduler writes on the optimizer."""
    net = made_net()
    optimizer = sgd(net)
    torch.optim.lr_scheduler.StepLR(optimizer, 1)
    before = everything(optimizer)
    restore = trainer.preserve(optimizer)
    step(net, optimizer)
    assert vars(optimizer)["_opt_called"]
    assert restore() == () and everything(optimizer) == before


def test_what_a_wrapper_holds_is_put_back(trainer):
    """The optimizer inside, and attributes of its own."""
    net = made_net()
    optimizer = Wrapper(sgd(net))
    optimizer.count = 0
    before = everything(optimizer.inner)
    restore = trainer.preserve(optimizer)
    step(net, optimizer)
    optimizer.count = 1
    assert restore() == () and everything(optimizer.inner) == before and optimizer.count == 0


# ------------------------------------------------------------------------------------------ one step


@pytest.mark.parametrize("name", [*makers, "lbfgs"])
def test_a_step_is_as_the_user_writes_it(name, trainer):
    """Bit for bit, and the loss is told before its gradient is known."""
    make, loop = loops[name]
    alone, net = made_net(), made_net()
    first, second = make(alone), make(net)
    told = []
    for n in range(3):
        loop(alone, first, n)
        x, y = batch(n)
        trainer.train(net, (x,), {}, F.cross_entropy, (y,), second, lambda loss: told.append(net[0].weight.grad))
    assert [bits(p) for p in net.parameters()] == [bits(p) for p in alone.parameters()]
    assert told and all(gradient is None for gradient in told)


def test_gradients_are_as_before_after_a_step(trainer):
    """Of parameters, of inputs, and of what else the loss depends on."""
    net, (x, y) = made_net(), batch()
    extra = torch.ones((), requires_grad=True)
    step(net, sgd(net))
    x.requires_grad_()
    before = [(id(p.grad), bits(p.grad)) for p in (*net.parameters(), x, extra)]
    trainer.train(net, (x,), {}, lambda o, t: F.cross_entropy(o, t) * extra, (y,), sgd(net), lambda _: None)
    assert [(id(p.grad), bits(p.grad)) for p in (*net.parameters(), x, extra)] == before


def test_without_an_optimizer_nothing_is_updated(trainer):
    """Without targets the loss gets the output alone."""
    net, told = made_net(), []
    before = [bits(p) for p in net.parameters()]
    trainer.train(net, (batch()[0],), {}, lambda output: output.square().mean(), (), None, told.append)
    assert [bits(p) for p in net.parameters()] == before and len(told) == 1


@pytest.mark.parametrize(
    ("loss", "says"),
    [
        (nn.CrossEntropyLoss(reduction="none"), r"no scalar.*\n.*shape \[5\].*\n.*reduction=\"mean\""),
        (lambda output, target: 1.0, "no tensor"),
        (lambda output, target: output.detach().sum(), "takes a gradient"),
    ],
)
def test_a_loss_that_is_no_scalar_is_refused(loss, says, trainer):
    """What, where, and what to do; gradients are as before."""
    net, (x, y) = made_net(), batch()
    step(net, sgd(net))
    before = [id(p.grad) for p in net.parameters()]
    with pytest.raises(RecordingError, match=says):
        trainer.train(net, (x,), {}, loss, (y,), sgd(net), lambda _: None)
    assert [id(p.grad) for p in net.parameters()] == before


def test_torch_has_no_loop_with_callbacks(trainer):
    """What to do instead is said."""
    with pytest.raises(RecordingError, match=r"recording\.step\(\)"):
        trainer.callback(lambda: None, lambda *_: None)


@pytest.fixture
def gloo(tmp_path):
    """A group of one process."""
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/group", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize("given", ["inner", "outer"])
def test_a_distributed_net_of_one_process(given, gloo, trainer):
    """The parameters are those of the net inside, whichever is given."""
    inner, heard, seen = made_net(), Heard(), []
    outer = nn.parallel.DistributedDataParallel(inner)
    optimizer, criterion, (x, y) = sgd(outer), nn.CrossEntropyLoss(), batch()
    net = outer if given == "outer" else inner
    with trainer.watch_updates(optimizer, heard), trainer.watch_losses(net, lambda _, facts: seen.append(facts.kind)):
        criterion(outer(x), y).backward()
        optimizer.step()
    trainer.train(outer, (x,), {}, criterion, (y,), optimizer, lambda _: None)
    assert [id(p) for p, _ in heard.gradients[0]] == [id(p) for p in inner.parameters()]
    assert seen == ["CrossEntropyLoss"]
