"""A second device without a GPU: tensors that say that they lie on "meta", and have their numbers all the same.

Within `SecondDevice()` "meta" is a device like any other: what is moved to it or made on it computes there, and an
operation on tensors of both devices is refused, as an accelerator refuses it. So is NumPy, and what reads the device as
the CPU. What crosses from one to the other is counted.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

ELSEWHERE = torch.device("meta")
_CROSSINGS = {"aten::_to_copy", "aten::copy_", "aten::to"}


class Elsewhere(Tensor):
    """A tensor of the second device around one of the CPU."""

    inside: Tensor

    @staticmethod
    def __new__(cls, inside: Tensor) -> Elsewhere:
        made = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls,
            inside.shape,
            strides=inside.stride(),
            storage_offset=inside.storage_offset(),
            dtype=inside.dtype,
            device=ELSEWHERE,
            requires_grad=False,
        )
        made.inside = inside
        return made

    def __repr__(self, **_: Any) -> str:  # type: ignore[override]
        return f"Elsewhere({self.inside!r})"

    def numpy(self, **_: Any) -> Any:
        raise TypeError("can't convert a tensor of the second device to NumPy: use Tensor.cpu() first")

    def tolist(self) -> Any:
        return self.inside.tolist()

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        made = Elsewhere(self.inside.detach().clone())
        found = torch.nn.Parameter(made, self.requires_grad) if isinstance(self, torch.nn.Parameter) else made
        memo[id(self)] = found
        return found

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        with torch.inference_mode(False), torch.no_grad():  # no tensor can be put around one of inference
            return computed(func, args, kwargs or {})


class _Literals(TorchFunctionMode):
    """Tensors of Python's and NumPy's numbers, which torch makes by itself, come to the second device too."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func in (torch.tensor, torch.as_tensor) and kwargs.get("device") is not None:
            return func(*args, **kwargs | {"device": None}).to(kwargs["device"])
        if func is Tensor.new_tensor and isinstance(args[0], Elsewhere):
            found = torch.tensor(*args[1:], **{"dtype": args[0].dtype} | kwargs)
            return found.to(args[0].device)
        return func(*args, **kwargs)


class SecondDevice(TorchDispatchMode):
    """Where it is in force "meta" can be computed on.

    Attributes:
        arrived: how many tensors came from the CPU.
        left: how many went back to it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.arrived = self.left = 0
        self._literals = _Literals()

    def __enter__(self) -> SecondDevice:
        self._literals.__enter__()
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._literals.__exit__(*error)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        with torch.inference_mode(False), torch.no_grad():
            before, found = _elsewhere((args, kwargs)), computed(func, args, kwargs)
        if func._schema.name in _CROSSINGS and _elsewhere(found) != before:
            self.arrived, self.left = self.arrived + (not before), self.left + before
        return found


def _elsewhere(value: Any) -> bool:
    return any(isinstance(each, Elsewhere) for each in tree_flatten(value)[0])


def computed(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """One operation of torch on the device of its tensors, or where its `device` says."""
    tensors = [each for each in tree_flatten((args, kwargs))[0] if isinstance(each, Tensor)]
    there = [isinstance(each, Elsewhere) for each in tensors]
    crossing = func._schema.name in _CROSSINGS
    if any(there) and not all(there) and not crossing:
        # As on an accelerator, a number of the CPU may stand beside tensors; what has an axis may not.
        strays = [each for each in tensors if not isinstance(each, Elsewhere)]
        if any(each.ndim for each in strays):
            shapes = [tuple(each.shape) for each in strays]
            raise RuntimeError(f"{func}: tensors of two devices, on the CPU those of shapes {shapes}")
    named = dict(zip((each.name for each in func._schema.arguments), args, strict=False)) | kwargs
    device = named["other"].device if "other" in named and crossing else named.get("device")
    goes = any(there) if device is None else torch.device(device) == ELSEWHERE
    if func._schema.name == "aten::to":  # in inference mode it comes whole, else as the copy that it makes
        own, dtype = args[0], named["other"].dtype if "other" in named else named.get("dtype")
        if dtype in (None, own.dtype) and goes == there[0]:
            return own
        func, args, kwargs = torch.ops.aten._to_copy.default, (own,), {"dtype": dtype}
    if func._schema.name == "aten::copy_":
        goes = there[0]
    if kwargs.get("device") is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}
        kwargs.pop("pin_memory", None)
    if goes and isinstance(kwargs.get("generator"), torch.Generator):
        raise RuntimeError(f"{func}: a generator of the CPU, for a tensor of the second device")
    inner = tree_map(lambda each: each.inside if isinstance(each, Elsewhere) else each, (args, kwargs))
    found = func(*inner[0], **inner[1])
    given = {id(each.inside): each for each in tensors if isinstance(each, Elsewhere)}

    def outside(each: Any) -> Any:
        if not isinstance(each, Tensor) or not goes:
            return each
        return given[id(each)] if id(each) in given else Elsewhere(each)

    return tree_map(outside, found)


def here(tensor: Tensor) -> Tensor:
    """The numbers of a tensor of the second device."""
    assert isinstance(tensor, Elsewhere), "it lies on the CPU"
    return tensor.inside.detach()
