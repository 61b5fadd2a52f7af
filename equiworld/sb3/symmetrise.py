"""Any policy, made exactly equivariant by deciding in the frame at the door."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import gymnasium as gym

from equiworld.arguments import flag, instance
from equiworld.errors import ArgumentError
from equiworld.groups import GroupElement
from equiworld.sb3.frames import HOW, How
from equiworld.sb3.functions import as_policy
from equiworld.sb3.symmetrised import Symmetrised
from equiworld.sb3.worlds import check_world
from equiworld.symmetry import Door, Symmetry, symmetry_of
from equiworld.symmetry.limits import Limits
from equiworld.symmetry.spaces import scales_of_space
from equiworld.symmetry.validation import names_of

if TYPE_CHECKING:
    from equiworld.verify.certificate import Certificate
    from equiworld.verify.check_symmetry import SymmetryCheck

__all__ = ["symmetrise"]

_GOALS = ("goal", "target")


def symmetrise(
    policy: Any,
    symmetry: Symmetry | Any,
    *,
    reference_pose: GroupElement | None = None,
    ignore: Sequence[str] = (),
    scales: Mapping[str, float] | None = None,
    bound: Literal["ball", "box"] = "ball",
    certificate: Certificate | SymmetryCheck | Any = None,
    anyway: bool = False,
    how: How = "representative",
    seed: int = 0,
) -> Any:
    """Make any policy exactly equivariant, without training it again.

    The policy is asked about each observation as it looks in its frame (see `equiworld.symmetry.Door`), and its action
    is turned back: π′(g·o) = ρ(g)·π′(o) to the rounding of one rotation, whatever the policy is. It is *good* only
    where the frame's pose is one that the policy was trained on, and where the task itself turns: goals have to be
    observed, and the world has to carry the symmetry.

    Args:
        policy: anything with `predict(observation, state, episode_start, deterministic)`, of stable-baselines3 say; or
            a function `observation -> action (size,)` of one observation, without memory; a torch module, whose
            outputs are actions or a distribution of them; or the path of an ONNX file, run by onnxruntime. Planners
            that remember something come as `equiworld.planners.PerEnvironment(factory)`.
        symmetry: how observations and actions transform; or an environment, vectorised or not, or its id, whose
            symmetry is registered: then actions stay within its action space and have its dtype.
        reference_pose: where the body stands in what the policy is shown: at the symmetry's centre, unturned, if None.
        ignore: keys of observations that no field declares; they are withheld from the policy.
        scales: by field, a typical size of its numbers; see `Door`.
        bound: what of a box bounds a vector: the largest "ball" in it, which turns; or the whole "box", which cuts off
            what is turned out of it.
        certificate: what `certify` found in this environment, with its mode "active"; what `check_symmetry` found; or
            an audit that says in `passed` whether the world carries the symmetry.
        anyway: whether to go on where that shows that the world does not carry the symmetry.
        how: "representative" asks in one frame, the canonical one, and jumps where that changes (see
            `Symmetrised.seams`). "average", of a finite group, asks in all frames and takes the mean, which does not
            jump, but may be between two good actions; a draw is never averaged, it is made in one frame. "random" asks
            in one frame, drawn for each episode: for policies that are to be judged in all poses they know.
        seed: of frames that are drawn.

    Returns:
        A policy with the same protocol. What decides behind a door already comes back as it is; an `MPCPolicy` without
        one gets this one.

    Raises:
        ArgumentError: no policy; actions that no frame has a place for; an environment that normalises observations
            number by number; or a certificate of a world that does not carry the symmetry.

    Warns:
        UserWarning: no goal is observed. A goal that only the environment knows does not turn with what is decided.
            Or less is left of some numbers of an action than its space allows.

    >>> import gymnasium as gym, numpy as np, equiworld as ew
    >>> def east(observation):  # runs east: as far from equivariant as can be
    ...     return np.array([1.0, 0.0])
    >>> policy = symmetrise(east, "equiworld/PushT-v0")
    >>> observation, _ = gym.make("equiworld/PushT-v0").reset(seed=0)
    >>> g = ew.SE2().rotation(2.0)
    >>> turned = ew.symmetry_of("equiworld/PushT-v0").transform_observation(g, observation)
    >>> bool(abs(policy.predict(turned)[0] - g.rotate(policy.predict(observation)[0])).max() < 1e-12)
    True
    """
    policy = as_policy(policy)
    if not isinstance(bound, str) or bound not in ("ball", "box"):
        raise ArgumentError("bound", repr(bound), "what of a box bounds a vector", ("ball", "box"))
    found, ignore = symmetry_of(symmetry), names_of("ignore", ignore)
    if scales is not None:
        instance("scales", scales, Mapping)
    if not flag("anyway", anyway) and certificate is not None:
        check_world(certificate)
    if not isinstance(how, str) or how not in HOW:
        raise ArgumentError("how", repr(how), "in which frames the policy is asked", HOW)
    if getattr(policy, "door", None) is not None:
        if how != "representative":
            raise ArgumentError("how", repr(how), "a policy that does not decide behind a door already")
        return policy
    observed, acted = _spaces(symmetry)
    known, single = ({}, False) if observed is None else scales_of_space(found, observed)
    limits = Limits.of_space(found, acted, bound) if isinstance(acted, gym.spaces.Box) else Limits()
    for why in limits.narrowing:
        warnings.warn(why, UserWarning, stacklevel=2)
    door = Door(found, None, {**known, **(scales or {})}, single, reference_pose)
    _warn_of_goals(found, bare=observed is None)
    if callable(getattr(policy, "behind", None)) and not ignore and reference_pose is None and how == HOW[0]:
        return policy.behind(door, limits)  # which knows how to carry its memory from frame to frame
    return Symmetrised(policy, door, ignore, limits, how, seed)


def _spaces(env: Any) -> tuple[gym.Space | None, gym.Space | None]:
    """What one environment shows and takes; None of a bare Symmetry, and of an id that Gymnasium cannot make."""
    if isinstance(env, Symmetry):
        return None, None
    if isinstance(env, str):
        if env.rpartition(":")[2] not in gym.registry:
            return None, None
        made = gym.make(env, disable_env_checker=True)
        try:
            return made.observation_space, made.action_space
        finally:
            made.close()
    return (
        getattr(env, "single_observation_space", None) or env.observation_space,
        getattr(env, "single_action_space", None) or env.action_space,
    )


def _warn_of_goals(symmetry: Symmetry, bare: bool) -> None:
    """Say once, when the policy is made, that no goal is observed."""
    if symmetry.goal:
        return
    told = [name for name in symmetry.info if any(word in name.lower() for word in _GOALS)]
    if told:
        what = f"the goal is not observed, only told as info[{told[0]!r}]"
    elif not bare:
        what = "the symmetry declares no goal"
    else:
        return
    warnings.warn(
        f"{what}: what is decided turns with what is observed, while a goal or a direction that is not observed stays "
        "where it is. Observe it and declare it (Symmetry(goal=…)); if the task turns without one, nothing is amiss",
        UserWarning,
        stacklevel=3,
    )
