"""Which optimizers take steps: every class of both frameworks that has a kernel on CPU, with telling settings."""

from __future__ import annotations

from typing import Any

Job = dict[str, Any]


def _job(kind: str, **arguments: Any) -> Job:
    words = ",".join(f"{key}={value}" for key, value in arguments.items())
    return {"name": f"{kind}({words})", "kind": kind, "arguments": arguments}


TORCH = [
    _job("SGD"),
    _job("SGD", lr=0.1, momentum=0.9, dampening=0.3, weight_decay=0.1),
    _job("SGD", lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1, maximize=True),
    _job("Adam"),
    _job("Adam", lr=0.01, eps=1e-3, weight_decay=0.1),
    _job("Adam", lr=0.01, eps=1e-3, amsgrad=True, maximize=True),
    _job("AdamW"),
    _job("AdamW", lr=0.01, eps=1e-3, weight_decay=0.1, amsgrad=True),
    _job("RMSprop"),
    _job("RMSprop", lr=0.01, eps=1e-3, weight_decay=0.1, momentum=0.9, centered=True),
    _job("Adagrad"),
    _job("Adagrad", eps=1e-3, weight_decay=0.1, lr_decay=0.1, initial_accumulator_value=0.1),
    _job("Adadelta"),
    _job("Adadelta", eps=1e-3, weight_decay=0.1),
    _job("Adamax"),
    _job("Adamax", eps=1e-3, weight_decay=0.1),
    _job("NAdam"),
    _job("NAdam", lr=0.01, eps=1e-3, weight_decay=0.1),
    _job("NAdam", lr=0.01, weight_decay=0.1, decoupled_weight_decay=True),
    _job("RAdam"),
    _job("RAdam", lr=0.01, eps=1e-3, weight_decay=0.1, betas=[0.9, 0.9]),
    _job("ASGD"),
    _job("ASGD", lambd=0.1, t0=2.0, weight_decay=0.1),
    _job("Rprop"),
    _job("Rprop", lr=0.1, etas=[0.4, 1.5]),
]

NN = [
    _job("nn.SGD"),
    _job("nn.SGD", learning_rate=0.1, momentum=0.9, dampening=0.3, weight_decay=0.1),
    _job("nn.SGD", learning_rate=0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
    {**_job("nn.SGD", learning_rate=0.1, momentum=0.9, weight_decay=0.1, loss_scale=8.0), "scale": 8},
    _job("nn.Momentum", learning_rate=0.1, momentum=0.9, weight_decay=0.1),
    _job("nn.Momentum", learning_rate=0.1, momentum=0.9, use_nesterov=True),
    _job("nn.Adam"),
    _job("nn.Adam", learning_rate=0.01, eps=1e-3, weight_decay=0.1),
    _job("nn.Adam", learning_rate=0.01, eps=1e-3, use_nesterov=True),
    _job("nn.Adam", learning_rate=0.01, eps=1e-3, use_amsgrad=True),
    _job("nn.LazyAdam", learning_rate=0.01, eps=1e-3),
    _job("nn.AdamOffload", learning_rate=0.01, eps=1e-3),
    _job("nn.AdamWeightDecay"),
    _job("nn.AdamWeightDecay", learning_rate=0.01, eps=1e-3, weight_decay=0.1),
    _job("nn.RMSProp"),
    _job("nn.RMSProp", learning_rate=0.01, epsilon=1e-3, momentum=0.9, weight_decay=0.1),
    _job("nn.RMSProp", learning_rate=0.01, epsilon=1e-3, momentum=0.9, centered=True),
    _job("nn.Adagrad"),
    _job("nn.Adagrad", learning_rate=0.01, accum=0.0, weight_decay=0.1),
    _job("nn.Adadelta"),
    _job("nn.Adadelta", epsilon=1e-3, weight_decay=0.1),
    _job("nn.AdaMax"),
    _job("nn.AdaMax", eps=1e-3, weight_decay=0.1),
    _job("nn.ASGD"),
    _job("nn.ASGD", learning_rate=0.01, lambd=0.1, t0=2.0, weight_decay=0.1),
    _job("nn.Rprop"),
    _job("nn.Rprop", learning_rate=0.01, weight_decay=0.1),
]

_E = "experimental.optim."
EXPERIMENTAL = [
    _job(f"{_E}SGD", lr=0.1),
    _job(f"{_E}SGD", lr=0.1, momentum=0.9, dampening=0.3, weight_decay=0.1),
    _job(f"{_E}SGD", lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1, maximize=True),
    _job(f"{_E}Adam"),
    _job(f"{_E}Adam", lr=0.01, eps=1e-3, weight_decay=0.1),
    _job(f"{_E}Adam", lr=0.01, eps=1e-3, amsgrad=True),
    _job(f"{_E}AdamW"),
    _job(f"{_E}AdamW", lr=0.01, eps=1e-3, weight_decay=0.1, amsgrad=True),
    _job(f"{_E}RMSprop"),
    _job(f"{_E}RMSprop", lr=0.01, eps=1e-3, weight_decay=0.1, momentum=0.9, centered=True),
    _job(f"{_E}Adagrad"),
    _job(f"{_E}Adagrad", lr=0.01, eps=1e-3, weight_decay=0.1, lr_decay=0.1, initial_accumulator_value=0.1),
    _job(f"{_E}Adadelta"),
    _job(f"{_E}Adadelta", eps=1e-3, weight_decay=0.1),
    _job(f"{_E}Adamax"),
    _job(f"{_E}Adamax", eps=1e-3, weight_decay=0.1),
    _job(f"{_E}NAdam"),
    _job(f"{_E}NAdam", lr=0.01, eps=1e-3, weight_decay=0.1),
    _job(f"{_E}RAdam"),
    _job(f"{_E}RAdam", lr=0.01, eps=1e-3, weight_decay=0.1, betas=[0.9, 0.9]),
    _job(f"{_E}ASGD"),
    _job(f"{_E}ASGD", lr=0.01, lambd=0.1, t0=2.0, weight_decay=0.1),
    _job(f"{_E}Rprop"),
]

MINT = [_job("mint.optim.SGD", lr=0.01), _job("mint.optim.Adam", lr=0.01)]

PORTS = [
    _job("nn.SGD", learning_rate=0.001),
    _job("nn.SGD", learning_rate=0.1, momentum=0.9, nesterov=True),
    _job("nn.Adam", learning_rate=0.01, weight_decay=0.1),
    _job("nn.AdamWeightDecay", learning_rate=0.001, eps=1e-8, weight_decay=0.01),
    _job("nn.RMSProp", learning_rate=0.01, decay=0.99, epsilon=1e-8),
    _job("nn.Adagrad", learning_rate=0.01, accum=0.0),
    _job(f"{_E}Adam", lr=0.01, weight_decay=0.1),
    _job(f"{_E}AdamW", lr=0.001, weight_decay=0.01),
    _job(f"{_E}SGD", lr=0.1, momentum=0.9, nesterov=True),
    _job(f"{_E}Adam", lr=0.01, eps=1e-3),
    _job(f"{_E}AdamW", lr=0.002),
]
"""Candidates of the comparisons, which get gradients that differ by rounding."""

MINDSPORE = [*NN, *EXPERIMENTAL, *MINT]
