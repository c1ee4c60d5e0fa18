"""PyTorch tensors: to and from attachments and the arrays of received tensors, without a copy.

Owns everything that names torch. torch is used where the user's code has imported it, and imported
only by `to_torch`, which is asked for it. Must not know JSON documents.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any


def is_tensor(obj: Any) -> bool:
    """Whether `obj` is a torch tensor; never imports torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(obj, torch.Tensor)


def to_array(tensor: Any, refuse: Callable[[str], Exception]) -> tuple[str, Any]:
    """The dtype's name and a numpy array over the memory of `tensor`; bfloat16, which numpy does
    not have, as int16.

    `refuse` makes the exception for a tensor without a form.
    """
    torch = sys.modules["torch"]
    if tensor.device.type != "cpu":
        raise refuse(f"tensor lies on the device {tensor.device}, expected cpu: copy it there")
    if tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_nested:
        raise refuse(f"tensor of layout {tensor.layout} has no form as a value: make it dense")
    tensor = tensor.detach().resolve_conj().resolve_neg()
    name = str(tensor.dtype).removeprefix("torch.")
    if tensor.dtype is torch.bfloat16:
        return name, tensor.view(torch.int16).numpy()
    try:
        return name, tensor.numpy()
    except TypeError as fault:
        raise refuse(f"tensor of dtype {name} has no form as a value: {fault}") from None


def to_torch(array: Any, *, copy: bool = False) -> Any:
    """A tensor over the memory of `array`, which a handler received or any other numpy array.

    torch has no read-only tensors: a received array may only be read through it, since writing
    would change what others see or end the process. `copy=True` makes one that can be written.
    """
    import torch

    if is_tensor(array):
        return array.clone() if copy else array
    import numpy

    if array.dtype.name == "bfloat16":
        return to_torch(array.view(numpy.int16), copy=copy).view(torch.bfloat16)
    dense = array.dtype.isnative and array.flags.aligned and min(array.strides, default=0) >= 0
    if copy or not dense:
        return torch.from_numpy(array.astype(array.dtype.newbyteorder("="), order="C", copy=True))
    if array.flags.writeable:
        return torch.from_numpy(array)
    return _over_read_only(torch, array)


def of_bits(array: Any) -> Any:
    """A bfloat16 tensor over an array of its bits as int16; torch is imported already."""
    return to_torch(array).view(sys.modules["torch"].bfloat16)


def _over_read_only(torch: Any, array: Any) -> Any:
    with warnings.catch_warnings():
        # What torch warns of, the documentation of `to_torch` says.
        warnings.simplefilter("ignore")
        return torch.from_numpy(array)
