"""What every group must do, driven by the registry: a new line there is tested here by itself."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable

import numpy as np
import pytest

from equiworld.errors import ArgumentError
from equiworld.groups import Group, GroupElement, common_group, group_from_name

EXACT = 1e-12
SEED = 0


def draw(group: Group, n: int | None = 20, seed: int = SEED, scale: float = 3.0) -> GroupElement:
    return group.sample(np.random.default_rng(seed), n, scale=scale)


def deviation(first: GroupElement, second: GroupElement) -> float:
    """The largest difference of any entry; infinite where one is not a number."""
    parts = [np.abs(first.matrix - second.matrix), np.abs(first.translation - second.translation)]
    worst = max(float(part.max()) for part in parts)
    return worst if np.isfinite(worst) else np.inf


Compose = Callable[[GroupElement, GroupElement], GroupElement]


def homomorphism_error(group: Group, compose: Compose) -> float:
    """How far acting with `compose(g, h)` is from acting with h, then with g."""
    g, h = draw(group, seed=1), draw(group, seed=2)
    points = np.random.default_rng(3).normal(size=(20, group.dim))
    product = compose(g, h)
    points_error = np.abs(product.act(points) - g.act(h.act(points))).max()
    return float(max(points_error, np.abs(product.rotate(points) - g.rotate(h.rotate(points))).max()))


def bits(element: GroupElement) -> tuple[bytes, bytes]:
    return element.matrix.tobytes(), element.translation.tobytes()


def test_name_repr_and_equality(group: Group, all_groups: list[Group]) -> None:
    again = group_from_name(group.name)
    assert again == group
    assert hash(again) == hash(group)
    assert group_from_name(repr(group)) == group
    assert group != "SE2"
    assert pickle.loads(pickle.dumps(group)) == group
    assert len({*all_groups, group}) == len(all_groups)


def test_group_axioms(group: Group) -> None:
    g, h, k = (draw(group, seed=seed) for seed in range(3))
    identity = group.identity()
    assert deviation((g @ h) @ k, g @ (h @ k)) <= EXACT * 10  # lengths up to 3 × 3 add their rounding
    for inverse in (g @ g.inverse(), g.inverse() @ g):
        assert deviation(inverse, group.identity(20)) <= EXACT
    assert bits(g @ identity) == bits(g)
    assert bits(identity @ g) == bits(g)
    assert deviation((g @ h).inverse(), h.inverse() @ g.inverse()) <= EXACT
    assert group.contains(g @ h)
    assert group.contains(g.inverse())
    assert (g @ h).group == group


def test_action_is_a_homomorphism(group: Group) -> None:
    assert homomorphism_error(group, lambda g, h: g @ h) <= EXACT


def test_action_is_an_isometry(group: Group) -> None:
    g = draw(group)
    x, y = np.random.default_rng(1).normal(size=(2, 20, group.dim))
    moved = g.act(x) - g.act(y)
    assert np.abs(np.linalg.norm(moved, axis=-1) - np.linalg.norm(x - y, axis=-1)).max() <= EXACT
    assert np.abs(moved - g.rotate(x - y)).max() <= EXACT


def test_wrong_compositions_are_noticed() -> None:
    group = group_from_name("SE3")
    swapped = homomorphism_error(group, lambda g, h: h @ g)
    shifts_added = homomorphism_error(
        group, lambda g, h: GroupElement(group, g.matrix @ h.matrix, g.translation + h.translation)
    )
    assert swapped > 0.1
    assert shifts_added > 0.1


def test_elements_keep_what_the_group_promises(group: Group) -> None:
    g = draw(group, n=200)
    if group.proper:
        assert (g.determinant == 1).all()
    else:
        assert set(g.determinant) == {-1.0, 1.0}
    assert (np.linalg.norm(g.translation, axis=-1) <= 3.0 * (1 + 1e-15)).all()
    assert (np.abs(g.translation).max() > 1.0) == group.has_translations
    assert g.matrix.dtype == g.translation.dtype == np.float64
    assert np.isfinite(g.matrix).all()


def test_same_seed_same_bits(group: Group) -> None:
    assert bits(draw(group)) == bits(draw(group))
    assert bits(draw(group, n=1)[0]) == bits(draw(group, n=None))
    near = [group.near_identity(np.random.default_rng(5), 4) for _ in range(2)]
    assert bits(near[0]) == bits(near[1])
    assert bits(group.grid(7)) == bits(group.grid(7))
    if not (group.finite and len(group.elements()) == 1):
        assert bits(draw(group, seed=1)) != bits(draw(group, seed=2))


def test_sampling_leaves_the_global_state_alone(group: Group) -> None:
    before = pickle.dumps(np.random.get_state())  # noqa: NPY002
    draw(group)
    assert pickle.dumps(np.random.get_state()) == before  # noqa: NPY002


def test_batches_equal_loops_to_the_last_bit(group: Group) -> None:
    g, h = draw(group, seed=1), draw(group, seed=2)
    points = np.random.default_rng(3).normal(size=(20, group.dim))
    assert len(g) == 20
    for index, (one, other) in enumerate(zip(g, h, strict=True)):
        assert bits((g @ h)[index]) == bits(one @ other)
        assert bits(g.inverse()[index]) == bits(one.inverse())
        assert (g.act(points)[index] == one.act(points[index])).all()
        assert (g.rotate(points)[index] == one.rotate(points[index])).all()
        assert g.determinant[index] == one.determinant
    assert bits(GroupElement.stack(list(g))) == bits(g)


def test_broadcasting_and_indexing(group: Group) -> None:
    g = draw(group)
    clouds = np.random.default_rng(1).normal(size=(20, 5, group.dim))
    moved = g[:, None].act(clouds)
    assert moved.shape == clouds.shape
    assert (moved[7] == g[7].act(clouds[7])).all()
    assert g[3].act(clouds).shape == clouds.shape
    assert g[2:6].batch_shape == (4,)
    assert g[np.array([True, False] * 10)].batch_shape == (10,)
    assert g[..., None].batch_shape == (20, 1)
    assert (g[:, None] @ g[None]).batch_shape == (20, 20)
    assert (g[0] @ g).batch_shape == (g @ g[0]).batch_shape == (20,)
    with pytest.raises(IndexError):
        g[0, 0]
    with pytest.raises(IndexError):
        g[0][0]
    with pytest.raises(TypeError):
        len(g[0])
    assert bool(g[0])


def test_json_round_trip_is_exact(group: Group) -> None:
    for element in (draw(group), draw(group, n=None), group.near_identity(np.random.default_rng(2))):
        text = json.dumps(element.to_dict(), allow_nan=False)
        again = GroupElement.from_dict(json.loads(text))
        assert again.group == group
        assert bits(again) == bits(element)
        for copied in (copy.deepcopy(element), pickle.loads(pickle.dumps(element))):
            assert bits(copied) == bits(element)


def test_near_identity_is_near(group: Group) -> None:
    for scale in (1e-3, 1e-8, 0.0):
        near = group.near_identity(np.random.default_rng(1), 100, scale=scale)
        rounding = 1e-15
        turned = np.linalg.norm(near.matrix - np.eye(group.dim), axis=(-2, -1), ord=2)
        assert turned.max() <= scale + rounding
        assert np.linalg.norm(near.translation, axis=-1).max() <= scale + rounding
        assert (near.determinant == 1).all()
        assert group.contains(near)
        if scale and not group.finite:
            assert turned.max() > scale / 2  # near, and yet not the identity
    assert group.near_identity(np.random.default_rng(1)).batch_shape == ()


def test_grid(group: Group) -> None:
    for n in (1, 2, 5, 12):
        grid = group.grid(n)
        assert len(grid) == (min(n, len(group.elements())) if group.finite else n)
        assert grid[0].is_close(group.identity(), atol=0)
        assert group.contains(grid)
        assert (grid.translation == 0).all()
        distance = np.abs(grid.matrix[:, None] - grid.matrix[None]).max(axis=(-2, -1))
        assert (distance + np.eye(len(grid)) > 1e-3).all(), "an element twice"
    if not group.proper:
        assert (group.grid(12).determinant < 0).any()


def test_all_elements_of_a_finite_group(group: Group) -> None:
    if not group.finite:
        with pytest.raises(ArgumentError, match="finite"):
            group.elements()
        return
    every = group.elements()
    assert group.contains(every)
    if len(every) > 30:  # the table below grows with the cube
        every = group.grid(6)
        assert group.contains(every[:, None] @ every[None])
        return
    table = (every[:, None] @ every[None]).matrix.reshape(len(every), len(every), -1)
    known = every.matrix.reshape(len(every), -1)
    nearest = np.abs(table[:, :, None] - known).max(axis=-1)
    assert nearest.min(axis=-1).max() <= EXACT, "closed"
    found = nearest.argmin(axis=-1)
    full = np.arange(len(every))
    assert (np.sort(found, axis=0) == full[:, None]).all(), "every row of the table lists the group once"
    assert (np.sort(found, axis=1) == full).all()


def test_sample_mean_is_the_group_mean(group: Group) -> None:
    """The Haar mean of R: the elements' mean where they are finite, 0 elsewhere."""
    n = 4000
    sample = draw(group, n=n, scale=1.0)
    if group.finite:
        expected = (group.elements() if group.dim < 7 else sample).matrix.mean(axis=0)
    else:
        expected = np.zeros((group.dim, group.dim))
    assert np.abs(sample.matrix.mean(axis=0) - expected).max() <= 5 / np.sqrt(n)
    assert np.abs(sample.translation.mean(axis=0)).max() <= 5 / np.sqrt(n)


def test_exp_and_log(group: Group) -> None:
    if group.finite:
        with pytest.raises(ArgumentError, match="continuous"):
            group.exp(np.zeros(1))
        with pytest.raises(ArgumentError, match="continuous"):
            group.log(group.identity())
        return
    g = draw(group, n=200)
    g = g[g.determinant > 0]
    assert deviation(group.exp(group.log(g)), g) <= EXACT
    near = group.near_identity(np.random.default_rng(1), 100, scale=1e-7)
    assert deviation(group.exp(group.log(near)), near) <= EXACT
    assert (group.log(group.identity()) == 0).all()
    assert bits(group.exp(np.zeros(group.log(near).shape[-1]))) == bits(group.identity())
    shaped = g[:12].matrix.reshape(3, 4, group.dim, group.dim), g[:12].translation.reshape(3, 4, group.dim)
    batch = group.log(group.element(*shaped))
    assert batch.shape[:2] == (3, 4)
    assert (batch[1, 2] == group.log(g[6])).all()


def test_element_keeps_its_numbers(group: Group) -> None:
    g = draw(group)
    again = group.element(g.matrix, g.translation if group.has_translations else None)
    assert bits(again) == bits(g)
    again.matrix[0] = 7.0
    assert not (g.matrix[0] == 7.0).all(), "element() must copy"


def test_products_with_other_groups(group: Group, all_groups: list[Group]) -> None:
    for other in all_groups:
        if other.dim != group.dim:
            continue
        common = common_group(group, other)
        assert common == common_group(other, group)
        g, h = draw(group, seed=1), draw(other, seed=2)
        assert (g @ h).group == (h @ g).group == common
        for element in (g, h, g @ h):
            assert common.contains(element)
        # Smallest: no listed group that holds both lies below it.
        holders = [each for each in all_groups if each.includes(group) and each.includes(other)]
        assert all(each.includes(common) for each in holders)


def test_includes_agrees_with_contains(group: Group, all_groups: list[Group]) -> None:
    for other in all_groups:
        sample = draw(other, n=40)
        if group.includes(other):
            assert group.contains(sample)
        elif not other.finite:
            assert not group.contains(sample)
