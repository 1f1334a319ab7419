"""How a user trains the reference."""

import torch
from torch import nn
from torch.nn import functional


def parameter_groups(net, recipe):
    if not recipe.decay_groups:
        return [{"params": list(net.parameters()), "weight_decay": recipe.decay}]
    decayed = [parameter for parameter in net.parameters() if parameter.ndim > 1]
    spared = [parameter for parameter in net.parameters() if parameter.ndim <= 1]
    return [{"params": decayed, "weight_decay": recipe.decay}, {"params": spared, "weight_decay": 0.0}]


def make_optimizer(net, recipe):
    groups = parameter_groups(net, recipe)
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=recipe.rate)
    if recipe.optimizer == "momentum":
        return torch.optim.SGD(groups, lr=recipe.rate, momentum=0.9)
    if recipe.optimizer == "nesterov":
        return torch.optim.SGD(groups, lr=recipe.rate, momentum=0.9, nesterov=True)
    if recipe.optimizer == "adam":
        return torch.optim.Adam(groups, lr=recipe.rate, betas=(0.9, 0.999), eps=recipe.eps)
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=recipe.rate, betas=(0.9, 0.999), eps=recipe.eps)
    return torch.optim.RMSprop(groups, lr=recipe.rate, alpha=0.99, eps=recipe.eps)


def make_loss(recipe, classes):
    weight = torch.linspace(0.5, 2.0, classes) if recipe.class_weights else None
    if recipe.loss_layer:
        return nn.CrossEntropyLoss(weight=weight, ignore_index=recipe.ignored, label_smoothing=recipe.smoothing)

    def cross_entropy(logits, labels):
        return functional.cross_entropy(
            logits, labels, weight=weight, ignore_index=recipe.ignored, label_smoothing=recipe.smoothing
        )

    return cross_entropy


def train(net, optimizer, steps, recipe, classes, recording):
    """`steps` is a list of lists of micro-batches: (inputs, labels) in numpy."""
    net.train()
    criterion = make_loss(recipe, classes)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5) if recipe.schedule else None
    scaler = torch.amp.GradScaler("cpu", init_scale=recipe.scale) if recipe.scale else None

    def forward(batch):
        inputs, labels = (torch.from_numpy(array) for array in batch)
        logits = net(inputs)
        loss = criterion(logits.reshape(-1, classes), labels.reshape(-1))
        recording.loss(loss)
        loss = loss / recipe.micro_batches
        (scaler.scale(loss) if scaler else loss).backward()
        return loss

    def closure():
        optimizer.zero_grad()
        return forward(batches[0])

    for batches in steps:
        with recording.step():
            if recipe.reference_loop == "closure":
                optimizer.step(closure)
                continue
            for batch in batches:
                forward(batch)
            if scaler:
                scaler.unscale_(optimizer)
            if recipe.clip:
                torch.nn.utils.clip_grad_norm_(net.parameters(), recipe.clip)
            if scaler:
                scaler.step(optimizer)
                scaler.update()
            else:
                optimizer.step()
            optimizer.zero_grad()
            if scheduler:
                scheduler.step()
