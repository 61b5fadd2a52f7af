"""Eyes: the classical ones find every pose of a body they know, learned ones learn, a policy sees through both."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("mujoco")

from equiworld.benchmarks.eyes.eyes import Coast, PoseEyes, Seeing
from equiworld.benchmarks.eyes.icp import ICP, rigid_motion
from equiworld.benchmarks.eyes.keypoints import Keypoints
from equiworld.benchmarks.eyes.pose_net import LENGTH, PoseNet, PoseNetTraining, pose_loss
from equiworld.benchmarks.questions import eyes as question_of_eyes
from equiworld.benchmarks.questions.eyes import DYNAMICS, HOME, SENSING, TOLD, EyesQuestion
from equiworld.benchmarks.suite.question import Plan
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.worlds.cloudpush import CLOUDPUSH, POSE
from equiworld.benchmarks.worlds.loops import Ended
from equiworld.envs.cloudpush.geometry import Pose, angle_between, quaternion_of
from equiworld.envs.cloudpush.sensor import Sensor
from equiworld.envs.cloudpush.shapes import SHAPES, make_shape
from equiworld.groups import SE3, SO3
from equiworld.models import WorldModel
from equiworld.training import collect

FOLDS = {0: "bottle", 1: "bracket", 2: "zed"}


def clouds_of(shape: str, count: int, seed: int, **sensor: Any) -> tuple[np.ndarray, np.ndarray]:
    """Clouds `(B, 128, 3)` of a body at random poses, uniform over all orientations, and these `(B, 12)`."""
    rng, body, clouds, poses = np.random.default_rng(seed), make_shape(shape), [], []
    for index, turn in enumerate(SO3().sample(rng, count).matrix):
        place = rng.uniform(-1.0, 1.0, 3)
        pose = Pose(tuple(place), quaternion_of(turn))
        arrow = rng.standard_normal(3)
        camera = tuple(arrow / np.linalg.norm(arrow))
        clouds.append(Sensor(128, **sensor).cloud(body, pose, seed, index, camera))
        poses.append(np.concatenate([turn.ravel(), place]))
    return np.stack(clouds), np.stack(poses)


def errors(shape: str, found: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Angles [rad], up to the body's own symmetry, and distances [m]."""
    fold, turns = make_shape(shape).fold, [each[:, :9].reshape(-1, 3, 3) for each in (found, wanted)]
    angles = [angle_between(*map(quaternion_of, pair), fold) for pair in zip(*turns, strict=True)]
    return np.array(angles), np.linalg.norm(found[:, 9:] - wanted[:, 9:], axis=-1)


@pytest.mark.parametrize("shape", SHAPES)
def test_icp_finds_every_pose_of_every_body(shape: str) -> None:
    """Bodies of flat faces exactly; of curved ones as well as the planes of a template do."""
    clouds, poses = clouds_of(shape, 8, 0)
    eyes = ICP(shape)
    found = eyes.first(clouds)
    angles, distances = errors(shape, found, poses)
    flat = shape != "bottle"
    assert angles.max() < (1e-6 if flat else math.radians(0.5))
    assert distances.max() < (1e-7 if flat else 5e-4)
    assert (
        np.abs(found[:, :9].reshape(-1, 3, 3) @ found[:, :9].reshape(-1, 3, 3).mT - np.eye(3)).max() < 1e-12
    )
    assert gaps(shape, clouds, found).max() < (1e-9 if flat else 2e-4)


def gaps(shape: str, clouds: np.ndarray, poses: np.ndarray) -> np.ndarray:
    """How far points of clouds are from the surface of a body in poses, `(B, N)` [m]."""
    own = (clouds - poses[:, None, 9:]) @ poses[:, :9].reshape(-1, 3, 3)
    return np.abs(make_shape(shape).surface.distance(own.reshape(-1, 3))).reshape(own.shape[:2])


def test_eyes_that_are_told_a_wrong_template_are_found_out() -> None:
    clouds, poses = clouds_of("bracket", 4, 1)
    found = ICP("zed").first(clouds)
    assert errors("bracket", found, poses)[0].min() > 1e-2
    for shape in ("bracket", "zed"):
        assert gaps(shape, clouds, found).mean(1).min() > 1e-3


@pytest.mark.parametrize("sensor", [SENSING[name] for name in SENSING if name != "clean"])
def test_icp_stands_what_sensors_do(sensor: dict[str, Any]) -> None:
    clouds, poses = clouds_of("bracket", 8, 2, **sensor)
    angles, distances = errors("bracket", ICP().first(clouds), poses)
    assert np.median(angles) < math.radians(3.0)
    assert np.median(distances) < 5e-3


def test_icp_goes_on_from_where_a_body_was_and_finds_it_again_where_that_was_wrong() -> None:
    clouds, poses = clouds_of("bracket", 8, 3)
    turned = poses[:, :9].reshape(-1, 3, 3) @ SO3().rotation([0.1, -0.2, 0.1]).matrix
    near = np.concatenate([turned.reshape(-1, 9), poses[:, 9:] + 0.01], 1)
    for start in (near, np.roll(near, 1, axis=0)):
        angles, distances = errors("bracket", ICP().see(clouds, start), poses)
        assert angles.max() < 1e-6
        assert distances.max() < 1e-7


def test_of_a_body_of_revolution_the_tracked_spin_is_kept() -> None:
    """Any spin fits: what was seen last goes before what fits as well."""
    clouds, _ = clouds_of("bottle", 6, 4)
    eyes = ICP("bottle")
    first = eyes.first(clouds)
    angles, _ = errors("bracket", eyes.see(clouds, first), first)  # as of a body without symmetry
    assert angles.max() < math.radians(3.0)


def test_the_rigid_motion_of_least_squares_is_one() -> None:
    rng = np.random.default_rng(5)
    own, turns, shifts = (
        rng.standard_normal((7, 9, 3)),
        SO3().sample(rng, 7).matrix,
        rng.standard_normal((7, 3)),
    )
    turn, shift = rigid_motion(own, own @ turns.mT + shifts[:, None])
    assert np.abs(turn - turns).max() < 1e-12
    assert np.abs(shift - shifts).max() < 1e-12
    mirrored, _ = rigid_motion(own, -own)  # which no rotation brings about
    assert np.abs(np.linalg.det(mirrored) - 1).max() < 1e-12


# --- pose nets -------------------------------------------------------------------------------------------


def random_poses(seed: int, count: int = 16) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    return torch.from_numpy(SO3().sample(rng, count).matrix), torch.from_numpy(
        rng.standard_normal((count, 3))
    )


@pytest.mark.parametrize("fold", FOLDS)
def test_the_loss_of_poses_is_the_same_for_both_moved_and_for_what_looks_alike(fold: int) -> None:
    found, wanted, (turns, shifts) = random_poses(6), random_poses(7), random_poses(8)
    loss = pose_loss(found, wanted, fold)
    both = [(turns @ turn, (turns @ place[..., None])[..., 0] + shifts) for turn, place in (found, wanted)]
    assert torch.allclose(pose_loss(*both, fold), loss, atol=1e-12)
    own = torch.from_numpy(SO3().rotation([0.0, 0.0, 2 * math.pi / (fold or 9)]).matrix)
    assert torch.allclose(pose_loss(found, (wanted[0] @ own, wanted[1]), fold), loss, atol=1e-12)
    assert pose_loss(wanted, (wanted[0] @ own, wanted[1]), fold).max() < 1e-5
    other = torch.from_numpy(SO3().rotation([0.0, 0.0, 1.0]).matrix)
    if fold:  # a turn that does not leave the body as it is
        assert (pose_loss(wanted, (wanted[0] @ other, wanted[1]), fold) > 0.5).all()
    one_moved = pose_loss((turns @ found[0], found[1]), wanted, fold)
    assert (one_moved - loss).abs().max() > 0.1
    shifted = pose_loss((wanted[0], wanted[1] + LENGTH * torch.eye(3)[0]), wanted, fold)
    assert torch.allclose(shifted, torch.ones_like(shifted), atol=1e-5)


def test_training_is_the_same_to_the_bit_for_the_same_seed_and_teaches_where_bodies_are() -> None:
    training = PoseNetTraining(sensors=tuple(SENSING.values()), steps=5, batch_size=8, width=16)
    first, again, other = (training.train(seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not any(torch.equal(first[name], other[name]) for name in first)
    clouds, poses = clouds_of("bracket", 64, 9)
    trained = PoseNetTraining(steps=60, batch_size=16, width=32).train(0)
    before, after = (errors("bracket", net.first(clouds), poses)[1] for net in (PoseNet(32, 0), trained))
    assert after.mean() < 0.1 * before.mean()


@pytest.mark.slow
def test_a_pose_net_learns_orientations_before_long() -> None:
    """Before it is trained any angle is as likely as chance has it: half of all rotations turn by more than 127°."""
    clouds, poses = clouds_of("bracket", 200, 9)
    nets = PoseNet(PoseNetTraining().width, 0), PoseNetTraining(steps=400).train(0)
    before, after = (np.median(errors("bracket", net.first(clouds), poses)[0]) for net in nets)
    assert before > math.radians(60.0)
    assert after < math.radians(10.0)


def test_a_pose_net_sees_a_cloud_wherever_it_is_and_in_any_order() -> None:
    net = PoseNet(16, 0).eval()
    clouds, _ = clouds_of("bracket", 5, 10)
    seen = net.first(clouds)
    shuffled = net.first(clouds[:, np.random.default_rng(0).permutation(128)] + 2.0)
    assert np.abs(shuffled - seen - 2.0 * (np.arange(12) > 8)).max() < 1e-5
    turns = seen[:, :9].reshape(-1, 3, 3)
    assert np.abs(turns @ turns.mT - np.eye(3)).max() < 1e-12
    assert np.abs(np.linalg.det(turns) - 1).max() < 1e-12


# --- policies that see -----------------------------------------------------------------------------------


class Corner(PoseEyes):
    """Counts its looks; says the first point of the cloud is the place."""

    def __init__(self) -> None:
        self.looks: list[tuple[int, int]] = []

    def see(self, clouds: np.ndarray, before: np.ndarray) -> np.ndarray:
        self.looks.append((len(clouds), int(np.isnan(before[:, 0]).sum())))
        return np.concatenate([np.tile(np.eye(3).ravel(), (len(clouds), 1)), clouds[:, 0]], 1)


class Told:
    """Remembers what it is told."""

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = True
    ) -> Any:
        self.observation = observation
        return np.zeros((len(observation["agent_pos"]), 3)), (state or 0) + 1


def test_goals_are_looked_at_once_an_episode_and_bodies_at_every_step() -> None:
    eyes, inside = Corner(), Told()
    policy = Seeing(eyes, inside, Coast(3.0, 2.0))
    env, known = CLOUDPUSH.make(), POSE.make()
    seen = [env.reset(seed=seed)[0] for seed in range(3)]
    batch = {name: np.stack([one[name] for one in seen]) for name in seen[0]}
    _, state = policy.predict(batch, None, np.ones(3, bool))
    assert eyes.looks == [(3, 3), (3, 3)]
    later = {**batch, "goal_cloud": batch["goal_cloud"] + 1.0, "cloud": batch["cloud"] + 1.0}
    _, state = policy.predict(later, state, np.array([False, True, False]))
    assert eyes.looks[2:] == [(3, 1), (1, 1)]
    moved = inside.observation["goal_pos"] - batch["goal_cloud"][:, :3]
    assert np.abs(moved - np.array([0.0, 1.0, 0.0])[:, None]).max() < 1e-12
    assert np.abs(inside.observation["body_pos"] - later["cloud"][:, :3]).max() == 0.0
    assert state.inner == 2
    speeds = (
        inside.observation["body_vel"] - 3.0 * np.array([1.0, 0.0, 1.0])[:, None]
    )  # none where an episode begins
    assert np.abs(speeds).max() < 1e-12
    assert set(inside.observation) == set(known.observation_space.spaces)
    for name, array in inside.observation.items():
        assert array.shape == (3, *known.observation_space[name].shape)


def test_how_bodies_coast_is_found_in_transitions_and_turns_with_the_world() -> None:
    env = POSE.make(max_angle=0.7)
    data = collect(env, 40, seed=0)
    rng, arrays = np.random.default_rng(11), dict(data.next_observation)
    before, after = (
        np.concatenate([each["body_rotation"], each["body_pos"]], 1)
        for each in (data.observation, data.next_observation)
    )
    arrays |= Coast(3.0, 2.0).velocities(after, before)
    found = Coast.of(replace(data, next_observation=arrays))
    assert np.allclose([found.shift, found.turn], [3.0, 2.0], atol=1e-9)
    real = Coast.of(data)
    left = data.next_observation["body_vel"] - real.velocities(after, before)["body_vel"]
    assert np.square(left).sum() < 0.6 * np.square(data.next_observation["body_vel"]).sum()
    g = SE3().sample(rng)
    there = replace(data, next_observation=arrays).transform(g)
    moved = [
        np.concatenate([each["body_rotation"], each["body_pos"]], 1)
        for each in (there.next_observation, there.observation)
    ]
    for name, speed in Coast(3.0, 2.0).velocities(*moved).items():
        assert np.abs(speed - there.next_observation[name]).max() < 1e-9


def test_keypoints_are_those_that_the_model_finds() -> None:
    env = CLOUDPUSH.make()
    model = WorldModel.for_env(env, "latent", width=8)
    seen, _ = env.reset(seed=0)
    batch = {name: array[None] for name, array in seen.items()}
    eyes = Keypoints(model)
    channels = model.latent.channels(), model.latent.channels(model.latent.goal)
    found = [
        model.encode(batch).select(channels[0]["keypoints"]),
        model.encode_goal(batch).select(channels[1]["goal_keypoints"]),
    ]
    shown = eyes.shown(*(eyes.first(batch[name].reshape(1, -1, 3)) for name in ("cloud", "goal_cloud")))
    for name, each in zip(("keypoints", "goal_keypoints"), found, strict=True):
        assert np.abs(shown[name] - each.mT.flatten(1).detach().numpy()).max() < 1e-7


# --- the question ----------------------------------------------------------------------------------------


def test_the_factorial_is_whole_and_says_what_each_was_told() -> None:
    cells = EyesQuestion().cells(Plan(seeds=1))
    asked = {(cell.arm, *cell.point.values()) for cell in cells}
    for eyes in TOLD:
        assert TOLD[eyes]
        for dynamics in ("canonical", "augmented", "plain"):
            for where in ("in slice", "turned"):
                for sensing in SENSING if eyes != "true" else ("clean",):
                    assert (f"{eyes} + {dynamics}", where, sensing) in asked
    assert len({len(cell.point) for cell in cells}) == 1
    assert set(DYNAMICS) == {cell.arm.partition(" + ")[2] for cell in cells} - {""}


@pytest.mark.parametrize("share", [0.89, 0.9])
def test_who_fails_in_the_slice_is_not_called_competent(
    share: float, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The share is that of the same arm and seed, at home, whatever it is elsewhere."""
    asked = EyesQuestion(episodes=100)
    model = WorldModel.for_env(POSE.make(), "mlp", hidden=(8,), periodic=0)
    played = []

    def ends(policy: Any, world: Any, seeds: Any, arguments: Any, *_: Any) -> list[Ended]:
        played.append((list(seeds), "max_angle" in arguments))
        solved = share if "max_angle" in arguments else 1.0
        figures = {"success": 1.0, "distance_mm": 1.0, "final_angle_deg": 1.0}
        return [Ended(s, 1, {**figures, "success": float(i < 100 * solved)}, 1) for i, s in enumerate(seeds)]

    monkeypatch.setattr(question_of_eyes, "run_trials", ends)
    monkeypatch.setattr(question_of_eyes, "trained_model", lambda *_: model)
    monkeypatch.setattr(question_of_eyes, "disjoint", lambda *_: {})
    cells = {cell.point["where"]: cell for cell in asked.cells(Plan(arms=("true + plain",), seeds=1))}
    (away,), (home,) = (asked.answer(cells[where], Store(tmp_path)) for where in ("turned", HOME["where"]))
    assert away["success"] == 1.0
    assert home["success"] == share
    assert away["competent"] == home["competent"] == int(share >= 0.9)
    assert [at_home for _, at_home in played] == [False, True]  # and the cell at home is measured once
