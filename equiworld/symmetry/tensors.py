"""Arrays as Features and back in torch: on any device, with gradients. The numbers are those of `Field.encode`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from equiworld.arguments import reals
from equiworld.errors import ArgumentError
from equiworld.symmetry.concatenation import Concatenation, Interleaved
from equiworld.symmetry.constants import constant
from equiworld.symmetry.declaration import Declaration
from equiworld.symmetry.features import KINDS, Features, Kind
from equiworld.symmetry.field import Field
from equiworld.symmetry.heading import Heading
from equiworld.symmetry.observing import Apart, feature_type_of, row_of
from equiworld.symmetry.parts import Parts
from equiworld.symmetry.quaternions import euler_of, matrix_of, matrix_of_euler, quaternion_of
from equiworld.symmetry.rotation import Rotation
from equiworld.symmetry.validation import check_leading

__all__ = [
    "decoded",
    "encoded",
    "features_of_action",
    "features_of_tensors",
    "has_gradient_or_device",
    "sharpened",
    "tensors_of_features",
]

Channels = dict[Kind, Tensor]


def features_of_action(symmetry: Declaration, action: Tensor) -> Features:
    """`Symmetry.action_features` of a tensor `(…, size)`, with its dtype, device and gradient."""
    size = symmetry.action.size(symmetry.dim)
    if action.shape[-1] != size:
        raise ArgumentError("action", f"shape {tuple(action.shape)}", f"shape (…, {size})")
    return _joined(symmetry, [encoded(symmetry.action, action, _centre(symmetry, action))], action)


def features_of_tensors(symmetry: Declaration, obs: Any, names: Sequence[str] | None = None) -> Features:
    """`Symmetry.to_features` of tensors, with their dtype, device and gradient; points are centred in that dtype.

    Args:
        symmetry: of the observation.
        obs: a mapping of tensors `(…, size)`, or one tensor if the symmetry is flat.
        names: which fields; `state` if None.

    Raises:
        ArgumentError: a field is missing or misshapen.

    >>> import torch
    >>> from equiworld.groups import SO2
    >>> from equiworld.symmetry import Heading, Symmetry, Vector
    >>> symmetry = Symmetry(SO2(), {"way": Heading()}, action=Vector())
    >>> angle = torch.tensor([[0.5]], requires_grad=True)
    >>> features_of_tensors(symmetry, {"way": angle}).vectors.sum().backward()
    >>> bool(torch.isclose(angle.grad, angle.cos() - angle.sin()))
    True
    """
    chosen = symmetry.state if names is None else tuple(names)
    parts, taken = [], dict[str, Tensor]()
    for name in chosen:
        field = symmetry.observation[name]
        field.check_features(name, symmetry.group)
        tensor = taken[name] = _taken(symmetry, obs, name)
        parts.append(encoded(field, tensor, _centre(symmetry, tensor)))
    if not taken:
        raise ArgumentError("names", names, "one field or more")
    check_leading(taken)
    return _joined(symmetry, parts, next(iter(taken.values())))


def tensors_of_features(
    symmetry: Declaration, features: Features, names: Sequence[str] | None = None
) -> dict[str, Tensor]:
    """The tensors `(…, size)` by field whose Features these are; the inverse of `features_of_tensors`."""
    expected = feature_type_of(symmetry, names)
    if features.type != expected:
        raise ArgumentError("features", features.type, f"{expected}")
    used: dict[Kind, int] = dict.fromkeys(KINDS, 0)
    found = {}
    for name in symmetry.state if names is None else names:
        field, parts = symmetry.observation[name], Channels()
        kinds = field.feature_type(symmetry.dim)
        for kind in KINDS:
            width = getattr(kinds, kind)
            parts[kind] = getattr(features, kind)[..., used[kind] : used[kind] + width]
            used[kind] += width
        found[name] = decoded(field, parts, _centre(symmetry, features.vectors))
    return found


def has_gradient_or_device(obs: Any) -> bool:
    """Whether some tensor of an observation would lose its gradient, or its device, as a NumPy array."""
    tensors = obs.values() if isinstance(obs, Mapping) else (obs,)
    return any(isinstance(each, Tensor) and (each.requires_grad or not each.is_cpu) for each in tensors)


def encoded(field: Field, tensor: Tensor, centre: Tensor) -> Channels:
    """The channels of a tensor `(…, size)`: scalars `(…, n)`, vectors and points `(…, d, n)`."""
    dim = len(centre)
    if isinstance(field, Parts):
        field = field.placed(dim)
    if isinstance(field, Concatenation):
        found: dict[Kind, list[Tensor]] = {kind: [] for kind in KINDS}
        for part, where in _within(field, dim):
            for kind, channels in encoded(part, tensor[..., where], centre).items():
                found[kind].append(channels)
        return {kind: _side_by_side(each) for kind, each in found.items() if each}
    if isinstance(field, Heading):
        angle = tensor + field.axis
        first = torch.stack((angle.cos(), angle.sin()), -2)
        if not field.body:
            return {"vectors": first}
        second = torch.stack((-first[..., 1, :], first[..., 0, :]), -2)
        return {"vectors": torch.stack((first, second), -1).flatten(-2)}
    if isinstance(field, Rotation):
        matrices = _matrices(field, tensor.unflatten(-1, (field.count, -1)))
        return {"vectors": matrices.movedim(-2, -3).flatten(-2)}  # (…, row, n · column)
    if field.kind == "scalars":
        return {"scalars": tensor}
    items = tensor.unflatten(-1, (-1, dim)).mT
    return {field.kind: items - centre[:, None] if field.kind == "points" else items}


def decoded(field: Field, channels: Mapping[Kind, Tensor], centre: Tensor) -> Tensor:
    """The tensor `(…, size)` whose channels these are."""
    dim = len(centre)
    if isinstance(field, Parts):
        field = field.placed(dim)
    if isinstance(field, Concatenation):
        used: dict[Kind, int] = dict.fromkeys(KINDS, 0)
        shares, places = [], list[int]()
        for part, where in _within(field, dim):
            kinds, taken = part.feature_type(dim), Channels()
            for kind in KINDS:
                width = getattr(kinds, kind)
                if width:
                    taken[kind] = channels[kind][..., used[kind] : used[kind] + width]
                    used[kind] += width
            shares.append(decoded(part, taken, centre))
            places += where
        order = sorted(range(len(places)), key=places.__getitem__)
        return torch.cat(shares, -1)[..., torch.tensor(order, device=shares[0].device)]
    if isinstance(field, Heading):
        vectors = channels["vectors"]
        if field.body:
            ahead = vectors[..., 1::2]
            vectors = vectors[..., ::2] + torch.stack((ahead[..., 1, :], -ahead[..., 0, :]), -2)
        angle = torch.atan2(vectors[..., 1, :], vectors[..., 0, :]) - field.axis
        return angle - math.tau * torch.floor((angle - field.low) / math.tau)
    if isinstance(field, Rotation):
        matrices = channels["vectors"].unflatten(-1, (field.count, 3)).movedim(-3, -2)
        return _numbers(field, matrices).flatten(-2)
    if field.kind == "scalars":
        return channels["scalars"]
    items = channels[field.kind]
    return (items + centre[:, None] if field.kind == "points" else items).mT.flatten(-2)


def sharpened(field: Field, channels: Mapping[Kind, Tensor]) -> Channels:
    """The channels of the array that these, nearly such, decode to, points about the centre."""
    if isinstance(field, Heading) and not field.body:
        return {"vectors": torch.nn.functional.normalize(channels["vectors"], dim=-2)}
    vectors = channels["vectors"]
    centre = vectors.new_zeros(vectors.shape[-2])
    return encoded(field, decoded(field, channels, centre), centre)


def _matrices(field: Rotation, items: Tensor) -> Tensor:
    """Rotation matrices `(…, n, 3, 3)` of the numbers of n orientations."""
    if field.form == "matrix":
        return items.unflatten(-1, (3, 3))
    if field.form in ("wxyz", "xyzw"):
        return matrix_of(items if field.form == "wxyz" else items.roll(1, -1))
    return matrix_of_euler(items, field.form)


def _numbers(field: Rotation, matrices: Tensor) -> Tensor:
    """The numbers `(…, n, size)` of matrices `(…, n, 3, 3)`."""
    if field.form == "matrix":
        return matrices.flatten(-2)
    if field.form in ("wxyz", "xyzw"):
        found = quaternion_of(matrices)
        return found if field.form == "wxyz" else found.roll(-1, -1)
    return euler_of(matrices, field.form)


def _within(field: Concatenation, dim: int) -> list[tuple[Field, list[int]]]:
    """The parts of a field, and the places of each one's numbers."""
    if isinstance(field, Interleaved):
        return [(part, list(places)) for part, places in zip(field.parts, field.at, strict=True)]
    found, start = [], 0
    for part in field.parts:
        stop = start + part.size(dim)
        found.append((part, list(range(start, stop))))
        start = stop
    return found


def _taken(symmetry: Declaration, obs: Any, name: str) -> Tensor:
    """The numbers of one field."""
    key, at = symmetry.places.get(name, (name, None))
    if symmetry.flat and not isinstance(obs, Apart):
        whole, segment = row_of(symmetry, "observation", obs), dict(symmetry.segments())[name]
    elif not isinstance(obs, Mapping) or (name not in obs and key not in obs):
        got = f"no key {key!r}" if isinstance(obs, Mapping) else f"a {type(obs).__name__}"
        raise ArgumentError(
            "observation", got, "a mapping of tensors with the declared keys", symmetry.arrays()
        )
    else:
        taken = name in obs and (name != key or isinstance(obs, Apart))
        whole = obs[name] if taken else row_of(symmetry, key, obs[key])
        segment = slice(None) if at is None or taken else list(at)
    if not isinstance(whole, Tensor):  # beside one with a gradient
        whole = torch.from_numpy(reals(name, whole))
    size = symmetry.observation[name].size(symmetry.dim)
    short = not whole.ndim or (isinstance(segment, list) and max(segment, default=-1) >= whole.shape[-1])
    found = whole if short else whole[..., segment]
    if short or found.shape[-1] != size:
        raise ArgumentError(name, f"shape {tuple(found.shape)}", f"shape (…, {size})")
    return found


def _centre(symmetry: Declaration, like: Tensor) -> Tensor:
    return constant(symmetry.centre, like.dtype, like.device)


def _side_by_side(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(tuple(parts), -1)


def _joined(symmetry: Declaration, parts: Sequence[Channels], like: Tensor) -> Features:
    def join(kind: Kind, *empty: int) -> Tensor:
        found = [part[kind] for part in parts if kind in part]
        return _side_by_side(found) if found else like.new_empty(*like.shape[:-1], *empty)

    return Features(join("scalars", 0), join("vectors", symmetry.dim, 0), join("points", symmetry.dim, 0))
