"""MindSpore's optimizers: by which rule each class updates, how its settings and states are called, its defaults.

Pure data, in torch's words. What a class does and no setting says was measured on CPU.
"""

from __future__ import annotations

from tracer.frameworks.optimizer_rules import OptimizerRule
from tracer.trace.schema import Plain


def _same(*words: str, **others: str) -> dict[str, str]:
    """Settings or states that are called as everywhere, and others."""
    return {**{word: word for word in words}, **others}


_LR = "learning_rate|lr"
_BETAS = {"beta1": "beta1|betas.0", "beta2": "beta2|betas.1"}
_ETAS = {
    "eta_minus": "etas.0|etaminus",
    "eta_plus": "etas.1|etaplus",
    "step_size_min": "step_sizes.0|step_size_min",
    "step_size_max": "step_sizes.1|step_size_max",
}
_ETAS_DEFAULTS: dict[str, Plain] = {"eta_minus": 0.5, "eta_plus": 1.2, "step_size_min": 1e-6, "step_size_max": 50.0}

# --------------------------------------------------------------------------------------------------------------------
# nn
# --------------------------------------------------------------------------------------------------------------------

_NN = {"single_precision": True, "skips_gamma_beta": True}
_NN_COMMON = {"lr": _LR, "weight_decay": "weight_decay", "loss_scale": "loss_scale"}
_NN_DEFAULTS: dict[str, Plain] = {"weight_decay": 0.0, "loss_scale": 1.0}

_EPS_NOTE = (
    "{kind} adds eps to the root of the second moment before its bias correction, PyTorch's Adam after it: in the "
    "first steps its eps acts as one that is larger (31 times at the first step with beta2=0.999)"
)
_ADAM_NOTES = {"eps_placement": _EPS_NOTE}
_DECAY_NOTE = (
    "optimizers of mindspore.nn leave weight decay out where a parameter's name holds 'gamma' or 'beta' (norm layers), "
    "as long as no parameter groups are given"
)

_NN_ADAM = OptimizerRule(
    ("mindspore.nn.Adam", "mindspore.nn.LazyAdam", "mindspore.nn.AdamOffload"),
    "adam",
    {
        **_NN_COMMON,
        **_BETAS,
        "eps": "eps|epsilon",
        "nesterov": "use_nesterov",
        "amsgrad": "use_amsgrad",
    },
    {
        **_NN_DEFAULTS,
        "lr": 0.001,
        "beta1": 0.9,
        "beta2": 0.999,
        "eps": 1e-8,
        "nesterov": False,
        "amsgrad": False,
    },
    {
        "step": "global_step",
        "beta1_power": "beta1_power",
        "exp_avg": "moment1",
        "exp_avg_sq": "moment2",
        "max_exp_avg_sq": "vhat",
    },
    {**_NN, "eps_placement": "plain"},
    notes={**_ADAM_NOTES, "skips_gamma_beta": _DECAY_NOTE},
)

_NN_ADAM_WEIGHT_DECAY = OptimizerRule(
    ("mindspore.nn.AdamWeightDecay",),
    "adam",
    {"lr": _LR, **_BETAS, "eps": "eps|epsilon", "weight_decay": "weight_decay"},
    {"lr": 0.001, "beta1": 0.9, "beta2": 0.999, "eps": 1e-6, "weight_decay": 0.0},
    {"step": "global_step", "exp_avg": "moments1|adam_m", "exp_avg_sq": "moments2|adam_v"},
    {**_NN, "eps_placement": "plain", "bias_correction": False, "decoupled": True},
    notes={
        "bias_correction": (
            "AdamWeightDecay makes no bias correction: its first steps are several times larger than those of "
            "PyTorch's AdamW (3 to 7 times in the first dozen with the usual betas)"
        ),
        "skips_gamma_beta": _DECAY_NOTE,
    },
)

_NN_LAMB = OptimizerRule(
    ("mindspore.nn.Lamb",),
    "lamb",
    {"lr": _LR, **_BETAS, "eps": "eps|epsilon", "weight_decay": "weight_decay"},
    {"beta1": 0.9, "beta2": 0.999, "eps": 1e-6, "weight_decay": 0.0},
    {"step": "global_step", "exp_avg": "moments1|lamb_m", "exp_avg_sq": "moments2|lamb_v"},
    {**_NN, "decoupled": True},
)

_NN_SGD = OptimizerRule(
    ("mindspore.nn.SGD",),
    "sgd",
    {**_NN_COMMON, "momentum": "momentum", "dampening": "dampening", "nesterov": "nesterov"},
    {**_NN_DEFAULTS, "lr": 0.1, "momentum": 0.0, "dampening": 0.0, "nesterov": False},
    {"step": "global_step", "momentum_buffer": "accum", "fresh": "stat"},
    _NN,
    notes={"skips_gamma_beta": _DECAY_NOTE},
)

_NN_MOMENTUM = OptimizerRule(
    ("mindspore.nn.Momentum",),
    "sgd",
    {**_NN_COMMON, "momentum": "momentum", "nesterov": "use_nesterov"},
    {**_NN_DEFAULTS, "nesterov": False},
    {"step": "global_step", "momentum_buffer": "moments"},
    {**_NN, "nesterov_form": "ignored"},
    notes={
        "nesterov_form": ("nn.Momentum with use_nesterov=True steps on CPU as if it were False"),
        "skips_gamma_beta": _DECAY_NOTE,
    },
)

_NN_RMSPROP = OptimizerRule(
    ("mindspore.nn.RMSProp",),
    "rmsprop",
    {**_NN_COMMON, "alpha": "decay", "eps": "epsilon|eps", "momentum": "momentum", "centered": "centered"},
    {**_NN_DEFAULTS, "lr": 0.1, "alpha": 0.9, "eps": 1e-10, "momentum": 0.0, "centered": False},
    {
        "step": "global_step",
        "square_avg": "ms|mean_square",
        "momentum_buffer": "moment",
        "grad_avg": "mg|mean_grad",
    },
    {**_NN, "eps_placement": "mixed", "eps_placement_centered": "inside", "buffer_holds_lr": True},
    fixed={"accumulator": 1.0},
    notes={
        "accumulator": (
            "nn.RMSProp starts its mean of squared gradients at one, PyTorch's RMSprop at zero: its first steps are "
            "much smaller"
        ),
        "eps_placement": (
            "nn.RMSProp adds epsilon inside the root with centered=True, and else (on CPU) beside it in whole blocks "
            "of elements and inside in the rest; PyTorch's RMSprop adds it beside the root"
        ),
        "skips_gamma_beta": _DECAY_NOTE,
    },
)

_ADAGRAD_EPS_NOTE = (
    "nn.Adagrad adds 1e-8 inside the root and no argument changes it, PyTorch's Adagrad 1e-10 beside it: where the sum "
    "of squared gradients is not far above 1e-8 it makes smaller steps"
)

_NN_ADAGRAD = OptimizerRule(
    ("mindspore.nn.Adagrad",),
    "adagrad",
    {**_NN_COMMON, "accumulator": "accum|initial_accumulator_value"},
    {**_NN_DEFAULTS, "lr": 0.001, "accumulator": 0.1},
    {"step": "global_step", "sum": "accum"},
    {**_NN, "eps_placement": "inside"},
    fixed={"eps": 1e-8, "lr_decay": 0.0},
    notes={
        "eps": _ADAGRAD_EPS_NOTE,
        "eps_placement": _ADAGRAD_EPS_NOTE,
        "accumulator": "nn.Adagrad starts its sum of squared gradients at accum=0.1, PyTorch's Adagrad at zero",
        "skips_gamma_beta": _DECAY_NOTE,
    },
)

_NN_ADADELTA = OptimizerRule(
    ("mindspore.nn.Adadelta",),
    "adadelta",
    {**_NN_COMMON, "rho": "rho", "eps": "epsilon|eps"},
    {**_NN_DEFAULTS, "lr": 1.0, "rho": 0.9, "eps": 1e-6},
    {"step": "global_step", "square_avg": "accum", "acc_delta": "accum_update"},
    {**_NN, "eps_placement": "inside"},
    notes={"skips_gamma_beta": _DECAY_NOTE},
)

_NN_ADAMAX = OptimizerRule(
    ("mindspore.nn.AdaMax",),
    "adamax",
    {**_NN_COMMON, **_BETAS, "eps": "eps|epsilon"},
    {**_NN_DEFAULTS, "lr": 0.001, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8},
    {"step": "global_step", "beta1_power": "beta1_power", "exp_avg": "moment1", "exp_inf": "moment2"},
    {**_NN, "eps_placement": "outside"},
    notes={"skips_gamma_beta": _DECAY_NOTE},
)

_NN_ASGD = OptimizerRule(
    ("mindspore.nn.ASGD",),
    "asgd",
    {"lr": _LR, "lambd": "lambd", "alpha": "alpha", "t0": "t0", "weight_decay": "weight_decay"},
    {"lr": 0.1, "lambd": 1e-4, "alpha": 0.75, "t0": 1e6, "weight_decay": 0.0},
    {"step": "global_step", "eta": "eta", "mu": "mu", "ax": "ax"},
    _NN,
    notes={"skips_gamma_beta": _DECAY_NOTE},
)

_NN_RPROP = OptimizerRule(
    ("mindspore.nn.Rprop",),
    "rprop",
    {"lr": _LR, "weight_decay": "weight_decay", **_ETAS},
    {"lr": 0.1, "weight_decay": 0.0, **_ETAS_DEFAULTS},
    {"step": "global_step", "prev": "prev", "step_size": "step_size"},
    _NN,
    notes={"skips_gamma_beta": _DECAY_NOTE},
)

# --------------------------------------------------------------------------------------------------------------------
# experimental
# --------------------------------------------------------------------------------------------------------------------

_EXPERIMENTAL = {"single_precision": True}
_ADAM_SETTINGS = _same("lr", "eps", "weight_decay", "amsgrad", "maximize", beta1="betas.0|beta1", beta2="betas.1|beta2")
_ADAM: dict[str, Plain] = {
    "lr": 0.001,
    "beta1": 0.9,
    "beta2": 0.999,
    "eps": 1e-8,
    "weight_decay": 0.0,
    "amsgrad": False,
    "maximize": False,
}
_ADAM_STATES = _same("exp_avg", "exp_avg_sq", "max_exp_avg_sq", step="state_step")
_SGD_SETTINGS = _same("lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize")
_SGD: dict[str, Plain] = {
    "momentum": 0.0,
    "dampening": 0.0,
    "weight_decay": 0.0,
    "nesterov": False,
    "maximize": False,
}


def _kinds(name: str) -> tuple[str, ...]:
    return (f"mindspore.experimental.optim.{name}",)


_EXPERIMENTAL_ADAM = OptimizerRule(
    _kinds("Adam"),
    "adam",
    _ADAM_SETTINGS,
    _ADAM,
    _ADAM_STATES,
    {**_EXPERIMENTAL, "eps_placement": "plain", "ignores_amsgrad": True},
    notes={**_ADAM_NOTES, "ignores_amsgrad": "mindspore.experimental.optim.Adam takes amsgrad and makes no use of it"},
)

_EXPERIMENTAL_ADAMW = OptimizerRule(
    (*_kinds("AdamW"), *_kinds("SpeedAdamW"), "mindspore.experimental.optim.adamw.SpeedAdamW"),
    "adam",
    _ADAM_SETTINGS,
    {**_ADAM, "weight_decay": 0.01},
    _ADAM_STATES,
    {**_EXPERIMENTAL, "decoupled": True},
)

_EXPERIMENTAL_OTHERS = (
    OptimizerRule(
        _kinds("SGD"),
        "sgd",
        _SGD_SETTINGS,
        _SGD,
        {"momentum_buffer": "accum", "fresh": "stat"},
        _EXPERIMENTAL,
    ),
    OptimizerRule(
        _kinds("RMSprop"),
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
        {"square_avg": "mean_square", "momentum_buffer": "moment", "grad_avg": "mean_grad"},
        {**_EXPERIMENTAL, "eps_placement": "outside"},
        fixed={"accumulator": 0.0},
    ),
    OptimizerRule(
        _kinds("Adagrad"),
        "adagrad",
        _same("lr", "lr_decay", "weight_decay", "eps", "maximize", accumulator="initial_accumulator_value"),
        {"lr": 0.01, "lr_decay": 0.0, "weight_decay": 0.0, "accumulator": 0.0, "eps": 1e-10, "maximize": False},
        {"step": "step_t", "sum": "accum"},
        {**_EXPERIMENTAL, "eps_placement": "outside"},
    ),
    OptimizerRule(
        _kinds("Adadelta"),
        "adadelta",
        _same("lr", "rho", "eps", "weight_decay", "maximize"),
        {"lr": 1.0, "rho": 0.9, "eps": 1e-6, "weight_decay": 0.0, "maximize": False},
        {"square_avg": "accum", "acc_delta": "accum_update"},
        {**_EXPERIMENTAL, "eps_placement": "inside"},
    ),
    OptimizerRule(
        _kinds("Adamax"),
        "adamax",
        _same("lr", "eps", "weight_decay", "maximize", beta1="betas.0|beta1", beta2="betas.1|beta2"),
        {"lr": 0.002, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0, "maximize": False},
        _same("exp_avg", "exp_inf", step="step_t"),
        {**_EXPERIMENTAL, "eps_placement": "maximum"},
    ),
    OptimizerRule(
        _kinds("NAdam"),
        "nadam",
        _same("lr", "eps", "weight_decay", "momentum_decay", beta1="betas.0|beta1", beta2="betas.1|beta2"),
        {"lr": 0.002, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0, "momentum_decay": 0.004},
        _same("exp_avg", "exp_avg_sq", "mu_product", step="step_t"),
        _EXPERIMENTAL,
    ),
    OptimizerRule(
        _kinds("RAdam"),
        "radam",
        _same("lr", "eps", "weight_decay", beta1="betas.0|beta1", beta2="betas.1|beta2"),
        {"lr": 0.001, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0},
        _same("exp_avg", "exp_avg_sq", step="step_t"),
        {**_EXPERIMENTAL, "eps_placement": "plain"},
    ),
    OptimizerRule(
        _kinds("ASGD"),
        "asgd",
        _same("lr", "lambd", "alpha", "t0", "weight_decay", "maximize"),
        {"lr": 0.01, "lambd": 1e-4, "alpha": 0.75, "t0": 1e6, "weight_decay": 0.0, "maximize": False},
        _same("eta", "mu", "ax", step="step_t"),
        _EXPERIMENTAL,
    ),
    OptimizerRule(
        _kinds("Rprop"),
        "rprop",
        _same("lr", "maximize", **_ETAS),
        {"lr": 0.01, "maximize": False, **_ETAS_DEFAULTS},
        _same("prev", "step_size", step="step_t"),
        _EXPERIMENTAL,
    ),
)

# --------------------------------------------------------------------------------------------------------------------
# mint
# --------------------------------------------------------------------------------------------------------------------

_MINT = {"in_place": False}
_MINT_NOTES = {
    "in_place": (
        "mindspore.mint.optim updates by in-place calls, which on CPU only return their result: no parameter "
        "ever changes"
    )
}

_MINT_ROWS = (
    OptimizerRule(
        ("mindspore.mint.optim.SGD",),
        "sgd",
        _SGD_SETTINGS,
        _SGD,
        {"step": "step_t", "momentum_buffer": "momentum_buf"},
        _MINT,
        notes=_MINT_NOTES,
    ),
    OptimizerRule(
        ("mindspore.mint.optim.Adam",), "adam", _ADAM_SETTINGS, _ADAM, _ADAM_STATES, _MINT, notes=_MINT_NOTES
    ),
    OptimizerRule(
        ("mindspore.mint.optim.AdamW",),
        "adam",
        _ADAM_SETTINGS,
        {**_ADAM, "weight_decay": 0.01},
        _ADAM_STATES,
        {**_MINT, "decoupled": True},
        notes=_MINT_NOTES,
    ),
)

MINDSPORE_OPTIMIZERS = (
    _NN_ADAM,
    _NN_ADAM_WEIGHT_DECAY,
    _NN_LAMB,
    _NN_SGD,
    _NN_MOMENTUM,
    _NN_RMSPROP,
    _NN_ADAGRAD,
    _NN_ADADELTA,
    _NN_ADAMAX,
    _NN_ASGD,
    _NN_RPROP,
    _EXPERIMENTAL_ADAM,
    _EXPERIMENTAL_ADAMW,
    *_EXPERIMENTAL_OTHERS,
    *_MINT_ROWS,
)
