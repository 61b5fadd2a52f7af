"""All planted faults in one list, each put to what is to find and name it; `python planted_faults.py` prints it.

With the file of Unitree's G1 as argument, maps of its 29 joints with one wrong entry too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from declaration_cases import PLANTED, PLANTED_ROBOTS, TRUE, TRUE_ROBOTS, exchange_legs
from noisy_puck import NoisyPuck
from puck import SYMMETRY, Puck, move_puck
from recorded_arm import SIDES, arm, arms, claims

import equiworld as ew
from equiworld.groups import O2
from equiworld.verify.maps import SignedOrder, SymmetryMap, check_map
from equiworld.verify.recordings import check_recording

CAUSES = {"ant, cones": "pyramidal friction cones"}
"""What is named in the place of a field."""
SMALL: dict[str, Any] = {"states": 8, "horizon": 3, "seed": 1}


@dataclass(frozen=True)
class Outcome:
    """Whether a planted fault was found, and named; of what is true, whether nothing was."""

    kind: str
    name: str
    found: bool
    named: bool


class UnevenPuck(Puck):
    """A puck with what nobody declares: drag that is larger along y, a push that is off, or a cache.

    Args:
        drag: how much larger, as a share of it.
        bias: of the actuator along x.
        cache: how much of the last push is felt again; it is kept where no copy of a state reaches it.
    """

    def __init__(self, drag: float = 0.0, bias: float = 0.0, cache: float = 0.0) -> None:
        super().__init__()
        self.drag, self.bias, self.cache, self.kept = drag, bias, cache, _Kept()

    def step(self, action: Any) -> Any:
        self.speed = self.speed * (1.0, 1.0 - 0.1 * self.drag)
        push = np.asarray(action, np.float64) + (self.bias, 0.0) + self.cache * self.kept.push
        self.kept.push = np.array(action, np.float64)
        return super().step(push)


class _Kept:
    """The last push, shared by all copies."""

    def __init__(self) -> None:
        self.push = np.zeros(2)

    def __deepcopy__(self, memo: Any) -> _Kept:
        return self


def audited(env: Any, symmetry: Any = None, **settings: Any) -> ew.verify.audit.Audit:
    """An audit by the move that belongs to the environment."""
    move = move_puck if isinstance(env.unwrapped, Puck) else None
    move = exchange_legs if "HalfCheetah" in str(env) else move
    return ew.audit(env, symmetry=symmetry, move=move, **{**SMALL, **settings})


def of_declarations(kind: str, cases: dict[str, Any]) -> Iterator[Outcome]:
    """Wrong types, centres, signs, orders and places; worlds that break what is declared."""
    for name, (make, names, mended) in cases.items():
        found = audited(*make())
        told = " ".join([*found.problems, *found.deviating, *(str(each) for each in found.causes)])
        told += "reward" if not found.subgroups[0].reward else ""
        names = [CAUSES[name]] if name in CAUSES else names
        named = any(each in told for each in names) and (mended is None or mended in told)
        yield Outcome(kind, name, not found.ok, named)


WORLDS: dict[str, tuple[Callable[[], Any], dict[str, Any], Callable[[Any], bool]]] = {
    "1 % more drag along y": (lambda: UnevenPuck(drag=0.01), {}, lambda found: "speed" in found.deviating),
    "actuator off by 1 %": (lambda: UnevenPuck(bias=0.01), {}, lambda found: "speed" in found.deviating),
    "stale contact cache": (lambda: UnevenPuck(cache=0.1), {}, lambda found: not found.floor.same),
    "noise along x": (
        lambda: NoisyPuck("along x"),
        {"group": O2()},
        lambda found: found.field_laws["speed"] < 0.05,
    ),
    "wind in noise": (
        lambda: NoisyPuck("all round", strength=0.05, wind=0.1),
        {"group": O2()},
        lambda found: found.field_laws["speed"] < 0.05,
    ),
}


def of_worlds(chosen: Iterable[str] = ()) -> Iterator[Outcome]:
    """What breaks a true declaration; all unless some are chosen."""
    for name in tuple(chosen) or WORLDS:
        make, settings, names = WORLDS[name]
        found = audited(make(), SYMMETRY, **settings)
        yield Outcome("worlds", name, not found.ok or not found.floor.same, names(found))


def of_recordings() -> Iterator[Outcome]:
    """Frames, forms, sides and drift."""
    from test_recorded_data import PLANTED as RECORDED

    for name, (made, said, claim, best) in RECORDED.items():
        found = check_recording(arm(**made), claims(**said))
        named = any((each.claim, each.best) == (claim, best) for each in found.contradicted)
        yield Outcome("recordings", name, not found.ok, named)


def of_models() -> Iterator[Outcome]:
    """Parameters of a MuJoCo model."""
    import mujoco
    from mechanism_cases import BIPED
    from test_mechanism_planted import PLANTED as PARAMETERS

    from equiworld.verify.mechanism import derive_maps
    from equiworld.verify.mechanism.differences import differences_of

    for name, (plant, what, element, _) in PARAMETERS.items():
        model = mujoco.MjModel.from_xml_string(BIPED)
        plant(model)
        (found,) = derive_maps(model).maps
        differences = differences_of(model, found)
        named = [each.what for each in differences] == [what] and element in differences[0].elements
        yield Outcome("models", name, bool(differences), named)


def of_robot_map(model: str) -> Iterator[Outcome]:
    """A robot's own map of joints, and each sign and each source of it wrong, by law and by the model file."""
    from equiworld.verify.mechanism import derive_maps
    from equiworld.verify.mechanism.loading import load_model

    loaded = load_model(model).model
    orders = derive_maps(loaded).maps[0].orders
    scalar = np.flatnonzero(loaded.jnt_type >= 2)
    place = {int(joint): at for at, joint in enumerate(scalar)}
    order = tuple(place[int(orders.joints[joint])] for joint in scalar)
    right = SignedOrder(order, tuple(int(orders.joint_signs[joint]) for joint in scalar))
    names = [loaded.joint(int(joint)).name for joint in scalar]
    whole = SymmetryMap({"position": [right], "velocity": [right]}, [right])
    yield Outcome("true maps", "its own", not check_map(whole, model=model, joints=names).ok, True)
    for at, name in enumerate(names):
        signs = [sign * (-1 if i == at else 1) for i, sign in enumerate(right.signs)]
        exchanged = list(order)
        other = (at + 1) % len(order)
        exchanged[at], exchanged[other] = exchanged[other], exchanged[at]
        for what, entry in (
            ("sign", SignedOrder(order, tuple(signs))),
            ("source", SignedOrder(tuple(exchanged), right.signs)),
        ):
            wrong = whole.with_entry("position", 0, entry)
            found = check_map(wrong, model=model, joints=names)
            named = any(at in fault.places for fault in found.faults) and found.mended == whole
            yield Outcome("maps", f"{what} of {name}", not found.ok, named)


def of_truth() -> Iterator[Outcome]:
    """True declarations and recordings: nothing is to be found."""
    for name, make in {**TRUE, **TRUE_ROBOTS}.items():
        found = audited(*make())
        yield Outcome("true declarations", name, not found.ok or bool(found.problems), True)
    yield Outcome("true recordings", "arm", not check_recording(arm(), claims()).ok, True)
    yield Outcome("true recordings", "two arms", not check_recording(arms(), SIDES).ok, True)


def everything(robot: str | None = None) -> Iterator[Outcome]:
    """All of them."""
    yield from of_declarations("declarations", PLANTED)
    yield from of_declarations("robots' declarations", PLANTED_ROBOTS)
    yield from of_worlds()
    yield from of_recordings()
    yield from of_models()
    if robot is not None:
        yield from of_robot_map(robot)
    yield from of_truth()


def summary(outcomes: list[Outcome]) -> list[str]:
    """By kind how many were found and named, and which were not."""
    lines = []
    for kind in dict.fromkeys(each.kind for each in outcomes):
        own = [each for each in outcomes if each.kind == kind]
        found, named = sum(each.found for each in own), sum(each.named for each in own)
        lines.append(f"{kind}: {found} of {len(own)} found" + ("" if "true" in kind else f", {named} named"))
        lines += [
            f"  missed: {each.name} (found: {each.found}, named: {each.named})"
            for each in own
            if each.found == ("true" in kind) or not each.named
        ]
    return lines


if __name__ == "__main__":
    print("\n".join(summary(list(everything(sys.argv[1] if len(sys.argv) > 1 else None)))))
