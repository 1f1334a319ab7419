"""Files whose tensors are packed for inference: their numbers are no parameters, and are refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracer.errors import CheckpointError

_GPTQ = (".qweight", ".qzeros", ".scales")
_BITSANDBYTES = (".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map")
_BITSANDBYTES_8 = (".SCB", ".weight_format")
_NARROW = ("float8", "int8", "uint8")
_SCALES = (".weight_scale", ".weight_scale_inv")
UNPACK = "load it with the library that packed it, and save the plain (dequantised) parameters"


def refuse_quantised(dtypes: Mapping[str, str], where: str) -> None:
    """Look whether names and dtypes are those of packed weights.

    Args:
        dtypes: name -> the name of its dtype.
        where: the file, for messages.

    Raises:
        CheckpointError: they are; says which kind, and a name that shows it.
    """
    for name in dtypes:
        stem = name.rpartition(".")[0]
        kind = ""
        if name.endswith(_GPTQ[0]) and any(stem + other in dtypes for other in _GPTQ[1:]):
            kind = "GPTQ or AWQ"
        elif ".quant_state." in name or (name.endswith(_BITSANDBYTES) and stem in dtypes):
            kind = "bitsandbytes"
        elif name.endswith(_BITSANDBYTES_8) and f"{stem}.weight" in dtypes:
            kind = "bitsandbytes (8 bits)"
        elif name.endswith(".weight_packed") and dtypes[name].startswith(("int", "uint")):
            kind = "compressed tensors"
        elif name.endswith(_SCALES) and dtypes.get(f"{stem}.weight", "").startswith(_NARROW):
            kind = "a scale for each block, as float8 or int8"
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
