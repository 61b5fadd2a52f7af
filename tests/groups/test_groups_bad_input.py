"""Wrong arguments are refused in words, by every group."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from equiworld.errors import ArgumentError
from equiworld.groups import (
    E2,
    E3,
    O2,
    O3,
    SE2,
    SE3,
    SO2,
    SO3,
    Cyclic,
    Dihedral,
    Group,
    GroupElement,
    Permutation,
    group_from_name,
)

CONTINUOUS = [SO2(), O2(), SE2(), E2(), SO3(), O3(), SE3(), E3()]


@pytest.mark.parametrize("wrong", [0, -1, 2.0, True, "3", None])
def test_grid_size_is_checked(group: Group, wrong: object) -> None:
    with pytest.raises(ArgumentError, match="n: got"):
        group.grid(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["sample", "near_identity"])
def test_sampling_arguments_are_checked(group: Group, method: str) -> None:
    function, rng = getattr(group, method), np.random.default_rng(0)
    for wrong in (0, -1, 2.0, True):
        with pytest.raises(ArgumentError, match="n: got"):
            function(rng, wrong)
    for scale in (-1.0, np.nan, np.inf, None, "1", True):
        with pytest.raises(ArgumentError, match="scale: got"):
            function(rng, scale=scale)
    with pytest.raises(ArgumentError, match=r"numpy\.random\.Generator"):
        function(0)


def test_bad_matrices_are_refused(group: Group) -> None:
    dim, eye = group.dim, np.eye(group.dim)
    bad: list[tuple[Any, str]] = [
        (eye * 1.001, "orthogonal"),
        (np.zeros((dim, dim)), "orthogonal"),
        (np.full((dim, dim), np.nan), "not finite"),
        (np.full((dim, dim), -np.inf), "not finite"),
        (np.stack([eye, eye * 1.1]), "orthogonal"),
        (np.eye(dim + 1), "shape"),
        (np.ones(dim), "shape"),
        (eye * 1j, "real numbers"),
        ([["a"] * dim] * dim, "real numbers"),
    ]
    for matrix, message in bad:
        with pytest.raises(ArgumentError, match=message):
            group.element(matrix)
    with pytest.raises(ArgumentError, match="translation"):
        group.element(eye, np.zeros(dim + 1))
    with pytest.raises(ArgumentError, match="not finite"):
        group.element(eye, np.full(dim, np.nan))
    with pytest.raises(ArgumentError, match="leading shape"):
        group.element(np.stack([eye] * 2), np.zeros((3, dim)))
    if not group.has_translations:
        with pytest.raises(ArgumentError, match="no translations"):
            group.element(eye, np.full(dim, 1e-3))
    if group.proper and dim > 1:
        with pytest.raises(ArgumentError, match="reflection"):
            group.element(np.diag([-1.0] + [1.0] * (dim - 1)))


def test_other_dimensions_are_refused(group: Group) -> None:
    other = SO2() if group.dim != 2 else group_from_name("SE3")
    g, h = group.identity(), other.identity()
    with pytest.raises(ArgumentError, match="one dimension"):
        g @ h
    assert not group.contains(h)
    assert not g.is_close(h)
    for function in (g.act, g.rotate):
        for points in (np.zeros(group.dim + 1), 0.0):
            with pytest.raises(ArgumentError, match="shape"):
                function(points)
    with pytest.raises(ArgumentError, match="broadcasts"):
        group.identity(2).act(np.zeros((3, group.dim)))
    with pytest.raises(ArgumentError, match="broadcasts"):
        group.identity(2) @ group.identity(3)
    with pytest.raises(TypeError):
        g @ g.matrix  # type: ignore[operator]
    with pytest.raises(TypeError):
        g.matrix @ g  # type: ignore[operator]


@pytest.mark.parametrize("family", [Cyclic, Dihedral, Permutation])
@pytest.mark.parametrize("wrong", [0, -1, 1.5, "4", None, True])
def test_sizes_are_checked(family: type, wrong: object) -> None:
    with pytest.raises(ArgumentError, match="n: got"):
        family(wrong)


@pytest.mark.parametrize("group", CONTINUOUS, ids=repr)
def test_bad_constructor_arguments(group: Group) -> None:
    wrong_shape = np.zeros(7)
    for function in (group.exp, *([group.rotation] if group.dim == 3 else [])):  # type: ignore[attr-defined]
        for wrong, message in ((wrong_shape, "shape"), (0.3, "shape")):
            with pytest.raises(ArgumentError, match=message):
                function(wrong)
    for wrong in (np.nan, np.inf):
        with pytest.raises(ArgumentError, match="not finite"):
            group.rotation(np.full(group.dim, wrong))  # type: ignore[attr-defined]
        with pytest.raises(ArgumentError, match="not finite"):
            group.exp(np.full(group.algebra_dim, wrong))  # type: ignore[attr-defined]
    if not group.proper:
        for mirror in ([np.nan] * 3, "up", *([0.3, [0.0] * 3, [1.0] * 2] if group.dim == 3 else [])):
            with pytest.raises(ArgumentError, match="mirror"):
                group.reflection(mirror)  # type: ignore[attr-defined]
    if group.has_translations:
        for shift in (np.full(group.dim, np.nan), np.zeros(5), 1.0):
            with pytest.raises(ArgumentError, match="translation"):
                group.translation(shift)  # type: ignore[attr-defined]


@pytest.mark.parametrize("wrong", ["SE4", "Cyclic", "Cyclic()", "Cyclic(0)", "SE2(3)", "Cyclic(-1)", "", 4])
def test_bad_names(wrong: object) -> None:
    with pytest.raises(ArgumentError):
        group_from_name(wrong)  # type: ignore[arg-type]


def test_bad_dictionaries() -> None:
    good = SE2().rotation(0.3).to_dict()
    changes = ({"group": "SE4"}, {"matrix": [[1, 0], [0, 2]]}, {"translation": [1]}, {"matrix": None})
    for bad in ({}, None, *({**good, **change} for change in changes)):
        with pytest.raises(ArgumentError):
            GroupElement.from_dict(bad)  # type: ignore[arg-type]
    without = {key: value for key, value in good.items() if key != "translation"}
    with pytest.raises(ArgumentError, match="translation"):
        GroupElement.from_dict(without)


def test_bad_elements() -> None:
    with pytest.raises(ArgumentError, match="shapes"):
        GroupElement(SE2(), np.eye(3), np.zeros(3))
    with pytest.raises(ArgumentError, match="batch shape"):
        GroupElement.stack([SE2().identity(), SE2().identity(2)])
    with pytest.raises(ArgumentError, match="batch shape"):
        GroupElement.stack([])
    assert not SE2().identity().is_close(GroupElement(SE2(), np.full((2, 2), np.nan), np.zeros(2)))
    assert not SE2().contains(GroupElement(SE2(), np.full((2, 2), np.nan), np.zeros(2)))


def test_import_is_light() -> None:
    code = "import sys, equiworld.groups; assert not any(name.startswith('scipy') for name in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
