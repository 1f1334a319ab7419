"""PyTorch's optimizers: by which rule each class updates, how its settings and states are called, its defaults.

Pure data. torch's words are the common words, so most rows say only which of them there are.
"""

from __future__ import annotations

from tracer.frameworks.optimizer_rules import OptimizerRule
from tracer.trace.schema import Plain


def _same(*words: str, **others: str) -> dict[str, str]:
    """Settings or states that are called as everywhere, and others."""
    return {**{word: word for word in words}, **others}


_BETAS = {"beta1": "betas.0|beta1", "beta2": "betas.1|beta2"}
_ADAM: dict[str, Plain] = {
    "lr": 0.001,
    "beta1": 0.9,
    "beta2": 0.999,
    "eps": 1e-8,
    "weight_decay": 0.0,
    "amsgrad": False,
    "maximize": False,
}
_ADAM_SETTINGS = _same("lr", "eps", "weight_decay", "amsgrad", "maximize", **_BETAS, decoupled="decoupled_weight_decay")
_ADAM_STATES = _same("step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq")

TORCH_OPTIMIZERS = (
    OptimizerRule(
        ("torch.optim.SGD",),
        "sgd",
        _same("lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize"),
        {
            "lr": 0.001,
            "momentum": 0.0,
            "dampening": 0.0,
            "weight_decay": 0.0,
            "nesterov": False,
            "maximize": False,
        },
        _same("momentum_buffer"),
    ),
    OptimizerRule(
        ("torch.optim.AdamW",),
        "adam",
        _ADAM_SETTINGS,
        {**_ADAM, "weight_decay": 0.01},
        _ADAM_STATES,
        {"decoupled": True},
    ),
    OptimizerRule(("torch.optim.Adam",), "adam", _ADAM_SETTINGS, _ADAM, _ADAM_STATES),
    OptimizerRule(
        ("torch.optim.NAdam",),
        "nadam",
        _same(
            "lr",
            "eps",
            "weight_decay",
            "momentum_decay",
            "maximize",
            **_BETAS,
            decoupled="decoupled_weight_decay",
        ),
        {
            "lr": 0.002,
            "beta1": 0.9,
            "beta2": 0.999,
            "eps": 1e-8,
            "weight_decay": 0.0,
            "momentum_decay": 0.004,
            "maximize": False,
        },
        _same("step", "mu_product", "exp_avg", "exp_avg_sq"),
    ),
    OptimizerRule(
        ("torch.optim.RAdam",),
        "radam",
        _same("lr", "eps", "weight_decay", "maximize", **_BETAS, decoupled="decoupled_weight_decay"),
        {"lr": 0.001, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0, "maximize": False},
        _same("step", "exp_avg", "exp_avg_sq"),
        {"eps_placement": "plain"},
    ),
    OptimizerRule(
        ("torch.optim.Adamax",),
        "adamax",
        _same("lr", "eps", "weight_decay", "maximize", **_BETAS),
        {"lr": 0.002, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0, "maximize": False},
        _same("step", "exp_avg", "exp_inf"),
        {"eps_placement": "maximum"},
    ),
    OptimizerRule(
        ("torch.optim.RMSprop",),
        "rmsprop",
        _same("lr", "alpha", "eps", "weight_decay", "momentum", "centered", "maximize"),
        {
            "lr": 0.01,
            "alpha": 0.99,
            "eps": 1e-8,
            "weight_decay": 0.0,
            "momentum": 0.0,
            "centered": False,
            "maximize": False,
        },
        _same("step", "square_avg", "momentum_buffer", "grad_avg"),
        {"eps_placement": "outside"},
        fixed={"accumulator": 0.0},
    ),
    OptimizerRule(
        ("torch.optim.Adagrad",),
        "adagrad",
        _same("lr", "lr_decay", "weight_decay", "eps", "maximize", accumulator="initial_accumulator_value"),
        {"lr": 0.01, "lr_decay": 0.0, "weight_decay": 0.0, "accumulator": 0.0, "eps": 1e-10, "maximize": False},
        _same("step", "sum"),
        {"eps_placement": "outside"},
    ),
    OptimizerRule(
        ("torch.optim.Adadelta",),
        "adadelta",
        _same("lr", "rho", "eps", "weight_decay", "maximize"),
        {"lr": 1.0, "rho": 0.9, "eps": 1e-6, "weight_decay": 0.0, "maximize": False},
        _same("step", "square_avg", "acc_delta"),
        {"eps_placement": "inside"},
    ),
    OptimizerRule(
        ("torch.optim.ASGD",),
        "asgd",
        _same("lr", "lambd", "alpha", "t0", "weight_decay", "maximize"),
        {"lr": 0.01, "lambd": 1e-4, "alpha": 0.75, "t0": 1e6, "weight_decay": 0.0, "maximize": False},
        _same("step", "eta", "mu", "ax"),
    ),
    OptimizerRule(
        ("torch.optim.Rprop",),
        "rprop",
        _same(
            "lr",
            "maximize",
            eta_minus="etas.0",
            eta_plus="etas.1",
            step_size_min="step_sizes.0",
            step_size_max="step_sizes.1",
        ),
        {
            "lr": 0.01,
            "eta_minus": 0.5,
            "eta_plus": 1.2,
            "step_size_min": 1e-6,
            "step_size_max": 50.0,
            "maximize": False,
        },
        _same("step", "prev", "step_size"),
    ),
)
"""Rows in the order in which they are tried: AdamW is an Adam since torch 2.9, so its row comes first."""
