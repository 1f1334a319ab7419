"""Training loops as users of MindSpore write them, twenty steps each, with everything of the trainer on in some."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, nullcontext

import mindspore as ms
import numpy as np
from listening import Listening, copied
from mindspore import nn, ops
from mindspore import dataset as ds
from mindspore.experimental import optim

from tracer.frameworks.mindspore import watcher

STEPS = 20


class Convolution(nn.Cell):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 4, 3, has_bias=True), nn.BatchNorm2d(4)
        self.act, self.head = nn.ReLU(), nn.Dense(64, 3)

    def construct(self, x):
        return self.head(self.act(self.norm(self.conv(x))).reshape(x.shape[0], -1))


class Recurrent(nn.Cell):
    def __init__(self):
        super().__init__()
        self.lstm, self.head = nn.LSTM(4, 6, batch_first=True), nn.Dense(6, 3)

    def construct(self, x):
        return self.head(self.lstm(x)[0][:, -1])


def perceptron():
    return nn.SequentialCell(nn.Dense(5, 8), nn.GELU(approximate=False), nn.LayerNorm((8,)), nn.Dense(8, 3))


NETS = {"mlp": (perceptron, (5,)), "conv": (Convolution, (2, 4, 4)), "lstm": (Recurrent, (3, 4))}

OPTIMIZERS = {
    "SGD": lambda p: nn.SGD(p, 0.1, momentum=0.9, weight_decay=0.01),
    "Momentum": lambda p: nn.Momentum(p, 0.1, 0.9, use_nesterov=True, loss_scale=2.0),
    "Adam": lambda p: nn.Adam(p, nn.ExponentialDecayLR(0.01, 0.9, 4), weight_decay=0.01),
    "AdamWeightDecay": lambda p: nn.AdamWeightDecay(p, 0.01, weight_decay=0.1),
    "RMSProp": lambda p: nn.RMSProp(p, 0.01, centered=True),
    "Adagrad": lambda p: nn.Adagrad(p, 0.1),
    "experimental.AdamW": lambda p: optim.AdamW(p, lr=0.01),
    "experimental.RMSprop": lambda p: optim.RMSprop(p, lr=0.01, momentum=0.9),
}


def make(name="mlp"):
    """A net of that name, always the same, and the shape of one sample."""
    ms.set_seed(0)
    np.random.seed(0)
    net, shape = NETS[name]
    return net().set_train(), shape


def batch(shape, step):
    random = np.random.RandomState(step)
    return ms.Tensor(random.randn(4, *shape).astype(np.float32)), ms.Tensor(random.randint(0, 3, 4).astype(np.int32))


class Finite(nn.TrainOneStepWithLossScaleCell):
    """MindSpore's own asks a kernel that CPUs lack."""

    def get_overflow_status(self, status, compute_output):
        return ms.Tensor(not all(np.isfinite(gradient.asnumpy()).all() for gradient in compute_output))


def _gradients(net, optimizer, loss):
    def forward(x, y):
        return loss(net(x), y)

    return ms.value_and_grad(forward, None, optimizer.parameters)


def _value_and_grad(net, optimizer, loss):
    step = _gradients(net, optimizer, loss)
    return lambda x, y: optimizer(step(x, y)[1])


def _clipped(net, optimizer, loss):
    step = _gradients(net, optimizer, loss)
    return lambda x, y: optimizer(ops.clip_by_global_norm(step(x, y)[1], 0.1))


def _accumulated(net, optimizer, loss):
    step = _gradients(net, optimizer, loss)

    def train(x, y):
        both = zip(step(x, y)[1], step(x * 2, y)[1], strict=True)
        optimizer(tuple((one + other) / 2 for one, other in both))

    return train


def _grad_operation(net, optimizer, loss):
    with_loss, gradients = nn.WithLossCell(net, loss), ops.GradOperation(get_by_list=True)
    return lambda x, y: optimizer(gradients(with_loss, optimizer.parameters)(x, y))


def _one_step_cell(net, optimizer, loss):
    return nn.TrainOneStepCell(nn.WithLossCell(net, loss), optimizer).set_train()


def _scaled_cell(net, optimizer, loss):
    scale = nn.DynamicLossScaleUpdateCell(2.0**127, 2, 100)  # the first steps overflow
    return Finite(nn.WithLossCell(net, loss), optimizer, scale).set_train()


def _compiled(net, optimizer, loss):
    step = _gradients(net, optimizer, loss)

    @ms.jit
    def train(x, y):
        value, gradients = step(x, y)
        optimizer(gradients)
        return value

    return train


LOOPS = {
    "value_and_grad": _value_and_grad,
    "clipping": _clipped,
    "accumulation": _accumulated,
    "GradOperation": _grad_operation,
    "TrainOneStepCell": _one_step_cell,
    "TrainOneStepWithLossScaleCell": _scaled_cell,
    "a compiled step": _compiled,
    "Model.train": None,
}


def data(shape, count):
    rows = [tuple(tensor.asnumpy() for tensor in batch(shape, step)) for step in range(count)]
    return ds.GeneratorDataset(rows, ["x", "y"], shuffle=False, python_multiprocessing=False)


def by_model(net, shape, optimizer, at, criterion):
    """`Model.train`, each step opened and closed by the callback."""
    opened, losses = [], []

    def begin():
        opened.append(at(len(opened)))
        opened[-1].__enter__()

    def end(loss, error):
        losses.append(loss)
        opened[-1].__exit__(None, None, None)

    callback = watcher().trainer().callback(begin, end)
    model = ms.Model(net, criterion, optimizer)
    model.train(2, data(shape, STEPS // 2), callbacks=[callback], dataset_sink_mode=False)
    assert len(opened) == len(losses) == STEPS
    return losses


class Updates:
    """Keeps the gradients of updates."""

    def __init__(self, w):
        self.w, self.gradients, self.done = w, [], 0

    def about_to_update(self, gradients):
        self.gradients.append([None if gradient is None else copied(self.w, gradient) for _, gradient in gradients])

    def updated(self):
        self.done += 1


class Watched:
    """What everything of a trainer and a watcher told of one step."""

    def __init__(self, net, optimizer):
        self.net, self.optimizer, self.w = net, optimizer, watcher()
        self.trainer = self.w.trainer()
        self.updates, self.heard = Updates(self.w), Listening(self.w)
        self.losses, self.parameter_gradients, self.facts, self.state = [], {}, None, []

    @contextmanager
    def step(self):
        net, trainer = self.net, self.trainer
        with ExitStack() as stack:
            self.facts = trainer.optimizer(self.optimizer)
            self.state = [
                (fact.parameter, fact.key, copied(self.w, fact.value)) for fact in trainer.state(self.optimizer)
            ]
            stack.enter_context(self.w.eager(net))
            stack.enter_context(self.w.watch(net, self.heard, {path: cell for path, cell, _ in self.w.layers(net)}))
            for parameter in net.trainable_params():
                keep = lambda g, n=parameter.name: self.parameter_gradients.__setitem__(n, copied(self.w, g))
                stack.callback(self.w.on_gradient(parameter, keep))
            stack.enter_context(trainer.watch_updates(self.optimizer, self.updates))
            stack.enter_context(trainer.watch_losses(net, lambda output, facts: self.losses.append((output, facts))))
            yield


def run(loop, net_name="mlp", optimizer_name="Adam", steps=()):
    """Twenty steps, those in `steps` watched: the bits of net and optimizer at the end, and what was told."""
    net, shape = make(net_name)
    optimizer = OPTIMIZERS[optimizer_name](list(net.trainable_params()))
    told = []

    def at(step):
        if step not in steps:
            return nullcontext()
        told.append(Watched(net, optimizer))
        return told[-1].step()

    criterion = nn.CrossEntropyLoss(weight=ms.Tensor(np.array([1, 2, 0.5], np.float32)))
    if loop == "Model.train":
        by_model(net, shape, optimizer, at, criterion)
    else:
        train = LOOPS[loop](net, optimizer, criterion)
        for step in range(STEPS):
            with at(step):
                train(*batch(shape, step))
    return bits(net, optimizer), told


def bits(*cells):
    """Every Parameter of the cells as bytes."""
    return [parameter.asnumpy().tobytes() for cell in cells for _, parameter in cell.parameters_and_names()]
