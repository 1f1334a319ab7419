"""Checks of the trainer that run in a process of their own: `python training_checks.py NAME...`, as `checks.py` does."""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("GLOG_v", "3")
sys.path.insert(0, str(Path(__file__).parent))

import mindspore as ms  # noqa: E402
import numpy as np  # noqa: E402
import training_loops as loops  # noqa: E402
from checks import leftovers, main  # noqa: E402
from listening import copied  # noqa: E402
from mindspore import nn, ops  # noqa: E402
from mindspore.experimental import optim  # noqa: E402
from training_loops import Updates, Watched, batch, bits, make, run  # noqa: E402

import tracer  # noqa: E402
from tracer.errors import RecordingError  # noqa: E402
from tracer.frameworks.mindspore import watcher  # noqa: E402

CHECKS = {}


def check(function):
    CHECKS[function.__name__] = function
    return function


def refused(call, *args):
    """The words of the RecordingError that the call raises."""
    try:
        call(*args)
    except RecordingError as error:
        return str(error)
    raise AssertionError("nothing was raised")


def mlp(**settings):
    """A net, its Adam, a watcher and its trainer."""
    net, shape = make()
    optimizer = nn.Adam(net.trainable_params(), 0.01, **settings)
    w = watcher()
    return net, optimizer, w, w.trainer()


def backward(net, parameters, step=0, scale=1.0):
    criterion = nn.CrossEntropyLoss()
    x, y = batch((5,), step)
    return ms.value_and_grad(lambda: criterion(net(x), y) * scale, None, parameters)()[1]


def arrays(tensors):
    return [np.array(tensor.asnumpy()) for tensor in tensors]


# --------------------------------------------------------------------------------------------------------------------
# Training is bit for bit what it is without
# --------------------------------------------------------------------------------------------------------------------


def bitwise(loop, net="mlp", optimizer="Adam", steps=(0, 10, 11)):
    """The last steps of a loop are bit for bit those of one that nobody watched. In the first steps of a process
    MindSpore tries how many threads a kernel is quickest with, and sums come out in another order: so a second loop
    that nobody watched may speak too."""
    first, _ = run(loop, net, optimizer)
    watched, told = run(loop, net, optimizer, steps)
    assert watched == first or watched == run(loop, net, optimizer)[0]
    assert len(told) == len(steps)
    own_call = vars(nn.Cell)["__call__"]
    assert not hasattr(own_call, "__wrapped__") and own_call.__qualname__ == "Cell.__call__"
    for one in told:
        assert not leftovers(one.net)
        assert one.heard.counts["(root)"] == (2 if loop == "accumulation" else 1), one.heard.counts
        assert set(one.parameter_gradients) == {p.name for p in one.net.trainable_params()}
        assert one.heard.output_gradients
    return told


for _loop in loops.LOOPS:
    CHECKS[f"bitwise: {_loop}"] = lambda loop=_loop: bitwise(loop) and None
for _net in ("conv", "lstm"):
    for _loop in ("value_and_grad", "TrainOneStepCell", "Model.train"):
        CHECKS[f"bitwise: {_loop}, {_net}"] = lambda loop=_loop, net=_net: bitwise(loop, net, steps=(10,)) and None
for _name in loops.OPTIMIZERS:
    CHECKS[f"bitwise: {_name}"] = lambda name=_name: bitwise("value_and_grad", optimizer=name, steps=(5, 12)) and None


@check
def what_was_compiled_stays_compiled():
    """An Adam that ran eagerly for a step would go on with the wrong powers of its betas."""
    net, optimizer, w, trainer = mlp()
    other, its_own, _, _ = mlp()
    for step in range(4):
        with w.eager(net), trainer.watch_updates(optimizer, Updates(w)):
            optimizer(backward(net, optimizer.parameters, step))
        its_own(backward(other, its_own.parameters, step))
        optimizer(backward(net, optimizer.parameters, step))
        its_own(backward(other, its_own.parameters, step))
    assert bits(net, optimizer) == bits(other, its_own)


# --------------------------------------------------------------------------------------------------------------------
# What an optimizer is told
# --------------------------------------------------------------------------------------------------------------------


@check
def class_bases_and_numbers_as_they_are_used():
    net, optimizer, _, trainer = mlp(beta1=0.8, eps=1e-6, loss_scale=4.0)
    facts = trainer.optimizer(optimizer)
    assert facts.kind == "Adam" and facts.bases[-1] == "mindspore.nn.optim.optimizer.Optimizer"
    assert facts.settings["beta1"] == float(np.float32(0.8)) and facts.settings["eps"] == float(np.float32(1e-6))
    assert facts.settings["loss_scale"] == 4.0 and facts.settings["use_nesterov"] is False
    assert facts.groups[0].settings["learning_rate"] == float(np.float32(0.01))
    assert facts.groups[0].parameters == tuple(optimizer.parameters) and facts.source is None


@check
def settings_that_are_parameters_or_arguments_are_settings():
    net, _ = make()
    for optimizer in (nn.SGD(net.trainable_params(), 0.1, momentum=0.5), nn.Momentum(net.trainable_params(), 0.1, 0.5)):
        trainer = watcher().trainer()
        assert trainer.optimizer(optimizer).settings["momentum"] == 0.5
        assert "momentum" not in {fact.key for fact in trainer.state(optimizer)}
    facts = watcher().trainer().optimizer(nn.Adagrad(net.trainable_params(), accum=0.2))
    assert facts.settings["accum"] == 0.2 and facts.settings["update_slots"] is True


@check
def weight_decay_is_told_as_it_was_given():
    for scale in (1.0, 1024.0):
        _, optimizer, _, trainer = mlp(weight_decay=0.01, loss_scale=scale)
        decays = [group.settings["weight_decay"] for group in trainer.optimizer(optimizer).groups]
        np.testing.assert_allclose(decays, [0.01, 0.0], rtol=1e-6)


@check
def norm_layers_that_are_not_decayed_are_a_group_of_their_own():
    _, optimizer, _, trainer = mlp(weight_decay=0.01)
    decayed, other = trainer.optimizer(optimizer).groups
    assert {p.name for p in other.parameters} == {"2.gamma", "2.beta"} and other.settings["decay_flags"] is False
    assert decayed.settings["decay_flags"] is True and len(decayed.parameters) == 4
    _, optimizer, _, trainer = mlp()
    assert len(trainer.optimizer(optimizer).groups) == 1


@check
def groups_are_told_with_what_they_share():
    net, _ = make()
    parts = net.trainable_params()
    grouped = [{"params": parts[:2], "lr": 0.5, "weight_decay": 0.25}, {"params": parts[2:]}]
    one, two = watcher().trainer().optimizer(nn.Momentum(grouped, 0.125, 0.9)).groups
    assert one.parameters == tuple(parts[:2]) and two.parameters == tuple(parts[2:])
    assert (one.settings["learning_rate"], one.settings["weight_decay"]) == (0.5, 0.25)
    assert (two.settings["learning_rate"], two.settings["weight_decay"]) == (0.125, 0.0)


@check
def groups_of_experimental_optimizers():
    net, _ = make()
    parts = net.trainable_params()
    optimizer = optim.AdamW([{"params": parts[:2], "lr": 0.5}, {"params": parts[2:]}], lr=0.25, betas=(0.5, 0.75))
    facts = watcher().trainer().optimizer(optimizer)
    assert [group.settings["lr"] for group in facts.groups] == [0.5, 0.25]
    assert facts.settings["betas"] == [0.5, 0.75] and facts.groups[1].parameters == tuple(parts[2:])
    optim.lr_scheduler.StepLR(optimizer, 1).step()
    np.testing.assert_allclose(
        [g.settings["lr"] for g in watcher().trainer().optimizer(optimizer).groups], [0.05, 0.025]
    )


@check
def a_schedule_is_the_number_that_the_next_update_uses():
    schedules = (
        [0.5, 0.25, 0.125, 0.0625],
        nn.ExponentialDecayLR(0.5, 0.9, 2),
        nn.WarmUpLR(0.5, 3),
    )
    for schedule in schedules:
        net, _ = make()
        optimizer = nn.SGD(net.trainable_params(), schedule)
        trainer = watcher().trainer()
        for step in range(4):
            gradients = backward(net, optimizer.parameters, step)
            before = bits(optimizer)
            said = trainer.optimizer(optimizer).groups[0].settings["learning_rate"]
            assert bits(optimizer) == before
            old = optimizer.parameters[0].asnumpy().copy()
            optimizer(gradients)
            step_taken = old - optimizer.parameters[0].asnumpy()
            np.testing.assert_allclose(step_taken, said * gradients[0].asnumpy(), rtol=1e-3, atol=1e-7)


@check
def a_scheduled_weight_decay_is_a_number():
    net, _ = make()
    optimizer = nn.Momentum(
        net.trainable_params(), 0.1, 0.9, weight_decay=nn.ExponentialDecayLR(0.5, 0.5, 1), loss_scale=8.0
    )
    trainer = watcher().trainer()
    said = []
    for step in range(2):
        said.append([group.settings["weight_decay"] for group in trainer.optimizer(optimizer).groups])
        optimizer(backward(net, optimizer.parameters, step))
    np.testing.assert_allclose(said, [[0.5, 0.0], [0.25, 0.0]], rtol=1e-6)


@check
def what_is_no_optimizer_is_refused():
    trainer = watcher().trainer()
    for thing in (make()[0], object(), None, nn.Dense(2, 2).trainable_params()):
        for ask in (trainer.optimizer, trainer.state, trainer.preserve):
            assert "no MindSpore optimizer" in refused(ask, thing)


# --------------------------------------------------------------------------------------------------------------------
# What it remembers
# --------------------------------------------------------------------------------------------------------------------

REMEMBERED = {
    "SGD": ({"accum", "stat"}, {"global_step"}),
    "Momentum": ({"moments"}, {"global_step"}),
    "Adam": ({"moment1", "moment2"}, {"global_step", "beta1_power", "beta2_power"}),
    "AdamWeightDecay": ({"moments1", "moments2"}, {"global_step"}),
    "RMSProp": ({"ms", "mg", "moment"}, {"global_step"}),
    "Adagrad": ({"accum"}, {"global_step"}),
    "experimental.AdamW": ({"exp_avg", "exp_avg_sq", "max_exp_avg_sq"}, {"state_step"}),
    "experimental.RMSprop": ({"mean_grad", "mean_square", "moment"}, set()),
}


@check
def everything_is_remembered_under_its_own_name():
    for name, (of_each, of_none) in REMEMBERED.items():
        net, _ = make()
        optimizer = loops.OPTIMIZERS[name](list(net.trainable_params()))
        found = watcher().trainer().state(optimizer)
        assert {fact.key for fact in found if fact.parameter is None} == of_none, name
        for parameter in optimizer.parameters:
            own = {fact.key: fact.value.shape for fact in found if fact.parameter is parameter}
            assert own == dict.fromkeys(of_each, parameter.shape), (name, own)


@check
def one_parameter_alone_has_its_state_too():
    parameter = ms.Parameter(ms.Tensor(np.ones(3, np.float32)), name="w")
    for optimizer in (nn.Adam([parameter], 0.1), optim.Adam([parameter], lr=0.1)):
        keys = {fact.key for fact in watcher().trainer().state(optimizer) if fact.parameter is parameter}
        assert len(keys) >= 2 and "lrs" not in keys, keys


@check
def parameters_of_other_shapes_are_remembered_too():
    net, _ = make()
    found = watcher().trainer().state(optim.NAdam(net.trainable_params(), lr=0.1))
    assert sum(fact.key == "mu_product" and fact.parameter is not None for fact in found) == 6


@check
def another_optimizer_goes_on_with_an_assigned_state():
    for name in loops.OPTIMIZERS:
        net, _ = make()
        optimizer = loops.OPTIMIZERS[name](list(net.trainable_params()))
        for step in range(3):
            optimizer(backward(net, optimizer.parameters, step))
        other, _ = make()
        fresh = loops.OPTIMIZERS[name](list(other.trainable_params()))
        fresh(backward(other, fresh.parameters, 9))  # it is compiled already
        w = watcher()
        trainer = w.trainer()
        for old, new in zip(optimizer.parameters, fresh.parameters, strict=True):
            w.assign(new, copied(w, old))
            held = {f.key: copied(w, f.value) for f in trainer.state(optimizer) if f.parameter is old}
            assert trainer.assign_state(fresh, new, held) == ()
        held = {f.key: copied(w, f.value) for f in trainer.state(optimizer) if f.parameter is None}
        assert trainer.assign_state(fresh, None, held) == ()
        gradients = backward(net, optimizer.parameters, 4)
        optimizer(gradients)
        fresh(gradients)
        assert bits(net, optimizer) == bits(other, fresh), name


@check
def keys_that_it_does_not_know_are_named():
    net, optimizer, _, trainer = mlp()
    first = optimizer.parameters[0]
    ones = np.ones(first.shape, np.float32)
    assert trainer.assign_state(optimizer, first, {"exp_avg": ones, "moment1": ones}) == ("exp_avg",)
    assert trainer.assign_state(optimizer, first, {"moment1": np.ones(3, np.float32)}) == ("moment1",)
    assert trainer.assign_state(optimizer, net, {"moment1": ones}) == ("moment1",)
    assert (optimizer.moment1[0].asnumpy() == 1).all()


@check
def an_optimizer_is_put_back_bit_for_bit():
    for name in loops.OPTIMIZERS:
        net, _ = make()
        optimizer = loops.OPTIMIZERS[name](list(net.trainable_params()))
        optimizer(backward(net, optimizer.parameters, 0))
        trainer = watcher().trainer()
        before, held = bits(net, optimizer), [id(p) for p in optimizer.get_parameters()]
        back = trainer.preserve(optimizer)
        ends = []
        for _ in range(2):
            for step in range(3):
                optimizer(backward(net, optimizer.parameters, step))
            ends.append(bits(net, optimizer))
            assert back() == () if not ends[1:] else True, name
            assert bits(net, optimizer) == (before if len(ends) == 1 else ends[1]), name
        assert ends[0] == ends[1] != before, name
        assert [id(p) for p in optimizer.get_parameters()] == held, name


@check
def groups_are_put_back_too():
    net, _ = make()
    optimizer = optim.SGD(net.trainable_params(), lr=0.1)
    back = watcher().trainer().preserve(optimizer)
    rate = optimizer.param_groups[0]["lr"]
    optimizer.param_groups[0]["lr"] = 0.5
    optimizer.param_groups[0]["momentum"] = 0.5
    assert back() == ()
    assert optimizer.param_groups[0]["lr"] is rate and optimizer.param_groups[0]["momentum"] == 0.0


# --------------------------------------------------------------------------------------------------------------------
# Updates
# --------------------------------------------------------------------------------------------------------------------


@check
def gradients_are_those_that_the_optimizer_gets():
    net, optimizer, w, trainer = mlp(loss_scale=8.0)
    gradients = ops.clip_by_global_norm(backward(net, optimizer.parameters, scale=8.0), 0.1)
    updates = Updates(w)
    with trainer.watch_updates(optimizer, updates):
        optimizer(gradients)
    assert updates.done == 1
    told = [array.tobytes() for array in updates.gradients[0]]
    assert told == [array.tobytes() for array in arrays(gradients)]


@check
def an_update_that_the_loss_scale_skips_is_none():
    _, told = run("TrainOneStepWithLossScaleCell", steps=range(20))
    counts = [one.updates.done for one in told]
    assert counts[0] == 0 and counts[-1] == 1 and set(counts) == {0, 1}, counts


@check
def a_listener_that_raises_harms_nobody():
    net, optimizer, w, trainer = mlp()
    other, its_own, _, _ = mlp()

    class Broken:
        def about_to_update(self, gradients):
            raise ValueError("broken")

        def updated(self):
            raise ValueError("again")

    try:
        with trainer.watch_updates(optimizer, Broken()):
            optimizer(backward(net, optimizer.parameters))
        raise AssertionError
    except ValueError as error:
        assert str(error) == "broken"
    its_own(backward(other, its_own.parameters))
    assert bits(net, optimizer) == bits(other, its_own)


@check
def nothing_stays_where_the_body_raises():
    net, optimizer, w, trainer = mlp()
    own = vars(nn.Cell)["__call__"]
    held = dict(vars(optimizer))
    for watching in (trainer.watch_updates(optimizer, Updates(w)), trainer.watch_losses(net, lambda *_: None)):
        try:
            with watching:
                assert vars(nn.Cell)["__call__"] is not own
                raise KeyError
        except KeyError:
            pass
        assert vars(nn.Cell)["__call__"] is own
    assert dict(vars(optimizer)) == held


@check
def two_that_watch_close_in_any_order():
    net, optimizer, w, trainer = mlp()
    own = vars(nn.Cell)["__call__"]
    one, other = trainer.watch_updates(optimizer, Updates(w)), trainer.watch_losses(net, lambda *_: None)
    one.__enter__()
    other.__enter__()
    one.__exit__(None, None, None)
    assert vars(nn.Cell)["__call__"] is not own
    other.__exit__(None, None, None)
    assert vars(nn.Cell)["__call__"] is own


# --------------------------------------------------------------------------------------------------------------------
# Losses
# --------------------------------------------------------------------------------------------------------------------


def told_of(net, body):
    found = []
    with watcher().trainer().watch_losses(net, lambda output, facts: found.append((output, facts))):
        body()
    return found


@check
def a_loss_is_told_in_every_loop():
    for loop in loops.LOOPS:
        _, (one,) = run(loop, steps=(3,))
        kinds = [facts.kind for _, facts in one.losses]
        assert kinds == ["CrossEntropyLoss"] * (2 if loop == "accumulation" else 1), (loop, kinds)


@check
def a_loss_is_told_with_settings_inputs_and_weights():
    net, shape = make()
    weight = ms.Tensor(np.array([1, 2, 3], np.float32))
    criterion = nn.CrossEntropyLoss(weight=weight, ignore_index=7, reduction="sum", label_smoothing=0.25)
    x, y = batch(shape, 0)
    ((output, facts),) = told_of(net, lambda: criterion(net(x), labels=y))
    assert output.shape == () and facts.kind == "CrossEntropyLoss" and facts.source is None
    assert facts.bases[0] == "mindspore.nn.loss.loss.CrossEntropyLoss"
    said = {name: facts.settings[name] for name in ("ignore_index", "reduction", "label_smoothing")}
    assert said == {"ignore_index": 7, "reduction": "sum", "label_smoothing": 0.25}, facts.settings
    inputs = {leaf.path: leaf.value for leaf in facts.inputs}
    assert set(inputs) == {"0", "labels", "weight"} and inputs["labels"] is y and inputs["weight"] is weight


class Smooth(nn.Cell):
    def __init__(self):
        super().__init__()
        self.inner, self.factor = nn.CrossEntropyLoss(), 0.5

    def construct(self, output, target):
        return self.inner(output, target) * self.factor


@check
def what_is_inside_a_loss_is_not_told():
    net, shape = make()
    x, y = batch(shape, 0)
    ((_, facts),) = told_of(net, lambda: Smooth()(net(x), y))
    assert facts.kind == "Smooth" and facts.settings["factor"] == 0.5 and facts.source is not None


@check
def what_runs_the_net_is_no_loss():
    net, shape = make()
    x, y = batch(shape, 0)

    class Hidden(nn.Cell):
        """Runs the net without holding it."""

        def __init__(self):
            super().__init__()
            self.nets, self.loss = (lambda: net,), nn.CrossEntropyLoss()

        def construct(self, x, y):
            return self.loss(self.nets[0]()(x), y)

    found = told_of(net, lambda: (Hidden()(x, y), nn.WithLossCell(net, Smooth())(x, y)))
    assert [facts.kind for _, facts in found] == ["CrossEntropyLoss", "Smooth"]


@check
def a_loss_inside_the_net_is_not_told():
    net, shape = make()
    with_loss = nn.WithLossCell(net, nn.CrossEntropyLoss())
    assert not told_of(with_loss, lambda: with_loss(*batch(shape, 0)))


@check
def schedules_scales_and_clipping_are_no_losses():
    net, shape = make()
    optimizer = nn.Momentum(net.trainable_params(), nn.ExponentialDecayLR(0.1, 0.9, 2), 0.9)
    trainer = watcher().trainer()

    def body():
        optimizer(ops.clip_by_global_norm(backward(net, optimizer.parameters), 1.0))
        trainer.optimizer(optimizer)

    assert [facts.kind for _, facts in told_of(net, body)] == ["CrossEntropyLoss"]


@check
def the_mean_of_a_loss():
    trainer = watcher().trainer()
    assert trainer.mean(ms.Tensor(np.array([1, 2, 6], np.float32))) == 3.0
    assert trainer.mean(0.5) == 0.5 and trainer.mean(None) is None and trainer.mean("loss") is None
    assert trainer.mean(ms.Tensor(np.zeros((0,), np.float32))) is None
    assert trainer.made_by(ms.Tensor(1.0)) is None


# --------------------------------------------------------------------------------------------------------------------
# One step, and MindSpore's own loop
# --------------------------------------------------------------------------------------------------------------------


@check
def train_is_the_users_own_step():
    net, optimizer, w, trainer = mlp()
    other, its_own, _, _ = mlp()
    losses = []
    for step in range(5):
        x, y = batch((5,), step)
        trainer.train(net, (x,), {}, nn.CrossEntropyLoss(), (y,), optimizer, losses.append)
        its_own(backward(other, its_own.parameters, step))
    assert bits(net, optimizer) == bits(other, its_own)
    assert len(losses) == 5 and trainer.mean(losses[4]) < trainer.mean(losses[0]) * 10


@check
def train_without_an_optimizer_changes_nothing():
    net, _, _, trainer = mlp()
    x, y = batch((5,), 0)
    before, losses = bits(net), []
    trainer.train(net, (x,), {}, lambda output, target: ops.cross_entropy(output, target), (y,), None, losses.append)
    assert bits(net) == before and len(losses) == 1


@check
def train_takes_labels_of_64_bits():
    net, optimizer, _, trainer = mlp()
    x, y = batch((5,), 0)
    losses = []
    for target in (y, y.astype(ms.int64)):
        trainer.train(net, (x,), {}, nn.CrossEntropyLoss(), (target,), None, losses.append)
    np.testing.assert_allclose(losses[0].asnumpy(), losses[1].asnumpy(), rtol=1e-6)  # see `bitwise`


@check
def a_loss_that_cannot_be_trained_is_refused_and_later_gradients_are_right():
    net, optimizer, _, trainer = mlp()
    x, y = batch((5,), 0)
    right = [array.tobytes() for array in arrays(backward(net, optimizer.parameters))]
    before, told = bits(net, optimizer), []
    words = refused(trainer.train, net, (x,), {}, nn.CrossEntropyLoss(reduction="none"), (y,), optimizer, told.append)
    assert "[4]" in words and 'reduction="mean"' in words and not told
    assert "tensor" in refused(trainer.train, net, (x,), {}, lambda *_: 1.0, (y,), optimizer, told.append)
    assert bits(net, optimizer) == before
    assert [array.tobytes() for array in arrays(backward(net, optimizer.parameters))] == right


@check
def a_frozen_net_cannot_be_trained():
    net, _, _, trainer = mlp()
    for parameter in net.get_parameters():
        parameter.requires_grad = False
    words = refused(trainer.train, net, batch((5,), 0)[:1], {}, nn.CrossEntropyLoss(), (None,), None, print)
    assert "no trainable parameter" in words


@check
def a_callback_gets_every_loss():
    net, shape = make()
    optimizer = nn.SGD(net.trainable_params(), 0.1)
    losses = loops.by_model(net, shape, optimizer, lambda step: Watched(net, optimizer).step(), nn.CrossEntropyLoss())
    other, _ = make()
    its_own = nn.SGD(other.trainable_params(), 0.1)
    criterion = nn.CrossEntropyLoss()
    step = ms.value_and_grad(lambda x, y: criterion(other(x), y), None, its_own.parameters)
    for number in range(10):
        value, gradients = step(*batch(shape, number))
        its_own(gradients)
        np.testing.assert_allclose(value.asnumpy(), losses[number].asnumpy(), rtol=1e-6)  # see `bitwise`


@check
def of_a_scaled_step_the_callback_gets_the_loss():
    net, shape = make()
    losses = []
    callback = watcher().trainer().callback(lambda: None, lambda loss, error: losses.append(loss))
    optimizer = nn.SGD(net.trainable_params(), 0.1)
    scaled = loops.Finite(nn.WithLossCell(net, nn.CrossEntropyLoss()), optimizer, ms.Tensor(2.0)).set_train()
    ms.Model(scaled).train(1, loops.data(shape, 2), callbacks=[callback], dataset_sink_mode=False)
    assert len(losses) == 2 and all(loss.shape == () for loss in losses)


@check
def a_step_that_raises_is_closed_with_its_error():
    net, shape = make()
    ends = []
    callback = watcher().trainer().callback(lambda: None, lambda loss, error: ends.append((loss, error)))

    class Failing(nn.Cell):
        calls = 0

        def construct(self, output, target):
            Failing.calls += 1
            if Failing.calls > 2:
                raise ValueError("no third step")
            return ops.cross_entropy(output, target)

    model = ms.Model(net, Failing(), nn.SGD(net.trainable_params(), 0.1))
    try:
        model.train(1, loops.data(shape, 4), callbacks=[callback], dataset_sink_mode=False)
        raise AssertionError
    except ValueError:
        pass
    assert len(ends) == 3 and ends[1][1] is None and ends[2][0] is None and str(ends[2][1]) == "no third step"


@check
def a_data_set_sunk_into_the_device_is_refused():
    callback = watcher().trainer().callback(lambda: None, lambda loss, error: None)
    from mindspore.train import RunContext

    assert "dataset_sink_mode=False" in refused(callback.on_train_begin, RunContext({"dataset_sink_mode": True}))
    callback.on_train_begin(RunContext({"dataset_sink_mode": False}))


@check
def a_recording_sees_the_net_in_model_train():
    net, shape = make()
    model = ms.Model(net, nn.CrossEntropyLoss(), nn.SGD(net.trainable_params(), 0.1))
    with tracer.recording(net, out="model.h5"):
        model.train(1, loops.data(shape, 1), dataset_sink_mode=False)
    with tracer.Trace("model.h5") as trace:
        assert trace["3"].calls[0].output.shape == (4, 3)
        assert len(trace.skeleton.steps[0].parameter_gradients) == len(net.trainable_params())


if __name__ == "__main__":
    sys.exit(main(CHECKS))
