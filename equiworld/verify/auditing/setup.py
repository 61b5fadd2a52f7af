"""From an environment as it is given to a simulator whose states can be restored, and moved."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np

from equiworld.errors import ArgumentError
from equiworld.groups import Group
from equiworld.rollout import Replay, Start, reset_env, rollout
from equiworld.symmetry import Field, Symmetry, symmetry_of
from equiworld.symmetry.registry import move_of
from equiworld.verify.auditing.access import Restored, StateAccess
from equiworld.verify.auditing.function_states import FunctionStates
from equiworld.verify.auditing.memory_states import MemoryStates
from equiworld.verify.auditing.mujoco_states import MujocoStates
from equiworld.verify.auditing.own_states import OwnStates
from equiworld.verify.auditing.pusht_states import pusht_states
from equiworld.verify.check.trials import Move, Simulator, Trial
from equiworld.verify.mujoco_model import model_and_data
from equiworld.verify.mujoco_move import mujoco_move

__all__ = ["States", "audited_symmetry", "prepared", "settled"]

States = (
    StateAccess | tuple[Callable[[gym.Env], Mapping[str, Any]], Callable[[gym.Env, Mapping[str, Any]], Any]]
)
"""How a simulator's state is read and written: an access, or two functions, get(env) and set(env, state)."""

_CLOSE = 1e-6  # of what a few steps change: a restored state looks the same


def audited_symmetry(env: gym.Env, symmetry: Symmetry | None, group: Group | None) -> Symmetry:
    """The declaration that is audited, of another group if one is asked for.

    Raises:
        ArgumentError: the declared fields do not say what the group's elements do to them.
        UnknownNameError: nothing is declared.
    """
    declared = symmetry_of(env) if symmetry is None else symmetry
    if group is None or group == declared.group:
        return declared
    if group.dim != declared.dim:
        raise ArgumentError(
            "group", group, f"a group of dimension {declared.dim}, that of {declared.group!r}"
        )
    try:
        return replace(declared, group=group)
    except ArgumentError as error:
        expected = f"a group whose elements the declared fields know; declared is {declared.group!r}"
        raise ArgumentError("group", f"{group!r} ({error})", expected) from error


def prepared(
    env: gym.Env,
    symmetry: Symmetry,
    move: Move | None,
    states: States | None,
    state_fields: Mapping[str, Field] | None,
    seed: int,
) -> Simulator:
    """The simulator with the first access to its states that works; without one if only resets and walks lead there."""
    known = move_of(env) if move is None else move
    if states is None and state_fields:
        raise ArgumentError("state_fields", state_fields, "given with `access`, whose arrays they are of")
    reset_env(env, seed, None)  # some make their engine there
    for access in _accesses(env, symmetry, known, move is not None, states, state_fields):
        restored = Restored(access)
        if states is not None or _works(env, symmetry, restored, seed):
            return Simulator(env, symmetry, known, restored)
    return Simulator(env, symmetry, known)


def _accesses(
    env: gym.Env,
    symmetry: Symmetry,
    move: Move | None,
    given: bool,
    states: States | None,
    state_fields: Mapping[str, Field] | None,
) -> Iterator[StateAccess]:
    """Those that may work, the user's own first."""
    if isinstance(states, StateAccess):
        yield states
        return
    if states is not None:
        if not isinstance(states, tuple | list) or len(states) != 2:
            raise ArgumentError(
                "access", states, "a StateAccess, or two functions, get(env) and set(env, state)"
            )
        yield FunctionStates(*states, symmetry, state_fields)
        return
    if OwnStates.known(env) and not given:
        yield OwnStates()
    known = pusht_states(env, symmetry)
    if known is not None and not given:
        yield known
    if model_and_data(env) is not None:
        yield MujocoStates(mujoco_move if move is None else move)
    elif move is not None:
        yield MemoryStates(move)


def _works(env: gym.Env, symmetry: Symmetry, restored: Restored, seed: int) -> bool:
    """Whether a state that was left comes back: it looks as it did."""
    space = env.action_space
    space.seed(seed)
    actions = [np.asarray(space.sample())[None] for _ in range(6)]
    try:
        seen: list[Any] = []
        snapshot: Any = None
        for step in rollout(Replay(actions), [env], [Start(seed)], steps=6):
            seen.append(step.observation)
            if step.number == 2:
                snapshot = restored.get(env)
        if snapshot is None:
            return False
        again = restored.begin(env, snapshot, symmetry.group.identity())
    except Exception:  # whatever an engine's objects raise when they are copied
        return False
    arrays = [symmetry.observed(each) for each in (*seen, again)]
    for name, back in arrays[-1].items():
        told = np.stack([np.asarray(each[name], np.float64) for each in arrays[:-1]])
        allowed = _CLOSE * max(float(np.ptp(told, axis=0).max(initial=0.0)), 1e-3)
        if np.abs(np.asarray(back, np.float64) - told[2]).max(initial=0.0) > allowed:
            return False
    return True


def settled(simulator: Simulator, seed: int) -> None:
    """Find out which dtype of actions it takes."""
    space = simulator.env.action_space
    space.seed(seed)
    simulator.settle_dtype(Trial(seed, (), (np.asarray(space.sample(), np.float64),)))
