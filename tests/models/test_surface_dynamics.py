"""Dynamics among surfaces: those without, corrected where a body meets one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import equiworld as ew
from equiworld.envs.pusht import geometry
from equiworld.envs.pusht.context import walls_context
from equiworld.errors import ArgumentError
from equiworld.groups import Group
from equiworld.models import averaged
from equiworld.symmetry import (
    Context,
    Features,
    Heading,
    Planes,
    Point,
    Rotation,
    Segments,
    Symmetry,
    Vector,
    symmetry_of,
    with_context,
)
from equiworld.symmetry.serialise import symmetry_from_dict, symmetry_to_dict
from equiworld.training import TrainingConfig

EXACT = 1e-12  # relative
TRIANGLE = [(-1.0, -0.5), (1.0, -0.5), (0.0, 2.0)]  # its own mirror image about y
LOPSIDED = [(-1.0, -0.5), (1.0, -0.5), (0.5, 2.0)]
CORNERS = [(1.0, 0.0, 0.5), (-0.5, 1.0, 0.0), (0.0, -1.0, -0.8), (0.3, 0.2, 1.0)]
FLOOR = (-5.0, 0.0, 5.0, 0.0)


def plane(group: Group, outline: Any = TRIANGLE, **settings: Any) -> Symmetry:
    fields = {"place": Point(), "heading": Heading(axis=np.pi / 2), "hand": Point(), "speed": Vector()}
    bare = Symmetry(group, fields, action=Vector(), reference="place", heading="heading", length_scale=2.0)
    walls = Context("walls", Segments(1, reach=1.0, outline=outline, **settings), FLOOR)
    return with_context(bare, [walls])


def space() -> Symmetry:
    fields = {"place": Point(), "pose": Rotation(), "hand": Point()}
    bare = Symmetry(ew.SE3(), fields, action=Vector(), reference="place", length_scale=2.0)
    table = Context("table", Planes(1, reach=1.0, outline=CORNERS), (0.0, 0.0, 0.0, 0.0, 0.0, 1.0))
    return with_context(bare, [table])


def shown(symmetry: Symmetry, height: float, seed: int = 0) -> dict[str, np.ndarray]:
    """A body so high above the floor."""
    rng, dim = np.random.default_rng(seed), symmetry.dim
    found = {"place": np.append(rng.uniform(-2.0, 2.0, dim - 1), height), "hand": rng.normal(size=dim)}
    if dim == 2:
        return found | {
            "heading": rng.uniform(-3.0, 3.0, 1),
            "speed": rng.normal(size=2),
            "walls": np.array(FLOOR),
        }
    return found | {"pose": ew.SO3().sample(rng).matrix.ravel(), "table": np.eye(6)[5]}


def strong(symmetry: Symmetry, family: str = "state") -> ew.WorldModel:
    """A model in float64 that moves bodies little, and corrects itself as much."""
    model = ew.WorldModel.for_symmetry(symmetry, family, seed=0).double()
    for part in model.dynamics.parts:
        part.out_vector_scale.mul_(0.1)
    return model


@pytest.mark.parametrize("family", ["state", "state-steerable"])
@pytest.mark.parametrize("symmetry", [plane(ew.SE2()), plane(ew.E2()), plane(ew.SE2(), LOPSIDED), space()])
def test_a_body_that_meets_a_surface_turns_with_it(family: str, symmetry: Symmetry) -> None:
    model, met = strong(symmetry, family), 0
    for seed in range(12):
        obs = shown(symmetry, 1.0, seed)
        action = np.random.default_rng(seed).normal(size=symmetry.dim)
        g = symmetry.group.sample(np.random.default_rng(seed), scale=3.0)
        here = model.predict(model.encode(obs), torch.from_numpy(action))
        there = model.predict(
            model.encode(symmetry.transform_observation(g, obs)),
            torch.from_numpy(symmetry.transform_action(g, action)),
        )
        expected = symmetry.to_features(
            symmetry.transform_observation(g, obs | symmetry.observation_arrays(here)), dtype=torch.float64
        )
        assert (there.flatten() - expected.flatten()).abs().max() < 10.0 * EXACT
        free = without(model, obs, action)
        met += not torch.equal(here.points[..., : free.points.shape[-1]], free.points)
    assert met > 6


def without(model: ew.WorldModel, obs: dict[str, np.ndarray], action: np.ndarray) -> Any:
    """What the dynamics without surfaces predict."""
    free: Any = model.dynamics.parts[0]
    own = {name: obs[name] for name in free.symmetry.state}
    return free(free.symmetry.to_features(own, dtype=torch.float64), torch.from_numpy(action))


@pytest.mark.parametrize("symmetry", [plane(ew.E2()), space()])
def test_away_from_surfaces_the_model_is_the_one_without_them_to_the_bit(symmetry: Symmetry) -> None:
    model = strong(symmetry)
    for height, same in ((20.0, True), (0.5, False)):
        obs, action = shown(symmetry, height), np.ones(symmetry.dim)
        found, free = model.predict(model.encode(obs), torch.from_numpy(action)), without(model, obs, action)
        assert torch.equal(found.points[..., : free.points.shape[-1]], free.points) == same
        standing = [torch.equal(found.points[..., -1], model.encode(obs).points[..., -1])]
        assert all(standing)


def test_the_gap_is_that_of_the_outline() -> None:
    walls, rng = walls_context(), np.random.default_rng(0)
    field, numbers = walls.field, walls.numbers(2)
    assert isinstance(field, Segments)
    reach = field.reach_in(100.0)
    points = torch.from_numpy(numbers.reshape(8, 2).T.copy())
    for _ in range(50):
        pose = np.array([*rng.uniform(60.0, 110.0, 2), rng.uniform(-np.pi, np.pi)])
        corners = torch.from_numpy((geometry.keypoints(pose) - pose[:2]).T.copy())
        place = torch.from_numpy(pose[:2, None].copy())
        _, near = field.seen(points, points[:, :0], place, 100.0, corners)
        gap = geometry.wall_gap(pose) + geometry.WALL_RADIUS  # from the middle line
        assert float(near) == pytest.approx(max(0.0, 1.0 - gap / reach), abs=1e-9)


def test_corrections_grow_from_nothing_without_a_jump() -> None:
    model, action = strong(plane(ew.E2())), np.ones(2)
    heights = np.linspace(0.5, 3.5, 151)
    found = []
    for height in heights:
        obs = shown(plane(ew.E2()), float(height))
        both = model.predict(model.encode(obs), torch.from_numpy(action)), without(model, obs, action)
        found.append((both[0].points[..., :2] - both[1].points).detach().numpy())
    steps = np.abs(np.diff(found, axis=0)).max((-1, -2))
    assert steps.max() < 0.1 * np.abs(found).max()
    assert not np.any(found[-1])


def test_files_keep_outlines(tmp_path: Any) -> None:
    symmetry = space()
    read = symmetry_from_dict(symmetry_to_dict(symmetry))
    assert read == symmetry
    assert read.observation["table"].outline == tuple(CORNERS)  # type: ignore[attr-defined]
    model = strong(symmetry)
    obs, action = shown(symmetry, 0.5), torch.ones(3, dtype=torch.float64)
    again = ew.WorldModel.load(model.save(tmp_path))
    one, other = (each.predict(each.encode(obs), action) for each in (model, again))
    assert torch.equal(one.flatten(), other.flatten())


def test_both_networks_are_averaged() -> None:
    symmetry = plane(ew.SE2())
    model = averaged(strong(symmetry, "mlp-centred"), 4)
    action = np.ones(2)
    obs, g = shown(symmetry, 0.5), ew.SE2().rotation(np.pi / 2)
    here = model.predict(model.encode(obs), torch.from_numpy(action))
    moved = symmetry.transform_observation(g, obs)
    acted = symmetry.transform_action(g, action)
    there = model.predict(model.encode(moved), torch.from_numpy(acted))
    assert (here.transform(g).flatten() - there.flatten()).abs().max() < 10.0 * EXACT


def transitions(symmetry: Symmetry, count: int, rise: float = 0.0) -> ew.Dataset:
    """A point that falls onto the floor and stays there; the floor may rise."""
    rng = np.random.default_rng(0)
    here = {"ball": rng.uniform(0.0, 4.0, (count, 2)), "floor": np.tile(FLOOR, (count, 1))}
    action = rng.uniform(-1.0, 1.0, (count, 2))
    moved = here["ball"] + action
    moved[:, 1] = np.maximum(moved[:, 1], 0.0)
    there = {"ball": moved, "floor": here["floor"] + rise}
    episodes = [
        {
            "observation": {name: np.stack([here[name][i], there[name][i]]) for name in here},
            "action": action[i : i + 1],
        }
        for i in range(count)
    ]
    return ew.Dataset.from_episodes(symmetry, episodes)


BALL = with_context(
    Symmetry(ew.SE2(), {"ball": Point()}, action=Vector(), reference="ball", length_scale=2.0),
    [Context("floor", Segments(1, reach=1.0), FLOOR)],
)


def test_what_a_floor_does_is_learned_and_nothing_else_spoilt() -> None:
    data = transitions(BALL, 400)
    config = TrainingConfig(steps=150, batch_size=128, seed=0, progress=False)
    model = ew.train(ew.WorldModel.for_data(data, "mlp-centred", hidden=(32, 32), periodic=0), data, config)
    z, action, target = data.features(torch.float32)
    free = model.dynamics.parts[0]
    with torch.no_grad():
        whole = model.predict(z, action).points[..., 0]
        alone = free(Features(z.scalars, z.vectors, z.points[..., :1]), action).points[..., 0]
    stopped = (z.points[..., 1, 0] + action.vectors[..., 1, 0]) < 0.0
    error, without_floor = ((each - target.points[..., 0]).square().sum(-1).sqrt() for each in (whole, alone))
    assert error[stopped].mean() < 0.6 * without_floor[stopped].mean()
    assert error[~stopped].mean() < 0.05
    expected = (z.points[..., 0] + action.vectors[..., 0])[stopped]  # where nothing would stop it
    assert (alone[stopped] - expected).square().sum(-1).sqrt().mean() < 0.1


def test_the_free_dynamics_learn_nothing_from_a_body_in_a_surface_and_all_from_a_free_one() -> None:
    symmetry = plane(ew.E2())
    for height, learned in ((0.0, (False, True)), (20.0, (True, False))):
        model = strong(symmetry)
        z = model.encode({name: array[None] for name, array in shown(symmetry, height).items()})
        model.dynamics.errors(
            z, model.action_features(torch.ones(1, 2, dtype=torch.float64)), z
        ).sum().backward()
        for part, expected in zip(model.dynamics.parts, learned, strict=True):
            size = sum(float(each.grad.abs().sum()) for each in part.parameters() if each.grad is not None)
            assert (size > 0.0) == expected


def test_surfaces_that_move_are_refused() -> None:
    model = ew.WorldModel.for_data(transitions(BALL, 8), "state-steerable")
    with pytest.raises(ArgumentError, match="surfaces that stand still"):
        ew.train(model, transitions(BALL, 8, rise=0.1), TrainingConfig(steps=1, progress=False))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: plane(ew.E2(), LOPSIDED), "one about the heading"),
        (lambda: plane(ew.SE2(), CORNERS), "2 each"),
        (lambda: replace(plane(ew.SE2()), heading=None), "a body"),
        (lambda: replace(plane(ew.SE2()), reference=None), "a body"),
        (lambda: replace(space(), group=ew.E3()), "one about the heading"),
    ],
)
def test_outlines_of_unknown_bodies_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        ew.WorldModel.for_symmetry(make(), "state-steerable")


@pytest.mark.parametrize("outline", [[1.0, 2.0], [[np.nan, 0.0]], "corners"])
def test_outlines_are_points(outline: Any) -> None:
    with pytest.raises(ArgumentError, match="outline"):
        Segments(1, outline=outline)


def test_pusht_tells_the_corners_of_its_block() -> None:
    from equiworld.envs import WithContext
    from equiworld.symmetry.registry import make_env

    env = WithContext(make_env("equiworld/PushT-v0"))
    assert symmetry_of(env).observation["walls"].outline == tuple(map(tuple, geometry.KEYPOINTS.tolist()))  # type: ignore[attr-defined]
