"""What single families add, and how two families combine."""

from __future__ import annotations

import numpy as np
import pytest

from equiworld.errors import ArgumentError
from equiworld.groups import (
    E2,
    E3,
    O2,
    O3,
    SO2,
    SO3,
    Cyclic,
    Dihedral,
    GroupElement,
    Permutation,
    common_group,
    group_from_name,
)

EXACT = 1e-12


def test_reflections() -> None:
    for angle in (0.0, 0.7, -2.0):
        line = np.array([np.cos(angle), np.sin(angle)])
        for group in (O2(), E2()):
            g = group.reflection(angle)
            assert np.abs(g.act(line) - line).max() <= EXACT
            assert np.abs(g.act([-line[1], line[0]]) - [line[1], -line[0]]).max() <= EXACT
            assert g.determinant == -1
            assert (g @ g).is_close(group.identity(), atol=EXACT)
    normal = np.array([1.0, 2.0, -2.0])
    g = O3().reflection(normal)
    assert np.abs(g.act(normal) + normal).max() <= EXACT
    assert np.abs(g.act([2.0, -1.0, 0.0]) - [2.0, -1.0, 0.0]).max() <= EXACT
    assert O2().reflection([0.1, 0.2]).batch_shape == (2,)
    assert E3().reflection(np.ones((4, 3))).batch_shape == (4,)


def test_a_reflection_has_no_logarithm() -> None:
    with pytest.raises(ArgumentError, match="no path"):
        O2().log(O2().reflection(0.3))
    with pytest.raises(ArgumentError, match=r"element of SO2\(\)"):
        SO2().log(O2().reflection(0.3))


def test_polygons() -> None:
    group = Dihedral(6)
    assert group.order == len(group.elements()) == 12
    assert group.turn(1).is_close(SO2().rotation(np.pi / 3), atol=EXACT)
    assert group.turn(-5).is_close(group.turn(1), atol=EXACT)
    assert group.mirror(1).is_close(O2().reflection(np.pi / 6), atol=EXACT)
    assert group.turn([0, 1, 2]).batch_shape == (3,)
    assert not Cyclic(4).contains(SO2().rotation(0.1))
    assert not Dihedral(4).contains(O2().reflection(0.1))
    assert Dihedral(4).contains(O2().reflection(np.pi / 4))
    with pytest.raises(ArgumentError, match=r"not in the group.*Cyclic\(4\)"):
        Cyclic(4).element(SO2().rotation(0.1).matrix)
    for wrong in (0.5, [1.0], True, "1"):
        with pytest.raises(ArgumentError, match="whole numbers"):
            group.turn(wrong)  # type: ignore[arg-type]


def test_permutations() -> None:
    group = Permutation(3)
    a, b = np.array([1, 2, 0]), np.array([0, 2, 1])
    g, h = group.permutation(a), group.permutation(b)
    assert ((g @ h).matrix == group.permutation(a[b]).matrix).all()
    assert (g.inverse().matrix == group.permutation(np.argsort(a)).matrix).all()
    assert (g.act(np.eye(3)) == np.eye(3)[a]).all()  # the axis e_j goes to e_a(j)
    assert len(Permutation(5).elements()) == 120
    assert len(Permutation(30).grid(5)) == 5
    assert not group.contains(SO3().sample(np.random.default_rng(0)))
    assert not group.contains(O3().reflection([0.0, 0.0, 1.0]))  # entries −1 are no permutation
    with pytest.raises(ArgumentError, match="at most 8"):
        Permutation(9).elements()
    for wrong in ([0, 1], [0, 0, 1], [1, 2, 3], [0.0, 1.0, 2.0]):
        with pytest.raises(ArgumentError, match="images"):
            group.permutation(wrong)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("SO2", "SE2", "SE2"),
        ("O2", "SE2", "E2"),
        ("SO3", "O3", "O3"),
        ("O3", "SE3", "E3"),
        ("Cyclic(4)", "Cyclic(6)", "Cyclic(12)"),
        ("Cyclic(4)", "Cyclic(2)", "Cyclic(4)"),
        ("Cyclic(4)", "Dihedral(6)", "Dihedral(12)"),
        ("Cyclic(4)", "SO2", "SO2"),
        ("Dihedral(4)", "SO2", "O2"),
        ("Dihedral(4)", "SE2", "E2"),
        ("Permutation(2)", "Cyclic(3)", "Dihedral(12)"),
        ("Permutation(2)", "SO2", "O2"),
        ("Permutation(3)", "SO3", "O3"),
        ("Permutation(3)", "SE3", "E3"),
        ("Permutation(5)", "Permutation(5)", "Permutation(5)"),
    ],
)
def test_common_groups(first: str, second: str, expected: str) -> None:
    one, other = group_from_name(first), group_from_name(second)
    assert common_group(one, other).name == common_group(other, one).name == expected
    assert (one.identity() @ other.identity()).group.name == expected
    assert GroupElement.stack([one.identity(), other.identity()]).group.name == expected
