"""torch's random generators and the flags that make it repeatable. Needs no import of torch: it is given."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import Any

from tracer.frameworks.store import Contents

_ACCELERATORS = ("cuda", "npu", "xpu", "mps")
"""Devices with generators of their own, as torch calls their modules; `npu` is there where torch_npu is."""

_CUBLAS = "CUBLAS_WORKSPACE_CONFIG"


def keep_generators(torch: Any, contents: Contents) -> None:
    """Where torch's generators stand, those of devices that are in use too."""
    contents.add("torch's random state", partial(torch.set_rng_state, torch.get_rng_state()))
    for name, device in _accelerators(torch):
        if not _in_use(device):
            continue
        for get, put in (("get_rng_state_all", "set_rng_state_all"), ("get_rng_state", "set_rng_state")):
            if hasattr(device, get) and hasattr(device, put):
                contents.add(f"the random state of {name}", partial(getattr(device, put), getattr(device, get)()))
                break


def keep_flags(torch: Any, contents: Contents) -> None:
    """The flags that `fix` sets; and the seed of devices that are not in use yet, which is all that they have."""
    cudnn = torch.backends.cudnn
    for name in ("deterministic", "benchmark"):
        contents.add(f"torch.backends.cudnn.{name}", partial(_set, cudnn, name, getattr(cudnn, name)))
    mode = torch.are_deterministic_algorithms_enabled()
    warns = torch.is_deterministic_algorithms_warn_only_enabled()
    inductor = sys.modules.get("torch._inductor.config")
    compiled = getattr(inductor, "deterministic", None)

    def put_back() -> None:
        torch.use_deterministic_algorithms(mode, warn_only=warns)
        if compiled is not None:  # torch sets it with the other, in newer versions
            inductor.deterministic = compiled  # type: ignore[union-attr]

    contents.add("torch.use_deterministic_algorithms", put_back)
    contents.add(_CUBLAS, partial(_put_environment, _CUBLAS, os.environ.get(_CUBLAS)))
    for name, device in _accelerators(torch):
        if not _in_use(device) and hasattr(device, "manual_seed_all"):
            # what a user's torch.manual_seed told it waits in a queue: the same is put behind what `fix` adds to it
            contents.add(f"the seed of {name}", partial(device.manual_seed_all, torch.initial_seed()))


def fix(torch: Any, seed: int) -> tuple[str, ...]:
    """Seed every generator of torch and have it choose deterministic kernels; what that does not fix, in sentences.

    `use_deterministic_algorithms` is set to warn only: a net that ran before must not raise because its randomness is
    fixed, and the warning names the operation.
    """
    torch.manual_seed(seed)  # of all devices
    if hasattr(torch, "npu") and hasattr(torch.npu, "manual_seed_all"):
        torch.npu.manual_seed_all(seed)
    cannot = ["an operation of torch that has no deterministic kernel on its device only warns of it"]
    try:
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.benchmark = False
    except RuntimeError:  # torch.backends.disable_global_flags() was called
        cannot.append("cuDNN may choose other kernels in each run, since torch's global flags are frozen")
    torch.use_deterministic_algorithms(True, warn_only=True)
    if torch.cuda.is_available() and not os.environ.get(_CUBLAS):
        if torch.cuda.is_initialized():
            cannot.append(f"cuBLAS may add in another order: set {_CUBLAS}=:4096:8 before CUDA is first used")
        else:
            os.environ[_CUBLAS] = ":4096:8"
    return tuple(cannot)


def _accelerators(torch: Any) -> list[tuple[str, Any]]:
    found = [(name, getattr(torch, name, None)) for name in _ACCELERATORS]
    return [(name, device) for name, device in found if device is not None and _is_there(torch, name, device)]


def _is_there(torch: Any, name: str, device: Any) -> bool:
    asked = device if hasattr(device, "is_available") else getattr(torch.backends, name, None)
    return bool(asked is not None and asked.is_available())


def _in_use(device: Any) -> bool:
    """A device that cannot say so is taken to be."""
    return bool(device.is_initialized()) if hasattr(device, "is_initialized") else True


def _set(holder: Any, name: str, value: Any) -> None:
    if getattr(holder, name) != value:
        setattr(holder, name, value)


def _put_environment(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value
