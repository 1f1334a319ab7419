"""Calls of optimizers and schedulers: `net` is a small net, `optimizer` one of SGD with a learning rate of 0.1."""

from __future__ import annotations

from collections.abc import Mapping

_ADAM = (
    "(net.parameters())",
    "(net.parameters(), 1e-2)",
    "(net.parameters(), lr=1e-2)",
    "(net.parameters(), 1e-2, (0.5, 0.9))",
    "(net.parameters(), lr=1e-2, betas=(0.8, 0.95))",
    "(net.parameters(), lr=1e-2, weight_decay=0.1)",
    "(net.parameters(), lr=1e-2, eps=1e-8)",
    "(net.parameters(), lr=1e-2, eps=1e-3)",
    "(net.parameters(), lr=1e-2, eps=1e-6)",
    "(params=net.parameters(), lr=1e-2)",
)
_AMSGRAD = ("(net.parameters(), lr=1e-2, amsgrad=True)", "(net.parameters(), 1e-2, (0.9, 0.99), 1e-8, 0.01, True)")
_FAST = (
    "(net.parameters(), lr=1e-2, foreach=True)",
    "(net.parameters(), lr=1e-2, fused=False)",
    "(net.parameters(), lr=1e-2, maximize=True)",
)
_GROUPS = (
    "([{'params': [net.weight], 'lr': 0.05}, {'params': [net.gamma, net.beta], 'weight_decay': 0.0}], lr=0.1, weight_decay=0.01)",
    "([p for p in net.parameters() if p.ndim > 1], lr=0.1)",
    "(filter(lambda p: p.requires_grad, net.parameters()), lr=0.1)",
    "(list(net.parameters()), lr=0.1)",
    "((p for p in net.parameters()), lr=0.1)",
    "([{'params': net.parameters()}], lr=0.1)",
)

OPTIMIZERS: Mapping[str, tuple[str, ...]] = {
    "torch.optim.SGD": (
        "(net.parameters())",
        "(net.parameters(), 0.1)",
        "(net.parameters(), lr=0.1)",
        "(net.parameters(), lr=0.1, momentum=0.9)",
        "(net.parameters(), 0.1, 0.9, 0.1)",
        "(net.parameters(), lr=0.1, momentum=0.9, dampening=0.5)",
        "(net.parameters(), lr=0.1, weight_decay=0.1)",
        "(net.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-2)",
        "(net.parameters(), 0.1, 0.9, 0, 0.01, True)",
        "(net.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.05)",
        "(net.parameters(), lr=0.1, maximize=True)",
        "(net.parameters(), lr=0.1, momentum=0.9, foreach=True)",
        *_GROUPS,
    ),
    "torch.optim.Adam": (
        *_ADAM,
        *_AMSGRAD,
        *_FAST,
        *_GROUPS,
        "(net.parameters(), decoupled_weight_decay=True, weight_decay=0.1)",
    ),
    "torch.optim.AdamW": (*_ADAM, *_AMSGRAD, *_FAST, *_GROUPS[:2]),
    "torch.optim.Adamax": (*_ADAM, "(net.parameters(), maximize=True)"),
    "torch.optim.NAdam": (
        *_ADAM,
        "(net.parameters(), momentum_decay=0.01)",
        "(net.parameters(), decoupled_weight_decay=True, weight_decay=0.1)",
        "(net.parameters(), maximize=True)",
    ),
    "torch.optim.RAdam": (
        *_ADAM,
        "(net.parameters(), decoupled_weight_decay=True, weight_decay=0.1)",
        "(net.parameters(), maximize=True)",
    ),
    "torch.optim.Adadelta": (
        "(net.parameters())",
        "(net.parameters(), 0.5)",
        "(net.parameters(), lr=0.5, rho=0.8, eps=1e-4)",
        "(net.parameters(), weight_decay=0.1)",
        "(net.parameters(), maximize=True)",
    ),
    "torch.optim.Adagrad": (
        "(net.parameters())",
        "(net.parameters(), 0.1)",
        "(net.parameters(), lr=0.1, lr_decay=0.1)",
        "(net.parameters(), lr=0.1, weight_decay=0.1)",
        "(net.parameters(), lr=0.1, initial_accumulator_value=0.5)",
        "(net.parameters(), lr=0.1, eps=1e-3)",
        "(net.parameters(), maximize=True)",
    ),
    "torch.optim.RMSprop": (
        "(net.parameters())",
        "(net.parameters(), 0.1)",
        "(net.parameters(), lr=0.1, alpha=0.9)",
        "(net.parameters(), lr=0.1, eps=1e-3)",
        "(net.parameters(), lr=0.1, weight_decay=0.1)",
        "(net.parameters(), lr=0.1, momentum=0.9)",
        "(net.parameters(), lr=0.1, centered=True)",
        "(net.parameters(), 0.1, 0.9, 1e-8, 0.01, 0.9, True)",
        "(net.parameters(), maximize=True)",
    ),
    "torch.optim.Rprop": (
        "(net.parameters())",
        "(net.parameters(), 0.1)",
        "(net.parameters(), lr=0.1, etas=(0.4, 1.5))",
        "(net.parameters(), lr=0.1, step_sizes=(1e-3, 0.2))",
        "(net.parameters(), maximize=True)",
    ),
    "torch.optim.ASGD": (
        "(net.parameters())",
        "(net.parameters(), 0.1)",
        "(net.parameters(), lr=0.1, lambd=1e-2, alpha=0.5, t0=2)",
        "(net.parameters(), lr=0.1, weight_decay=0.1)",
        "(net.parameters(), maximize=True)",
    ),
    "torch.optim.LBFGS": ("(net.parameters())",),
    "torch.optim.SparseAdam": ("(net.parameters())",),
    "torch.optim.Adafactor": ("(net.parameters())",),
}

SCHEDULERS: Mapping[str, tuple[str, ...]] = {
    "torch.optim.lr_scheduler.StepLR": (
        "(optimizer, 3)",
        "(optimizer, step_size=2, gamma=0.5)",
        "(optimizer, 3, 0.5, -1)",
    ),
    "torch.optim.lr_scheduler.MultiStepLR": (
        "(optimizer, [2, 5])",
        "(optimizer, milestones=[3, 4, 7], gamma=0.3)",
        "(optimizer, (2, 5), 0.5)",
    ),
    "torch.optim.lr_scheduler.ExponentialLR": ("(optimizer, 0.9)", "(optimizer, gamma=0.8, last_epoch=-1)"),
    "torch.optim.lr_scheduler.LambdaLR": (
        "(optimizer, lambda n: 0.9 ** n)",
        "(optimizer, lr_lambda=lambda n: 1 / (1 + n))",
        "(optimizer, lr_lambda=[lambda n: 0.5 ** n])",
    ),
    "torch.optim.lr_scheduler.MultiplicativeLR": (
        "(optimizer, lambda n: 0.9)",
        "(optimizer, lr_lambda=lambda n: 1 / (1 + n))",
    ),
    "torch.optim.lr_scheduler.ConstantLR": (
        "(optimizer)",
        "(optimizer, 0.5, 3)",
        "(optimizer, factor=0.1, total_iters=2)",
    ),
    "torch.optim.lr_scheduler.LinearLR": (
        "(optimizer)",
        "(optimizer, 0.5, 0.8, 3)",
        "(optimizer, start_factor=0.1, total_iters=7)",
    ),
    "torch.optim.lr_scheduler.PolynomialLR": (
        "(optimizer)",
        "(optimizer, 8, 2.0)",
        "(optimizer, total_iters=6, power=0.9)",
    ),
    "torch.optim.lr_scheduler.CosineAnnealingLR": (
        "(optimizer, 5)",
        "(optimizer, T_max=8, eta_min=0.01)",
        "(optimizer, 10, 1e-3, -1)",
    ),
    "torch.optim.lr_scheduler.CosineAnnealingWarmRestarts": (
        "(optimizer, 4)",
        "(optimizer, T_0=2, T_mult=2, eta_min=1e-3)",
    ),
    "torch.optim.lr_scheduler.CyclicLR": (
        "(optimizer, 0.01, 0.1, cycle_momentum=False)",
        "(optimizer, base_lr=0.01, max_lr=0.1, step_size_up=3, step_size_down=2, cycle_momentum=False)",
        "(optimizer, 0.01, 0.1, 3, mode='triangular2', cycle_momentum=False)",
        "(optimizer, 0.01, 0.1, 3, mode='exp_range', gamma=0.9, cycle_momentum=False)",
        "(optimizer, 0.01, 0.1)",
    ),
    "torch.optim.lr_scheduler.SequentialLR": (
        "(optimizer, [torch.optim.lr_scheduler.ConstantLR(optimizer, 0.1, 2), torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)], [3])",
    ),
    "torch.optim.lr_scheduler.ReduceLROnPlateau": (
        "(optimizer)",
        "(optimizer, 'min', 0.5, 1)",
        "(optimizer, mode='max', factor=0.3, patience=2, cooldown=1)",
        "(optimizer, patience=0, threshold=0.1, threshold_mode='abs', min_lr=1e-2, eps=1e-8)",
    ),
    "torch.optim.lr_scheduler.OneCycleLR": ("(optimizer, 0.1, total_steps=20)",),
    "torch.optim.lr_scheduler.ChainedScheduler": ("([torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)])",),
}
