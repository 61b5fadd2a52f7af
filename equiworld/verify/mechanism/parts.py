"""Which geom, site, actuator, tendon, equality and sensor takes whose place, once the bodies' places are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from equiworld.verify.mechanism.kinematics import Kinematics
from equiworld.verify.mechanism.matching import Assignment
from equiworld.verify.mechanism.model_map import Array, Indices, Orders

__all__ = ["Parts"]

_PLANE = 0  # mjGEOM_PLANE
_JOINT, _JOINT_IN_PARENT, _TENDON, _SITE, _BODY = 0, 1, 3, 4, 5  # mjTRN_…, but for the slider-crank, 2
_WRAP_JOINT, _WRAP_PULLEY, _WRAP_SITE = 1, 2, 3  # mjWRAP_…; spheres and cylinders are geoms
_EQ_CONNECT, _EQ_WELD, _EQ_JOINT, _EQ_TENDON = 0, 1, 2, 3  # mjEQ_…
_OBJECTS = {
    1: "bodies",
    2: "bodies",
    3: "joints",
    5: "geoms",
    6: "sites",
    18: "tendons",
    19: "actuators",
}  # mjOBJ_…


class Parts:
    """Finds the orders of everything that bodies carry.

    Args:
        kinematics: the model in its reference pose.
        assignment: of bodies with joints and of joints.
        bodies: `(nbody,)`, images of all bodies.
        isometry: R, `(3, 3)`.
        moved: what the isometry makes of a place in the world, for a body's parts: (places, body) → places.
    """

    def __init__(
        self,
        kinematics: Kinematics,
        assignment: Assignment,
        bodies: Indices,
        isometry: Array,
        moved: Callable[[Array, int], Array],
    ) -> None:
        self._of, self._model = kinematics, kinematics.model
        self._bodies, self._isometry, self._moved = bodies, isometry, moved
        self._left = list[str]()
        self._images: dict[str, dict[int, int]] = {"bodies": dict(enumerate(bodies.tolist()))}
        self._images["joints"] = {joint: image for joint, (image, _) in assignment.joints.items()}
        self._signs = {joint: sign for joint, (_, sign) in assignment.joints.items()}
        self._images["sites"] = self._sites()
        self._images["geoms"] = self._geoms()
        self._images["tendons"], self._tendon_signs = self._tendons()
        self._images["actuators"], self._actuator_signs = self._actuators()

    def orders(self) -> tuple[Orders, tuple[str, ...]]:
        """The orders, and what has no partner, in words."""
        model = self._model

        def order(kind: str, count: int) -> Indices:
            found = np.full(count, -1)
            for source, place in self._images[kind].items():
                found[place] = source
            return found

        def signs(order: Indices, by_source: dict[int, int]) -> Indices:
            return np.array([by_source.get(int(source), 1) for source in order], np.int64)

        joints, tendons = order("joints", model.njnt), order("tendons", model.ntendon)
        actuators = order("actuators", model.nu)
        equalities, sensors = self._equalities(), self._sensors()
        found = Orders(
            joints,
            signs(joints, self._signs),
            order("geoms", model.ngeom),
            order("sites", model.nsite),
            actuators,
            signs(actuators, self._actuator_signs),
            tendons,
            signs(tendons, self._tendon_signs),
            equalities,
            sensors,
        )
        return found, tuple(self._left)

    def _nearest(
        self, kind: str, sources: Sequence[int], places: Sequence[int], costs: Array
    ) -> dict[int, int]:
        """Each of some elements to the nearest of others; those too far have no partner."""
        from scipy.optimize import linear_sum_assignment

        found = {}
        if len(sources) and len(places):
            for i, j in zip(*linear_sum_assignment(np.minimum(costs, 1e6)), strict=True):
                if costs[i, j] < self._of.size:
                    found[sources[i]] = places[j]
        for source in sources:
            if source not in found:
                self._left.append(f"{kind} {self._of.name(kind, source)!r} has no partner")
        return found

    def _sites(self) -> dict[int, int]:
        model, found = self._model, dict[int, int]()
        for body in range(model.nbody):
            sources = np.flatnonzero(model.site_bodyid == body).tolist()
            places = np.flatnonzero(model.site_bodyid == self._bodies[body]).tolist()
            costs = _distances(
                self._moved(self._of.site_positions[sources], body), self._of.site_positions[places]
            )
            matched = self._nearest("site", sources, places, costs)
            found |= matched
        # a site is a mark: one without a partner matters only to what is measured there
        self._left = [each for each in self._left if not each.startswith("site ")]
        return found

    def _geoms(self) -> dict[int, int]:
        model, of, found = self._model, self._of, dict[int, int]()
        roots = [body for body in range(model.nbody) if of.weld[body] == body]
        for body in roots:
            sources, places = list(of.geoms(body)), list(of.geoms(int(self._bodies[body])))
            costs = _distances(self._moved(of.geom_positions[sources], body), of.geom_positions[places])
            for i, source in enumerate(sources):
                for j, place in enumerate(places):
                    if model.geom_type[source] != model.geom_type[place]:
                        costs[i, j] = np.inf
                    elif model.geom_type[source] == _PLANE:
                        costs[i, j] = self._planes_apart(source, place, body)
            found |= self._nearest("geom", sources, places, costs)
        return found

    def _planes_apart(self, source: int, place: int, body: int) -> float:
        """Of two endless planes: along the normal, and by the angle of the normals."""
        normal = self._of.geom_frames[place][:, 2]
        turned = self._isometry @ self._of.geom_frames[source][:, 2]
        moved = self._moved(self._of.geom_positions[[source]], body)[0]
        along = abs(normal @ (moved - self._of.geom_positions[place]))
        return float(along + np.linalg.norm(turned - normal) * self._of.size)

    def _wraps(self, tendon: int) -> list[tuple[int, int, float]]:
        first, count = int(self._model.tendon_adr[tendon]), int(self._model.tendon_num[tendon])
        found = []
        for wrap in range(first, first + count):
            kind = int(self._model.wrap_type[wrap])
            found.append((kind, int(self._model.wrap_objid[wrap]), float(self._model.wrap_prm[wrap])))
        return found

    def _tendons(self) -> tuple[dict[int, int], dict[int, int]]:
        images, signs = dict[int, int](), dict[int, int]()
        taken = set[int]()
        for tendon in range(self._model.ntendon):
            expected = [self._moved_wrap(*wrap) for wrap in self._wraps(tendon)]
            for place in range(self._model.ntendon):
                sign = 0 if place in taken else _same_path(expected, self._wraps(place))
                if sign:
                    images[tendon], signs[tendon] = place, sign
                    taken.add(place)
                    break
            else:
                self._left.append(f"tendon {self._of.name('tendon', tendon)!r} has no partner")
        return images, signs

    def _moved_wrap(self, kind: int, element: int, number: float) -> tuple[int, int, float]:
        if kind == _WRAP_JOINT:
            return kind, self._images["joints"][element], number * self._signs[element]
        if kind == _WRAP_PULLEY:
            return kind, element, number
        images = self._images["sites" if kind == _WRAP_SITE else "geoms"]
        return kind, images.get(element, -1), number

    def _actuators(self) -> tuple[dict[int, int], dict[int, int]]:
        model = self._model
        images, signs, taken = dict[int, int](), dict[int, int](), set[int]()
        for actuator in range(model.nu):
            kind, target = int(model.actuator_trntype[actuator]), int(model.actuator_trnid[actuator, 0])
            image, sign = self._target(kind, target)
            options = [
                place
                for place in range(model.nu)
                if place not in taken
                and model.actuator_trntype[place] == kind
                and model.actuator_trnid[place, 0] == image
            ]
            own = self._traits(actuator)
            options.sort(key=lambda place: (self._traits(place) != own, abs(place - actuator)))
            if not options:
                self._left.append(f"actuator {self._of.name('actuator', actuator)!r} has no partner")
                continue
            taken.add(options[0])
            gears = model.actuator_gear[actuator, 0] * model.actuator_gear[options[0], 0]
            images[actuator] = options[0]
            signs[actuator] = sign * (-1 if gears < 0 else 1)
        return images, signs

    def _traits(self, actuator: int) -> tuple[int, ...]:
        names = ("gaintype", "biastype", "dyntype")
        return tuple(int(getattr(self._model, f"actuator_{name}")[actuator]) for name in names)

    def _target(self, kind: int, target: int) -> tuple[int, int]:
        """The image of what an actuator moves, and the sign of its length there."""
        if kind in (_JOINT, _JOINT_IN_PARENT):
            return self._images["joints"][target], self._signs[target] or 1
        if kind == _TENDON:
            return self._images["tendons"].get(target, -1), self._tendon_signs.get(target, 1)
        if kind == _BODY:
            return int(self._bodies[target]), 1
        return self._images["sites"].get(target, -1), 1

    def _equalities(self) -> Indices:
        model, found = self._model, np.full(self._model.neq, -1)
        for each in range(model.neq):
            kind = int(model.eq_type[each])
            objects = {_EQ_JOINT: "joints", _EQ_TENDON: "tendons"}.get(kind, "bodies")
            if (
                kind in (_EQ_CONNECT, _EQ_WELD)
                and getattr(model, "eq_objtype", np.ones(model.neq))[each] == 6
            ):
                objects = "sites"
            pair = [int(model.eq_obj1id[each]), int(model.eq_obj2id[each])]
            image = [self._images[objects].get(one, -1) if one >= 0 else -1 for one in pair]
            options = [
                place
                for place in np.flatnonzero(found < 0).tolist()
                if model.eq_type[place] == kind
                and {int(model.eq_obj1id[place]), int(model.eq_obj2id[place])} == set(image)
            ]
            if options:
                found[options[0]] = each
            else:
                self._left.append(f"equality {self._of.name('equality', each)!r} has no partner")
        return found

    def _sensors(self) -> Indices:
        model, found = self._model, np.full(self._model.nsensor, -1)
        for each in range(model.nsensor):
            image = self._sensed(int(model.sensor_objtype[each]), int(model.sensor_objid[each]))
            beside = self._sensed(int(model.sensor_reftype[each]), int(model.sensor_refid[each]))
            for place in np.flatnonzero(found < 0).tolist():
                alike = all(
                    getattr(model, f"sensor_{name}")[place] == getattr(model, f"sensor_{name}")[each]
                    for name in ("type", "objtype", "reftype", "dim")
                )
                if alike and model.sensor_objid[place] == image and model.sensor_refid[place] == beside:
                    found[place] = each
                    break
        return found

    def _sensed(self, kind: int, element: int) -> int:
        """The image of what a sensor looks at."""
        objects = _OBJECTS.get(kind)
        return element if objects is None or element < 0 else self._images[objects].get(element, -1)


def _distances(first: Array, second: Array) -> Array:
    return np.asarray(np.linalg.norm(first[:, None] - second[None], axis=-1))


def _same_path(expected: list[tuple[int, int, float]], path: list[tuple[int, int, float]]) -> int:
    """Whether a tendon's image is another tendon: 1; −1 where it is so with its length negated; 0 where not."""
    if not expected or len(expected) != len(path):
        return 0
    if all(kind == _WRAP_JOINT for kind, _, _ in expected):
        coefficients = [{element: number for _, element, number in wraps} for wraps in (expected, path)]
        if set(coefficients[0]) != set(coefficients[1]):
            return 0
        inner = sum(number * coefficients[1][element] for element, number in coefficients[0].items())
        return int(np.sign(inner))
    places = [[each[:2] for each in wraps] for wraps in (expected, path)]
    return 1 if places[0] in (places[1], places[1][::-1]) else 0
