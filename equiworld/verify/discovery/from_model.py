"""A declaration read from a MuJoCo model: what takes another's place, and what turns and shifts with its roots."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import gymnasium as gym

from equiworld.errors import ArgumentError
from equiworld.rollout import EnvLike
from equiworld.symmetry import Symmetry
from equiworld.verify.check.report import SymmetryCheck
from equiworld.verify.check.trials import Move
from equiworld.verify.check_symmetry import check_symmetry
from equiworld.verify.discovery.enlarging import holds
from equiworld.verify.discovery.proposal import with_mirrors
from equiworld.verify.discovery.report import Discovery
from equiworld.verify.discovery.turning import turning_symmetry
from equiworld.verify.mechanism import propose

__all__ = ["from_model", "is_mujoco"]


def is_mujoco(made: gym.Env) -> bool:
    """Whether it holds MuJoCo's own data; told without importing MuJoCo."""
    data = getattr(made.unwrapped, "data", None)
    return type(data).__module__.partition(".")[0] == "mujoco"


def from_model(
    env: EnvLike, made: gym.Env, name: str, settings: Mapping[str, Any], notes: list[str], began: float
) -> Discovery | None:
    """What maps a mechanism to itself or turns it as a whole, and how its observation transforms; None if nothing does.

    Of a mechanism in the plane, all turns with all reflections are proposed; of one in space its own mirrors and turns
    first, which exchange parts, and turns about gravity beside them.

    Args:
        env: checks begin with it.
        made: the environment, with MuJoCo's `model` and `data`.
        name: of it.
        settings: of `check_symmetry`.
        notes: what is to be known besides is added.
        began: when, on `time.perf_counter`.
    """
    proposal = propose(made, seed=settings["seed"], gravity=True)
    notes += [f"not typed: {each}" for each in proposal.untyped]
    proposed, also = proposal.symmetry, None
    audit = None if proposed is None else _confirmed(env, proposed, proposal.move, settings, notes)
    turning = turning_symmetry(made, proposal.mechanism, settings["seed"])
    turned = (
        None if turning.symmetry is None else _confirmed(env, turning.symmetry, turning.move, settings, [])
    )
    if turning.symmetry is None:
        notes.append(f"turns about gravity are not proposed: {'; '.join(turning.left)}")
    elif turned is None or not holds(turned):
        notes.append("turns about gravity were tried and do not hold of what is observed")
    elif proposed is None or with_mirrors(turning.symmetry.group) is None:
        proposed, audit = turning.symmetry, turned  # the model's own mirror is one of its reflections
    else:
        also = turning.symmetry
    if proposed is None:
        notes.append("the MuJoCo model proposes nothing: see verify.mechanism.propose")
        return None
    notes.append("read from the MuJoCo model: joints, actuators and bodies, and what its roots can do")
    if audit is not None and not holds(audit):
        notes.append("the audit contradicts the proposal")
    seconds = time.perf_counter() - began
    return Discovery(name, None, (), (), proposed, audit, tuple(notes), seconds, also)


def _confirmed(
    env: EnvLike, proposed: Symmetry, move: Move | None, settings: Mapping[str, Any], notes: list[str]
) -> SymmetryCheck | None:
    """The check of a proposal; None where it could not be made, which is noted."""
    try:
        return check_symmetry(env, proposed, move=move, **settings)
    except ArgumentError as error:
        notes.append(f"not audited: {error}")
        return None
