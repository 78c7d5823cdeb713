"""A fake accelerator that needs no GPU: shapes and devices are real, numbers are not.

FakeTensorMode on "cuda" fails on a CPU build of torch (indexing, contiguous and backward abort), so a private device
type named "ghost" is registered instead. Under :class:`GhostMode`, ``.cpu()``, ``.item()``, boolean indexing and stray
CPU tensors raise: what runs under it has no host sync.
"""

from __future__ import annotations

import types
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

_acc = torch._C._acc  # type: ignore[attr-defined]
torch.utils.rename_privateuse1_backend("ghost")


class _Guard(_acc.DeviceGuard):
    def type_(self) -> Any:
        return torch._C._autograd.DeviceType.PrivateUse1


class _Hooks(_acc.PrivateUse1Hooks):
    def is_available(self) -> bool:
        return True

    def is_built(self) -> bool:
        return True

    def has_primary_context(self, index: int) -> bool:
        return True


_acc.register_python_privateuseone_device_guard(_Guard())
_acc.register_python_privateuseone_hook(_Hooks())
_module = types.ModuleType("ghost")
_module.is_available = _module.is_initialized = lambda: True  # type: ignore[attr-defined]
_module.device_count = lambda: 1  # type: ignore[attr-defined]
_module.current_device = lambda: 0  # type: ignore[attr-defined]
_module._is_in_bad_fork = lambda: False  # type: ignore[attr-defined]
_module.manual_seed_all = lambda seed: None  # type: ignore[attr-defined]
torch._register_device_module("ghost", _module)


class GhostMode(FakeTensorMode):
    """FakeTensorMode that refuses copies from the device to the host too."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = super().__torch_dispatch__(func, types, args, kwargs or {})
        on_host = isinstance(result, torch.Tensor) and result.device.type == "cpu"
        if on_host and any(isinstance(a, torch.Tensor) and a.device.type != "cpu" for a in args):
            raise RuntimeError(f"device -> host: {func}")
        return result


def to_ghost(module: torch.nn.Module) -> None:
    """Inside the mode, give a module fake parameters and buffers: ``.to`` cannot swap real storage for fake."""
    for part in module.modules():
        for values in (part._parameters, part._buffers):
            for name, value in values.items():
                if value is not None:
                    fake = torch.zeros(value.shape, device="ghost", dtype=value.dtype)
                    is_parameter = isinstance(value, torch.nn.Parameter)
                    values[name] = torch.nn.Parameter(fake, value.requires_grad) if is_parameter else fake
