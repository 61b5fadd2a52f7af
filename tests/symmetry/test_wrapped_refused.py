"""Wrappers that break a symmetry are refused, also where only their class or another process tells of them."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import wrappers
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv

from equiworld.errors import ArgumentError, UnknownNameError
from equiworld.groups import SE2, SO2, Cyclic
from equiworld.sb3 import with_symmetry
from equiworld.symmetry import Point, Scalar, Symmetry, Vector, register_symmetry, symmetry_of

PUCK, SAYING, SILENT = "test/KnownPuck-v0", "test/SayingPuck-v0", "test/SilentPuck-v0"
TURNS = Symmetry(SO2(), {"v": Vector()}, action=Vector(), flat=True)
BOX = gym.spaces.Box(-9.0, 9.0, (2,), np.float64)


class Puck(gym.Env):
    """A velocity that is pushed."""

    observation_space = BOX
    action_space = gym.spaces.Box(-1.0, 1.0, (2,), np.float64)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        g, self.v = (options or {}).get("group_element"), self.np_random.uniform(-3, 3, 2)
        self.v = self.v if g is None else g.rotate(self.v)
        return self.v.copy(), {}

    def step(self, action: Any) -> Any:
        self.v = self.v + np.asarray(action)
        return self.v.copy(), 0.0, False, False, {}


class Saying(Puck):
    """Says itself how it turns."""

    symmetry = TURNS


class Silent(Puck):
    """Of which nothing is known."""


for env_id, kind in ((PUCK, Puck), (SAYING, Saying), (SILENT, Silent)):
    if env_id not in gym.registry:
        gym.register(env_id, kind)
register_symmetry(PUCK, TURNS)


# ------------------------------------------------------------------------------------------ in other processes


class Weaker(gym.ActionWrapper):
    """Another scale for each axis."""

    def action(self, action: Any) -> Any:
        return action * np.array([1.0, 0.2])


class Recorded(Weaker, RecordConstructorArgs):
    """The same, which can be made again."""

    def __init__(self, env: gym.Env) -> None:
        RecordConstructorArgs.__init__(self)
        super().__init__(env)


class Steps(gym.Wrapper):
    """A step of its own."""

    def step(self, action: Any) -> Any:
        return super().step(action)


class Says(gym.Wrapper):
    """Its own word on how it turns."""

    symmetry = Symmetry(Cyclic(1), {"v": Vector()}, action=Vector(), flat=True)


class Pays(gym.RewardWrapper):
    """Another reward."""

    def reward(self, reward: Any) -> Any:
        return 2 * reward


class Named(gym.Wrapper):
    """Nothing of its own."""


def weaker() -> gym.Env:
    return Weaker(gym.make(PUCK))


def recorded() -> gym.Env:
    return Recorded(gym.make(PUCK))


def steps() -> gym.Env:
    return Steps(gym.make(PUCK))


def says() -> gym.Env:
    return Says(gym.make(PUCK))


def pays() -> gym.Env:
    return Pays(Named(gym.make(PUCK)))


def saying() -> gym.Env:
    return gym.make(SAYING)


def told() -> gym.Env:
    return with_symmetry(gym.make(PUCK), Says.symmetry)


def found(several: Any) -> Any:
    """The group, or None where it is refused."""
    try:
        return symmetry_of(several).group
    except ArgumentError:
        return None
    finally:
        several.close()


MAKERS = {
    weaker: None,
    recorded: None,
    steps: SO2(),
    says: Cyclic(1),
    pays: SO2(),
    saying: SO2(),
    Saying: SO2(),
    told: Cyclic(1),
}


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_environments_in_other_processes_are_what_those_in_this_one_are(make: Any) -> None:
    assert [found(kind([make, make])) for kind in (SyncVectorEnv, AsyncVectorEnv)] == [MAKERS[make]] * 2


@pytest.mark.parametrize(
    "make", [weaker, recorded, steps, says, pays, saying, told], ids=lambda make: make.__name__
)
def test_what_a_class_alone_does_not_tell_is_refused(make: Any) -> None:
    """`SubprocVecEnv` keeps no function to make one of: a wrapper that records nothing is known by its class."""
    vec_env = pytest.importorskip("stable_baselines3.common.vec_env")
    assert found(vec_env.DummyVecEnv([make])) == MAKERS[make]
    expected = None if make in (steps, says) else MAKERS[make]
    assert found(vec_env.SubprocVecEnv([make], start_method="fork")) == expected


def test_the_error_names_the_wrapper_and_the_way_out() -> None:
    vec_env = pytest.importorskip("stable_baselines3.common.vec_env")
    several = vec_env.SubprocVecEnv([weaker], start_method="fork")
    with pytest.raises(
        ArgumentError, match=r"^env: got one in Weaker, in another process.*RecordConstructorArgs"
    ):
        symmetry_of(several)
    several.close()


def test_what_an_environment_says_itself_is_found_by_its_id() -> None:
    assert symmetry_of(SAYING) == symmetry_of(gym.make(SAYING)) == TURNS
    with pytest.raises(UnknownNameError, match=SILENT):
        symmetry_of(SILENT)


# --------------------------------------------------------------------------------------------- what is shown


class Skips(wrappers.MaxAndSkipObservation):
    """Of a class that is refused."""


class Stacks(wrappers.FrameStackObservation):
    """Of a class that is followed, and the same."""


class Stutters(wrappers.FrameStackObservation):
    """Of a class that is followed, and not the same."""

    def step(self, action: Any) -> Any:
        seen, *rest = super().step(action)
        return np.abs(seen), *rest


class Limits(wrappers.TimeLimit):
    """Of a class that leaves observations alone."""

    def step(self, action: Any) -> Any:
        return super().step(action)


def padded(padding: Any) -> gym.Env:
    return wrappers.FrameStackObservation(Saying(), 2, padding_type=padding)


def turns(env: gym.Env) -> bool:
    """Whether what is shown first turns as the declaration that was found says."""
    symmetry, g = symmetry_of(env), SO2().rotation(1.0)
    here, there = (env.reset(seed=0, options=options)[0] for options in (None, {"group_element": g}))
    return bool(np.abs(there - symmetry.transform_observation(g, here)).max() <= 1e-6)


@pytest.mark.parametrize(
    ("env", "why"),
    [
        (lambda: padded("reset"), None),
        (lambda: padded("zero"), None),
        (lambda: padded(np.zeros(2)), None),
        (
            lambda: padded(np.array([1.0, 0.0])),
            "FrameStackObservation, which begins with the numbers of its padding",
        ),
        (lambda: wrappers.DtypeObservation(Saying(), np.float32), None),
        (
            lambda: wrappers.DtypeObservation(Saying(), np.int32),
            "DtypeObservation, whose int32 numbers do not turn",
        ),
        (
            lambda: wrappers.DtypeObservation(Saying(), np.int8),
            "DtypeObservation, whose int8 numbers do not turn",
        ),
        (lambda: Skips(Saying()), "Skips, whose largest numbers do not turn"),
        (lambda: Stacks(Saying(), 3), None),
        (
            lambda: Stutters(Saying(), 3),
            "Stutters, which has its own step in place of FrameStackObservation's",
        ),
        (lambda: Limits(Saying(), 9), None),
    ],
)
def test_what_does_not_turn_is_refused_and_all_else_turns(env: Any, why: str | None) -> None:
    if why is None:
        assert turns(env())
    else:
        with pytest.raises(ArgumentError, match=f"^env: got (one in )?{why}"):
            symmetry_of(env())


def test_integers_side_by_side_are_refused_too() -> None:
    several = SyncVectorEnv([Saying, Saying])
    assert symmetry_of(wrappers.vector.DtypeObservation(several, np.float32)) == TURNS
    with pytest.raises(ArgumentError, match="DtypeObservation, whose int64 numbers do not turn"):
        symmetry_of(wrappers.vector.DtypeObservation(several, np.int64))


@pytest.mark.parametrize(("place", "stays"), [((3.0, -1.0), True), ((0.0, 0.0), False)])
def test_padding_at_the_centre_stays_where_it_is(place: tuple[float, float], stays: bool) -> None:
    class Placed(Puck):
        """A point about another centre."""

        symmetry = Symmetry(SO2(), {"at": Point()}, action=Vector(), centre=(3.0, -1.0), flat=True)

    env = wrappers.FrameStackObservation(Placed(), 2, padding_type=np.array(place))
    if stays:
        assert symmetry_of(env).group == SO2()
    else:
        with pytest.raises(ArgumentError, match="those of 'at'"):
            symmetry_of(env)


def test_padding_that_nothing_moves_is_followed() -> None:
    class Counts(Puck):
        """Numbers that stay as they are."""

        symmetry = Symmetry(SE2(), {"all": Scalar(2)}, action=Vector(), flat=True)

    assert (
        symmetry_of(wrappers.FrameStackObservation(Counts(), 2, padding_type=np.array([1.0, 2.0]))).group
        == SE2()
    )
