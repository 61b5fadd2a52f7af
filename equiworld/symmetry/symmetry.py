"""How a whole environment transforms: its group, and the type of every array it shows or takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import ArrayLike, NDArray

from equiworld.arguments import flag, instance, number
from equiworld.errors import ArgumentError
from equiworld.groups import Group, GroupElement
from equiworld.symmetry import observing, validation
from equiworld.symmetry.declaration import Declaration
from equiworld.symmetry.features import KINDS, Channel, Features, FeatureType, Kind
from equiworld.symmetry.field import Array, numbers
from equiworld.symmetry.parts import split
from equiworld.symmetry.restriction import restricted
from equiworld.symmetry.spaces import transform_space
from equiworld.symmetry.tensors import features_of_tensors, has_gradient_or_device
from equiworld.symmetry.validation import check_leading, check_symmetry, names_of, owned

__all__ = ["Symmetry"]


@dataclass(frozen=True)
class Symmetry(Declaration):
    """The symmetry of an environment, declared once.

    g = (R, t) acts about the centre c: points x ↦ c + R (x − c) + t, vectors v ↦ R v. In Features points are
    given relative to c, in the environment's units, so that g acts on them as p ↦ R p + t.

    Attributes:
        group: the group that the environment carries.
        observation: the field of each key of a Dict observation, or `Parts` of a key that holds several things, which
            are then called by their own names; with `flat`, of consecutive segments of one array, in order, or the
            `Parts` of the array.
        action: the field of an action: a Vector if it is relative, a Point if it is absolute.
        state: the fields that a dynamics model needs; all but the goal unless given.
        goal: the fields that say where to go, each with the field of the state that it is the goal of, or None if none
            is: `{"goal_pos": "block_pos"}`. Names alone will do: then what they are the goal of is not known.
        action_origin: the observed Point that a relative action is measured from.
        reference: the Point that is the body's reference, the origin of its frame; of several points their mean is.
        heading: the Heading of the body's frame; None if there is none.
        centre: c, `(d,)`; the origin unless given.
        length_scale: a typical length, in the environment's units.
        info: the fields of `info` entries that transform.
        flat: whether the observation is one array.
        places: by field, which key holds it and where, if not the key of its name alone; made of `Parts`.
        shapes: by key ("observation" if `flat`), the shape of an array of several axes; its numbers count in a row.
        holds: where the symmetry holds: "everywhere", or where not.
        reward: whether the reward, and the end of an episode, are invariant too; False where they name a direction of
            the world, or a side.

    Raises:
        ArgumentError: a field that the dimension or the group does not have, or a name that is no field.

    >>> from equiworld.groups import SE2
    >>> from equiworld.symmetry import Point, Scalar, Vector
    >>> symmetry = Symmetry(SE2(), {"ball": Point(), "mass": Scalar()}, action=Vector(), centre=(1.0, 0.0))
    >>> turned = symmetry.transform_observation(SE2().rotation(np.pi), {"ball": [3.0, 0.0], "mass": [5.0]})
    >>> {name: array.round(6) for name, array in turned.items()}
    {'ball': array([-1.,  0.]), 'mass': array([5.])}
    >>> symmetry.feature_type()
    FeatureType(dim=2, scalars=1, vectors=0, points=1)
    """

    def __post_init__(self) -> None:
        def settle(name: str, value: object) -> None:
            object.__setattr__(self, name, value)

        validation.check_kinds(self)
        settle("flat", flag("flat", self.flat))
        settle("length_scale", number("length_scale", self.length_scale, above=0))
        fields, places = split(self.observation, self.group.dim)
        validation.check_alone(self, bool(places))
        settle("observation", fields)
        settle("places", places or validation.places_of(self.places))
        settle("shapes", validation.shapes_of(self.shapes))
        settle("info", dict(self.info))
        settle("goal", validation.goal_of(self.goal))
        rest = tuple(name for name in self.observation if name not in self.goal)
        settle("state", names_of("state", self.state) or rest)
        settle("centre", validation.centre_of(self))
        check_symmetry(self)
        settle("reward", flag("reward", self.reward))

    def transform_observation(self, g: GroupElement, obs: Any) -> Any:
        """ρ(g)·observation.

        Args:
            g: one element, or a batch whose shape is the observation's leading shape.
            obs: a mapping of arrays `(…, size)`, or one array `(…, size)` if `flat`.

        Returns:
            A new dict (or array) of the same floating dtypes, computed in float64.

        Raises:
            ArgumentError: g has another dimension, or a field is missing, undeclared, misshapen, not numeric
                or not finite; the message names it.
        """
        g, self = self.own(g), self.sized(obs)
        arrays = self.observed(obs)
        moved = {
            name: self.observation[name].transform(g, array, self.centre, name)
            for name, array in arrays.items()
        }
        check_leading(moved)
        return self.assembled(moved)

    def transform_action(self, g: GroupElement, action: ArrayLike | torch.Tensor) -> NDArray[np.floating]:
        """ρ(g)·action, `(…, size)`; what the same action is called in the transformed world."""
        g = self.own(g)
        return self.action.transform(g, action, self.centre, "action")

    def transform_info(self, g: GroupElement, info: Mapping[str, Any]) -> dict[str, Any]:
        """A copy of `info` with its declared entries transformed; the others are handed on untouched."""
        g = self.own(g)
        instance("info", info, Mapping)
        return {
            name: self.info[name].transform(g, value, self.centre, name) if name in self.info else value
            for name, value in info.items()
        }

    def to_features(
        self, obs: Any, names: Iterable[str] | None = None, dtype: torch.dtype = torch.float32
    ) -> Features:
        """The typed features of an observation, points relative to the centre, in the environment's units.

        Args:
            obs: as for `transform_observation`; declared fields that are not asked for may be absent.
            names: which fields, in the order of their channels; `state` if None.
            dtype: of the features; centring is done in float64 before. Tensors with a gradient, or not on the CPU, stay
                in torch, and are centred in their own dtype.

        Returns:
            Features with the observation's leading shape `(…)`.
        """
        self = self.sized(obs)
        chosen = observing.checked_names(self, names)
        instance("dtype", dtype, torch.dtype)
        if has_gradient_or_device(obs):
            return features_of_tensors(self, obs, chosen).to(dtype)
        return observing.as_features(observing.read(self, obs, chosen)[0], dtype)

    def action_features(
        self, action: ArrayLike | torch.Tensor, dtype: torch.dtype = torch.float32
    ) -> Features:
        """The typed features of actions `(…, size)`; absolute ones relative to the centre."""
        self.action.check_features("action", self.group)
        values = numbers(action, self.action.size(self.dim), "action")
        channels = self.action.encode(values.astype(np.float64), np.asarray(self.centre))
        return observing.as_features(observing.joined(self.dim, [channels], values.shape[:-1]), dtype)

    def action_array(self, features: Features) -> NDArray[np.floating]:
        """The actions `(…, size)` whose features these are, in the features' dtype."""
        expected = self.action.feature_type(self.dim)
        instance("features", features, Features)
        if features.type != expected:
            raise ArgumentError("features", features.type, f"the features of an action, {expected}")
        dtype = np.asarray(features.vectors[..., :0].detach().cpu()).dtype
        channels: dict[Kind, Array] = {
            kind: getattr(features, kind).detach().cpu().numpy().astype(np.float64) for kind in KINDS
        }
        array = self.action.decode(channels, np.asarray(self.centre))
        return self.action.to_dtype(array, dtype, self.dim)

    def observation_arrays(
        self, features: Features, names: Iterable[str] | None = None
    ) -> dict[str, NDArray[np.floating]]:
        """The arrays `(…, size)` by name whose features these are, in the features' dtype.

        Args:
            features: as `to_features(obs, names)` gives them.
            names: which fields; `state` if None.
        """
        if features.type != self.feature_type(names):
            raise ArgumentError("features", features.type, f"{self.feature_type(names)}")
        centre, arrays = np.asarray(self.centre), {}
        used: dict[Kind, int] = dict.fromkeys(KINDS, 0)
        for name in observing.checked_names(self, names):
            declared, parts = self.observation[name], dict[Kind, Array]()
            dtype = np.dtype(str(features.dtype).removeprefix("torch."))
            for kind, width in observing.widths(declared, self.dim):
                channel = Channel(kind, used[kind], used[kind] + width)
                parts[kind] = features.select(channel).detach().cpu().numpy().astype(np.float64)
                used[kind] += width
            arrays[name] = declared.to_dtype(declared.decode(parts, centre), dtype, self.dim)
        return arrays

    def channels(self, names: Iterable[str] | None = None) -> dict[str, Channel]:
        """Where each of the fields (`state` if None) lies in `to_features(obs, names)`.

        A field of several kinds has a channel for each, "name.points", "name.vectors" and so on.
        """
        result: dict[str, Channel] = {}
        for name, _, channel in observing.channels_of(self, observing.checked_names(self, names)):
            several = len(observing.widths(self.observation[name], self.dim)) > 1
            key = f"{name}.{channel.kind}" if several else name
            result[key] = channel if key not in result else result[key]._replace(stop=channel.stop)
        return result

    def feature_type(self, names: Iterable[str] | None = None) -> FeatureType:
        """The type of `to_features(obs, names)`."""
        return observing.feature_type_of(self, names)

    def transform_space(
        self,
        g_or_group: GroupElement | Group,
        space: spaces.Space,
        role: Literal["observation", "action"] | None = None,
        scale: float = 1.0,
    ) -> spaces.Space:
        """The space that the transformed arrays live in.

        Args:
            g_or_group: one element (bounds by interval arithmetic), or a group (bounds for all its elements).
            space: a Dict, a Box, or their batched forms. A ball of vectors is its own image and comes back.
            role: what the space holds; told from its kind and size if None.
            scale: the longest translation of the group's elements, as in `Group.sample`.

        Returns:
            A Dict of Boxes, or a Box, that contains every transformed sample.

        Raises:
            ArgumentError: the space is not that of the declared arrays, or could be both.
        """
        return transform_space(self, g_or_group, space, role, scale)

    def restricted(self, group: Group, holds: str | None = None, reward: bool | None = None) -> Symmetry:
        """The same arrays under a subgroup: what is left where something breaks the rest of it.

        Models, frames and doors made of it ask for no more, and see what the subgroup keeps: heights about an axis,
        absolute places without translations.

        Args:
            group: a subgroup, such as `SE3().stabiliser(gravity)`, or `Dihedral(4)` between four walls about `centre`.
            holds: where it holds, in words; as before if None.
            reward: whether it keeps the reward; as before if None.

        Raises:
            ArgumentError: not a subgroup, or labels of it do not move a body as the group does.

        >>> from equiworld.groups import SE3
        >>> from equiworld.symmetry import Point, Vector
        >>> whole = Symmetry(SE3(), {"body": Point()}, action=Vector())
        >>> whole.restricted(SE3().stabiliser((0.0, 0.0, -9.81))).group
        SE2(axis=(0.0, 0.0, -1.0), along=True)
        """
        return restricted(self, group, holds, reward)

    def own(self, g: GroupElement) -> GroupElement:
        """An element of a subgroup as one of `group`, whose labels the fields know; others as they are.

        Raises:
            ArgumentError: it is of another dimension; or fields are moved by labels, and it is not in the group.
        """
        return owned(self, g)

    def sized(self, obs: Any) -> Symmetry:
        """The same with the count of each `Cloud()` that has none, as observations or a space show it."""
        return observing.sized(self, obs)

    def observed(self, obs: Any, needed: Sequence[str] | None = None) -> dict[str, Any]:
        """The declared arrays of an observation by name; all of them unless only some are needed."""
        return observing.observed(self, obs, needed)

    def assembled(self, arrays: Mapping[str, NDArray[Any]]) -> Any:
        """An observation as the environment gives it, of all its fields' arrays `(…, size)` by name."""
        return observing.assembled(self, arrays)
