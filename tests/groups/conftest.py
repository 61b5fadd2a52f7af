"""The groups that the conformance tests run over."""

from __future__ import annotations

import pytest

from equiworld.groups import GROUPS, Group


def instances() -> list[Group]:
    """Every family; in several sizes, 1 among them, where it takes a size."""
    groups: list[Group] = []
    for family in GROUPS.values():
        try:
            groups.append(family())
        except TypeError:
            groups.extend(family(size) for size in (1, 2, 3, 4, 7))  # type: ignore[call-arg]
    return groups


@pytest.fixture
def all_groups() -> list[Group]:
    """Every group under test."""
    return instances()


@pytest.fixture(params=instances(), ids=repr)
def group(request: pytest.FixtureRequest) -> Group:
    """One group after the other."""
    return request.param
