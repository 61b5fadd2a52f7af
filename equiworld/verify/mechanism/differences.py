"""What differs in a model between what takes each other's place: parameters, contacts, options, stale constants."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from equiworld.verify.mechanism.catalogue import parameters_of
from equiworld.verify.mechanism.model_map import Array, Indices, Model, ModelMap
from equiworld.verify.mechanism.parameters import Parameter, element_name, sources_of

__all__ = ["CONSTANTS", "Difference", "differences_of", "option_differences", "stale_constants"]

_EQUAL = 1e-9  # relative: what is rounded otherwise when a file is read
_LEAST = 1e-12
_SHOWN = 3  # numbers of an element, those that differ most
CONSTANTS = (
    "dof_invweight0",
    "body_invweight0",
    "tendon_invweight0",
    "tendon_length0",
    "actuator_length0",
    "actuator_acc0",
    "body_subtreemass",
    "dof_M0",
)
"""What `mj_setConst` derives from the parameters."""

_SOLVERS = {0: "PGS", 1: "CG", 2: "Newton"}


@dataclass(frozen=True)
class Difference:
    """One parameter that is not its own image.

    Attributes:
        what: the parameter, such as "stiffness".
        kind: of elements: "joint", "body", …; "option" for one of the whole model.
        elements: the two names, that in whose place the other comes last; one if it is its own image.
        values: of the two, as they would be if they were alike.
        unit: of the values.
        relative: how far they are apart, by the larger one.
        place: of the element, its number; −1 for options.
    """

    what: str
    kind: str
    elements: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]
    unit: str = ""
    relative: float = 0.0
    place: int = -1

    def __str__(self) -> str:
        if self.kind == "option":
            return f"{self.what}: {self.elements[0]}" if self.elements else self.what
        names = " and ".join(dict.fromkeys(self.elements))
        chosen: list[int] = []
        if len(self.values) == 2:
            apart = np.abs(np.subtract(self.values[0], self.values[1]))
            chosen = sorted(np.argsort(-apart)[:_SHOWN].tolist())
        numbers = " against ".join(" ".join(f"{each[i]:.6g}" for i in chosen) for each in self.values)
        far = f" ({self.relative:.2g} apart)" if self.relative else ""
        return f"{self.what} of {self.kind} {names}{': ' + numbers if numbers else ''}{far}"

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {
            "what": self.what,
            "kind": self.kind,
            "elements": list(self.elements),
            "values": [list(each) for each in self.values],
            "unit": self.unit,
            "relative": self.relative,
        }


def differences_of(model: Model, found: ModelMap) -> tuple[Difference, ...]:
    """All differences of parameters, of contacts that are excluded, and of what has no partner.

    >>> import mujoco
    >>> from equiworld.verify.mechanism import derive_maps
    >>> legs = "".join(f"<body name='{n}' pos='0 {y} 0'><joint name='{n}' axis='1 0 0' stiffness='{k}'/>"
    ...                f"<geom size='.1'/></body>" for n, y, k in (("left", 0.5, 1), ("right", -0.5, 2)))
    >>> model = mujoco.MjModel.from_xml_string(
    ...     f"<mujoco><worldbody><body><freejoint/><geom size='.2'/>{legs}</body></worldbody></mujoco>")
    >>> print(*differences_of(model, derive_maps(model).maps[0]))
    stiffness of joint left and right: 1 against 2 (0.5 apart)
    """
    listed = [_alone(words) for words in found.without_partner]
    for parameter in parameters_of(model):
        listed += _of_parameter(model, found, parameter)
    listed += _contacts(model, found)
    return tuple(listed)


def _alone(words: str) -> Difference:
    kind, _, rest = words.partition(" ")
    return Difference("no partner", kind, (rest.split("'")[1],), (), "", 1.0)


def unequal(parameter: Parameter, rows: Array, image: Array) -> Indices:
    """The places where rows `(n, k)` and their image differ."""
    if not rows.size:
        return np.zeros(0, np.int64)
    scale = np.maximum(np.abs(rows), np.abs(np.nan_to_num(image))).max(axis=1, keepdims=True)
    least = np.maximum(_EQUAL * np.maximum(scale, np.median(scale)), _LEAST)
    # a difference of what has no partner is told once, as that
    return np.flatnonzero((np.abs(rows - image) > least).any(axis=1) & ~np.isnan(image).any(axis=1))


def _of_parameter(model: Model, found: ModelMap, parameter: Parameter) -> Iterator[Difference]:
    rows = parameter.read(model)
    image = parameter.image(model, found, rows)
    order, _ = sources_of(found, parameter.kind)
    told = set[tuple[int, ...]]()
    for place in unequal(parameter, rows, image).tolist():
        source = int(order[place])
        pair = tuple(sorted((place, source)))
        if pair in told:
            continue
        told.add(pair)
        names = tuple(element_name(model, parameter.kind, each) for each in (place, source))
        differing = np.flatnonzero(np.abs(rows[place] - image[place]) > _LEAST)
        values = (_plain(rows[place][differing]), _plain(image[place][differing]))
        scale = max(np.abs(rows[place]).max(), np.abs(image[place]).max())
        apart = float(np.abs(rows[place] - image[place]).max() / scale)
        kind = "joint" if parameter.kind == "dof" else parameter.kind
        yield Difference(parameter.what, kind, names, values, parameter.unit, apart, place)


def _plain(values: Array) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _contacts(model: Model, found: ModelMap) -> Iterator[Difference]:
    """Pairs of bodies whose contacts are excluded, without the pair in whose place they come."""
    images = np.argsort(found.bodies)
    pairs = {tuple(sorted((int(each) >> 16, int(each) & 0xFFFF))) for each in model.exclude_signature}
    for pair in sorted(pairs):
        image = tuple(sorted(int(images[body]) for body in pair))
        if image not in pairs:
            names = [
                " with ".join(element_name(model, "body", body) for body in each) for each in (pair, image)
            ]
            yield Difference("excluded contact without its image", "body", tuple(names), (), "", 1.0)


def option_differences(model: Model, found: ModelMap) -> tuple[Difference, ...]:
    """What of a model's options may keep a symmetric mechanism from being simulated symmetrically."""
    listed = []

    def add(what: str, words: str) -> None:
        listed.append(Difference(what, "option", (words,), (), "", 0.0))

    for name in ("gravity", "wind"):
        vector = np.array(getattr(model.opt, name))
        if np.abs(found.isometry @ vector - vector).max() > _LEAST:
            add(name, f"({', '.join(f'{value:.4g}' for value in vector)}) is not its own image")
    if int(model.opt.cone) == 0:
        add(
            "friction cone",
            "pyramidal: its edges stand along axes, and friction is not the same in all directions",
        )
    if int(model.opt.solver) == 0:
        add("solver", "PGS goes through contacts in an order")
    if int(model.opt.noslip_iterations) > 0:
        add("noslip", f"{int(model.opt.noslip_iterations)} iterations go through contacts in an order")
    return tuple(listed)


def solver_name(model: Model) -> str:
    """PGS, CG or Newton."""
    return _SOLVERS[int(model.opt.solver)]


def stale_constants(model: Model) -> tuple[str, ...]:
    """The derived constants that are not those of the parameters: somebody edited a model without `mj_setConst`."""
    import mujoco

    fresh = copy.deepcopy(model)
    mujoco.mj_setConst(fresh, mujoco.MjData(fresh))
    found = []
    for name in CONSTANTS:
        if not hasattr(model, name):
            continue
        one, other = np.asarray(getattr(model, name)), np.asarray(getattr(fresh, name))
        if one.size and not np.allclose(one, other, 1e-6, 1e-10):
            found.append(name)
    return tuple(found)
