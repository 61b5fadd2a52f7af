"""Normalisation of observations that commutes with the group."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.vec_env import VecEnv, VecNormalize, unwrap_vec_normalize

from equiworld.arguments import instance, number
from equiworld.errors import ArgumentError
from equiworld.groups import Group
from equiworld.groups.arrays import Array
from equiworld.models.labels import orbits
from equiworld.symmetry import Field, Heading, Rotation, SymmetricMatrix, Symmetry, symmetry_of
from equiworld.symmetry.concatenation import leaves, units
from equiworld.symmetry.spaces import check_observation_space

__all__ = ["VecNormalizeEquivariant"]


class _Unit(NamedTuple):
    """Numbers of one field in an array.

    Attributes:
        places: `(n,)` of scalars, `(n, d)` of vectors.
        mean: `(n, n)`, projects means of scalars on what no label moves; 0 for vectors.
        tied: which of the n have the same spread.
        whole: whether labels mix scalars, so that only their length may be bounded.
    """

    places: NDArray[np.int64]
    mean: Array
    tied: list[list[int]]
    whole: bool


class VecNormalizeEquivariant(VecNormalize):
    """`VecNormalize` by type: what turns into each other has one spread, and only what nothing moves has a mean.

    Scalars are brought to mean 0 and variance 1; pseudoscalars keep their 0; joints that trade places share both, with
    the signs that they change; vectors are divided by the root mean square of a coordinate, and bounded by their
    length. Points, headings and orientations are left as they are: the policies measure points by the length scale.
    Statistics are those of `VecNormalize`, made symmetric where they are used; saving and loading are too.

    Args:
        venv: the environments.
        symmetry: of them, or an id; that which `symmetry_of` finds if None.
        kwargs: of `VecNormalize`.

    Attributes:
        symmetry: of what is shown.

    Raises:
        ArgumentError: no symmetry, or observations that it does not declare.

    >>> from stable_baselines3.common.env_util import make_vec_env
    >>> venv = VecNormalizeEquivariant(make_vec_env("Reacher-v5", 2, seed=0))
    >>> seen = venv.reset()
    >>> [venv.step(np.zeros((2, 2)))[0].shape for _ in range(3)][-1], symmetry_of(venv).group
    ((2, 10), O2())
    """

    commutes = True

    def __init__(self, venv: VecEnv, symmetry: Any = None, **kwargs: Any) -> None:
        instance("venv", venv, VecEnv)
        if unwrap_vec_normalize(venv) is not None:
            raise ArgumentError("venv", "one that is normalised already", "VecNormalizeEquivariant alone")
        found = symmetry_of(venv if symmetry is None else symmetry).sized(venv.observation_space)
        check_observation_space(found, venv.observation_space)
        unknown = set(kwargs.get("norm_obs_keys") or ()) - set(getattr(venv.observation_space, "spaces", ()))
        if unknown:
            raise ArgumentError(
                "norm_obs_keys", sorted(unknown), "keys of the observation space", found.arrays()
            )
        super().__init__(venv, **kwargs)
        number("clip_obs", self.clip_obs, above=0)
        arrays = found.arrays()
        self._units = {key: _units(field, found.group) for key, field in arrays.items()}
        kept = arrays if self.norm_obs_keys is None else self.norm_obs_keys
        keys = set(kept) if self.norm_obs else set()
        self.symmetry: Symmetry = replace(
            found,
            observation={
                name: _measured(field) if _key(found, name) in keys else field
                for name, field in found.observation.items()
            },
        )
        self.observation_space = copy.copy(self.observation_space)  # the environments show theirs to others
        self.observation_space.symmetry = self.symmetry  # type: ignore[attr-defined]

    def normalize_obs(self, obs: Any) -> Any:
        """Observations of mean 0 and variance 1 as far as that commutes, float32; statistics stay as they are."""
        return self._mapped(obs, back=False)

    def unnormalize_obs(self, obs: Any) -> Any:
        """What `normalize_obs` made these of, where nothing was cut off."""
        return self._mapped(obs, back=True)

    def _mapped(self, obs: Any, back: bool) -> Any:
        if not self.norm_obs:
            return obs
        if isinstance(obs, dict):
            assert isinstance(self.obs_rms, dict)
            kept = self.norm_obs_keys or []
            return {
                key: self._one(key, each, self.obs_rms[key], back) if key in kept else each
                for key, each in obs.items()
            }
        assert isinstance(self.obs_rms, RunningMeanStd)
        return self._one("observation", obs, self.obs_rms, back)

    def _one(self, key: str, array: Any, known: RunningMeanStd, back: bool) -> NDArray[np.float32]:
        mean, spread = self._statistics(key, known)
        given = np.asarray(array, np.float64)
        row = given.reshape(-1, len(mean))
        if back:
            return (row * spread + mean).reshape(given.shape).astype(np.float32)
        row = (row - mean) / spread
        for unit in self._units[key]:
            if unit.places.ndim == 1 and not unit.whole:
                row[:, unit.places] = np.clip(row[:, unit.places], -self.clip_obs, self.clip_obs)
            else:
                part = row[:, unit.places]
                length = np.sqrt(np.square(part).sum(-1, keepdims=True))
                row[:, unit.places] = part * (self.clip_obs / np.maximum(length, self.clip_obs))
        return row.reshape(given.shape).astype(np.float32)

    def _statistics(self, key: str, known: RunningMeanStd) -> tuple[Array, Array]:
        """The mean and the spread of each number, made symmetric."""
        mean, variance = known.mean.reshape(-1), known.var.reshape(-1)
        middle, spread = np.zeros_like(mean), np.ones_like(mean)
        for unit in self._units[key]:
            places = unit.places
            if places.ndim == 1:
                middle[places] = unit.mean @ mean[places]
            second = variance[places] + np.square(mean[places] - middle[places])
            second = second if places.ndim == 1 else second.mean(-1)
            for members in unit.tied:
                spread[places[members]] = np.sqrt(second[members].mean() + self.epsilon)
        return middle, spread


def _units(field: Field, group: Group) -> list[_Unit]:
    """The fields of an array that are normalised."""
    found = []
    for leaf, places in units(field, group.dim):
        if not _normalised(leaf):
            continue
        images = leaf.label_images(group)[leaf.kind]
        tied = orbits(images)
        if leaf.kind == "scalars":
            whole = not np.isin(images, (-1.0, 0.0, 1.0)).all()
            found.append(_Unit(np.asarray(places), images.mean(0), tied, bool(whole)))
        else:
            found.append(_Unit(np.asarray(places).reshape(-1, group.dim), np.zeros(0), tied, False))
    return found


def _normalised(field: Field) -> bool:
    """Whether numbers of a field may be divided by their spread."""
    return all(
        leaf.kind in ("scalars", "vectors")
        and leaf.affine
        and not isinstance(leaf, SymmetricMatrix)
        and not isinstance(leaf, Heading | Rotation)
        for leaf in leaves(field)
    )


def _key(symmetry: Symmetry, name: str) -> str:
    """Of the array that a field lies in."""
    return "observation" if symmetry.flat else symmetry.places.get(name, (name,))[0]


def _measured(field: Field) -> Field:
    """A field that is normalised, whose numbers are of order 1."""
    return replace(field, scale=1.0) if _normalised(field) else field
