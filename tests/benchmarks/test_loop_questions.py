"""What the questions about rollouts, residuals, flatness and the task's parts find in small."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from equiworld.benchmarks.questions.flat_is_not_enough import FlatIsNotEnough
from equiworld.benchmarks.questions.latent_step import LatentStep
from equiworld.benchmarks.questions.residual import Residual, latent_ranks
from equiworld.benchmarks.questions.rollout import Rollout
from equiworld.benchmarks.questions.tails import NOISE, TURNED, Tails
from equiworld.benchmarks.questions.told import ACTIVE, PASSIVE, Told, told
from equiworld.benchmarks.questions.what_carries import PARTS, WhatCarries, without
from equiworld.benchmarks.suite.cell import Cell
from equiworld.benchmarks.suite.comparison import mcnemar
from equiworld.benchmarks.suite.question import Plan
from equiworld.benchmarks.suite.store import Store
from equiworld.benchmarks.worlds import world_of
from equiworld.envs.pusht import task as pusht_task
from equiworld.errors import ArgumentError
from equiworld.models import WorldModel
from equiworld.planners import CEM
from equiworld.symmetry import Scalar, symmetry_of
from equiworld.tasks import KeypointDistance, task_of

FEW = {"transitions": 1_000, "steps": 20}


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    """One for all: data and models are made once."""
    return Store(tmp_path_factory.mktemp("store"))


def rows(question, store, **plan):
    return [row for cell in question.cells(Plan(seeds=1, **plan)) for row in question.answer(cell, store)]


# --- rollout ---------------------------------------------------------------------------------------------


def test_rollouts_of_equivariant_models_are_flat_and_others_are_not(store):
    found = rows(
        Rollout(horizons=(1, 8), trajectories=6, orbit=4, scale="small", **FEW), store, worlds=("pusht",)
    )
    assert {row["arm"] for row in found} == {*Rollout.arms}
    for row in found:
        assert row["simulator"] < 1e-8 < row["motion"]
        assert not row["diverged"]
        assert row["error_worst"] >= row["error"] > 0
        assert row["ratio_excess"] == pytest.approx(row["error_worst"] / row["error"] - 1, abs=1e-12)
        if row["arm"] in ("equivariant", "steerable"):
            assert row["ratio_excess"] <= (1e-9 if row["dtype"] == "float64" else 1e-3)
            assert row["deviation"] <= (1e-8 if row["dtype"] == "float64" else 1e-1)
        else:
            assert row["ratio_excess"] > 1e-3
            assert row["deviation"] > 1.0


def test_one_action_of_a_rollout_is_the_one_step_error_of_the_same_model(store):
    """Two ways to the same number: the rollout's relMSE after one action, and the world's own on those transitions."""
    question = Rollout(horizons=(1, 3), trajectories=5, orbit=2, scale="small", **FEW)
    cell = Cell("rollout", "pusht", "plain", 0)
    (row,) = [one for one in question.answer(cell, store) if (one["dtype"], one["horizon"]) == ("float64", 1)]
    world, model = question.world("pusht"), question.model(cell, store)
    env = world.make(walls=False)
    exploration = world.exploration(env, question.scale_in(world).half_width)
    before, after, actions = [], [], []
    for index in range(5):
        rng = np.random.default_rng([0, 51, index])
        observation, _ = env.reset(seed=0, options=exploration.start(rng))
        action = exploration.action(rng, observation)
        before.append(observation)
        actions.append(action)
        target = observation["agent_pos"] + action
        for _ in range(model.action_repeat):
            observation = env.step(target - observation["agent_pos"])[0]
        after.append(observation)
    stacked = {name: np.stack([one[name] for one in before]) for name in before[0]}
    double = model.double()
    with torch.inference_mode():
        guess = double.predict(double.encode(stacked), torch.from_numpy(np.stack(actions)))
    poses = double.symmetry.observation_arrays(guess)
    from equiworld.envs.pusht.geometry import keypoints

    corners = keypoints(np.concatenate([poses["block_pos"], poses["block_heading"]], -1))
    now, then = (
        np.stack([one["block_keypoints"] for one in each]).reshape(-1, 8, 2) for each in (before, after)
    )
    assert row["relative_error"] == pytest.approx(
        ((corners - then) ** 2).sum() / ((now - then) ** 2).sum(), rel=1e-9
    )


def test_a_world_that_does_not_say_where_its_body_is_is_refused_before_any_work(store):
    with pytest.raises(ArgumentError, match="where its body is"):
        Rollout().cells(Plan(worlds=("equiworld/PushT-v0",), arms=("plain",)))


def test_imagined_bodies_in_space_move_as_rigidly_as_keypoints(store):
    pytest.importorskip("mujoco")
    from cloud_model_cases import cloud_model, cloud_observations

    world, model = world_of("cloudpush"), cloud_model().double()
    rng, g = np.random.default_rng(0), world.elements(1, 0)[0]
    body = rng.standard_normal((16, 5, 3))
    with torch.inference_mode():
        state = model.encode(cloud_observations())
    for states, wanted in (
        (state, body),
        (state.transform(g), (body @ g.matrix.T) + g.translation),
    ):
        found = world.imagined_body(model, state, states.map(lambda part: part[None]), body)
        np.testing.assert_allclose(found[0], wanted, atol=1e-9)
    lost = world.imagined_body(model, state, state.map(lambda part: part[None] * torch.nan), body)
    assert np.isnan(lost).all()


# --- residual --------------------------------------------------------------------------------------------


def test_residuals_stay_along_training_and_tell_plain_models(store):
    asked = Residual(scale="small", **FEW, optimisers=("muon",), depths=(2,), looks=1, elements=3)
    found = rows(asked, store, worlds=("pusht",))
    assert len(found) == len(Residual.arms) * 2 * 3
    assert {row["when"]: row["share"] for row in found if "latent" not in row["arm"]} == {
        "before": 0.0,
        "during": 0.5,
        "after": 1.0,
    }
    for row in found:
        most = {"float32": 1e-5, "float64": 1e-12}[row["precision"]]
        assert (row["residual"] <= most) == ("plain" not in row["arm"]), row
        assert ("rank" in row) == ("latent" in row["arm"])
        assert row["residual_length"] >= row["residual"]
    ends = [
        {row["when"]: row["relative_error"] for row in found if row["arm"] == arm} for arm in Residual.arms
    ]
    assert all(end["after"] != end["before"] for end in ends)


def test_ranks_and_dead_channels_are_those_of_the_latents():
    pytest.importorskip("mujoco")
    from cloud_model_cases import cloud_data, cloud_model

    data, model = cloud_data(), cloud_model()
    found = latent_ranks(model, data)
    assert found["rank_most"] == 3 * (model.recipe.encoder.keypoints - 1)
    assert 1 <= found["rank_effective"] <= found["rank"] <= found["rank_most"]

    class Dead(torch.nn.Module):
        """An encoder of which two keypoints follow the others' mean, and one arrow all of their turns."""

        def __init__(self, inner):
            super().__init__()
            self.inner, self.latent = inner, inner.latent

        def forward(self, observed, goal=False):
            z = self.inner(observed)
            still = torch.zeros_like(z.points)
            still[..., 0, 0], still[..., 0, 1] = z.points[..., 0, 0], -z.points[..., 0, 0]
            return type(z)(z.scalars, z.vectors, still)

    model.encoder = Dead(model.encoder)  # type: ignore[assignment]
    dead = latent_ranks(model, data)
    assert (dead["rank"], dead["dead"]) == (1, 2)
    assert dead["rank_effective"] == pytest.approx(1.0, abs=1e-6)


# --- flat is not enough ----------------------------------------------------------------------------------


def test_untrained_equivariant_models_are_flat_and_wrong(store):
    asked = FlatIsNotEnough(
        stages=(0,), orbit=4, episodes=1, max_steps=4, scale="small", steps=60, transitions=1_000
    )
    found = {(row["arm"], row["trained"]): row for row in rows(asked, store, arms=("equivariant", "plain"))}
    drawn, trained = (found["equivariant", name] for name in ("0 steps", "as long as it takes"))
    for row in (drawn, trained):
        assert row["ratio"] == pytest.approx(1.0, abs=1e-9)
    assert drawn["relative_error"] > 2 * trained["relative_error"]
    assert (drawn["optimiser_steps"], trained["optimiser_steps"]) == (0, 60)
    assert found["plain", "as long as it takes"]["ratio"] > 1.01


# --- what carries ----------------------------------------------------------------------------------------


def test_parts_of_a_task_are_taken_away_one_by_one():
    whole, planner = task_of("equiworld/PushT-v0"), CEM()
    assert without(whole, planner, []) == (whole, planner)
    task, fewer = without(whole, planner, ["proposals", "iterations"])
    assert (task.proposals, task.cost, fewer) == (None, whole.cost, replace(planner, iterations=1))
    symmetry = world_of("pusht").make().unwrapped
    from equiworld.symmetry import symmetry_of

    symmetry = symmetry_of(symmetry)
    here = {name: np.tile(value, (4, 1)) for name, value in world_of("pusht").make().reset(seed=0)[0].items()}
    here["agent_pos"] = here["agent_pos"] + 300.0 * np.arange(4)[:, None]
    z, goal = (symmetry.to_features(here, names, torch.float64) for names in (None, symmetry.goal))
    channels = symmetry.channels(), symmetry.channels(symmetry.goal)
    distance = pusht_task.corner_distance(z, channels[0], goal, channels[1])

    def cost(*parts):
        objective = without(whole, planner, parts)[0].objective()
        return objective.bind(symmetry)(z, torch.zeros(4, 2, dtype=torch.float64), goal)

    assert torch.equal(cost("sharpening", "approach"), distance)
    sharp = cost("approach") - distance
    torch.testing.assert_close(sharp, 20 * (1 - torch.exp(-distance / 5)), rtol=1e-12, atol=0)
    torch.testing.assert_close(cost() - cost("approach"), cost("sharpening") - distance, rtol=1e-9, atol=1e-9)
    assert (cost("sharpening") - distance)[-1] > 10.0


def test_objectives_lose_the_same_terms():
    pytest.importorskip("mujoco")
    whole, planner = task_of("equiworld/CloudPush-v0"), CEM()
    plain = without(whole, planner, ["sharpening", "approach"])[0].cost.objectives[0]
    ((weight, distance),) = plain.terms
    assert weight == 1.0
    assert isinstance(distance, KeypointDistance)
    names = {cell.point["removed"] for cell in WhatCarries().cells(Plan(worlds=("cloudpush",), seeds=1))}
    assert "proposals" not in names  # there are none
    assert {"nothing", "sharpening", "approach", "iterations"} <= names
    with pytest.raises(ArgumentError, match="proposals"):
        WhatCarries(removed=("luck",))


def test_the_table_pools_seeds_and_says_whether_a_loss_can_be_chance():
    def row(arm, seed, removed, solved):
        return {
            "question": "what-carries", "world": "pusht", "arm": arm, "seed": seed, "removed": removed,
            "tasks_solved": solved, "success": solved.count("+") / len(solved),
        }  # fmt: skip

    found = [row("plain", seed, part, "+" * (9 if part == "nothing" else 2) + "-" * (1 if part == "nothing" else 8))
             for seed in (1, 0) for part in ("nothing", PARTS[0])]  # fmt: skip
    text = WhatCarries().table(found)
    assert "18" in text
    assert f"{mcnemar(np.ones(18, bool), np.arange(18) < 4):.3g}"[:4] in text


def test_a_model_that_is_only_watched_is_trained_as_any_other(pusht_data):
    from equiworld.training import TrainingConfig, train

    config, seen = TrainingConfig(steps=12, batch_size=32), []
    models = [WorldModel.for_data(pusht_data, "state", hidden=(8,), periodic=2) for _ in range(2)]
    train(models[0], pusht_data, config)
    train(models[1], pusht_data, config, lambda stage, step: seen.append((stage, step)))
    first, second = (model.state_dict() for model in models)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert seen == [("state", step) for step in range(1, 13)]


# --- tails -----------------------------------------------------------------------------------------------


def test_tails_are_those_of_the_deviations_and_tell_rounding_from_noise(store):
    asked = Tails(tasks=6, elements=2, task_steps=20, scale="small", **FEW)
    found = rows(asked, store, worlds=("pusht",), arms=("equivariant", "augmented"))
    outcomes = {(row["arm"], row["dtype"], row["against"]): row for row in found if row["part"] == "outcomes"}
    assert len(outcomes) == 8
    for where, row in outcomes.items():
        tail = {
            one["beyond"]: one["strayed"]
            for one in found
            if one["part"] == "distances" and (one["arm"], one["dtype"], one["against"]) == where
        }
        shares = [tail[beyond] for beyond in sorted(tail)]
        assert shares == sorted(shares, reverse=True)
        assert max((beyond for beyond in tail if tail[beyond]), default=0.0) < row["deviation_max"]
        assert all(beyond >= row["deviation_max"] for beyond in tail if not tail[beyond])
        assert row["deviation_median"] <= row["deviation_p99"] <= row["deviation_max"]
        assert row["outcomes_differ"] >= abs(row["solved"] - row["solved_there"])
    for dtype in ("float32", "float64"):
        exact = outcomes["equivariant", dtype, TURNED]
        assert exact["deviation_median"] < 1e-8
        assert not exact["outcomes_differ"]
        # Negative controls: another seed's noise, and a policy that is not equivariant.
        assert outcomes["equivariant", dtype, NOISE]["deviation_median"] > 1.0
        assert outcomes["augmented", dtype, TURNED]["deviation_median"] > 1.0
    assert outcomes["equivariant", "float64", TURNED]["deviation_max"] < 1e-8


def test_tails_of_fewer_tasks_than_elements(store):
    asked = Tails(tasks=1, elements=3, task_steps=5, scale="small", **FEW)
    found = rows(asked, store, worlds=("pusht",), arms=("equivariant",))
    assert {row["episodes"] for row in found} == {1}
    assert asked.figure(found) is not None
    assert asked.figure([]) is None


# --- latents ---------------------------------------------------------------------------------------------


def test_exact_latents_are_as_predictable_everywhere_and_a_perceptrons_are_not(store):
    found = rows(LatentStep(orbit=5, read=500, scale="small", **FEW), store, worlds=("pusht",))
    by = {arm: [row for row in found if row["arm"] == arm] for arm in LatentStep.arms}
    for of in by.values():
        *orbit, model = of
        assert [row["element"] for row in orbit] == [*range(5)]
        assert model["rank_effective"] <= model["rank_most"]
        assert all(row["read_rms"] > 0 and row["readout_rms"] > 0 for row in orbit)
    (own, plain) = ([row["relative_error"] for row in of[:-1]] for of in by.values())
    assert max(own) - min(own) < 1e-9 * max(own)
    assert max(plain) - min(plain) > 1e-3 * max(plain)  # negative control, hardly trained


def test_only_where_the_corners_are_known(store):
    with pytest.raises(ArgumentError, match="corners are read"):
        LatentStep(scale="small").cells(Plan(worlds=("cloudpush",)))


# --- told g ----------------------------------------------------------------------------------------------


def test_what_is_told_and_how_the_scene_is_turned(store):
    asked = Told(orbit=3, tasks=3, task_steps=20, scale="small", **FEW)
    arms = ("equivariant", "equivariant, no door", "plain")
    found = rows(asked, store, worlds=("pusht",), arms=arms)
    strayed = {}
    for row in found:
        where = row["arm"], row["way"], row["told"]
        strayed[where] = max(strayed.get(where, 0.0), row["deviation_max"])
    ways = {(arm, way, told) for arm in arms for way in (ACTIVE, PASSIVE) for told in (False, True)}
    assert set(strayed) == ways - {("equivariant", way, True) for way in (ACTIVE, PASSIVE)}
    for way in (ACTIVE, PASSIVE):
        assert strayed["equivariant", way, False] < 1e-6
        # Without the door the model alone is not enough; told g, it is as good as float32 allows.
        assert strayed["equivariant, no door", way, False] > 1.0
        assert strayed["equivariant, no door", way, True] < 1.0
        assert strayed["plain", way, True] > 1.0  # negative control
    # A simulator that has the symmetry makes no difference of the two ways.
    for arm in arms[:2]:
        active, passive = (strayed[arm, way, False] for way in (ACTIVE, PASSIVE))
        assert active == pytest.approx(passive, rel=0.5, abs=1e-6)


def test_only_planners_of_actions_that_turn_can_be_told_g():
    symmetry = replace(symmetry_of("equiworld/PushT-v0"), action=Scalar(2))
    with pytest.raises(ArgumentError, match="vectors"):
        told(CEM(), symmetry, symmetry.group.identity())
