"""Files whose tensors are packed for inference: their numbers are no parameters, and are refused by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tracer.errors import CheckpointError

_GPTQ = (".qweight", ".qzeros", ".scales")
_BITSANDBYTES = (".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map", ".SCB", ".weight_format")
_PACKED = (".weight_packed", ".weight_scale_inv", ".qweight_type")
UNPACK = "load it with the library that packed it, and save the plain (dequantised) parameters"


def refuse_quantised(names: Iterable[str], where: str) -> None:
    """Look whether the names are those of packed weights.

    Raises:
        CheckpointError: they are; says which kind, and a name that shows it.
    """
    known = set(names)
    for name in known:
        stem = name.rpartition(".")[0]
        kind = ""
        if name.endswith(_GPTQ[0]) and any(stem + other in known for other in _GPTQ[1:]):
            kind = "GPTQ or AWQ"
        elif ".quant_state." in name or (name.endswith(_BITSANDBYTES) and {stem, f"{stem}.weight"} & known):
            kind = "bitsandbytes"
        elif name.endswith(_PACKED):
            kind = "compressed tensors or scaled float8"
        elif name.endswith(".weight_scale") and f"{stem}.weight" in known:
            kind = "scaled integers or float8"
        if kind:
            raise refused(f"weights packed by {kind}", f"{where}: {name}")


def refuse_quantised_config(config: dict[str, Any], where: str) -> None:
    """Look whether a Hugging Face `config.json` says that the weights are packed.

    Raises:
        CheckpointError: it does.
    """
    said = config.get("quantization_config")
    if isinstance(said, dict):
        raise refused(f"weights packed by {said.get('quant_method', 'some method')}", where)


def refused(kind: str, where: str) -> CheckpointError:
    """The refusal of what holds no plain numbers."""
    return CheckpointError(f"{kind} are no plain parameters", where=where, then=UNPACK)
