"""What every group must do, driven by the registry: a new line there is tested here by itself."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable

import numpy as np
import pytest

from equiworld.errors import ArgumentError, UnknownNameError
from equiworld.groups import (
    E2,
    O3,
    SE2,
    SE3,
    SO2,
    Cyclic,
    Dihedral,
    Group,
    GroupElement,
    Isometries,
    Permutation,
    Product,
    common_group,
    group_from_name,
    left_right,
)

EXACT = 1e-12
SEED = 0


def draw(group: Group, n: int | None = 20, seed: int = SEED, scale: float = 3.0) -> GroupElement:
    return group.sample(np.random.default_rng(seed), n, scale=scale)


def deviation(first: GroupElement, second: GroupElement) -> float:
    """The largest difference of any entry; infinite where one is not a number."""
    parts = [np.abs(first.matrix - second.matrix), np.abs(first.translation - second.translation)]
    parts.append(np.abs(first.label - second.label))
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


def bits(element: GroupElement) -> tuple[bytes, ...]:
    return element.matrix.tobytes(), element.translation.tobytes(), element.label.tobytes()


def apart(first: GroupElement, second: GroupElement) -> np.ndarray:
    """The largest entry by which matrices or labels differ."""
    matrices = np.abs(first.matrix - second.matrix).max(axis=(-2, -1))
    return np.maximum(matrices, first.label != second.label)


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
    if group.name != "Permutation(7)":  # too many to be listed
        assert (group.labels.determinants[g.label] == g.determinant).all()
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
        distance = apart(grid[:, None], grid[None])
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
    nearest = apart((every[:, None] @ every[None])[..., None], every)
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
        if group.axis is not None:
            expected = np.outer(group.axis.direction, group.axis.direction)
    assert np.abs(sample.matrix.mean(axis=0) - expected).max() <= 5 / np.sqrt(n)
    assert np.abs(sample.translation.mean(axis=0)).max() <= 5 / np.sqrt(n)


def test_exp_and_log(group: Group) -> None:
    if group.finite:
        if isinstance(group, Product):
            with pytest.raises(ArgumentError, match="continuous"):
                group.exp(np.zeros(1))
        else:
            assert not hasattr(group, "exp")
            assert not hasattr(group, "log")
        return
    g = draw(group, n=200)
    g = g[(g.determinant > 0) & ((g.label == 0) | (not group.stores_labels))]
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
    again = group.element(g.matrix, g.translation if group.has_translations else None, g.stored_label)
    assert bits(again) == bits(g)
    again.matrix[0] = 7.0
    assert not (g.matrix[0] == 7.0).all(), "element() must copy"


def test_products_with_other_groups(group: Group, all_groups: list[Group]) -> None:
    for other in all_groups:
        if other.dim != group.dim:
            continue
        if (group.stores_labels or other.stores_labels) and not (
            group.includes(other) or other.includes(group)
        ):
            with pytest.raises(ArgumentError, match="a listed family holds"):
                common_group(group, other)
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


def test_labels_are_a_homomorphism_onto_a_finite_group(group: Group) -> None:
    if group.name == "Permutation(7)":
        with pytest.raises(ArgumentError, match="5040 elements"):
            _ = group.labels
        return
    labels = group.labels
    g, h = draw(group, n=60, seed=1), draw(group, n=60, seed=2)
    assert ((g @ h).label == labels.table[g.label, h.label]).all()
    assert (g.inverse().label == labels.inverses[g.label]).all()
    assert group.identity().label == 0
    section = group.section() if not isinstance(group, Permutation) else group.elements()
    assert (section.label == np.arange(labels.order)).all()
    assert (np.sort(labels.table, axis=0) == np.arange(labels.order)[:, None]).all()
    for name, matrices in labels.natural.items():
        assert np.abs(matrices[labels.table] - matrices[:, None] @ matrices[None]).max() <= EXACT, name


def test_what_moves_no_labels_is_a_subgroup_without_reflections(group: Group) -> None:
    if isinstance(group, Permutation):
        return
    kernel = group.kernel()
    assert kernel.proper
    assert group.includes(kernel)
    assert not kernel.sample(np.random.default_rng(0), 5).within(group).label.any()


def test_relations_that_do_not_hold_are_refused() -> None:
    labels = Dihedral(4).labels
    turn, mirror = np.array([[0.0, -1.0], [1.0, 0.0]]), np.diag([1.0, -1.0])
    assert len(labels.extend("images", [turn, mirror])) == 8
    with pytest.raises(ArgumentError, match="a representation"):
        labels.extend("images", [turn, np.eye(2)])
    with pytest.raises(ArgumentError, match="one for each generator"):
        labels.extend("images", [turn])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: SO2(axis=(0, 0, 0)), "axis"),
        (lambda: SE2(along=True), "along"),
        (lambda: Isometries([np.eye(3) * 2]), "orthogonal"),
        (lambda: Isometries([[[0.8, -0.6], [0.6, 0.8]]]), "finite order"),
        (lambda: Isometries([np.eye(3)], [np.diag([1.0, 1.0, -1.0])]), "det h = det R"),
        (lambda: Product(SE2(), SE2()), "finite group"),
        (lambda: Product(SE2(), Dihedral(4), paired=True), "both with reflections"),
        (lambda: left_right((0.0, np.nan, 0.0)), "normal|axis"),
        (lambda: SE2(axis=(0, 0, 1)).translation([0.0, 0.0, 1.0]), "along the axis"),
        (lambda: SO2(axis=(0, 0, 1)).element(np.diag([1.0, -1.0, -1.0])), "not in the group"),
        (lambda: Product(SE2(), Permutation(2)).element(np.eye(2), label=2), "below 2"),
        (lambda: E2().element(np.eye(2), label=1), "the matrix says it"),
        (lambda: SE3().stabiliser((0.0, 0.0, 0.0)), "direction"),
        (lambda: group_from_name("__import__('os').system('true')"), "a name such as"),
        (lambda: group_from_name("SE2(axis=open('x'))"), "open"),
    ],
)
def test_bad_arguments_are_named(make: Callable[[], object], words: str) -> None:
    with pytest.raises((ArgumentError, UnknownNameError), match=words):
        make()


def test_subgroups_with_labels_of_their_own_are_found_by_what_they_do_to_bodies() -> None:
    mirror, turn = np.diag([1.0, -1.0, 1.0]), SO2(axis=(0, 0, 1)).rotation(np.pi / 2).matrix
    both = Isometries([np.eye(3), mirror], [turn, turn @ mirror])  # its first reflection is not the one below
    turns = Isometries([np.eye(3)], [turn])
    for part in (turns, left_right(), Cyclic(1, axis=(0, 0, 1))):
        assert both.includes(part)
        every = part.elements()
        inside = every.within(both)
        own, theirs = both.labels.natural["body"][inside.label], part.labels.natural["body"][every.label]
        assert np.abs(own - theirs).max() <= EXACT
        assert (
            (every[:, None] @ every[None]).within(both).label == (inside[:, None] @ inside[None]).label
        ).all()
    assert not left_right().includes(both)
    assert both.elements().is_close(both.elements())
    assert not both.elements().is_close(both.elements()[::-1])


def test_left_and_right() -> None:
    assert left_right((0.0, 2.0, 0.0)).elements().matrix.tolist() == [
        np.eye(3).tolist(),
        np.diag([1.0, -1.0, 1.0]).tolist(),
    ]
    assert left_right((1.0, 0.0)).order == 2


@pytest.mark.parametrize(
    ("group", "direction", "order"),
    [(Dihedral(4), (1.0, 1.0), 2), (Cyclic(4), (1.0, 0.0), 1), (O3(), (0, 0, 1), None)],
)
def test_stabilisers_keep_their_direction(
    group: Group, direction: tuple[float, ...], order: int | None
) -> None:
    found = group.stabiliser(direction)
    assert group.includes(found)
    kept = draw(found).rotate(np.array(direction, float))
    assert np.abs(kept - direction).max() <= EXACT
    if order is not None:
        assert len(found.elements()) == order
