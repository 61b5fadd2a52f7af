"""Gauge dimensions: what theory says, what the blocks say and what linear algebra finds are one number."""

from __future__ import annotations

import numpy as np
import pytest

from equiworld.analysis import gauge_ladder, measured_gauge_dimension
from equiworld.errors import ArgumentError
from equiworld.groups import (
    O2,
    SE3,
    SO2,
    SO3,
    Cyclic,
    Decomposition,
    Dihedral,
    Labels,
    Permutation,
    Representation,
)
from equiworld.symmetry import FeatureType
from equiworld.symmetry.latent_blocks import helmert, latent_blocks, turns_of

UP = (0.0, 0.0, 1.0)


def quaternions() -> Labels:
    """The group {±1, ±i, ±j, ±k}, by its real 4×4 matrices."""
    i = np.array([[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, -1], [0, 0, 1, 0.0]])
    j = np.array([[0, 0, -1, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, -1, 0, 0.0]])
    ones = np.eye(4)
    matrices = np.stack([s * m for m in (ones, i, j, i @ j) for s in (1.0, -1.0)])
    return Labels.of_matrices(matrices, [("i", 2), ("j", 4)], np.ones(8, int), {"body": matrices})


def feature_matrices(kind: FeatureType, group, objects: int = 1) -> np.ndarray:
    """ρ on scalars and vectors, of generators of the group and of all exchanges of objects."""
    turns = turns_of(group)
    s, v, d = kind.scalars // objects, kind.vectors // objects, kind.dim
    found = []
    for order in np.concatenate([np.eye(objects)[None], Permutation(objects).all_matrices()]):
        for turn in turns:
            whole = np.zeros((kind.size, kind.size))
            whole[: kind.scalars, : kind.scalars] = np.kron(order, np.eye(s))
            whole[kind.scalars :, kind.scalars :] = np.kron(np.kron(order, np.eye(v)), turn)
            found.append(whole)
    assert d == turns.shape[-1]
    return np.stack(found)


FEATURES = {
    "4 scalars and 6 vectors, SO(3)": (FeatureType(3, 4, 6), SO3(), 1, (231, 159, 21)),
    "the same, SE(3)": (FeatureType(3, 4, 6), SE3(), 1, (231, 159, 21)),
    "2 scalars and 3 vectors, SO(2): complex": (FeatureType(2, 2, 3), SO2(), 1, (28, 16, 10)),
    "the same, O(2): real": (FeatureType(2, 2, 3), O2(), 1, (28, 16, 4)),
    "the same, thirds of a turn: complex": (FeatureType(2, 2, 3), Cyclic(3), 1, (28, 16, 10)),
    "the same, half turns": (FeatureType(2, 2, 3), Cyclic(2), 1, (28, 16, 16)),
    "2 scalars and 3 vectors about an axis": (FeatureType(3, 2, 3), SO2(axis=UP), 1, (55, 25, 19)),
    "4 objects, SO(3)": (FeatureType(3, 8, 8), SO3(), 4, (496, 184, 4)),
    "2 objects, O(2)": (FeatureType(2, 4, 4), O2(), 2, (66, 14, 4)),
}


@pytest.mark.parametrize("name", FEATURES)
def test_of_features(name):
    kind, group, objects, wanted = FEATURES[name]
    blocks = latent_blocks(kind, group, objects)
    assert tuple(step.dimension for step in gauge_ladder(blocks)) == wanted
    matrices = feature_matrices(kind, group, objects)
    for block in blocks.blocks:  # each copy is moved by the same matrices
        moved = block.basis.T @ matrices @ block.basis
        first = block.basis[:, : block.dimension]
        copies = np.kron(np.eye(block.multiplicity), first.T @ matrices @ first)
        assert np.abs(moved - copies).max() < 1e-12
    if kind.size <= 32:
        assert measured_gauge_dimension(matrices) == wanted[-1]
    projections = np.stack([block.basis @ block.basis.T for block in blocks.blocks])
    assert measured_gauge_dimension(projections) == wanted[1]


def representations() -> dict[str, tuple[Representation, tuple[int, int, int]]]:
    square, quarter, six = Dihedral(4).labels, Cyclic(4).labels, Permutation(3).labels
    eight = quaternions()
    return {
        "regular, quarter turns: complex": (Representation.regular(quarter), (6, 1, 1)),
        "regular, a square's": (Representation.regular(square), (28, 6, 1)),
        "regular, S3": (Representation.regular(six), (15, 6, 1)),
        "regular, quaternion group: quaternionic": (Representation.regular(eight), (28, 6, 3)),
        "twice its 4 dimensions": (
            Representation(eight, eight.natural["body"]) + Representation(eight, eight.natural["body"]),
            (28, 28, 10),
        ),
    }


@pytest.mark.parametrize("name", representations())
def test_of_finite_groups(name):
    representation, wanted = representations()[name]
    blocks = Decomposition.of(representation)
    assert (blocks.whole_dimension, blocks.block_dimension, blocks.gauge_dimension) == wanted
    assert measured_gauge_dimension(representation.matrices) == wanted[-1]
    again = Decomposition.of_matrices(representation.matrices)
    assert sorted((b.dimension, b.multiplicity, b.kind) for b in again.blocks) == sorted(
        (b.dimension, b.multiplicity, b.kind) for b in blocks.blocks
    )


def test_of_ants_joints():
    gym = pytest.importorskip("gymnasium")
    pytest.importorskip("mujoco")
    from equiworld.envs.known.ant import ant_symmetry

    symmetry = ant_symmetry(gym.make("Ant-v5"))
    joints = symmetry.action.label_images(symmetry.group)["scalars"]
    representation = Representation(symmetry.group.labels, joints)
    blocks = Decomposition.of(representation)
    # Four hips and four ankles; each four are a square's corners: three irreducible parts, of 1, 1 and 2 dimensions.
    assert blocks.gauge_dimension == measured_gauge_dimension(joints)
    assert sum(block.basis.shape[1] for block in blocks.blocks) == 8
    assert {block.kind for block in blocks.blocks} == {"real"}


def test_wrong_blocks_would_be_seen():
    """Negative control: a basis that mixes scalars and vectors is not kept, and dimensions differ."""
    kind, group = FeatureType(3, 1, 1), SO3()
    mixed = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]
    moved = np.swapaxes(mixed, 0, 1) @ feature_matrices(kind, group) @ mixed
    blocks = latent_blocks(kind, group).blocks
    off = blocks[0].basis.T @ moved @ blocks[1].basis
    assert np.abs(off).max() > 0.1


def test_helmerts_basis():
    for count in (1, 2, 5):
        basis = helmert(count)
        assert np.allclose(basis.T @ basis, np.eye(count), atol=1e-14)
        assert np.ptp(basis[:, 0]) == 0


def test_arguments():
    with pytest.raises(ArgumentError, match="decompositions"):
        gauge_ladder()
    with pytest.raises(ArgumentError, match="kept"):
        measured_gauge_dimension(np.eye(3))
    with pytest.raises(ArgumentError, match="objects"):
        latent_blocks(FeatureType(3, 1, 2), SO3(), 2)
    with pytest.raises(ArgumentError, match="group"):
        latent_blocks(FeatureType(3, 1, 2), SO2())
    with pytest.raises(ArgumentError, match="matrices"):
        Decomposition.of_matrices(np.ones((1, 2, 2)))
