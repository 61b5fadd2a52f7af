"""The groups that the conformance tests run over."""

from __future__ import annotations

import pytest

from equiworld.groups import GROUPS, Group, group_from_name

MORE = (
    "SO2(axis=(0, 0, 1))",
    "SO2(axis=(1, -2, .5))",
    "O2(axis=(0, 1, 0))",
    "SE2(axis=(0, 0, 1))",
    "SE2(axis=(1, 2, 3), along=True)",
    "E2(axis=(0, 0, -1))",
    "E2(axis=(0, 3, 4), along=True)",
    "Cyclic(4, axis=(0, 0, 1))",
    "Cyclic(3, axis=(1, 1, 1))",
    "Dihedral(4, axis=(0, 0, 1))",
    "Isometries([[[1, 0, 0], [0, -1, 0], [0, 0, 1]]])",
    "Isometries([[[-1, 0], [0, 1]], [[1, 0], [0, -1]]])",
    "Isometries([[[1, 0, 0], [0, 1, 0], [0, 0, 1]], [[1, 0, 0], [0, -1, 0], [0, 0, 1]]],"
    " [[[0, -1, 0], [1, 0, 0], [0, 0, 1]], [[1, 0, 0], [0, -1, 0], [0, 0, 1]]])",
    "Product(SE2(), Permutation(3))",
    "Product(E2(), Permutation(2))",
    "Product(SE3(), Permutation(2))",
    "Product(O2(axis=(0, 0, 1)), Dihedral(4, axis=(0, 0, 1)), paired=True)",
    "Product(E2(axis=(0, 0, 1)), Isometries([[[1, 0, 0], [0, -1, 0], [0, 0, 1]]]), paired=True)",
    "Product(Cyclic(4), Permutation(2))",
)
"""Groups about an axis, finite ones from generators, products: what a family alone does not say."""


def instances() -> list[Group]:
    """Every family; in several sizes, 1 among them, where it takes a size; and more of those that take arguments."""
    groups: list[Group] = []
    for family in GROUPS.values():
        try:
            groups.append(family())
        except TypeError:
            if family.__name__ in ("Cyclic", "Dihedral", "Permutation"):
                groups.extend(family(size) for size in (1, 2, 3, 4, 7))  # type: ignore[call-arg]
    return groups + [group_from_name(name) for name in MORE]


@pytest.fixture
def all_groups() -> list[Group]:
    """Every group under test."""
    return instances()


@pytest.fixture(params=instances(), ids=repr)
def group(request: pytest.FixtureRequest) -> Group:
    """One group after the other."""
    return request.param
