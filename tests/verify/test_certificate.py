"""Certificates: exact loops pass, and every way not to be exact fails."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

import equiworld.envs  # noqa: F401  registers PushT
from equiworld.envs.pusht.simulation import PushTState
from equiworld.errors import ArgumentError, SimulationError, UnknownNameError
from equiworld.groups import E2, O2, SE2, SE3, SO2, Cyclic, Dihedral, GroupElement
from equiworld.results import read_json
from equiworld.symmetry import Point, Symmetry, Vector, register_symmetry, registry
from equiworld.verify.certificate import certify
from equiworld.verify.elements import describe, rotation_angle


class Push:
    """Walks into the block, on towards where the goal is: exactly equivariant."""

    dtype = "float64"

    def predict(self, obs, state=None, episode_start=None, deterministic=True):
        action = 0.5 * (obs["block_pos"] - obs["agent_pos"]) + 0.1 * (obs["goal_pos"] - obs["block_pos"])
        length = np.linalg.norm(action, axis=-1, keepdims=True)
        return action * np.minimum(1.0, 60.0 / np.maximum(length, 1e-9)), state


class Biased(Push):
    """The same with a bias of the world's frame: 0.01 px to the right."""

    def predict(self, obs, state=None, episode_start=None, deterministic=True):
        action, state = super().predict(obs, state)
        return action + np.array([0.01, 0.0]), state


class Boxed(Push):
    """The same, clamped to a box in place of a ball."""

    def predict(self, obs, state=None, episode_start=None, deterministic=True):
        action, state = super().predict(obs, state)
        return np.clip(action, -20.0, 20.0), state


class Restless(Push):
    """The same with noise that nobody seeded."""

    def __init__(self):
        self.rng = np.random.default_rng(0)

    def predict(self, obs, state=None, episode_start=None, deterministic=True):
        action, state = super().predict(obs, state)
        return action * self.rng.uniform(0.9, 1.0), state


class Remembering(Push):
    """The same, in steps that grow with what `state` remembers."""

    def predict(self, obs, state=None, episode_start=None, deterministic=True):
        count = np.where(episode_start, 0, 0 if state is None else state) + 1
        action, _ = super().predict(obs, state)
        return action * (1 - 0.9 ** count[:, None]), count


class Still(Push):
    """Does nothing: equivariant, and proves nothing."""

    def predict(self, obs, state=None, episode_start=None, deterministic=True):
        return np.zeros_like(obs["agent_pos"]), state


def pusht(walls=False, **settings):
    return gym.make("equiworld/PushT-v0", walls=walls, **settings)


SHORT = {"elements": 5, "episodes": 2, "steps": 30}


@pytest.mark.exact
@pytest.mark.parametrize("policy", [Push(), Remembering()])
def test_an_equivariant_policy_without_walls_passes(policy):
    certificate = certify(policy, pusht(), modes=("active", "passive"), elements=8, episodes=3, steps=40)
    assert certificate.passed
    assert certificate.max_deviation <= 1e-8
    assert certificate.orbit("active").max_deviation > 0  # another simulation, not the same numbers again
    assert certificate.elements[0].is_close(SE2().identity())
    assert not any(g.is_close(SE2().identity()) for g in certificate.elements[1:])
    assert certificate.orbit("active").motion > 10
    assert "active PASSED" in certificate.verdict
    assert "passive PASSED" in certificate.verdict


@pytest.mark.parametrize("policy", [Biased(), Boxed()])
@pytest.mark.parametrize("mode", ["active", "passive"])
def test_a_policy_with_a_preferred_direction_fails(policy, mode):
    certificate = certify(policy, pusht(), modes=(mode,), **SHORT)
    assert not certificate.passed
    assert certificate.max_deviation > 1e-3
    assert certificate.orbit(mode).repeat_deviation <= 1e-9  # reproducible: it is the turning that does it
    assert "deviate" in str(certificate)


def test_walls_break_the_active_orbit_and_not_the_passive():
    certificate = certify(Push(), pusht(walls=True), SO2(), modes=("active", "passive"), **SHORT, seed=4)
    assert not certificate.passed
    assert not certificate.orbit("active").passed(1e-6, 0.1)
    assert certificate.orbit("passive").passed(1e-6, 0.1)
    assert "away from the walls" in str(certificate)


def test_starts_that_the_environment_refuses_are_counted():
    certificate = certify(Push(), pusht(walls=True), **{**SHORT, "steps": 3}, translation_scale=400.0)
    orbit = certificate.orbit("active")
    assert orbit.refused
    assert not certificate.passed
    assert "starts were refused" in str(certificate)
    index, episode = next(iter(orbit.refused))
    assert np.isnan(orbit.deviation[index, episode]).all()


def test_a_policy_that_is_not_reproducible_is_told_so():
    certificate = certify(Restless(), pusht(), **SHORT)
    assert not certificate.passed
    assert certificate.orbit("active").repeat_deviation > 1e-3
    assert "not reproducible" in str(certificate)


def test_a_loop_at_rest_proves_nothing():
    certificate = certify(Still(), pusht(), **SHORT)
    assert certificate.max_deviation <= 1e-8
    assert not certificate.passed
    assert "at rest" in str(certificate)


@pytest.mark.exact
def test_float32_needs_a_tolerance_of_its_own():
    class Rounded(Push):
        def predict(self, obs, state=None, episode_start=None, deterministic=True):
            return super().predict({k: v.astype(np.float32) for k, v in obs.items()}, state)

    assert not certify(Rounded(), pusht(), **SHORT).passed
    assert certify(Rounded(), pusht(), **SHORT, tolerance=0.1).passed


def test_success_is_compared_task_by_task_and_may_end_episodes():
    start = PushTState((150.0, 255.0), (0.0, 0.0), (255.0, 255.0, 0.0), goal=(300.0, 255.0, 0.0))
    options = {"state": start}
    env = pusht(success_coverage=0.5)
    going_on = certify(Push(), env, **SHORT, options=options, seed=1)
    stopping = certify(Push(), env, **SHORT, options=options, seed=1, stop_at_success=True)
    solved = stopping.orbit("active").success_step
    assert (solved == stopping.orbit("active").reference_success_step).all()
    assert (solved == going_on.orbit("active").success_step).all()
    assert (solved > 1).all()
    assert going_on.passed
    assert stopping.passed
    for index, step in np.argwhere(solved >= 0):
        after = stopping.orbit("active").deviation[index, step, solved[index, step] + 1 :]
        assert np.isnan(after).all()
    assert not np.isnan(going_on.orbit("active").deviation).any()


class Plane(gym.Env):
    """A point that one moves, which may start at g·s, pretend to, or refuse."""

    observation_space = spaces.Dict({"position": spaces.Box(-np.inf, np.inf, (2,), np.float64)})
    action_space = spaces.Box(-np.inf, np.inf, (2,), np.float64)

    def __init__(self, starts="turned", drift=0.0, solved_right=False, breaks=False):
        self.starts, self.drift, self.solved_right, self.breaks = starts, drift, solved_right, breaks

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.position = self.np_random.uniform(-1.0, 1.0, 2)
        g = (options or {}).get("group_element")
        if g is not None and self.starts == "refuses":
            raise ValueError("unknown option group_element")
        if g is not None and self.starts == "turned":
            self.position = g.act(self.position)
        self.turned = g
        return {"position": self.position.copy()}, {}

    def step(self, action):
        if self.breaks and self.turned is not None and not self.turned.is_close(SO2().identity()):
            raise RuntimeError("engine failure")
        self.position = self.position + action + [self.drift, 0.0]
        info = {"is_success": bool(self.solved_right and self.position[0] > 0)}
        return {"position": self.position.copy()}, 0.0, False, False, info


class Inwards:
    def predict(self, obs, state=None, episode_start=None, deterministic=True):
        return -0.1 * obs["position"], state


@pytest.fixture(autouse=True)
def plane_symmetry(monkeypatch):
    monkeypatch.setattr(registry, "_ENTRIES", dict(registry._ENTRIES))
    register_symmetry("Plane", Symmetry(O2(), {"position": Point()}, Vector(), length_scale=0.1))


@pytest.mark.exact
@pytest.mark.parametrize("group", [None, SO2(), Cyclic(4), Dihedral(3)])
def test_other_environments_and_groups(group):
    certificate = certify(Inwards(), Plane, group, **SHORT)
    assert certificate.passed
    assert len(certificate.elements) == 1 + {"Cyclic(4)": 3}.get(getattr(group, "name", ""), 5)
    assert np.isnan(certificate.orbit("active").final_error).all()  # no goal is declared


def test_the_final_error_may_come_from_info():
    env = pusht()
    start, _ = env.reset(seed=0)
    goal = (*start["block_pos"], *start["block_heading"])  # it is there, and pushed away
    certificate = certify(
        Push(), env, elements=3, episodes=1, steps=30, options={"goal": goal}, error="coverage"
    )
    (orbit,) = certificate.orbits
    assert ((orbit.final_error > 0) & (orbit.final_error < 1)).any()
    assert np.abs(orbit.final_error - orbit.reference_final_error).max() < 1e-9


def test_dynamics_with_a_drift_fail_actively_only():
    certificate = certify(Inwards(), lambda: Plane(drift=1e-4), modes=("active", "passive"), **SHORT)
    assert not certificate.orbit("active").passed(1e-9, 0.0)
    assert certificate.orbit("passive").passed(1e-9, 0.0)


def test_outcomes_that_differ_fail_though_nothing_deviates():
    certificate = certify(Inwards(), lambda: Plane(solved_right=True), SO2(), **SHORT)
    assert certificate.max_deviation < 1e-9
    assert certificate.orbit("active").outcome_differs.any()
    assert not certificate.passed
    assert "ended otherwise" in str(certificate)


@pytest.mark.parametrize("starts", ["refuses", "pretends"])
def test_an_environment_that_cannot_start_turned_is_told_how(starts):
    with pytest.raises(ArgumentError, match=r"group_element.*passive"):
        certify(Inwards(), lambda: Plane(starts), **SHORT)
    assert certify(Inwards(), lambda: Plane(starts), modes=("passive",), **SHORT).passed


def test_an_environment_that_fails_on_the_way_names_episode_and_step():
    with pytest.raises(SimulationError, match="seed 3 at step 0: engine failure"):
        certify(Inwards(), lambda: Plane(breaks=True), **SHORT, seed=3)


def test_wrong_arguments_are_named():
    for changes, name in (
        ({"elements": 0}, "elements"),
        ({"steps": 0}, "steps"),
        ({"modes": ()}, "modes"),
        ({"modes": ("turned",)}, "modes"),
        ({"group": SE3()}, "group"),
        ({"group": Cyclic(1)}, "group"),
        ({"success": "solved"}, "success"),
        ({"success": lambda info: True}, "success"),
        ({"error": "coverage"}, "error"),
        ({"error": 3}, "error"),
        ({"error": "status"}, "error"),
        ({"error": lambda seen: "far"}, "error"),
        ({"error": lambda seen: 0.0}, "error"),
        ({"error": lambda: None}, "error"),
        ({"seed": -1}, "seed"),
        ({"seed": None}, "seed"),
        ({"group": "SE2"}, "group"),
        ({"symmetry": SE2()}, "symmetry"),
        ({"options": [1]}, "options"),
        ({"modes": "passive"}, "modes"),
        ({"modes": (["active"],)}, "modes"),
        ({"modes": 2}, "modes"),
        ({"stop_at_success": 1}, "stop_at_success"),
        ({"tolerance": "small"}, "tolerance"),
        ({"tolerance": np.nan}, "tolerance"),
        ({"translation_scale": -1.0}, "translation_scale"),
    ):
        with pytest.raises(ArgumentError, match=f"^{name}: got "):
            certify(Inwards(), Plane, **{**SHORT, **changes})
    with pytest.raises(UnknownNameError):
        certify(Inwards(), "CartPole-v1", **SHORT)
    unjudged = certify(Inwards(), Plane, **SHORT, success=None)
    assert unjudged.passed
    assert "success" not in unjudged.table()
    assert {row["success"] for row in unjudged.to_result()["rows"]} == {None}


def test_success_may_be_a_function_of_what_is_observed():
    def near(info, observation):
        return bool(np.linalg.norm(observation["block_pos"] - observation["agent_pos"]) < 150.0)

    found = certify(Push(), pusht(), **SHORT, success=near)
    assert found.passed
    assert (found.orbit("active").success_step >= 0).sum() > 0
    assert "near(info, observation) at any step" in found.config["success"]
    assert "success" in found.table()

    def eastern(info, observation):  # names a direction of the world
        return bool(observation["agent_pos"][0] > 255.5)

    assert not certify(Push(), pusht(), **SHORT, success=eastern).passed


@pytest.fixture(scope="module")
def certificate():
    return certify(Push(), pusht(), **SHORT, modes=("active", "passive"))


def test_what_is_saved_says_everything(tmp_path, certificate):
    result = read_json(certificate.save(tmp_path / "certificate.json"))
    config = result["config"]
    assert [config[key] for key in ("env", "group", "dtype")] == ["equiworld/PushT-v0", "E2", "float64"]
    assert config["env_settings"] == {"walls": "False"}
    again = GroupElement.stack([GroupElement.from_dict(g) for g in config["elements"]])
    assert np.array_equal(again.matrix, certificate.elements.matrix)
    assert len(config["modes"]["active"]["deviation_by_step"]) == 31
    # by mode: 2 reference episodes, then 6 elements with 2 each
    assert len(result["rows"]) == 2 * (2 + 6 * 2)
    row = result["rows"][-1]
    assert row["mode"] == "passive"
    assert row["max_deviation"] <= 1e-8
    assert row["final_error"] > 0
    assert '"benchmark": "certify"' in certificate.to_json()
    for line in certificate.table().splitlines()[2:]:
        assert line.startswith(("active", "passive"))


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_the_figure_is_drawn(tmp_path, certificate, suffix):
    path = certificate.plot(tmp_path / f"certificate.{suffix}")
    assert path.stat().st_size > 1000
    with pytest.raises(ArgumentError, match="suffix"):
        certificate.plot(tmp_path / "certificate.tune")


def test_elements_are_described_in_words():
    g = SE2().translation([3.0, 4.0]) @ SE2().rotation(np.pi / 2)
    assert describe(g) == "90.0°, shifted 5"
    assert "mirrored" in describe(next(iter(E2().element(np.diag([1.0, -1.0]))[None])))
    assert rotation_angle(SE3().rotation([0.0, 0.3, 0.4])) == pytest.approx(0.5)
