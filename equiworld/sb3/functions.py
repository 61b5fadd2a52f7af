"""A plain function from observation to action, as a policy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import nn

from equiworld.errors import ArgumentError
from equiworld.sb3.modules import ModulePolicy
from equiworld.sb3.onnx_file import OnnxPolicy, is_onnx_file
from equiworld.symmetry.batches import each_row

__all__ = ["FunctionPolicy", "as_policy"]

_KINDS = (
    "an object with predict(observation, …), a function observation -> action, a torch module, the path of an ONNX "
    "file, or for planners and whatever else remembers something equiworld.planners.PerEnvironment(factory)"
)


class FunctionPolicy:
    """A function of one observation as a policy without memory.

    Args:
        function: observation -> action `(size,)`. It is asked row by row; what it should remember itself from call to
            call is of no episode in particular.

    >>> policy = FunctionPolicy(lambda observation: 0.1 * observation["way"])
    >>> policy.predict({"way": np.ones((3, 2))})[0].shape
    (3, 2)
    """

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = True
    ) -> tuple[np.ndarray, None]:
        """The action `(size,)` or actions `(B, size)`; state comes back as None."""
        rows, batched = each_row(observation)
        actions = [np.asarray(self.function(row)) for row in rows]
        return (np.stack(actions) if batched else actions[0]), None


def as_policy(policy: Any) -> Any:
    """The policy, if it is one; a function, a torch module and the path of an ONNX file become one.

    Raises:
        ArgumentError: none of these, or a class; or a callable that is reset between episodes, whose rows would share
            what it remembers.
    """
    if isinstance(policy, type):
        raise ArgumentError("policy", f"the class {policy.__name__}", f"an instance: {_KINDS}")
    if callable(getattr(policy, "predict", None)):
        return policy
    if isinstance(policy, nn.Module):
        return ModulePolicy(policy)
    if is_onnx_file(policy):
        return OnnxPolicy(policy)
    if not callable(policy):
        raise ArgumentError("policy", type(policy).__name__, _KINDS)
    if callable(getattr(policy, "reset", None)):
        got = f"{type(policy).__name__}, a callable with reset()"
        expected = "a factory that makes one for each environment: equiworld.planners.PerEnvironment(factory)"
        raise ArgumentError("policy", got, expected)
    return FunctionPolicy(policy)
