"""Optimizers by the textbook, in float64: what a rule makes of a parameter, its gradient and its state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from tracer.divergence.training.rule_meanings import RuleMeaning

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
State = Mapping[str, Array]
_UNDERFLOW = 1e-19
"""The root of the smallest square that float32 holds: of a smaller number a root of a mean of squares knows nothing."""


@dataclass(frozen=True)
class Updated:
    """What a rule gives. `size` is, for each element, the sum of the sizes of the terms that its step is made of, and
    `sizes` the same of the states: rounding is relative to these. `tremble` is what float32 leaves open of the step
    beyond that, relative: corrections of the form 1 - beta ** step are differences of nearly equal numbers."""

    parameter: Array
    state: Mapping[str, Array]
    size: Array
    sizes: Mapping[str, Array]
    tremble: float | Array = 0.0


def updated(means: RuleMeaning, parameter: Array, gradient: Array, state: State) -> Updated:
    """One update.

    Args:
        means: the rule, which must be known.
        parameter: before the update, float64.
        gradient: as the optimizer got it, float64, same shape.
        state: what is remembered, in common words (see `states_in_common_words`); what is missing begins as it does.
    """
    given = {key: value for key, value in state.items() if value is not None}
    with np.errstate(all="ignore"):
        got = RULES[means.rule](means, parameter, gradient, given)
    if means.quirks.get("in_place", True):
        return got
    return Updated(parameter.copy(), {}, np.zeros_like(parameter), {})


def states_in_common_words(means: RuleMeaning, state: Mapping[str, Array | None]) -> dict[str, Array]:
    """What an optimizer remembers of a parameter (and of none, as a step count) by common words, as float64.

    A step that is only known as a power of beta1 is counted from it.
    """
    own = {means.states[key]: value for key, value in state.items() if key in means.states and value is not None}
    common = {word: np.asarray(value, np.float64) for word, value in own.items()}
    if "step" not in common and "beta1_power" in common and 0 < means.number("beta1") < 1:
        power = max(float(common["beta1_power"].max()), 1e-300)
        common["step"] = np.array(round(np.log(power) / np.log(means.number("beta1"))), np.float64)
    common.pop("beta1_power", None)
    if means.quirks.get("buffer_holds_lr") and "momentum_buffer" in common and means.number("lr"):
        common["momentum_buffer"] = common["momentum_buffer"] / means.number("lr")
    return common


def initial(means: RuleMeaning, word: str, shape: tuple[int, ...]) -> Array:
    """How a rule's state begins."""
    start = {
        "square_avg": means.number("accumulator"),
        "sum": means.number("accumulator"),
        "mu_product": 1.0,
        "mu": 1.0,
        "eta": means.number("lr"),
        "step_size": means.number("lr"),
        "fresh": 1.0,
    }
    scalar = word in ("step", "mu_product", "mu", "eta")
    return np.full(() if scalar else shape, start.get(word, 0.0))


# --------------------------------------------------------------------------------------------------------------------
# What rules share
# --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Given:
    """What a rule works on: the gradient made ready, and its terms' sizes."""

    means: RuleMeaning
    p: Array
    g: Array
    g_size: Array
    decay: Array
    state: State

    def number(self, word: str, otherwise: float = 0.0) -> float:
        return self.means.number(word, otherwise)

    def remembered(self, word: str) -> Array:
        return self.state[word] if word in self.state else initial(self.means, word, self.p.shape)

    @property
    def step(self) -> float:
        """Number of this update, the first is 1."""
        return float(np.max(self.remembered("step"))) + 1

    def average(self, word: str, beta: float, new: Array, size: Array) -> tuple[Array, Array]:
        """A running average, and the sizes of its terms."""
        old = self.remembered(word)
        return beta * old + (1 - beta) * new, np.abs(beta * old) + (1 - beta) * size

    def correction(self, beta: float) -> tuple[float, float]:
        """1 - beta ** step, and what float32 leaves open of it, relative."""
        if not self.means.quirks.get("bias_correction", True):
            return 1.0, 0.0
        power = beta**self.step
        return 1 - power, _EPS32 * (self.step * power / (1 - power) + 1 / (1 - beta)) if beta < 1 else 0.0


_EPS32 = float(np.finfo(np.float32).eps)


def _given(means: RuleMeaning, p: Array, gradient: Array, state: State) -> _Given:
    g = gradient / (means.number("loss_scale", 1.0) or 1.0)
    if means.hyper.get("maximize"):
        g = -g
    size, decay, rate = np.abs(g), np.zeros_like(p), means.number("weight_decay")
    if rate and means.quirks.get("decoupled"):
        decay = means.number("lr") * rate * p
    elif rate:
        g = g + rate * p
        size = size + np.abs(rate * p)
    return _Given(means, p, g, size, decay, state)


def _moved(given: _Given, step: Array, size: Array) -> tuple[Array, Array]:
    return given.p - given.decay - step, size + np.abs(given.decay)


def _blur(size: Array, g: Array, denominator: Array) -> Array:
    """What is open of a step that is divided by the root of a mean of squares, relative: a square of a gradient that
    is itself a difference is less exact than its size says, and squares can be too small for float32."""
    with np.errstate(all="ignore"):
        cancelled = _EPS32 * np.minimum(size / np.abs(g), 1e7)
        lost = np.minimum(_UNDERFLOW / np.abs(denominator), 1.0)
    blur: Array = np.nan_to_num(cancelled, nan=0.0, posinf=1.0) + np.nan_to_num(lost, nan=0.0)
    return blur


# --------------------------------------------------------------------------------------------------------------------
# The rules
# --------------------------------------------------------------------------------------------------------------------


def _sgd(means: RuleMeaning, p: Array, gradient: Array, state: State) -> Updated:
    x = _given(means, p, gradient, state)
    momentum, lr = x.number("momentum"), x.number("lr")
    step, size, kept, sizes = x.g, x.g_size, {}, {}
    if momentum:
        first = bool(np.max(x.state["fresh"]) > 0) if "fresh" in x.state else "momentum_buffer" not in x.state
        old = x.remembered("momentum_buffer")
        fresh = 1.0 if first else 1 - x.number("dampening")
        buffer = (0.0 if first else momentum) * old + fresh * x.g
        buffer_size = np.abs((0.0 if first else momentum) * old) + fresh * x.g_size
        kept, sizes = {"momentum_buffer": buffer}, {"momentum_buffer": buffer_size}
        if means.hyper.get("nesterov") and means.quirks.get("nesterov_form") != "ignored":
            step, size = x.g + momentum * buffer, x.g_size + momentum * buffer_size
        else:
            step, size = buffer, buffer_size
    parameter, size = _moved(x, lr * step, lr * size)
    return Updated(parameter, kept, size, sizes)


def _adam(means: RuleMeaning, p: Array, gradient: Array, state: State) -> Updated:
    x = _given(means, p, gradient, state)
    m, m_size, denominator, kept, sizes, tremble = _moments(x)
    beta1, (c1, t1) = x.number("beta1"), x.correction(x.number("beta1"))
    if means.hyper.get("nesterov"):
        m, m_size = beta1 * m + (1 - beta1) * x.g, beta1 * m_size + (1 - beta1) * x.g_size
    rate = x.number("lr") / c1
    parameter, size = _moved(x, rate * m / denominator, rate * m_size / denominator)
    return Updated(parameter, kept, size, sizes, tremble + t1)


def _moments(x: _Given) -> tuple[Array, Array, Array, dict[str, Array], dict[str, Array], Array]:
    """Both moments of Adam and its kin, what the first one is divided by, what is open of that."""
    m, m_size = x.average("exp_avg", x.number("beta1"), x.g, x.g_size)
    v, v_size = x.average("exp_avg_sq", x.number("beta2"), x.g * x.g, x.g_size * x.g_size)
    kept = {"step": np.array(x.step), "exp_avg": m, "exp_avg_sq": v}
    sizes = {"exp_avg": m_size, "exp_avg_sq": v_size + x.g_size * x.g_size}
    if x.means.hyper.get("amsgrad") and not x.means.quirks.get("ignores_amsgrad"):
        v = np.maximum(x.remembered("max_exp_avg_sq"), v)
        kept["max_exp_avg_sq"], sizes["max_exp_avg_sq"] = v, v + sizes["exp_avg_sq"]
    c2, t2 = x.correction(x.number("beta2"))
    eps, place = x.number("eps"), x.means.quirks.get("eps_placement")
    if place == "plain":
        denominator = (np.sqrt(v) + eps) / np.sqrt(c2)
    elif place == "inside":
        denominator = np.sqrt(v / c2 + eps)
    else:
        denominator = np.sqrt(v / c2) + eps
    return m, m_size, denominator, kept, sizes, t2 / 2 + _blur(x.g_size, x.g, denominator)


def _nadam(means: RuleMeaning, p: Array, gradient: Array, state: State) -> Updated:
    x = _given(means, p, gradient, state)
    m, m_size, denominator, kept, sizes, tremble = _moments(x)
    beta1, decay, lr = x.number("beta1"), x.number("momentum_decay"), x.number("lr")
    now = beta1 * (1 - 0.5 * 0.96 ** (x.step * decay))
    coming = beta1 * (1 - 0.5 * 0.96 ** ((x.step + 1) * decay))
    product = float(np.max(x.remembered("mu_product"))) * now
    from_gradient, from_moment = lr * (1 - now) / (1 - product), lr * coming / (1 - product * coming)
    parameter, size = _moved(
        x,
        (from_gradient * x.g + from_moment * m) / denominator,
        (from_gradient * x.g_size + from_moment * m_size) / denominator,
    )
    return Updated(parameter, {**kept, "mu_product": np.array(product)}, size, sizes, tremble + 4 * _EPS32)


def _radam(means: RuleMeaning, p: Array, gradient: Array, state: State) -> Updated:
    x = _given(means, p, gradient, state)
    m, m_size, denominator, kept, sizes, tremble = _moments(x)
    beta2, lr = x.number("beta2"), x.number("lr")
    (c1, t1), c2 = x.correction(x.number("beta1")), x.correction(beta2)[0]
    longest = 2 / (1 - beta2) - 1
    length = longest - 2 * x.step * beta2**x.step / c2
    scale: float | Array = lr / c1
    if length > 5:
        rectified = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
        scale = scale * np.sqrt(rectified) / denominator
    parameter, size = _moved(x, scale * m, scale * m_size)
    # the length of the average is a difference of numbers near 1 / (1 - beta2), rounded in float32
    loose = _EPS32 * longest * (1 + x.step / max(length - 4, 1e-3)) if length > 5 else 0.0
    return Updated(parameter, kept, size, sizes, tremble + t1 + loose)


def _adamax(means: RuleMeaning, p: Array, gradient: Array, state: State) -> Updated:
    x = _given(means, p, gradient, state)
    m, m_size = x.average("exp_avg", x.number("beta1"), x.g, x.g_size)
    eps, within = x.number("eps"), means.quirks.get("eps_placement") == "maximum"
    old = x.number("beta2") * x.remembered("exp_inf")
    largest = np.maximum(old, np.abs(x.g) + (eps if within else 0.0))
    denominator = largest + (0.0 if within else eps)
    c1, t1 = x.correction(x.number("beta1"))
    rate = x.number("lr") / c1
    parameter, size = _moved(x, rate * m / denominator, rate * m_size / denominator)
    kept = {"step": np.array(x.step), "exp_avg": m, "exp_inf": largest}
    return Updated(
        parameter,
        kept,
        size,
        {"exp_avg": m_size, "exp_inf": old + x.g_size + eps / _EPS32},
        t1 + _blur(x.g_size, x.g, denominator),
    )


def _rmsprop(means: RuleMeaning, p: Array, gradient: Array, state: State) -> Updated:
    x = _given(means, p, gradient, state)
    alpha, eps, lr = x.number("alpha"), x.number("eps"), x.number("lr")
    v, v_size = x.average("square_avg", alpha, x.g * x.g, x.g_size * x.g_size)
    kept, sizes = {"square_avg": v}, {"square_avg": v_size + x.g_size * x.g_size}
    under = v
    if means.hyper.get("centered"):
        mean, mean_size = x.average("grad_avg", alpha, x.g, x.g_size)
        kept["grad_avg"], sizes["grad_avg"] = mean, mean_size
        under = v - mean * mean
    centered_place = means.quirks.get("eps_placement_centered") if means.hyper.get("centered") else ""
    place = centered_place or means.quirks.get("eps_placement")
    inside = place == "inside"
    denominator = np.sqrt(under + eps) if inside else np.sqrt(under) + eps
    blur = _blur(x.g_size, x.g, denominator) + (_EPS32 / (1 - alpha) if alpha < 1 else _EPS32)
    if place == "mixed":
        blur = blur + np.abs(np.sqrt(under + eps) / denominator - 1)
    if means.hyper.get("centered"):
        blur = blur + np.nan_to_num(np.minimum(_EPS32 * (v + v_size) / np.abs(under + (eps if inside else 0.0)), 1.0))
    step, size = x.g / denominator, x.g_size / denominator
    momentum = x.number("momentum")
    if momentum:
        old = x.remembered("momentum_buffer")
        step, size = momentum * old + step, np.abs(momentum * old) + size
        kept["momentum_buffer"], sizes["momentum_buffer"] = step, size * (1 + blur / _EPS32)
    parameter, size = _moved(x, lr * step, lr * size)
    return Updated(parameter, kept, size, sizes, blur)


def _adagrad(means: RuleMeaning, p: Array, gradient: Array, state: State) -> Updated:
    x = _given(means, p, gradient, state)
    total = x.remembered("sum") + x.g * x.g
    lr = x.number("lr") / (1 + (x.step - 1) * x.number("lr_decay"))
    eps = x.number("eps")
    inside = means.quirks.get("eps_placement") == "inside"
    denominator = np.sqrt(total + eps) if inside else np.sqrt(total) + eps
    parameter, size = _moved(x, lr * x.g / denominator, lr * x.g_size / denominator)
    sizes = {"sum": np.abs(total) + x.g_size * x.g_size}
    return Updated(parameter, {"step": np.array(x.step), "sum": total}, size, sizes, _blur(x.g_size, x.g, denominator))


def _adadelta(means: RuleMeaning, p: Array, gradient: Array, state: State) -> Updated:
    x = _given(means, p, gradient, state)
    rho, eps = x.number("rho"), x.number("eps")
    v, v_size = x.average("square_avg", rho, x.g * x.g, x.g_size * x.g_size)
    old = x.remembered("acc_delta")
    scale = np.sqrt(old + eps) / np.sqrt(v + eps)
    change, change_size = scale * x.g, scale * x.g_size
    kept = {"square_avg": v, "acc_delta": rho * old + (1 - rho) * change * change}
    sizes = {
        "square_avg": v_size + x.g_size * x.g_size,
        "acc_delta": rho * old + 4 * change_size * change_size,
    }
    parameter, size = _moved(x, x.number("lr") * change, x.number("lr") * change_size)
    return Updated(parameter, kept, size, sizes, _blur(x.g_size, x.g, np.sqrt(v + eps)) + _EPS32)


def _asgd(means: RuleMeaning, p: Array, gradient: Array, state: State) -> Updated:
    x = _given(means, p, gradient, state)
    lr, lambd, step = x.number("lr"), x.number("lambd"), x.step
    eta = lr if step == 1 else float(np.max(x.remembered("eta")))
    mu, ax = float(np.max(x.remembered("mu"))), x.remembered("ax")
    decayed = p * lambd * eta
    parameter = p - decayed - eta * x.g
    kept = {
        "step": np.array(step),
        "ax": parameter if mu == 1 else ax + (parameter - ax) * mu,
        "eta": np.array(lr / (1 + lambd * lr * step) ** x.number("alpha")),
        "mu": np.array(1 / max(1.0, step - x.number("t0"))),
    }
    size = np.abs(decayed) + eta * x.g_size
    sizes = {"ax": np.abs(p) + size + np.abs(ax), "eta": 4 * np.abs(kept["eta"]), "mu": 4 * np.abs(kept["mu"])}
    return Updated(parameter, kept, size, sizes, 4 * _EPS32)


def _rprop(means: RuleMeaning, p: Array, gradient: Array, state: State) -> Updated:
    x = _given(means, p, gradient, state)
    lr, step = x.number("lr"), x.step
    lengths = np.full_like(p, lr) if step == 1 else x.remembered("step_size")
    sign = np.sign(x.g * x.remembered("prev"))
    factor = np.where(sign > 0, x.number("eta_plus"), np.where(sign < 0, x.number("eta_minus"), 1.0))
    lengths = np.clip(lengths * factor, x.number("step_size_min"), x.number("step_size_max"))
    kept_gradient = np.where(sign < 0, 0.0, x.g)
    # a gradient that is a difference, or a product that float32 cannot hold, leaves the sign open
    open_sign = (np.abs(x.g) < 4 * _EPS32 * x.g_size) | (np.abs(x.g * x.remembered("prev")) < 1e-37)
    moved = np.sign(kept_gradient) * lengths
    kept = {"step": np.array(step), "prev": kept_gradient, "step_size": lengths}
    sizes = {"prev": x.g_size, "step_size": lengths}
    tremble = np.where(open_sign & (sign != 0), 2.0, 0.0)
    return Updated(p - moved, kept, np.abs(lengths), sizes, tremble)


def _lamb(means: RuleMeaning, p: Array, gradient: Array, state: State) -> Updated:
    x = _given(means.with_words(decoupled=False, weight_decay=0.0), p, gradient, state)
    m, m_size, denominator, kept, sizes, tremble = _moments(x)
    c1, t1 = x.correction(x.number("beta1"))
    rate = means.number("weight_decay")
    step, size = m / c1 / denominator + rate * p, m_size / c1 / denominator + np.abs(rate * p)
    length, step_length = float(np.linalg.norm(p)), float(np.linalg.norm(step))
    trust = length / step_length if length > 0 and step_length > 0 else 1.0
    scale = means.number("lr") * trust
    return Updated(p - scale * step, kept, scale * size, sizes, tremble + t1 + 16 * _EPS32)


RULES: Mapping[str, Callable[[RuleMeaning, Array, Array, State], Updated]] = {
    "sgd": _sgd,
    "adam": _adam,
    "nadam": _nadam,
    "radam": _radam,
    "adamax": _adamax,
    "rmsprop": _rmsprop,
    "adagrad": _adagrad,
    "adadelta": _adadelta,
    "asgd": _asgd,
    "rprop": _rprop,
    "lamb": _lamb,
}
