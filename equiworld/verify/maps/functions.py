"""The map that a function makes: Isaac Lab's `compute_symmetric_states`, rsl_rl's `data_augmentation_func`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike

from equiworld.arguments import integer
from equiworld.errors import ArgumentError
from equiworld.groups.arrays import Array
from equiworld.verify.maps.symmetry_map import SymmetryMap, signed_order

__all__ = ["read_function"]

_SMALL = 1e-5  # of float32


def read_function(
    function: Callable[..., Any],
    observation: int | Mapping[str, int],
    actions: int,
    env: Any = None,
    *,
    isometries: ArrayLike | None = None,
    obs_type: str = "policy",
) -> SymmetryMap:
    """The map of a function (env, obs, actions) that gives a batch and its images, one behind the other.

    It is asked what becomes of each number by itself. The first of the images has to be the batch; of the others, the
    isometries are told by `isometries`, or are the usual ones: left and right, front and back, both.

    Args:
        function: gives (obs, actions), each k times as many rows, or None for what was None. Named arguments are
            given by those names that it has: `env`, `obs`, `actions`, `obs_type`, `is_critic`.
        observation: numbers of an observation that is a tensor; or by group, of a TensorDict.
        actions: numbers of an action.
        env: handed on.
        isometries: `(k − 1, 3, 3)`, what the images after the first do to space.
        obs_type: the group that is asked for, where the function asks for it.

    Raises:
        ArgumentError: an argument is wrong; the function's images are no exchanges and signs of the numbers; or it does
            not keep to its form.

    >>> def mirrored(env, obs, actions):
    ...     twin = None if obs is None else torch.cat([obs, obs[:, [1, 0, 2]] * torch.tensor([1, 1, -1])])
    ...     return twin, None if actions is None else torch.cat([actions, actions.flip(-1)])
    >>> read_function(mirrored, 3, actions=2).observation["policy"]
    (SignedOrder(order=(1, 0, 2), signs=(1, 1, -1)),)
    """
    if not callable(function):
        raise ArgumentError("function", function, "a function (env, obs, actions)")
    actions = integer("actions", actions, least=1)
    flat = not isinstance(observation, Mapping)
    sizes = {obs_type: observation} if not isinstance(observation, Mapping) else dict(observation)
    sizes = {name: integer(f"observation[{name!r}]", size, least=1) for name, size in sizes.items()}
    called = _with_names(function, env, obs_type)
    maps = {}
    for name, size in sizes.items():

        def image(rows: torch.Tensor, name: str = name) -> torch.Tensor:
            given = rows if flat else _tensors(sizes, name, rows)
            found = called(obs=given, actions=None)[0]
            return _tensor(f"the function's {name!r}", found if flat else found[name])

        maps[name] = _images(name, size, image)
    maps["action"] = _images(
        "action", actions, lambda rows: _tensor("the function's actions", called(obs=None, actions=rows)[1])
    )
    counts = {name: len(each) for name, each in maps.items()}
    if len(set(counts.values())) > 1:
        raise ArgumentError("function", f"one that gives {counts} images", "as many of each array")
    if set(counts.values()) == {1}:
        raise ArgumentError("function", "one that gives back the batch alone", "images of it behind it")
    found = {name: [signed_order(name, matrix) for matrix in each[1:]] for name, each in maps.items()}
    return SymmetryMap(found, found.pop("action"), isometries, flat and obs_type == "observation")


def _with_names(function: Callable[..., Any], env: Any, obs_type: str) -> Callable[..., Any]:
    """The function with those of the arguments' names that it knows."""
    known = inspect.signature(function).parameters
    takes_all = any(each.kind is each.VAR_KEYWORD for each in known.values())
    extra = {"env": env, "obs_type": obs_type, "is_critic": obs_type == "critic"}
    more = {name: value for name, value in extra.items() if name in known}
    if takes_all:
        more.setdefault("env", env)

    def called(**arrays: Any) -> Any:
        with torch.no_grad():
            found = function(**arrays, **more)
        if not isinstance(found, tuple) or len(found) != 2:
            raise ArgumentError("function", f"one that gives {type(found).__name__}", "(obs, actions)")
        return found

    return called


def _tensors(sizes: Mapping[str, int], name: str, rows: torch.Tensor) -> Any:
    """All groups, of which one is asked about and the others are 0, as rsl_rl hands them on."""
    arrays = {
        each: rows if each == name else torch.zeros(len(rows), size, dtype=rows.dtype)
        for each, size in sizes.items()
    }
    try:
        from tensordict import TensorDict
    except ImportError:
        return arrays
    return TensorDict(arrays, batch_size=[len(rows)])


def _tensor(name: str, found: Any) -> torch.Tensor:
    if not isinstance(found, torch.Tensor) or found.ndim != 2:
        raise ArgumentError(name, f"{type(found).__name__}", "a tensor of rows")
    return found


def _images(name: str, size: int, image: Callable[[torch.Tensor], torch.Tensor]) -> list[Array]:
    """The matrices `(size, size)` of all images, the batch's own first."""
    rows = torch.cat([torch.zeros(1, size), torch.eye(size), torch.linspace(-0.7, 1.1, size)[None]])
    found = image(rows.clone())
    count, left = divmod(len(found), len(rows))
    if left or not count or found.shape[1] != size:
        raise ArgumentError(
            "function", f"{tuple(found.shape)} of {name!r} for {tuple(rows.shape)}", "k images"
        )
    parts = found.reshape(count, len(rows), size).double().numpy()
    matrices = [np.swapaxes(part[1:-1] - part[:1], 0, 1) for part in parts]
    probe = rows[-1].double().numpy()
    for part, matrix in zip(parts, matrices, strict=True):
        if np.abs(part[0]).max() > _SMALL or np.abs(matrix @ probe - part[-1]).max() > _SMALL * size:
            raise ArgumentError("function", f"one that moves {name!r} by more than a matrix", "a linear map")
    if np.abs(matrices[0] - np.eye(size)).max() > _SMALL:
        raise ArgumentError(
            "function", f"one whose first image of {name!r} is another", "the batch itself first"
        )
    return matrices
