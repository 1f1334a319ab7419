"""The tables of both frameworks against what is installed."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from recorded import spaces

from tracer.divergence.rules.calls import UNKNOWN, signature
from tracer.divergence.rules.conversions import READ
from tracer.divergence.rules import TABLES, public_name
from tracer.frameworks.base import LayerRule

STRUCTURE_TORCH = {
    # containers and bases
    "Container", "Module", "ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential", "DataParallel",
    "RNNBase", "RNNCellBase",
    # losses with layers inside, and one that exists no more
    "AdaptiveLogSoftmaxWithLoss", "LinearCrossEntropyLoss",
}  # fmt: skip
"""Classes of torch.nn without a row: they fall back on structure."""

NO_ROW_MINDSPORE = {
    # containers, wrappers, what goes round a net
    "Cell", "CellDict", "CellList", "GraphCell", "SequentialCell", "TimeDistributed", "LossBase", "Jvp", "Vjp",
    # without a counterpart in torch.nn
    "CentralCrop", "ClipByNorm", "DiGamma", "DiceLoss", "FocalLoss", "IGamma", "ImageGradients", "L1Regularizer",
    "LBeta", "LGamma", "MAELoss", "MSSSIM", "MatDet", "MatInverse", "MatMul", "MatrixDiag", "MatrixDiagPart",
    "MatrixSetDiag", "Moments", "MultiClassDiceLoss", "MultiFieldEmbeddingLookup", "Norm", "OneHot", "PSNR", "Pad",
    "RMSELoss", "Range", "ReduceLogSumExp", "Roll", "SSIM", "SampledSoftmaxLoss", "SparseTensorDenseMatmul",
    "SparseToDense", "Tril", "Triu", "Conv2dBnAct", "DenseBnAct",
    # second-order twins of layers, for one optimizer
    "Conv2dThor", "DenseThor", "EmbeddingLookupThor", "EmbeddingThor",
}  # fmt: skip
"""Cells without a row: they fall back on structure."""


def rows() -> list[tuple[str, LayerRule, str]]:
    return [(framework, rule, kind) for framework, table in TABLES.items() for rule in table for kind in rule.kinds]


def installed(framework: str) -> dict[str, type]:
    """Every layer class a user can import, by the name the tables use."""
    space = spaces()[framework]
    packages = [space["nn"]] if framework == "torch" else [space["nn"], space["mint"].nn]
    base = space["nn"].Module if framework == "torch" else space["nn"].Cell
    classes = [c for package in packages for c in vars(package).values() if inspect.isclass(c) and issubclass(c, base)]
    return {public_name(f"{c.__module__}.{c.__name__}"): c for c in classes}


@pytest.fixture(scope="module")
def classes() -> dict[str, dict[str, type]]:
    return {framework: installed(framework) for framework in TABLES}


RECURRENT = ("LSTM", "GRU", "RNN")


@pytest.mark.parametrize(("framework", "rule", "kind"), rows(), ids=lambda v: v if isinstance(v, str) else "")
def test_a_row_knows_the_installed_constructor(framework: str, rule: LayerRule, kind: str, classes: Any) -> None:
    """Arguments, their order and their defaults are those of the installed class."""
    name = kind.rpartition(".")[2]
    cls = classes[framework].get(kind)
    if cls is None:
        pytest.skip(f"{kind} is not installed")
    row = signature(rule.signature)
    if name in RECURRENT:
        cls = cls.__mro__[1]  # the class itself takes *args, **kwargs
    parameters = [
        p
        for p in list(inspect.signature(cls.__init__).parameters.values())[1:]
        if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    parameters = [
        p for p in parameters if p.name not in ("auto_prefix", "flags") and not (name in RECURRENT and p.name == "mode")
    ]
    given = {
        p.name: UNKNOWN if not _plain(p.default) else _listed(p.default) for p in parameters if p.default is not p.empty
    }
    names = [p.name for p in parameters]
    if name == "RNN":
        row_names = [n for n in row.names if n != "nonlinearity"]
        assert {k: v for k, v in row.defaults.items() if k != "nonlinearity"} == given
    else:
        row_names = list(row.names)
        assert _shared(dict(row.defaults), name) == _shared(given, name)
    assert _order(row_names, name) == _order(names, name)


SHARED = {"SyncBatchNorm", "MaxPool2d", "AvgPool1d", "LPPool2d", "Adaptive"}


def _shared(defaults: dict[str, Any], name: str) -> dict[str, Any]:
    """Rows for 1, 2 and 3 axes are one where only arguments that no rule reads differ (data_format, inplace)."""
    return {k: v for k, v in defaults.items() if k not in ("data_format",)}


def _order(names: list[str], name: str) -> list[str]:
    return [n for n in names if n not in ("data_format",)]


def _plain(value: Any) -> bool:
    return (
        value is None
        or isinstance(value, bool | int | float | str)
        or (isinstance(value, tuple) and all(map(_plain, value)))
    )


def _listed(value: Any) -> Any:
    return [_listed(v) for v in value] if isinstance(value, tuple) else value


@pytest.mark.parametrize(
    ("framework", "rule"), [(f, r) for f, t in TABLES.items() for r in t], ids=lambda v: getattr(v, "op", v)
)
def test_a_row_is_consistent(framework: str, rule: LayerRule) -> None:
    """Conversions exist, and every argument a row names is one of its constructor."""
    names = signature(rule.signature).names
    for setting in rule.settings:
        assert setting.convert in READ
        assert setting.argument is None or setting.argument in names, setting


@pytest.mark.parametrize("framework", TABLES)
def test_no_class_has_two_rows(framework: str) -> None:
    """Which row counts does not depend on the order of the table."""
    kinds = [kind for rule in TABLES[framework] for kind in rule.kinds]
    assert len(kinds) == len(set(kinds))


def test_every_torch_layer_has_a_row(classes: Any) -> None:
    """A layer of torch.nn has a row, derives from one that has, or stands in the list of those without."""
    table = {kind for rule in TABLES["torch"] for kind in rule.kinds}
    missing = [
        n for n, c in classes["torch"].items() if not _covered(c, table) and n.rpartition(".")[2] not in STRUCTURE_TORCH
    ]
    assert missing == []


def test_every_mindspore_cell_has_a_row(classes: Any) -> None:
    """A cell has a row, derives from one that has, or stands in the list of those without."""
    table = {kind for rule in TABLES["mindspore"] for kind in rule.kinds}
    missing = [
        n for n, c in classes["mindspore"].items()
        if not _covered(c, table) and n.rpartition(".")[2] not in NO_ROW_MINDSPORE
        and not any(part in c.__module__ for part in ("nn.optim", "nn.wrap", "learning_rate_schedule"))
    ]  # fmt: skip
    assert missing == []


def _covered(cls: type, table: set[str]) -> bool:
    return any(public_name(f"{base.__module__}.{base.__name__}") in table for base in cls.__mro__)


def test_tables_share_ops() -> None:
    """Every MindSpore row but one means an op that torch has."""
    torch_ops = {rule.op for rule in TABLES["torch"]}
    assert {rule.op for rule in TABLES["mindspore"]} - torch_ops == {"fast_gelu"}
