"""What breaks a symmetry, observed: fields of walls and tables, and restriction to what is left."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import equiworld as ew
from equiworld.errors import ArgumentError
from equiworld.groups import SE2, SO2, Cyclic, Dihedral, Group, Isometries
from equiworld.symmetry import (
    Concatenation,
    Context,
    Door,
    Heading,
    Orthogonal,
    Permuted,
    Planes,
    Point,
    Rotation,
    Segments,
    SignedPermutation,
    Symmetry,
    Vector,
    is_kept,
    with_context,
)
from equiworld.symmetry.serialise import symmetry_from_dict, symmetry_to_dict

EXACT = 1e-12  # relative
ROOM = np.array([[(0, 9), (0, 0)], [(0, 0), (9, 0)], [(9, 0), (9, 9)], [(0, 9), (9, 9)]], np.float64)
WALLS = Context("walls", Segments(4, reach=6.0), ROOM.ravel())
CENTRE = (4.5, 4.5)

CART = Symmetry(
    ew.E2(),
    {"place": Point(), "heading": Heading(axis=np.pi / 2), "pusher": Point(), "speed": Vector()},
    action=Vector(),
    reference="place",
    heading="heading",
    centre=CENTRE,
    length_scale=2.0,
)
BODY = Symmetry(
    ew.SE3(),
    {"place": Point(), "pose": Rotation(), "pusher": Point()},
    action=Vector(),
    reference="place",
    length_scale=2.0,
)
TABLE = (
    Context("gravity", Vector(), (0.0, 0.0, -9.81)),
    Context("table", Planes(1, reach=6.0), (0.0, 0.0, -1.0, 0.0, 0.0, 1.0)),
)


def shown(symmetry: Symmetry, contexts: Any, seed: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    rng = np.random.default_rng(seed)
    found = {"place": rng.uniform(1.0, 8.0, symmetry.dim), "pusher": rng.uniform(1.0, 8.0, symmetry.dim)}
    if symmetry.dim == 2:
        found |= {"heading": rng.uniform(-3.0, 3.0, 1), "speed": rng.normal(size=2)}
    else:
        found["pose"] = ew.SO3().sample(rng).matrix.ravel()
    found |= {each.name: each.numbers(symmetry.dim) for each in contexts}
    return found, rng.normal(size=symmetry.dim)


EYES = (
    Context("camera", Concatenation((Point(), Rotation())), (5.0, 0.0, 2.0, *np.eye(3)[[1, 2, 0]].ravel())),
    Context("box", Vector(3), 2.0 * np.eye(3).ravel()),  # the axes of the actions' box
)
CASES = [(CART, (WALLS,)), (BODY, TABLE), (BODY, EYES)]


def deviation(
    model: ew.WorldModel, symmetry: Symmetry, contexts: Any, group: Group, turn: bool = True
) -> float:
    """The largest deviation of a prediction at (g·s, g·c), or at (g·s, c), relative to the scene's size."""
    names = [each.name for each in contexts]
    worst = 0.0
    for seed in range(20):
        obs, action = shown(symmetry, contexts, seed)
        g = group.sample(np.random.default_rng(seed), scale=3.0)
        moved = symmetry.transform_observation(g, obs)
        if not turn:
            moved |= {name: obs[name] for name in names}
        acted = symmetry.transform_action(g, action)
        after, there = (
            model.predict(model.encode(each), torch.from_numpy(a))
            for each, a in ((obs, action), (moved, acted))
        )
        expected = symmetry.to_features(
            symmetry.transform_observation(g, obs | symmetry.observation_arrays(after)), dtype=torch.float64
        )
        apart = (there.flatten() - expected.flatten()).abs()
        if not turn:
            apart = apart[..., : symmetry.dim]
        worst = max(worst, float(apart.detach().max()))
    return worst / 10.0


@pytest.mark.parametrize("family", ["state", "state-steerable"])
@pytest.mark.parametrize("case", CASES, ids=["walls", "table", "camera"])
def test_models_obey_the_whole_group_where_the_context_turns_along(family: str, case: Any) -> None:
    symmetry = with_context(case[0], case[1])
    model = ew.WorldModel.for_symmetry(symmetry, family, seed=0).double()
    assert deviation(model, symmetry, case[1], symmetry.group) < EXACT


@pytest.mark.parametrize("case", CASES, ids=["walls", "table", "camera"])
def test_without_turning_the_context_the_same_test_fails(case: Any) -> None:
    symmetry = with_context(case[0], case[1])
    model = ew.WorldModel.for_symmetry(symmetry, "state", seed=0).double()
    assert deviation(model, symmetry, case[1], symmetry.group, turn=False) > 1e-3


def test_between_walls_that_stay_the_square_is_left() -> None:
    symmetry = with_context(CART, (WALLS,))
    model = ew.WorldModel.for_symmetry(symmetry, "state", seed=0).double()

    def moved_by(group: Group) -> float:
        worst = 0.0
        for seed in range(20):
            obs, action = shown(symmetry, (WALLS,), seed)
            g = group.sample(np.random.default_rng(seed)).within(ew.E2())
            there = symmetry.transform_observation(g, obs) | {"walls": obs["walls"]}
            acted = torch.from_numpy(symmetry.transform_action(g, action))
            one, other = (
                model.predict(model.encode(each), a)
                for each, a in ((obs, torch.from_numpy(action)), (there, acted))
            )
            expected = symmetry.observation_arrays(one, None)["place"]
            found = symmetry.observation_arrays(other, None)["place"]
            worst = max(worst, np.abs(Point().transform(g, expected, CENTRE) - found).max() / 10.0)
        return worst

    assert moved_by(Dihedral(4)) < EXACT
    assert moved_by(SO2()) > 1e-4


def test_what_is_seen_of_walls_knows_no_order_and_nothing_far_away() -> None:
    symmetry = with_context(CART, (WALLS,))
    model = ew.WorldModel.for_symmetry(symmetry, "state", seed=0).double()
    obs, action = shown(symmetry, (WALLS,), 0)
    action = torch.from_numpy(action)
    other = ROOM[[2, 0, 3, 1]][:, ::-1].ravel()
    far = obs | {"walls": ROOM.ravel() + 1000.0}
    found = [
        model.predict(model.encode(each), action).points[..., 0]
        for each in (obs, obs | {"walls": other}, far)
    ]
    assert torch.allclose(found[0], found[1], rtol=0.0, atol=1e-12)
    assert (found[0] - found[2]).abs().max() > 1e-4
    alone = [
        model.predict(model.encode(far | {"walls": ROOM.ravel() + shift}), action).points[..., 0]
        for shift in (1e3, 2e3)
    ]
    assert torch.equal(*alone)


@pytest.mark.parametrize("place", [(0.0, 0.0), (4.5, 0.0), (1.0, 1.0)])
def test_what_is_seen_has_a_gradient_at_corners_and_on_walls(place: Any) -> None:
    points = torch.from_numpy(ROOM.reshape(-1, 2).T.copy())
    origin = torch.tensor(place, dtype=torch.float64).reshape(2, 1).requires_grad_()
    sum(found.square().sum() for found in Segments(4).seen(points, points[:, :0], origin, 2.0)).backward()
    assert origin.grad is not None
    assert origin.grad.isfinite().all()


def test_behind_the_door_the_same_bits_are_seen_wherever_context_and_scene_are_turned() -> None:
    for symmetry, contexts in CASES:
        whole = with_context(symmetry, contexts)
        door = Door(whole)
        rng = np.random.default_rng(3)
        obs, _ = shown(whole, contexts, 5)
        g = whole.group.sample(rng, 12, scale=3.0)
        batch = {name: np.repeat(x[None], 12, 0) for name, x in obs.items()}
        here, there = door.enter(batch), door.enter(whole.transform_observation(g, batch))
        for name in obs:
            assert np.array_equal(here.observation[name], there.observation[name]), name


def test_behind_the_door_walls_that_stay_look_the_same_from_all_corners_of_the_square() -> None:
    symmetry = with_context(CART, (WALLS,))
    obs, _ = shown(symmetry, (WALLS,), 1)
    g = Dihedral(4).elements()
    batch = {name: np.repeat(x[None], 8, 0) for name, x in obs.items()}
    moved = {name: symmetry.observation[name].transform(g, x, CENTRE) for name, x in batch.items()}
    found = Door(symmetry).enter(moved | {"walls": batch["walls"]}).observation
    for name, array in found.items():
        assert np.array_equal(array, np.repeat(array[:1], 8, 0)), name
    turned = SO2().rotation(np.linspace(0.1, 0.7, 8))
    moved = {name: symmetry.observation[name].transform(turned, x, CENTRE) for name, x in batch.items()}
    other = Door(symmetry).enter(moved | {"walls": batch["walls"]}).observation
    assert not np.allclose(other["walls"], found["walls"], atol=1e-3)


def test_which_subgroup_keeps_a_context() -> None:
    assert is_kept(Dihedral(4), [WALLS], CENTRE)
    assert is_kept(Cyclic(4), [WALLS], CENTRE)
    assert not any(is_kept(group, [WALLS], CENTRE) for group in (Cyclic(8), SO2(), SE2()))
    assert not is_kept(Dihedral(4), [WALLS])  # about another centre
    upright = SE2(axis=(0, 0, 1))
    assert is_kept(upright, TABLE)
    assert not is_kept(SE2(axis=(0, 0, 1), along=True), TABLE)
    assert is_kept(SE2(axis=(0, 0, 1), along=True), TABLE[:1])
    assert not is_kept(ew.SO3(), TABLE[:1])


@pytest.mark.parametrize("family", ["state", "state-steerable"])
@pytest.mark.parametrize(
    ("symmetry", "group"),
    [
        (CART, Dihedral(4)),
        (CART, Cyclic(4)),
        (BODY, ew.SE3().stabiliser((0.0, 0.0, -1.0))),
        (BODY, SE2(axis=(0, 0, 1))),
    ],
    ids=lambda each: str(each)[-40:] if isinstance(each, Group) else "",
)
def test_models_of_a_restricted_declaration_obey_the_subgroup_and_no_more(
    family: str, symmetry: Symmetry, group: Group
) -> None:
    left = symmetry.restricted(group)
    assert left.group == group
    assert left.observation == symmetry.observation
    model = ew.WorldModel.for_symmetry(left, family, seed=0).double()
    carried = model.symmetry.group
    assert deviation(model, left, (), carried) < EXACT
    assert deviation(model, symmetry, (), symmetry.group) > 1e-4
    assert not Door(left).inexact


def test_restriction_refuses_what_is_no_subgroup_and_keeps_what_was_said() -> None:
    with pytest.raises(ArgumentError, match="a subgroup of SE3"):
        BODY.restricted(ew.O3())
    with pytest.raises(ArgumentError, match="group"):
        BODY.restricted("SO3")  # type: ignore[arg-type]
    left = replace(BODY, reward=False).restricted(ew.SO3(), holds="indoors")
    assert (left.holds, left.reward, left.restricted(ew.SO3(), reward=True).reward) == (
        "indoors",
        False,
        True,
    )


LABELLED = {
    "legs": SignedPermutation([(1, 2, 3, 0), (0, 3, 2, 1)], [(1, 1, 1, 1), (-1, -1, -1, -1)]),
    "feet": Permuted(Vector(), [(1, 2, 3, 0), (0, 3, 2, 1)]),
    "mixed": Orthogonal([[[0, -1], [1, 0]], [[1, 0], [0, -1]]]),
    "place": Concatenation((Vector(), SignedPermutation([(0,), (0,)], [(1,), (-1,)]))),
    "torso": Heading(body=True),
}


@pytest.mark.parametrize(
    "group",
    [Cyclic(2), Cyclic(4), Isometries([np.diag([-1.0, 1.0])]), Dihedral(2), Dihedral(4).kernel()],
    ids=str,
)
def test_what_labels_move_is_moved_alike_by_the_elements_that_are_left(group: Group) -> None:
    fields = LABELLED
    whole = Symmetry(Dihedral(4), fields, action=fields["legs"])
    left = whole.restricted(group)
    rng = np.random.default_rng(0)
    obs = {name: rng.normal(size=field.size(2)) for name, field in fields.items()}
    obs["torso"] = rng.uniform(-1.0, 1.0, 1)
    for g in group.elements():
        one, other = left.transform_observation(g, obs), whole.transform_observation(g, obs)
        assert all(np.allclose(one[name], other[name], rtol=0.0, atol=1e-12) for name in obs)
        assert np.allclose(
            left.transform_action(g, obs["legs"]), whole.transform_action(g, obs["legs"]), atol=1e-12
        )
    assert left.labelled == (group.order > 1)


def test_contexts_follow_behind_one_array_as_well() -> None:
    flat = Symmetry(ew.SO2(), {"place": Vector(), "speed": Vector()}, action=Vector(), flat=True)
    whole = with_context(flat, [Context("wind", Vector(), (1.0, 0.0))])
    turned = whole.transform_observation(ew.SO2().rotation(np.pi / 2), np.arange(6.0))
    assert np.allclose(turned, [-1, 0, -3, 2, -5, 4])
    assert whole.state[-1] == "wind"


@pytest.mark.parametrize("case", CASES, ids=["walls", "table", "camera"])
def test_declarations_with_contexts_are_written_and_read(case: Any) -> None:
    symmetry = with_context(case[0], case[1])
    assert symmetry_from_dict(symmetry_to_dict(symmetry)) == symmetry


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Context("", Vector(), (1.0, 0.0)), "the name of a field"),
        (lambda: Context("wind", Vector(), (np.nan, 0.0)), "finite"),
        (lambda: Context("wind", Vector(), (1.0, 0.0), place=3), "a function"),  # type: ignore[arg-type]
        (lambda: with_context(CART, [Context("wind", Vector(), (1.0, 0.0, 0.0))]), "3 numbers"),
        (lambda: with_context(CART, [Context("place", Vector(), (1.0, 0.0))]), "observed already"),
        (lambda: with_context(CART, []), "one context or more"),
        (lambda: with_context(CART, [WALLS, WALLS]), "a name of its own"),
        (lambda: with_context(CART, 5), "a sequence of Context"),  # type: ignore[arg-type]
        (lambda: is_kept(5, [WALLS]), "a group"),  # type: ignore[arg-type]
        (lambda: Segments(0), "positive"),
        (lambda: Planes(1, reach=-1.0), "reach"),
    ],
)
def test_what_is_wrong_is_said(make: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        make()


def test_surfaces_alone_cannot_be_seen_from_anywhere() -> None:
    alone = Symmetry(ew.SE2(), {"speed": Vector(), "walls": Segments(2)}, action=Vector())
    with pytest.raises(ArgumentError, match="a point to see them from"):
        ew.WorldModel.for_symmetry(alone, "state-steerable")
