"""What a trace says: the plain values that both banks of the bridge share.

Nothing here knows a framework, HDF5 or a rule. A trace is a *header*, the *layers* of the net (written once, when
recording starts) and *rows* that only grow: a call is entered, it returns, gradients arrive. `Skeleton` is all of it
put together, with arrays left in the file.

Where things lie in the file (`/` inside a path is stored as `%2F`, `%` as `%25`)::

    /                                attributes: format, version, framework, framework_version, complete, ...
    /skeleton/header                 JSON, written first
    /skeleton/layers                 JSON, one row per layer, written once
    /skeleton/calls                  JSON, one row per event; the table only grows
    /skeleton/blocks                 float64 (n, 4): sum, sum of squares, minimum, maximum of parameters' row blocks
    /timing/facts                    JSON, one row: what holds for all times; only of keep="timing"
    /timing/<name>                   int64: the arrays of `tracer.trace.timing.Timing`
    /steps/<n>/layers/<path>/params/<name>
    /steps/<n>/layers/<path>/param_grads/<name>           of the first backward pass; then param_grads_1, ...
    /steps/<n>/layers/<path>/update_grads/<name>          as the optimizer got them
    /steps/<n>/layers/<path>/{params_before,params_after}/<name>
    /steps/<n>/layers/<path>/{state_before,state_after}/<name>/<key>
    /steps/<n>/losses/<index>/{value,gradient,input}/<leaf>
    /steps/<n>/layers/<path>/calls/<index>/{input,output,grad_input,grad_output}/<leaf>
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

FORMAT = "tracer"
VERSION = 1
ROOT = "(root)"
"""The path of the net itself."""

SAMPLE = 64
"""How many elements, evenly spaced over the C-order array, every `Statistics` keeps."""

Side = Literal["input", "output", "grad_input", "grad_output"]
Keep = Literal["values", "statistics", "timing"]
"""What a trace holds of values; "timing" nothing, but how long the calls took."""
Kept = Literal["values", "statistics", "curve"]
"""What is kept of one training step; "curve" is its `Measures` alone."""
When = Literal["before", "after"]
Place = tuple[str, str]
"""A parameter's layer and name."""
Plain = None | bool | int | float | str | list["Plain"] | dict[str, "Plain"]
"""What JSON can say: settings and scalars are kept as this and nothing else."""


class Sums(NamedTuple):
    """What a framework's own threads can say of all elements of a tensor; not finite where an element is not."""

    minimum: float
    maximum: float
    total: float
    squares: float


@dataclass(frozen=True, slots=True)
class Statistics:
    """What is known of an array without reading it, all in float64 over its *finite* elements.

    `count` is the number of all elements, `nan` and `inf` how many are not finite; the others are None when nothing
    is finite. `l2` is the Euclidean norm. Of complex arrays the magnitudes are meant. `sample` holds the elements at
    flat C-order positions `round(linspace(0, count - 1, min(count, SAMPLE)))` (not finite ones included, as nan).
    """

    count: int
    nan: int = 0
    inf: int = 0
    minimum: float | None = None
    maximum: float | None = None
    mean: float | None = None
    l2: float | None = None
    sample: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """A line of the user's code. `line` counts from 1; `text` is the stripped line, None where it cannot be read."""

    file: str
    line: int
    text: str | None = None

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Maker:
    """The recorded value that *is* this one (the same tensor): a leaf of the output or input of call `order`.

    `side` is "output" where that call made it; "input" where it came into an enclosing call from code between layers
    (or from outside the net), and was handed on.
    """

    order: int
    side: Literal["input", "output"]
    leaf: str


@dataclass(frozen=True, slots=True)
class Value:
    """One leaf of a nested result.

    `leaf` is where it sits: "" when the result is the value itself, else keys and indices joined by dots ("0",
    "logits", "past.1.0"); of inputs the first part is the position of the argument, of kwargs its name.

    `kind` is "tensor", "none", "scalar" (its value in `literal`), or "other" (a thing that cannot be kept; `literal`
    is its class name). `maker` says which recorded value it is; `changed` that it was altered in place since.
    `stored` is the HDF5 path of the array, None when no array is kept: then `missing` may say why. A tensor with a
    maker that was not changed shares the maker's statistics, digest and array (the reader fills them in).
    """

    leaf: str
    kind: Literal["tensor", "none", "scalar", "other"]
    shape: tuple[int, ...] = ()
    dtype: str = ""
    device: str = ""
    literal: bool | int | float | str | None = None
    requires_grad: bool = False
    maker: Maker | None = None
    changed: bool = False
    statistics: Statistics | None = None
    digest: str | None = None
    stored: str | None = None
    missing: str | None = None


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter or buffer of one layer, as it was when recording started.

    `name` is the attribute's name in the layer; `owner` is "path name" of the first place in the net where the same
    tensor lives (of a tied weight; None when this is the first). `blocks` is (first row, rows) in the table of row
    blocks, `block_rows` how many rows of axis 0 a block sums (a power of two; the last block may be shorter).
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    device: str = ""
    trainable: bool = True
    buffer: bool = False
    alias: str | None = None
    owner: tuple[str, str] | None = None
    statistics: Statistics | None = None
    digest: str | None = None
    stored: str | None = None
    missing: str | None = None
    blocks: tuple[int, int] | None = None
    block_rows: int = 0


@dataclass(frozen=True, slots=True)
class Layer:
    """One Module or Cell as the framework had it; facts only, no interpretation.

    `kind` is the class name, `bases` the qualified names of the class and its bases in method resolution order, up to
    the framework's own Module or Cell ("torch.nn.modules.linear.Linear"). `settings` are constructor-like attributes
    with plain values. `source` is the class definition, `made_at` the parent's line that made the layer. `aliases`
    are other paths under which the same object is registered. `children` are the paths of direct children.
    """

    path: str
    kind: str
    bases: tuple[str, ...] = ()
    settings: Mapping[str, Plain] = field(default_factory=dict)
    training: bool | None = None
    parameters: tuple[Parameter, ...] = ()
    source: Source | None = None
    made_at: Source | None = None
    aliases: tuple[str, ...] = ()
    children: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entered:
    """A call begins. `order` counts all calls of the step by their beginning, `index` the calls of its layer."""

    step: int
    order: int
    path: str
    index: int
    parent: int | None
    inputs: tuple[Value, ...] = ()
    kwargs: tuple[Value, ...] = ()
    training: bool | None = None
    source: Source | None = None
    autocast: str | None = None


@dataclass(frozen=True, slots=True)
class Returned:
    """A call ended: with `outputs`, or by raising (`failed` says what)."""

    step: int
    order: int
    outputs: tuple[Value, ...] = ()
    seconds: float | None = None
    failed: str | None = None


@dataclass(frozen=True, slots=True)
class Gradient:
    """The gradient of one leaf of call `order`; `value.leaf` is the leaf's (kwargs' names included)."""

    step: int
    order: int
    side: Literal["grad_input", "grad_output"]
    value: Value


@dataclass(frozen=True, slots=True)
class ParameterGradient:
    """The gradient of one parameter; of a shared parameter the sum, under its first owner. `part` counts the backward
    passes of a step that accumulates several."""

    step: int
    path: str
    name: str
    value: Value
    part: int = 0


@dataclass(frozen=True, slots=True)
class Began:
    """A training step begins. Its number is the user's: steps that were not kept are counted too."""

    step: int
    keep: Kept = "values"


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss of a step, as the user named it; `index` counts those of one step (accumulation).

    What made it, as far as it was seen: `kind` is a class ("CrossEntropyLoss") or a function's name, `bases` and
    `settings` as of a `Layer`, `inputs` what it was given (predictions as what the net returned; targets; weights):
    of a layer or function that was seen by positions and names of arguments, of one that was only found in the
    graph by the names it has there. `value` is any number of elements.
    """

    step: int
    index: int
    value: Value
    kind: str = ""
    bases: tuple[str, ...] = ()
    settings: Mapping[str, Plain] = field(default_factory=dict)
    inputs: tuple[Value, ...] = ()
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class LossGradient:
    """What was sent back from a loss: 1, or the scale and divisor that the user's loop put on it."""

    step: int
    index: int
    value: Value


@dataclass(frozen=True, slots=True)
class ParameterState:
    """A parameter or buffer before or after a step, under its first owner."""

    step: int
    when: When
    path: str
    name: str
    value: Value


@dataclass(frozen=True, slots=True)
class UpdateGradient:
    """The gradient of a parameter as the optimizer got it: after accumulation, unscaling, clipping, reduction."""

    step: int
    path: str
    name: str
    value: Value


@dataclass(frozen=True, slots=True)
class Group:
    """Parameters of an optimizer that share settings, in the optimizer's order. Those that are in no layer of the net
    are counted in `strangers`."""

    settings: Mapping[str, Plain] = field(default_factory=dict)
    parameters: tuple[Place, ...] = ()
    strangers: int = 0


@dataclass(frozen=True, slots=True)
class Optimizer:
    """An optimizer as its framework had it when it was about to update: `settings` that hold for all, and groups.
    Settings are numbers at that moment: the learning rate of this very update."""

    kind: str
    bases: tuple[str, ...] = ()
    settings: Mapping[str, Plain] = field(default_factory=dict)
    groups: tuple[Group, ...] = ()
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class Updates:
    """The optimizer of a step, at its first update."""

    step: int
    optimizer: Optimizer


@dataclass(frozen=True, slots=True)
class OptimizerState:
    """What the optimizer remembers of a parameter under its own name for it ("exp_avg", "moments1"); of no parameter
    where `path` and `name` are empty ("global_step")."""

    step: int
    when: When
    path: str
    name: str
    key: str
    value: Value


@dataclass(frozen=True, slots=True)
class Measures:
    """A step in numbers: the loss (mean over the losses of the step, each over all its elements), L2 of all gradients
    as the optimizer got them, of all trained parameters before the step, and of what the step changed of them.
    `scale` is what the (first) loss was multiplied with on the way back. None where it was not seen."""

    loss: float | None = None
    gradient_norm: float | None = None
    parameter_norm: float | None = None
    update_norm: float | None = None
    learning_rates: tuple[float, ...] = ()
    scale: float | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """A step is over. `updates` is how often the optimizer updated (0 of a step that was skipped: loss scaling found an
    overflow), `failed` what the step raised."""

    step: int
    measures: Measures = field(default_factory=Measures)
    updates: int = 0
    failed: str | None = None


@dataclass(frozen=True, slots=True)
class Replayed:
    """A call of a layer of random output that did what the reference's layer did. `like` is the digest of what that
    call of the reference gave: only beside that trace the numbers mean something."""

    path: str
    index: int
    like: str


@dataclass(frozen=True, slots=True)
class Placed:
    """A parameter that was given the numbers of another trace's net before the run.

    `of` are path, name and digest of each parameter there that it is made of: only beside a trace that holds these it
    means something. `rows` are the ranges (first, one past the last) of its rows in the order they were put in, where
    all of them only changed places; `turned` that it was transposed; `otherwise` that it was made in any other way.
    """

    path: str
    name: str
    of: tuple[tuple[str, str, str], ...]
    rows: tuple[tuple[int, int], ...] = ()
    turned: bool = False
    otherwise: bool = False

    @property
    def changed(self) -> bool:
        """Was more done than copying?"""
        return bool(self.rows) or self.turned or self.otherwise


@dataclass(frozen=True, slots=True)
class End:
    """What is known only when the recording is over.

    `complete` is False when the net raised or the recording was cut; then `stopped` says where and what. `backward`
    is None when gradients were recorded, else why they were not. `silent` gives for each layer that never fired the
    reason. `unrestored` and `uncaptured` name what the framework did not let one put back or see. `replayed` are the
    calls whose randomness was taken from another trace, `placed` the parameters whose numbers were.
    """

    complete: bool = True
    stopped: str | None = None
    backward: str | None = None
    silent: Mapping[str, str] = field(default_factory=dict)
    unrestored: tuple[str, ...] = ()
    uncaptured: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    replayed: tuple[Replayed, ...] = ()
    placed: tuple[Placed, ...] = ()


StepRow = (
    Entered
    | Returned
    | Gradient
    | ParameterGradient
    | Began
    | Loss
    | LossGradient
    | ParameterState
    | UpdateGradient
    | Updates
    | OptimizerState
    | Ended
)
Row = StepRow | End


@dataclass(frozen=True, slots=True)
class Header:
    """What is known before the net runs. `environment` holds versions, device and flags (tf32, autocast, determinism,
    execution mode) as the framework's watcher names them; `filters` the only/skip/depth in words; `cotangent` that the
    gradients sent back were the fixed pseudo-random ones, the same in every trace, and not those of a loss;
    `sampling` which training steps were to be kept, in words."""

    framework: str
    framework_version: str
    net: str
    keep: Keep = "values"
    created: str = ""
    tracer_version: str = ""
    environment: Mapping[str, Plain] = field(default_factory=dict)
    filters: Mapping[str, Plain] = field(default_factory=dict)
    note: str | None = None
    notes: tuple[str, ...] = ()
    cotangent: bool = False
    sampling: Mapping[str, Plain] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """One execution of a layer, put together from its rows. A call that never returned has `returned` False."""

    step: int
    order: int
    path: str
    index: int
    parent: int | None
    inputs: tuple[Value, ...] = ()
    kwargs: tuple[Value, ...] = ()
    outputs: tuple[Value, ...] = ()
    grad_inputs: tuple[Value, ...] = ()
    grad_outputs: tuple[Value, ...] = ()
    training: bool | None = None
    source: Source | None = None
    autocast: str | None = None
    seconds: float | None = None
    returned: bool = True
    failed: str | None = None


@dataclass(frozen=True, slots=True)
class LossTaken:
    """A loss with what was sent back from it; see `Loss`."""

    index: int
    value: Value
    gradient: Value | None = None
    kind: str = ""
    bases: tuple[str, ...] = ()
    settings: Mapping[str, Plain] = field(default_factory=dict)
    inputs: tuple[Value, ...] = ()
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """All calls of one run, in the order in which they began, and the gradients of parameters by (path, name).

    Of a training step also the rest: `keep` is empty where it is none. `gradient_parts` are gradients of the second
    backward pass and later ones; `state_before`, `state_after` are by (path, name, key). `ended` is False of a step
    that was cut off.
    """

    number: int
    calls: tuple[Call, ...] = ()
    parameter_gradients: Mapping[Place, Value] = field(default_factory=dict)
    keep: Kept | Literal[""] = ""
    gradient_parts: Mapping[Place, tuple[Value, ...]] = field(default_factory=dict)
    losses: tuple[LossTaken, ...] = ()
    parameters_before: Mapping[Place, Value] = field(default_factory=dict)
    parameters_after: Mapping[Place, Value] = field(default_factory=dict)
    update_gradients: Mapping[Place, Value] = field(default_factory=dict)
    optimizer: Optimizer | None = None
    state_before: Mapping[tuple[str, str, str], Value] = field(default_factory=dict)
    state_after: Mapping[tuple[str, str, str], Value] = field(default_factory=dict)
    measures: Measures = field(default_factory=Measures)
    updates: int = 0
    ended: bool = True
    failed: str | None = None


@dataclass(frozen=True, slots=True)
class Skeleton:
    """A whole trace without its arrays. Layers are in the order of the framework's own walk, the root first."""

    header: Header
    layers: Mapping[str, Layer]
    steps: tuple[Step, ...]
    end: End
