"""Why is this simulator symmetric, or why is it not: maps, differences, and the share of each in the deviation."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from equiworld.arguments import integer
from equiworld.errors import ArgumentError
from equiworld.verify.mechanism.causes import causes_of
from equiworld.verify.mechanism.derive import derive_maps
from equiworld.verify.mechanism.differences import differences_of, option_differences, stale_constants
from equiworld.verify.mechanism.dynamics import stable_starts
from equiworld.verify.mechanism.loading import add_floor, load_model
from equiworld.verify.mechanism.measuring import Measure
from equiworld.verify.mechanism.mending import constants_mend, option_mends, parameter_mends
from equiworld.verify.mechanism.model_map import Model, ModelMap
from equiworld.verify.mechanism.parameters import element_name
from equiworld.verify.mechanism.report import Explanation, Mechanism
from equiworld.verify.mechanism.root_mends import root_mends
from equiworld.verify.mechanism.roots import standing_geoms
from equiworld.verify.mechanism.starts import Start, starts_of
from equiworld.verify.mechanism.turn import WorldTurn

__all__ = ["explain"]

_ANGLE = 0.7  # [rad], no fraction of a turn


def explain(
    source: Any,
    starts: int = 24,
    steps: int = 30,
    seed: int = 0,
    reference: ArrayLike | None = None,
    tolerance: float | None = None,
    gravity: bool = True,
    floor: bool = False,
    maps: bool = True,
) -> Mechanism:
    """Derive the symmetries of a MuJoCo mechanism from its model, try them on its dynamics, and say what breaks them.

    For each mirror and turn that maps the mechanism to itself: the map of joints and actuators, what of the model
    differs under it, by how much g·(simulate s) and simulate (g·s) differ, and the share of each difference in that,
    found by mending one after another and measuring again. Models are copied; the given one stays as it is.

    Args:
        source: a mujoco.MjModel, an XML file or text, a Gymnasium MuJoCo environment, which
            is reset, or its id.
        starts: states that simulations begin at; random controls lead to them.
        steps: of the simulator, from each.
        seed: of states and controls.
        reference: a pose `(nq,)` that is its own image; the model's own, or a key frame, if None.
        tolerance: how far a joint may be from where its image should be [m]; 0.5 % of the mechanism's size if None.
        floor: whether to put a plane under a robot whose file comes without one.
        maps: whether to try the mirrors and turns that map the mechanism to itself.
        gravity: whether to try turns of the world about gravity too, which exchange nothing.

    Raises:
        ArgumentError: no such model, or nothing in it moves.

    >>> found = explain("Walker2d-v5", starts=4)
    >>> [(each.name, each.exact) for each in found.explanations]
    [('mirror y', True)]
    >>> found.explanations[0].joints["thigh_joint"]
    '+thigh_left_joint'
    """
    begin = time.perf_counter()
    starts, steps = integer("starts", starts, least=1), integer("steps", steps, least=1)
    seed = integer("seed", seed, least=0)
    model, title, poses = load_model(source)
    model = add_floor(source, model) if floor else model
    if not model.nv:
        raise ArgumentError("source", f"{title}, in which nothing moves", "a model with joints")
    if getattr(model, "nactuator", model.nu) != model.nu:
        raise ArgumentError("source", f"{title}, whose actuators take several controls", "one control each")
    derived = derive_maps(model, reference, tolerance, None if poses is None else poses[0])
    pose = derived.maps[0].reference if derived.maps else np.array(model.qpos0)
    begun = stable_starts(model, starts_of(model, pose, starts, steps, seed, poses), steps)
    found = [_of_map(model, each, begun, steps) for each in derived.maps if maps]
    if gravity:
        found += _of_turn(model, begun, steps)
    config = {"starts": starts, "steps": steps, "seed": seed, "timestep": float(model.opt.timestep)}
    took = time.perf_counter() - begin
    missed = _untouched(model, found)
    return Mechanism(title, tuple(found), derived.rejected, stale_constants(model), config, took, missed)


def _untouched(model: Model, found: list[Explanation]) -> tuple[str, ...]:
    """What stands in the world and was met in no state."""
    met = frozenset().union(*(each.deviation.met for each in found))
    left = [geom for geom in standing_geoms(model) if geom not in met] if found else []
    return tuple(element_name(model, "geom", geom) for geom in left)


def _of_map(model: Model, found: ModelMap, begun: list[Start], steps: int) -> Explanation:
    measure = Measure(found, begun, steps)
    deviation = measure(model)
    mends = parameter_mends(model, found)
    constants = constants_mend(model) if mends or stale_constants(model) else None
    causes = causes_of(model, deviation, measure, mends, constants, option_mends(model, found.isometry))
    differences = (*differences_of(model, found), *option_differences(model, found))
    return Explanation(found.name, found, found.joint_names(model), deviation, differences, causes)


def _of_turn(model: Model, begun: list[Start], steps: int) -> list[Explanation]:
    """Rotation of the world about gravity, where its roots can do that."""
    try:
        turn = WorldTurn(model, _ANGLE)
    except ArgumentError:
        return []
    # Not beyond the range of what slides.
    begun = [start for start in begun if turn.within_ranges(start.qpos)]
    if not begun:
        return []
    measure = Measure(turn, begun, steps)
    deviation = measure(model)
    causes = causes_of(model, deviation, measure, root_mends(model), None, option_mends(model, turn.isometry))
    differences = tuple(one for cause in causes.causes for one in cause.differences)
    return [Explanation("turn of the world about gravity", None, {}, deviation, differences, causes)]
