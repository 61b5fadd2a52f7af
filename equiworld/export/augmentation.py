"""A symmetry as the function by which rsl_rl augments its data, and measures its mirror loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from equiworld.arguments import instance
from equiworld.errors import ArgumentError
from equiworld.groups import GroupElement
from equiworld.groups.arrays import Array
from equiworld.symmetry import Field, Symmetry
from equiworld.symmetry.images import is_monomial
from equiworld.symmetry.validation import names_of
from equiworld.verify.maps import SymmetryMap

__all__ = ["Augmentation", "rsl_rl"]


class Augmentation(Protocol):
    """What rsl_rl calls: the batch and its images, one behind the other, of what was given."""

    def __call__(
        self, env: Any = None, obs: Any = None, actions: Tensor | None = None, obs_type: str = "policy"
    ) -> tuple[Any, Tensor | None]: ...


def rsl_rl(
    symmetry: Symmetry | SymmetryMap,
    *,
    elements: GroupElement | None = None,
    groups: Mapping[str, str] | None = None,
    invariant: Sequence[str] = (),
) -> Augmentation:
    """A function (env, obs, actions) → (obs, actions) for rsl_rl's `data_augmentation_func`.

    Both come back with k times as many rows, for the k elements of the group: the first rows are the batch itself, the
    next ones its image under the second element, and so on. Signed permutations are exact to the bit. None stays None.

    Args:
        symmetry: the declaration, or the map, of the environment.
        elements: `(k,)`, the identity first; all of a finite group unless given.
        groups: by group of rsl_rl's observations, the key of the declaration that it is; by the same name unless
            given. Of a declaration whose observation is one array, the key is "observation".
        invariant: groups that no element changes.

    Returns:
        The function. It is given a TensorDict, or a mapping, of groups; or one tensor, which is then the group
        `obs_type`, as Isaac Lab's functions were before rsl_rl 3.

    Raises:
        ArgumentError: the group is not finite and no elements are given; or a field is moved by no matrix; names it.

    >>> from equiworld.groups import left_right
    >>> from equiworld.symmetry import SignedPermutation
    >>> legs = SignedPermutation([(1, 0)], [(-1, -1)])
    >>> augment = rsl_rl(Symmetry(left_right(), {"policy": legs}, action=legs))
    >>> augment(obs={"policy": torch.tensor([[0.1, 0.3]])})[0]["policy"]
    tensor([[ 0.1000,  0.3000],
            [-0.3000, -0.1000]])
    """
    if isinstance(symmetry, SymmetryMap):
        symmetry = symmetry.symmetry()
    if not isinstance(symmetry, Symmetry):
        raise ArgumentError("symmetry", symmetry, "a Symmetry, or a SymmetryMap")
    return _Augmentation(symmetry, _elements(symmetry, elements), groups, names_of("invariant", invariant))


class _Augmentation:
    """What `rsl_rl` returns: a class, for a file can hold its objects.

    Args:
        symmetry: of the environment.
        elements: `(k,)`, the identity first.
        groups: see `rsl_rl`.
        invariant: likewise.
    """

    def __init__(
        self,
        symmetry: Symmetry,
        elements: GroupElement,
        groups: Mapping[str, str] | None,
        invariant: Sequence[str],
    ) -> None:
        declared = symmetry.arrays()
        self._images = {name: _Images(name, each, elements, symmetry) for name, each in declared.items()}
        self._of_action = _Images("action", symmetry.action, elements, symmetry)
        if groups is not None:
            instance("groups", groups, Mapping)
        self._called = {name: name for name in self._images} | dict(groups or {})
        unknown = [key for key in self._called.values() if key not in self._images]
        if unknown:
            raise ArgumentError("groups", repr(unknown[0]), "keys of the declaration", self._images)
        self._count, self._invariant = len(elements), invariant

    def __call__(
        self, env: Any = None, obs: Any = None, actions: Tensor | None = None, obs_type: str = "policy"
    ) -> tuple[Any, Tensor | None]:
        if isinstance(obs, Tensor):
            obs = self._one(_group(obs_type, self._called), obs)
        elif obs is not None:
            obs = _each(self._one, obs)
        return obs, None if actions is None else self._of_action(actions)

    def _one(self, name: str, rows: Tensor) -> Tensor:
        if name in self._invariant:
            return rows.repeat(self._count, *[1] * (rows.ndim - 1))
        if self._called.get(name) not in self._images:
            options = (*self._images, *self._invariant)
            raise ArgumentError(
                "obs", f"the group {name!r}", "declared ones; see groups=, invariant=", options
            )
        return self._images[self._called[name]](rows)


def _group(obs_type: str, called: Mapping[str, str]) -> str:
    """The group that one tensor is; the only one where there is no other."""
    return next(iter(called)) if obs_type not in called and len(called) == 1 else obs_type


def _each(one: Any, obs: Any) -> Any:
    """All groups of a TensorDict, or of a mapping."""
    if not hasattr(obs, "items"):
        raise ArgumentError(
            "obs", f"a {type(obs).__name__}", "a tensor, a TensorDict or a mapping of tensors"
        )
    found = {name: one(name, rows) for name, rows in obs.items()}
    if not hasattr(obs, "batch_size"):
        return found
    return type(obs)(found, batch_size=[len(next(iter(found.values())))], device=obs.device)


def _elements(symmetry: Symmetry, given: GroupElement | None) -> GroupElement:
    if given is None:
        if not symmetry.group.finite:
            raise ArgumentError("elements", None, f"some of {symmetry.group!r}, which is not finite")
        return symmetry.group.elements()
    if not isinstance(given, GroupElement) or len(given.batch_shape) != 1:
        raise ArgumentError("elements", given, "a batch of group elements, the identity first")
    if not given[0].is_close(given.group.identity()):
        raise ArgumentError("elements", repr(given[0]), "the identity first: the batch itself")
    return GroupElement.stack([symmetry.own(g) for g in given])


class _Images:
    """The images of rows under all elements, each a gather where a matrix exchanges and negates only.

    Args:
        name: of the array, for messages.
        declared: how it transforms.
        elements: `(k,)`.
        symmetry: of which it is.
    """

    def __init__(self, name: str, declared: Field, elements: GroupElement, symmetry: Symmetry) -> None:
        if not declared.affine:
            raise ArgumentError(name, repr(declared), "a field that is moved by a matrix")
        centre = np.asarray(symmetry.centre)
        found = [declared.act(g, centre) for g in elements]
        self._name = name
        self._matrices: Array = np.stack([matrix for matrix, _ in found])
        self._offsets: Array = np.stack([offset for _, offset in found])
        self._kept: dict[Any, tuple[Tensor, ...]] = {}
        self._exchanges = is_monomial(self._matrices) and not self._offsets.any()

    def __call__(self, rows: Tensor) -> Tensor:
        size = self._matrices.shape[-1]
        if rows.shape[-1] != size:
            raise ArgumentError(self._name, f"rows of {rows.shape[-1]}", f"{size}, as declared")
        first, second = self._tensors(rows)
        if self._exchanges:
            moved = [rows[..., order] * signs for order, signs in zip(first, second, strict=True)]
        else:
            moved = [rows @ matrix.T + offset for matrix, offset in zip(first, second, strict=True)]
        return torch.cat([rows, *moved[1:]])

    def _tensors(self, rows: Tensor) -> tuple[Tensor, ...]:
        key = (rows.dtype, rows.device)
        if key not in self._kept:
            if self._exchanges:
                order = np.abs(self._matrices).argmax(-1)
                signs = np.take_along_axis(self._matrices, order[..., None], -1)[..., 0]
                made = torch.as_tensor(order, device=rows.device), torch.as_tensor(signs).to(rows)
            else:
                made = torch.as_tensor(self._matrices).to(rows), torch.as_tensor(self._offsets).to(rows)
            self._kept[key] = made
        return self._kept[key]
