"""Representations of every type, with the matrices of elements that generate them."""

from __future__ import annotations

import numpy as np

from equiworld.groups import (
    O2,
    SO2,
    SO3,
    Cyclic,
    Decomposition,
    Dihedral,
    Group,
    Labels,
    Permutation,
    Representation,
)
from equiworld.groups.arrays import Array
from equiworld.symmetry import FeatureType
from equiworld.symmetry.latent_blocks import latent_blocks, turns_of

__all__ = ["cases", "feature_matrices", "quaternion_labels"]

_UP = (0.0, 0.0, 1.0)


def cases() -> dict[str, tuple[Decomposition, Array]]:
    """By name, a decomposition and matrices `(k, n, n)` that generate the representation."""
    found = {
        "SO(3), 4 scalars and 6 vectors": _features(FeatureType(3, 4, 6), SO3()),
        "S_4 × SO(3), 4 objects of 2 scalars and 2 vectors": _features(FeatureType(3, 8, 8), SO3(), 4),
        "S_3 × SO(3), 3 objects of 1 scalar and 2 vectors": _features(FeatureType(3, 3, 6), SO3(), 3),
        "SO(2), 2 scalars and 3 vectors (complex)": _features(FeatureType(2, 2, 3), SO2()),
        "O(2), the same": _features(FeatureType(2, 2, 3), O2()),
        "S_2 × O(2), 2 objects of 2 scalars and 2 vectors": _features(FeatureType(2, 4, 4), O2(), 2),
        "thirds of a turn, 2 scalars and 3 vectors (complex)": _features(FeatureType(2, 2, 3), Cyclic(3)),
        "SO(2) about an axis, 2 scalars and 3 vectors": _features(FeatureType(3, 2, 3), SO2(axis=_UP)),
    }
    square, eight = Dihedral(4).labels, quaternion_labels()
    finite = {
        "a square's, regular": Representation.regular(square),
        "quarter turns, regular (complex)": Representation.regular(Cyclic(4).labels),
        "S_3, regular": Representation.regular(Permutation(3).labels),
        "quaternion group, regular (quaternionic)": Representation.regular(eight),
        "quaternion group, three times its 4 dimensions": Representation.trivial(eight, 3).tensor(
            Representation(eight, eight.natural["body"])
        ),
    }
    joints = _ant()
    if joints is not None:
        finite["Ant-v5's eight joints"] = joints
    return found | {name: (Decomposition.of(each), each.matrices) for name, each in finite.items()}


def quaternion_labels() -> Labels:
    """The group {±1, ±i, ±j, ±k}, by its real 4 × 4 matrices."""
    i = np.array([[0.0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, -1], [0, 0, 1, 0]])
    j = np.array([[0.0, 0, -1, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, -1, 0, 0]])
    matrices = np.stack([sign * unit for unit in (np.eye(4), i, j, i @ j) for sign in (1.0, -1.0)])
    return Labels.of_matrices(matrices, [("i", 2), ("j", 4)], np.ones(8, np.int64), {"body": matrices})


def feature_matrices(kind: FeatureType, group: Group, objects: int = 1) -> Array:
    """ρ on scalars and vectors of elements that generate the group and the exchanges of objects."""
    turns = [(np.eye(objects), turn) for turn in turns_of(group)]
    orders = [(order, np.eye(kind.dim)) for order in Permutation(objects).all_matrices()]
    found = []
    for order, turn in turns + orders:
        whole = np.zeros((kind.size, kind.size))
        whole[: kind.scalars, : kind.scalars] = np.kron(order, np.eye(kind.scalars // objects))
        vectors = np.kron(np.kron(order, np.eye(kind.vectors // objects)), turn)
        whole[kind.scalars :, kind.scalars :] = vectors
        found.append(whole)
    return np.stack(found)


def _features(kind: FeatureType, group: Group, objects: int = 1) -> tuple[Decomposition, Array]:
    return latent_blocks(kind, group, objects), feature_matrices(kind, group, objects)


def _ant() -> Representation | None:
    """Of its symmetries on joints' numbers; None where there is no MuJoCo."""
    try:
        import gymnasium as gym

        from equiworld.envs.known.ant import ant_symmetry

        env = gym.make("Ant-v5")
    except (ImportError, gym.error.DependencyNotInstalled):
        return None
    try:
        symmetry = ant_symmetry(env)
    finally:
        env.close()
    labels = symmetry.group.labels
    return Representation(labels, symmetry.action.label_images(symmetry.group)["scalars"])
