"""How a user trains the port."""

import mindspore as ms
import numpy as np
from mindspore import amp, nn, ops
from mindspore.experimental import optim


def parameter_groups(net, recipe):
    trained = net.trainable_params()
    if not recipe.decay_groups:
        return [{"params": trained, "weight_decay": recipe.decay}]
    decayed = [parameter for parameter in trained if parameter.ndim > 1]
    spared = [parameter for parameter in trained if parameter.ndim <= 1]
    return [{"params": decayed, "weight_decay": recipe.decay}, {"params": spared, "weight_decay": 0.0}]


def make_optimizer(net, recipe):
    if recipe.candidate_loop != "value_and_grad":  # these loops want the older optimizers
        if recipe.optimizer == "momentum":
            return nn.SGD(net.trainable_params(), learning_rate=recipe.rate, momentum=0.9)
        return nn.Adam(net.trainable_params(), learning_rate=recipe.rate, eps=recipe.eps)
    groups = parameter_groups(net, recipe)
    if recipe.optimizer == "sgd":
        return optim.SGD(groups, lr=recipe.rate)
    if recipe.optimizer == "momentum":
        return optim.SGD(groups, lr=recipe.rate, momentum=0.9)
    if recipe.optimizer == "nesterov":
        return optim.SGD(groups, lr=recipe.rate, momentum=0.9, nesterov=True)
    if recipe.optimizer == "adam":
        return optim.Adam(groups, lr=recipe.rate, betas=(0.9, 0.999), eps=recipe.eps)
    if recipe.optimizer == "adamw":
        return optim.AdamW(groups, lr=recipe.rate, betas=(0.9, 0.999), eps=recipe.eps)
    return optim.RMSprop(groups, lr=recipe.rate, alpha=0.99, eps=recipe.eps)


def make_loss(recipe, classes):
    weight = ms.Tensor(np.linspace(0.5, 2.0, classes, dtype=np.float32)) if recipe.class_weights else None
    if recipe.loss_layer:
        return nn.CrossEntropyLoss(weight=weight, ignore_index=recipe.ignored, label_smoothing=recipe.smoothing)

    def cross_entropy(logits, labels):
        return ops.cross_entropy(
            logits, labels, weight=weight, ignore_index=recipe.ignored, label_smoothing=recipe.smoothing
        )

    return cross_entropy


class Trained(nn.Cell):
    """Net and loss in one, as TrainOneStepCell wants them."""

    def __init__(self, net, criterion, classes):
        super().__init__(auto_prefix=False)
        self.net = net
        self.criterion = criterion
        self.classes = classes

    def construct(self, inputs, labels):
        logits = self.net(inputs)
        return self.criterion(logits.reshape(-1, self.classes), labels.reshape(-1))


def train_one_step(net, optimizer, steps, recipe, classes, recording):
    step = nn.TrainOneStepCell(Trained(net, make_loss(recipe, classes), classes), optimizer)
    for batches in steps:
        inputs, labels = batches[0]
        with recording.step():
            loss = step(ms.Tensor(inputs), ms.Tensor(labels.astype(np.int32)))
            recording.loss(loss)


def model_train(net, optimizer, steps, recipe, classes, recording):
    rows = [(inputs, labels.astype(np.int32)) for ((inputs, labels),) in steps]
    data = ms.dataset.GeneratorDataset(rows, ["inputs", "labels"], shuffle=False, num_parallel_workers=1)
    model = ms.train.Model(Trained(net, make_loss(recipe, classes), classes), optimizer=optimizer)
    model.train(1, data, callbacks=[recording.callback()], dataset_sink_mode=False)


def train(net, optimizer, steps, recipe, classes, recording):
    """`steps` is a list of lists of micro-batches: (inputs, labels) in numpy."""
    net.set_train(True)
    if recipe.candidate_loop == "train_one_step":
        return train_one_step(net, optimizer, steps, recipe, classes, recording)
    if recipe.candidate_loop == "model_train":
        return model_train(net, optimizer, steps, recipe, classes, recording)

    criterion = make_loss(recipe, classes)
    scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5) if recipe.schedule else None
    scaler = None
    if recipe.candidate_scale:
        scale = recipe.candidate_scale
        scaler = amp.DynamicLossScaler(scale, 2, 1000) if recipe.dynamic else amp.StaticLossScaler(scale)

    def forward(inputs, labels):
        logits = net(inputs)
        loss = criterion(logits.reshape(-1, classes), labels.reshape(-1))
        recording.loss(loss)
        loss = loss / recipe.micro_batches
        return scaler.scale(loss) if scaler else loss

    trained = list(optimizer.parameters)
    backward = ms.value_and_grad(forward, None, trained)

    for batches in steps:
        with recording.step():
            gradients = None
            for inputs, labels in batches:
                _, found = backward(ms.Tensor(inputs), ms.Tensor(labels.astype(np.int32)))
                gradients = found if gradients is None else tuple(a + b for a, b in zip(gradients, found))
            if scaler:
                gradients = scaler.unscale(gradients)
                scaler.adjust(amp.all_finite(gradients))
            if recipe.clip:
                gradients = ops.clip_by_global_norm(gradients, recipe.clip)
            optimizer(gradients)
            if scheduler:
                scheduler.step()
    return None
