"""Fields that labels move: they are representations, keep their bounds, and come through the door."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from label_cases import GROUPS, fields, regular_orders

from equiworld.errors import ArgumentError
from equiworld.groups import SE2, SE3, SO2, Group, GroupElement, Permutation, Product, left_right
from equiworld.symmetry import (
    Cloud,
    Concatenation,
    Door,
    Field,
    Heading,
    Interleaved,
    Objects,
    Orthogonal,
    Parts,
    Permuted,
    Point,
    Rotation,
    Scalar,
    SignedPermutation,
    SymmetricMatrix,
    Symmetry,
    Vector,
)
from equiworld.symmetry.compiled_element import CompiledElement
from equiworld.symmetry.sampling import random_observation
from equiworld.symmetry.serialise import symmetry_from_dict, symmetry_to_dict

EXACT = 1e-11  # of numbers up to ten
CASES = [(group, name) for group in GROUPS for name in fields(group)]
every_field = pytest.mark.parametrize(("group", "name"), CASES, ids=lambda case: str(case)[:60])
every_group = pytest.mark.parametrize("group", GROUPS, ids=lambda group: str(group)[:60])


def declared(group: Group, **settings: Any) -> Symmetry:
    orders = regular_orders(group)
    action = Concatenation((Vector(), SignedPermutation(orders), Scalar()))
    return Symmetry(
        group, fields(group), settings.pop("action", action), centre=(0.5,) * group.dim, **settings
    )


def drawn(group: Group, name: str, n: int = 20) -> tuple[Symmetry, Field, np.ndarray]:
    symmetry = Symmetry(group, {name: fields(group)[name]}, Vector(), centre=(0.5,) * group.dim)
    return (
        symmetry,
        symmetry.observation[name],
        random_observation(symmetry, np.random.default_rng(1), n)[name],
    )


def pairs(group: Group, n: int = 20) -> tuple[GroupElement, GroupElement]:
    return tuple(group.sample(np.random.default_rng(seed), n, scale=2.0) for seed in (2, 3))  # type: ignore[return-value]


def apart(field: Field, first: np.ndarray, second: np.ndarray, centre: Any) -> float:
    """The largest difference of Features, which angles and quaternions have one form of."""
    centre = np.asarray(centre)
    found = field.encode(first, centre), field.encode(second, centre)
    return max(float(np.abs(found[0][kind] - found[1][kind]).max(initial=0.0)) for kind in found[0])


@every_field
def test_fields_are_representations(group: Group, name: str) -> None:
    symmetry, field, x = drawn(group, name)
    g, h = pairs(group)
    centre = symmetry.centre
    product = field.transform(g @ h, x, centre)
    in_turn = field.transform(g, field.transform(h, x, centre), centre)
    assert apart(field, product, in_turn, centre) <= EXACT
    assert (
        apart(field, field.transform(g.inverse(), field.transform(g, x, centre), centre), x, centre) <= EXACT
    )
    assert apart(field, field.transform(group.identity(), x, centre), x, centre) <= EXACT
    rows = np.stack([field.transform(one, row, centre) for one, row in zip(g, x, strict=True)])
    assert (rows == field.transform(g, x, centre)).all(), "a batch is a loop over its rows, to the bit"


@every_field
def test_channels_are_moved_by_the_images_that_layers_are_made_of(group: Group, name: str) -> None:
    symmetry, field, x = drawn(group, name)
    if isinstance(field, SymmetricMatrix) or name == "inertia":
        assert group.finite
    g, centre = pairs(group)[0], np.asarray(symmetry.centre)
    before = field.encode(x, centre)
    after = field.encode(field.transform(g, x, centre), centre)
    images = field.label_images(group)
    for kind, channels in before.items():
        matrix = images[kind][g.label]
        if kind == "scalars":
            expected = np.einsum("bij,bj->bi", matrix, channels)
        else:
            expected = np.einsum("bde,bec,bfc->bdf", g.matrix, channels, matrix)
            expected = expected + (g.translation[..., None] if kind == "points" else 0.0)
        assert np.abs(after[kind] - expected).max() <= EXACT, kind


@every_field
def test_bounds_hold_what_they_bound(group: Group, name: str) -> None:
    symmetry, field, x = drawn(group, name)
    low, high = x.min(0), x.max(0)
    if isinstance(field, Heading | Rotation) or name in ("blocks",):
        low, high = np.minimum(low, -np.pi), np.maximum(high, np.pi)
    g, centre = pairs(group)[0], np.asarray(symmetry.centre)
    inside = np.clip(x, low, high)
    lower, upper = field.orbit_bounds(group, low, high, centre, 2.0)
    for one in g:
        moved = field.transform(one, inside, centre)
        least, most = field.bounds(one, low, high, centre)
        assert (moved >= least - EXACT).all()
        assert (moved <= most + EXACT).all()
        assert (moved >= lower - EXACT).all()
        assert (moved <= upper + EXACT).all()


@every_group
def test_wrappers_show_what_the_declaration_says(group: Group) -> None:
    symmetry = declared(group)
    seen = random_observation(symmetry, np.random.default_rng(0), 1)
    seen = {name: array[0] for name, array in seen.items()}
    for g in pairs(group, 5)[0]:
        shown, _ = CompiledElement(symmetry, g).show(seen, {})
        expected = symmetry.transform_observation(g, seen)
        for name, array in expected.items():
            assert np.abs(shown[name] - array).max() <= EXACT, name
        action = np.random.default_rng(1).normal(size=symmetry.action.size(group.dim))
        inner = CompiledElement(symmetry, g).inner_action(action)
        assert np.abs(symmetry.transform_action(g, inner) - action).max() <= EXACT


@every_group
def test_declarations_survive_json_and_pickle(group: Group) -> None:
    symmetry = declared(group)
    again = symmetry_from_dict(json.loads(json.dumps(symmetry_to_dict(symmetry))))
    seen = random_observation(symmetry, np.random.default_rng(0), 3)
    g = pairs(group, 3)[0]
    for copy in (again, pickle.loads(pickle.dumps(symmetry))):
        assert copy == symmetry
        first, second = (each.transform_observation(g, seen) for each in (symmetry, copy))
        assert all((first[name] == second[name]).all() for name in first)


def plain_policy(size: int, observation: Any) -> np.ndarray:
    """As far from equivariant as can be: numbers through a random layer."""
    parts = (
        [observation[name] for name in sorted(observation)]
        if isinstance(observation, dict)
        else [observation]
    )
    flat = np.concatenate(parts, -1)
    weights = np.random.default_rng([flat.shape[-1], size]).normal(size=(flat.shape[-1], size))
    return np.tanh(flat / 10) @ weights


def door_deviation(symmetry: Symmetry, door: Door, count: int = 4) -> tuple[float, bool]:
    """How far decisions at g·s are from g·(those at s), and whether the door said that they may be."""
    seen = random_observation(symmetry, np.random.default_rng(5), count)
    size = symmetry.action.size(symmetry.dim)

    def decided(observation: Any) -> tuple[np.ndarray, bool]:
        inside = door.enter(observation)
        found = symmetry.transform_action(inside.element, plain_policy(size, inside.observation))
        return found, bool(inside.degenerate.any())

    here, said = decided(seen)
    worst = 0.0
    elements = symmetry.group.elements() if symmetry.group.finite else pairs(symmetry.group, 6)[0]
    for g in elements:
        there, flagged = decided(symmetry.transform_observation(g, seen))
        expected = symmetry.transform_action(g, here)
        worst, said = (
            max(worst, float(np.abs(there - expected).max() / np.abs(expected).max())),
            said or flagged,
        )
    return worst, said or bool(door.inexact)


@pytest.mark.exact
@every_group
@pytest.mark.parametrize("flat", [False, True])
def test_any_policy_is_exact_behind_the_door(group: Group, flat: bool) -> None:
    symmetry = declared(group, flat=flat)
    deviation, said = door_deviation(symmetry, Door(symmetry))
    assert deviation <= 1e-12
    assert not said


@pytest.mark.exact
@every_group
def test_from_joints_alone(group: Group) -> None:
    """No pose and no arrow: labels are told by the joints, and turns, where actions turn, by nothing."""
    joints = SignedPermutation(regular_orders(group))
    symmetry = Symmetry(group, {"joints": joints}, action=joints)
    deviation, said = door_deviation(symmetry, Door(symmetry))
    assert deviation <= 1e-12 or said
    assert not said or group.dim > 0
    alone = Symmetry(group, {"mass": Scalar()}, action=joints)
    told = Door(alone).inexact
    assert bool(told) == (len(group.labels.generators) > 0)


def test_a_declaration_with_a_wrong_sign_is_noticed() -> None:
    """The negative control of the deviations above."""
    group = left_right()
    right = Symmetry(group, {"joints": SignedPermutation([(1, 0, 2)])}, SignedPermutation([(1, 0, 2)]))
    wrong = replace(right, observation={"joints": SignedPermutation([(1, 0, 2)], [(1, 1, -1)])})
    mirror = group.elements()[1]
    seen = {"joints": np.array([[0.1, 0.2, 0.3]])}
    inside, other = (
        Door(wrong).enter(x).observation["joints"] for x in (seen, right.transform_observation(mirror, seen))
    )
    assert np.abs(inside - other).max() > 1e-3


def test_a_body_that_is_its_own_image_is_flagged() -> None:
    symmetry = Symmetry(left_right(), {"joints": SignedPermutation([(1, 0)])}, SignedPermutation([(1, 0)]))
    door = Door(symmetry)
    assert door.enter({"joints": np.array([[0.3, 0.3], [0.3, 0.4]])}).degenerate.tolist() == [True, False]
    hands_off = replace(symmetry, action=Scalar())
    assert Door(hands_off).enter({"joints": np.array([[0.3, 0.3]])}).degenerate.tolist() == [False]


def test_interchangeable_bodies_are_seen_in_one_order() -> None:
    group = Product(SE2(), Permutation(2))
    blocks = Objects(Concatenation((Point(), Vector())), 2)
    symmetry = Symmetry(group, {"hand": Point(), "blocks": blocks}, Vector(), reference="hand")
    rng = np.random.default_rng(0)
    hand, one, other = rng.normal(size=(3, 5, 4))
    either = Door(symmetry).enter({"hand": hand[:, :2], "blocks": np.concatenate([one, other], -1)})
    swapped = Door(symmetry).enter({"hand": hand[:, :2], "blocks": np.concatenate([other, one], -1)})
    assert (either.observation["blocks"] == swapped.observation["blocks"]).all()
    assert (either.element.label != swapped.element.label).all()


def test_a_height_stays_where_gravity_points_down() -> None:
    group = SE2(axis=(0.0, 0.0, 1.0))
    symmetry = Symmetry(group, {"place": Point(), "speed": Vector()}, Vector())
    seen = {"place": np.array([[1.0, 2.0, 3.0]]), "speed": np.array([[0.3, 0.4, 0.5]])}
    inside = Door(symmetry).enter(seen).observation
    assert abs(inside["place"][0, 2] - 3.0) < 1e-6
    assert np.abs(inside["place"][0, :2]).max() < 1e-6
    assert np.abs(inside["speed"][0] - [0.5, 0.0, 0.5]).max() < 1e-6
    upright = Door(symmetry).enter({"place": seen["place"], "speed": np.array([[0.0, 0.0, 1.0]])})
    assert upright.degenerate.tolist() == [True]


def test_clouds_of_as_many_points_as_there_are() -> None:
    """`Cloud()` is told by what is observed how many points it has."""
    symmetry = Symmetry(SE3(), {"cloud": Cloud(), "agent": Point()}, Vector())
    rng, door = np.random.default_rng(0), Door(symmetry)
    for count in (1, 7, 12):
        seen = {"cloud": rng.normal(size=(2, 3 * count)), "agent": rng.normal(size=(2, 3))}
        g = SE3().sample(rng)
        turned = symmetry.transform_observation(g, seen)
        moved = g.act(seen["cloud"].reshape(2, count, 3))
        assert np.abs(turned["cloud"].reshape(2, count, 3) - moved).max() <= EXACT
        assert symmetry.to_features(seen).points.shape == (2, 3, count + 1)
        assert symmetry.sized(seen).observation["cloud"] == Cloud(count)
        if count > 2:  # fewer fix no frame
            assert (door.enter(seen).observation["cloud"] == door.enter(turned).observation["cloud"]).all()
    again = symmetry_from_dict(json.loads(json.dumps(symmetry_to_dict(symmetry))))
    assert again == symmetry
    for wrong in (np.ones((2, 4)), np.ones((2, 0))):
        with pytest.raises(ArgumentError, match="a multiple of 3 numbers"):
            symmetry.transform_observation(g, {"cloud": wrong, "agent": np.ones((2, 3))})
    with pytest.raises(ArgumentError, match="how many points"):
        Cloud().size(3)


# --- one array that holds several things ------------------------------------------------------------------


def test_parts_of_one_key_are_fields_of_their_own() -> None:
    arm = Parts({"grip": Point(), "fingers": Scalar(2), "speed": Vector()})
    symmetry = Symmetry(
        SE3(), {"observation": arm, "desired_goal": Point()}, Vector(), goal=("desired_goal",)
    )
    assert symmetry.state == ("grip", "fingers", "speed")
    rng = np.random.default_rng(0)
    seen = {"observation": rng.normal(size=(4, 8)), "desired_goal": rng.normal(size=(4, 3))}
    g = SE3().sample(rng, 4)
    turned = symmetry.transform_observation(g, seen)
    assert list(turned) == ["observation", "desired_goal"]
    assert np.abs(turned["observation"][:, :3] - g.act(seen["observation"][:, :3])).max() <= EXACT
    assert (turned["observation"][:, 3:5] == seen["observation"][:, 3:5]).all()
    assert np.abs(turned["observation"][:, 5:] - g.rotate(seen["observation"][:, 5:])).max() <= EXACT
    assert symmetry.to_features(seen, ["speed"]).vectors.shape == (4, 3, 1)
    back = symmetry.assembled(symmetry.observed(seen))
    assert all((back[key] == seen[key]).all() for key in seen)
    inside, other = (Door(symmetry).enter(x).observation for x in (seen, turned))
    assert all((inside[key] == other[key]).all() for key in seen)


@given(order=st.permutations(range(6)))
def test_numbers_may_lie_anywhere(order: list[int]) -> None:
    at = {"v": order[:2], "w": order[3:5]}
    whole = Parts({"v": Vector(), "s": Scalar(2), "w": Vector()}, at=at)
    symmetry = Symmetry(SO2(), {"state": whole}, Vector(), flat=True)
    x, g = np.arange(1.0, 7.0), SO2().rotation(0.7)
    turned = symmetry.transform_observation(g, x)
    for name, places in at.items():
        assert np.abs(turned[places] - g.rotate(x[places])).max() <= EXACT, name
    rest = [place for place in range(6) if place not in (*at["v"], *at["w"])]
    assert (turned[rest] == x[rest]).all()
    shown, _ = CompiledElement(symmetry, g).show(x, {})
    assert np.abs(shown - turned).max() <= EXACT


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: SignedPermutation([(0, 0)]), "permutations of 0"),
        (lambda: SignedPermutation([]), "permutations of 0"),
        (lambda: SignedPermutation([(0, 1)], [(1, 2)]), "±1"),
        (lambda: SignedPermutation([(0, 1)], [(1,)]), "±1"),
        (lambda: Orthogonal([[[1.0, 1.0], [0.0, 1.0]]]), "orthogonal"),
        (lambda: Orthogonal([[1.0]]), "square"),
        (lambda: Permuted("Vector", [(1, 0)]), "Permuted.field"),  # type: ignore[arg-type]
        (lambda: Objects(Vector(), 0), "Objects.n"),
        (lambda: SymmetricMatrix(order=("xx",)), "in some order"),
        (lambda: SymmetricMatrix().size(2), "dimension 3"),
        (lambda: Interleaved((Vector(), Scalar()), at=((0, 1), (1,))), "once in all"),
        (lambda: Interleaved((Vector(), Scalar()), at=((0, 1, 3), (2,))).size(2), "2 for"),
        (lambda: Parts({}), "one or more"),
        (lambda: Parts({"a": Vector()}, at={"b": (0,)}), "names of parts"),
        (
            lambda: Symmetry(SE2(), {"s": Parts({"a": Vector()}, at={"a": (0, 5)})}, Vector()),
            "different places below 2",
        ),
        (lambda: Symmetry(SE2(), {"a": Parts({"a": Vector()})}, Vector()), "twice"),
        (lambda: Symmetry(SE2(), {"a": SignedPermutation([(1, 0)])}, Vector()), "one for each generator"),
        (lambda: Symmetry(left_right(), {"a": SignedPermutation([(1, 2, 0)])}, Vector()), "a representation"),
        (lambda: Symmetry(SE2(), {"a": Objects(Point(), 2)}, Vector()), "a group that exchanges them"),
        (lambda: Symmetry(SE2(), {"a": Heading(body=True)}, Vector()), "turn bodies"),
        (lambda: Heading(axis=0.3, body=True), "body=True"),
        (
            lambda: Symmetry(SE3(), {"a": SymmetricMatrix()}, Vector()).to_features({"a": np.ones(6)}),
            "finite group",
        ),
    ],
)
def test_errors_say_what_is_wrong(make: Any, said: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        make()
    assert said in str(caught.value)


def test_elements_of_subgroups_are_taken_and_others_refused() -> None:
    group = Product(SE2(), Permutation(2))
    symmetry = Symmetry(group, {"blocks": Objects(Point(), 2)}, Vector())
    seen = {"blocks": np.array([1.0, 2.0, 3.0, 4.0])}
    turned = symmetry.transform_observation(SE2().rotation(np.pi), seen)["blocks"]
    assert np.abs(turned + seen["blocks"]).max() <= EXACT
    with pytest.raises(ArgumentError, match="of a subgroup"):
        symmetry.transform_observation(Permutation(2).permutation([1, 0]), seen)


def test_gradients_of_actions_are_kept() -> None:
    from equiworld.symmetry.tensors import features_of_action

    symmetry = declared(left_right())
    action = torch.randn(5, symmetry.action.size(3), requires_grad=True)
    features_of_action(symmetry, action).flatten().square().sum().backward()
    assert action.grad is not None
    assert (action.grad.abs() > 0).all()


@pytest.mark.parametrize(
    "change",
    [
        {"other": 1},
        {"group": None},
        {"observation": []},
        {"observation": {"pos": {"type": "Vector", "other": 1}}},
        {"observation": {"pos": {"type": ["Vector"]}}},
        {"centre": 3},
        {"state": None},
        {"info": 0.5},
        {"places": {"pos": 1}},
    ],
    ids=str,
)
def test_a_mapping_that_describes_no_symmetry_is_refused(change):
    good = symmetry_to_dict(Symmetry(SE2(), {"pos": Vector()}, Vector()))
    assert symmetry_from_dict(good).dim == 2
    with pytest.raises(ArgumentError, match=": got "):
        symmetry_from_dict(good | change)
    with pytest.raises(ArgumentError, match=": got "):
        symmetry_from_dict({"group": good["group"]})
