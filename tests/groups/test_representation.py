"""Representations of finite groups against character tables that are written down here."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equiworld.errors import ArgumentError
from equiworld.groups import (
    SE2,
    SE3,
    Cyclic,
    Dihedral,
    Isometries,
    Labels,
    Permutation,
    Product,
    Representation,
    left_right,
)

# --- the oracle ------------------------------------------------------------------------------------------

TABLES: dict[str, dict[str, tuple[tuple[int, ...], str]]] = {
    # Real irreducible characters, class by class, and their kinds.
    "C3": {"1": ((1, 1), "real"), "E": ((2, -1), "complex")},
    "C4": {"A": ((1, 1, 1), "real"), "B": ((1, -1, 1), "real"), "E": ((2, 0, -2), "complex")},
    "D3": {"A1": ((1, 1, 1), "real"), "A2": ((1, 1, -1), "real"), "E": ((2, -1, 0), "real")},
    "D4": {
        "A1": ((1, 1, 1, 1, 1), "real"),
        "A2": ((1, 1, 1, -1, -1), "real"),
        "B1": ((1, -1, 1, 1, -1), "real"),
        "B2": ((1, -1, 1, -1, 1), "real"),
        "E": ((2, 0, -2, 0, 0), "real"),
    },
    "S3": {"1": ((1, 1, 1), "real"), "sign": ((1, -1, 1), "real"), "standard": ((2, 0, -1), "real")},
    "S4": {
        "1": ((1, 1, 1, 1, 1), "real"),
        "sign": ((1, -1, 1, 1, -1), "real"),
        "pairs": ((2, 0, 2, -1, 0), "real"),
        "standard": ((3, 1, -1, 0, -1), "real"),
        "standard sign": ((3, -1, -1, 0, 1), "real"),
    },
    "Q8": {
        "1": ((1, 1, 1, 1, 1), "real"),
        "i": ((1, 1, 1, -1, -1), "real"),
        "j": ((1, 1, -1, 1, -1), "real"),
        "k": ((1, 1, -1, -1, 1), "real"),
        "H": ((4, -4, 0, 0, 0), "quaternionic"),  # twice the complex character of dimension 2
    },
}
COMMUTING = {"real": 1, "complex": 2, "quaternionic": 4}


def quaternions() -> tuple[Labels, np.ndarray]:
    """The group of ±1, ±i, ±j, ±k in that order, and what they do to the quaternions from the left."""
    i = np.array([[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, -1], [0, 0, 1, 0.0]])
    j = np.array([[0, 0, -1, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, -1, 0, 0.0]])
    units = [np.eye(4), i, j, i @ j]
    matrices = np.stack([sign * unit for unit in units for sign in (1, -1)])
    return Labels.of_matrices(matrices, (("i", 2), ("j", 4)), np.ones(8), {"left": matrices}), matrices


def cycle_class(matrix: np.ndarray) -> int:
    """By cycle type: 1, (12), (12)(34), (123), (1234); of three slots 1, (12), (123)."""
    n = len(matrix)
    fixed, fixed_twice = round(np.trace(matrix)), round(np.trace(matrix @ matrix))
    types = (
        {(4, 4): 0, (2, 4): 1, (0, 4): 2, (1, 1): 3, (0, 0): 4}
        if n == 4
        else {(3, 3): 0, (1, 3): 1, (0, 0): 2}
    )
    return types[fixed, fixed_twice]


def labels_of(name: str) -> tuple[Labels, list[int]]:
    """A group, and the class of each of its elements in the table."""
    if name == "Q8":
        return quaternions()[0], [0, 1, 2, 2, 3, 3, 4, 4]
    if name == "C3":
        return Cyclic(3).labels, [0, 1, 1]
    if name == "C4":
        return Cyclic(4).labels, [0, 1, 2, 1]
    if name == "D3":
        return Dihedral(3).labels, [0, 1, 1, 2, 2, 2]
    if name == "D4":
        return Dihedral(4).labels, [0, 1, 2, 1, 3, 4, 3, 4]
    n = int(name[1])
    labels = Permutation(n).labels
    return labels, [cycle_class(matrix) for matrix in labels.natural[f"Permutation({n})"]]


def natural(name: str) -> Representation:
    labels, _ = labels_of(name)
    return Representation(labels, next(iter(labels.natural.values())))


def multiplicities(name: str, representation: Representation) -> dict[str, int]:
    """By inner products of characters; an irreducible χ_i has ⟨χ_i, χ_i⟩ = 1, 2 or 4."""
    _, classes = labels_of(name)
    found = {}
    for irreducible, (values, kind) in TABLES[name].items():
        inner = np.mean(np.array(values)[classes] * representation.characters) / COMMUTING[kind]
        assert abs(inner - round(inner)) < 1e-9
        found[irreducible] = round(inner)
    return found


def rotated(representation: Representation, seed: int) -> Representation:
    """The same in other coordinates: no signed permutations any more."""
    size = representation.dim
    basis = np.linalg.qr(np.random.default_rng(seed).standard_normal((size, size)))[0]
    return Representation(representation.labels, basis @ representation.matrices @ basis.T)


BUILDERS: dict[str, Callable[[str], Representation]] = {
    "trivial": lambda name: Representation.trivial(labels_of(name)[0], 2),
    "sign": lambda name: Representation.sign(labels_of(name)[0]),
    "natural": natural,
    "regular": lambda name: Representation.regular(labels_of(name)[0]),
    "rotated": lambda name: rotated(natural(name), 0),
    "square": lambda name: natural(name).tensor(natural(name)),
}


def check_against_the_table(name: str, representation: Representation) -> None:
    """Commutant and blocks are what the characters say, and what the docstrings say."""
    counts = multiplicities(name, representation)
    kinds = {irreducible: kind for irreducible, (_, kind) in TABLES[name].items()}
    wanted = sum(count**2 * COMMUTING[kinds[each]] for each, count in counts.items())
    commuting, matrices = representation.commutant(), representation.matrices
    assert commuting.shape == (wanted, representation.dim, representation.dim)
    assert wanted == round(np.mean(representation.characters**2))
    gram = np.einsum("aij,bij->ab", commuting, commuting)
    assert np.abs(gram - np.eye(wanted)).max(initial=0) < 1e-13
    apart = matrices[:, None] @ commuting - commuting @ matrices[:, None]
    assert np.abs(apart).max(initial=0) < 1e-13
    _, classes = labels_of(name)
    blocks, seen = representation.isotypic(), {}
    for block in blocks:
        moved = block.basis.T @ matrices @ block.basis
        one = moved[:, : block.dimension, : block.dimension]
        assert np.abs(moved - np.kron(np.eye(block.multiplicity), one)).max() < 1e-10
        character = np.trace(one, axis1=1, axis2=2)
        names = [
            each for each, (v, _) in TABLES[name].items() if np.allclose(np.array(v)[classes], character)
        ]
        assert len(names) == 1
        seen[names[0]] = block.multiplicity
        assert block.kind == kinds[names[0]]
    assert seen == {each: count for each, count in counts.items() if count}
    whole = np.concatenate([block.basis for block in blocks], axis=1)
    assert np.abs(whole.T @ whole - np.eye(representation.dim)).max() < 1e-10


# --- what they are made of -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", BUILDERS)
@pytest.mark.parametrize("name", TABLES)
def test_blocks_and_commutant_are_those_of_the_character_table(name, kind):
    check_against_the_table(name, BUILDERS[kind](name))


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(sorted(TABLES)),
    kinds=st.lists(st.sampled_from(["trivial", "sign", "natural", "rotated"]), min_size=1, max_size=4),
    product=st.booleans(),
    seed=st.none() | st.integers(0, 99),
)
def test_sums_and_products_are_too(name, kinds, product, seed):
    parts = [BUILDERS[kind](name) for kind in kinds]
    whole = parts[0]
    for part in parts[1:]:
        whole = whole + part
    if product:
        whole = whole.tensor(parts[-1]) if whole.dim * parts[-1].dim <= 24 else whole
    check_against_the_table(name, whole if seed is None else rotated(whole, seed))


@settings(max_examples=30, deadline=None)
@given(
    name=st.sampled_from(sorted(TABLES)),
    one=st.sampled_from(sorted(BUILDERS)),
    other=st.sampled_from(sorted(BUILDERS)),
)
def test_intertwiners_are_as_many_as_the_characters_say(name, one, other):
    source, target = BUILDERS[one](name), BUILDERS[other](name)
    basis = source.intertwiners(target)
    counts, others = multiplicities(name, source), multiplicities(name, target)
    wanted = sum(counts[i] * others[i] * COMMUTING[kind] for i, (_, kind) in TABLES[name].items())
    assert basis.shape == (wanted, target.dim, source.dim)
    apart = target.matrices[:, None] @ basis - basis @ source.matrices[:, None]
    assert np.abs(apart).max(initial=0) < 1e-13
    flat = basis.reshape(wanted, target.dim * source.dim)
    assert np.abs(flat @ flat.T - np.eye(wanted)).max(initial=0) < 1e-13


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        (Cyclic(1), [(1, 2, "real")]),
        (Cyclic(2), [(1, 2, "real")]),
        (Cyclic(5), [(2, 1, "complex")]),
        (Dihedral(1), [(1, 1, "real"), (1, 1, "real")]),
        (Dihedral(7), [(2, 1, "real")]),
        (Dihedral(4, axis=(0, 0, 1)), [(1, 1, "real"), (2, 1, "real")]),
        (left_right(), [(1, 2, "real"), (1, 1, "real")]),
    ],
    ids=repr,
)
def test_what_groups_do_to_a_body(group, expected):
    body = Representation(group.labels, group.labels.natural["body"])
    assert [(block.dimension, block.multiplicity, block.kind) for block in body.isotypic()] == expected


def test_permutations_are_trivial_and_standard():
    for n in (2, 3, 4, 5):
        labels = Permutation(n).labels
        slots = Representation(labels, labels.natural[f"Permutation({n})"])
        first, second = slots.isotypic()
        assert (first.dimension, second.dimension) == (1, n - 1)
        assert np.allclose(np.abs(first.basis), 1 / np.sqrt(n))
        assert first.kind == second.kind == "real"


def test_two_blocks_of_equal_size_are_told_apart():
    """Turns by one step and by two steps are different complex representations of Cyclic(5)."""
    labels = Cyclic(5).labels
    once = Representation(labels, labels.natural["body"])
    twice = Representation.of(labels, [once.matrices[2]])
    assert once.intertwiners(twice).shape == (0, 2, 2)
    assert [(b.dimension, b.multiplicity) for b in rotated(once + twice + once, 1).isotypic()] == [
        (2, 2),
        (2, 1),
    ]
    assert len((once + twice).commutant()) == 4


# --- constructors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TABLES)
def test_the_regular_one_moves_numbers_with_elements(name):
    labels, _ = labels_of(name)
    regular = Representation.regular(labels)
    x = np.random.default_rng(0).standard_normal(labels.order)
    for h in range(labels.order):
        moved = regular.matrices[h] @ x
        assert all(moved[labels.table[h, g]] == x[g] for g in range(labels.order))
    assert regular.is_regular
    assert not Representation.trivial(labels, labels.order).is_regular
    assert not rotated(regular, 0).is_regular
    assert list(regular.characters) == [labels.order] + [0] * (labels.order - 1)


@pytest.mark.parametrize(
    "group", [Dihedral(4), Product(SE2(), Permutation(3)), Product(SE3(), Dihedral(2))], ids=repr
)
def test_signed_permutations_as_sources_and_signs(group):
    labels = group.labels
    representation = Representation.regular(labels).tensor(Representation.sign(labels)) + Representation.sign(
        labels
    )
    assert representation.is_monomial
    x = np.random.default_rng(0).standard_normal(representation.dim)
    for h in range(labels.order):
        assert np.array_equal(
            representation.matrices[h] @ x, representation.signs[h] * x[representation.sources[h]]
        )
    with pytest.raises(ArgumentError, match="signed permutations"):
        _ = rotated(representation, 0).sources


def test_ties_hold_and_leave_nothing_free_untied():
    labels = Dihedral(4).labels
    plane, regular = Representation(labels, labels.natural["body"]), Representation.regular(labels)
    for source, target in (
        (plane, regular),
        (plane + Representation.sign(labels), plane),
        (regular, regular),
    ):
        index, signs = source.ties(target)
        values = np.random.default_rng(0).standard_normal(index.max() + 1)
        weight = np.where(index < 0, 0.0, values[index]) * signs
        assert np.array_equal(target.matrices @ weight, weight @ source.matrices)
        assert len(values) == round(np.mean(source.characters * target.characters))
    with pytest.raises(ArgumentError, match="signed permutations"):
        rotated(plane, 0).ties(plane)


def test_products_are_kronecker_products_and_sums_are_blocks():
    one, other = natural("D3"), Representation.regular(labels_of("D3")[0])
    for h in range(6):
        assert np.array_equal(one.tensor(other).matrices[h], np.kron(one.matrices[h], other.matrices[h]))
        assert np.array_equal((one + other).matrices[h][:2, :2], one.matrices[h])
        assert np.array_equal((one + other).matrices[h][2:, 2:], other.matrices[h])


def test_whole_numbers_stay_whole_and_matrices_cannot_be_written():
    labels = Cyclic(4).labels
    turn = np.array([[np.cos(np.pi / 2), -1], [1, np.cos(np.pi / 2)]])
    representation = Representation.of(labels, [turn])
    assert representation.is_monomial
    with pytest.raises(ValueError, match="read-only"):
        representation.matrices[0, 0, 0] = 2.0
    assert labels.natural["body"].flags.writeable  # what was given is not touched


def test_nothing_at_all_is_a_representation():
    labels = Dihedral(3).labels
    nothing, plane = Representation.trivial(labels, 0), natural("D3")
    assert nothing.isotypic() == []
    assert nothing.commutant().shape == (0, 0, 0)
    assert nothing.intertwiners(plane).shape == (0, 2, 0)
    assert plane.intertwiners(nothing).shape == (0, 0, 2)
    assert np.array_equal((nothing + plane).matrices, plane.matrices)


def test_it_is_deterministic_copied_and_stored():
    for representation in (natural("Q8"), rotated(Representation.regular(labels_of("S3")[0]), 0)):
        again = pickle.loads(pickle.dumps(representation))
        copied = copy.deepcopy(representation)
        for other in (again, copied):
            assert np.array_equal(other.matrices, representation.matrices)
            assert np.array_equal(other.commutant(), representation.commutant())
            for one, two in zip(other.isotypic(), representation.isotypic(), strict=True):
                assert np.array_equal(one.basis, two.basis)


def test_a_basis_does_not_hang_on_rounding():
    """Weights are stored in it: another machine's last bits must not flip a sign."""
    plane = natural("D3")
    source, target = plane + plane, plane + Representation.trivial(plane.labels)
    turned = Representation(plane.labels, source.matrices + 1e-15 * np.sin(np.arange(16)).reshape(4, 4))
    assert np.abs(turned.intertwiners(target) - source.intertwiners(target)).max() < 1e-12


# --- what is refused -------------------------------------------------------------------------------------


def test_wrong_matrices_are_refused():
    labels = Dihedral(3).labels
    turn, mirror = natural("D3").matrices[[1, 3]]
    for images, message in (
        ([turn], "1 of them"),
        ([turn * 1.001, mirror], "orthogonal"),
        ([np.diag([1.0, 2.0]), mirror], "orthogonal"),
        ([mirror, mirror], "images under which"),
        ([turn, np.eye(3)], "square matrices of one size"),
        ([turn[:1], mirror], "square matrices"),
        ([turn * np.nan, mirror], "NaN"),
    ):
        with pytest.raises(ArgumentError, match=f"images: got .*{message}"):
            Representation.of(labels, images)
    with pytest.raises(ArgumentError, match="orthogonal"):
        Representation(labels, natural("D3").matrices * (1 + 1e-9))
    with pytest.raises(ArgumentError, match="products that differ"):
        Representation(labels, natural("D3").matrices[[0, 1, 2, 4, 3, 5]])
    with pytest.raises(ArgumentError, match="shape"):
        Representation(labels, natural("D3").matrices[:5])


def test_a_shear_that_represents_is_refused_as_not_orthogonal():
    """ρ(a b) = ρ(a) ρ(b) holds in skew coordinates too."""
    shear = np.array([[1.0, 0.5], [0.0, 1.0]])
    images = [shear @ natural("D3").matrices[place] @ np.linalg.inv(shear) for place in (1, 3)]
    with pytest.raises(ArgumentError, match="orthogonal"):
        Representation.of(Dihedral(3).labels, images)


def test_other_groups_sizes_and_generators_are_refused():
    plane, square = natural("D3"), natural("C4")
    for call in (lambda: plane + square, lambda: plane.tensor(square), lambda: plane.intertwiners(square)):
        with pytest.raises(ArgumentError, match="same group"):
            call()
    for wrong in (-1, 1.5, True):
        with pytest.raises(ArgumentError, match="n: got"):
            Representation.trivial(plane.labels, wrong)
    with pytest.raises(ArgumentError, match="258 elements"):
        Representation.regular(Dihedral(129).labels)
    _, matrices = quaternions()
    half = Labels.of_matrices(matrices, (("i", 2),), np.ones(8), {})
    for build in (lambda: Representation.of(half, [matrices[2]]), lambda: Representation(half, matrices)):
        with pytest.raises(ArgumentError, match="4 of 8 elements"):
            build()


def test_groups_of_a_body_and_of_space_share_their_labels():
    group = Isometries([np.diag([1.0, -1.0, 1.0])])
    one = Representation(group.labels, group.labels.natural["body"])
    assert one.shares_group(Representation.sign(left_right().labels))
    assert not one.shares_group(natural("D3"))
