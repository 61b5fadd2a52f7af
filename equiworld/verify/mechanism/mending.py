"""Making a model its own image, one thing after another: parameters, derived constants, options."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from equiworld.verify.mechanism.catalogue import parameters_of
from equiworld.verify.mechanism.differences import (
    Difference,
    differences_of,
    solver_name,
    stale_constants,
    unequal,
)
from equiworld.verify.mechanism.model_map import Model, ModelMap
from equiworld.verify.mechanism.parameters import Parameter

__all__ = ["Constants", "Mend", "constants_mend", "mended", "option_mends", "parameter_mends"]

_LONGEST = 64
_NEWTON, _ELLIPTIC = 2, 1
_NO_MIDPHASE = 1 << 14
"""mjDSBL_MIDPHASE: boxes around geoms are made when a file is read, and do not move with them."""

_SHOWN = 3  # differences that are told


class Mend(ABC):
    """One thing to be mended.

    Attributes:
        name: such as "stiffness of joint".
        words: what differs, such as "stiffness of joint right_knee and left_knee: 0 against 1".
        differences: that it removes.
        last_resort: whether it hides other faults besides: tried only where nothing else helps.
    """

    last_resort = False

    def __init__(self, name: str, words: str, differences: Sequence[Difference] = ()) -> None:
        self.name, self.words, self.differences = name, words, tuple(differences)

    @abstractmethod
    def apply(self, model: Model) -> None:
        """Mend a model in place."""


class _ParameterMend(Mend):
    def __init__(self, parameter: Parameter, found: ModelMap, differences: Sequence[Difference]) -> None:
        kind = differences[0].kind
        shown = "; ".join(str(each) for each in sorted(differences, key=lambda each: -each.relative)[:_SHOWN])
        more = f"; and {len(differences) - _SHOWN} more" if len(differences) > _SHOWN else ""
        super().__init__(f"{parameter.what} of {kind}", shown + more, differences)
        self._parameter, self._map = parameter, found

    def apply(self, model: Model) -> None:
        rows = self._parameter.read(model)
        orbit, image = [rows], self._parameter.image(model, self._map, rows)
        places = unequal(self._parameter, rows, image)
        while len(orbit) < _LONGEST and not np.allclose(image[places], rows[places], 1e-12, 1e-15):
            orbit.append(image)
            image = self._parameter.image(model, self._map, image)
        self._parameter.write(model, places, self._parameter.mean(orbit)[places])
        if self._parameter.kind == "geom":
            model.opt.disableflags |= _NO_MIDPHASE


class _Untouchable(Mend):
    """Geoms without a partner touch nothing any more."""

    def apply(self, model: Model) -> None:
        for each in self.differences:
            for geom in range(model.ngeom):
                if model.geom(geom).name == each.elements[0] or f"number {geom}" == each.elements[0]:
                    model.geom_contype[geom] = model.geom_conaffinity[geom] = 0


class Constants(Mend):
    """What MuJoCo derives from the parameters, made anew."""

    def __init__(self, stale: Sequence[str]) -> None:
        said = (
            f"{', '.join(stale)} are not those of the parameters"
            if stale
            else "they follow from what differs"
        )
        super().__init__("derived constants", f"constants that mj_setConst derives: {said}")

    def apply(self, model: Model) -> None:
        import mujoco

        mujoco.mj_setConst(model, mujoco.MjData(model))


class _Option(Mend):
    def __init__(self, name: str, words: str, **options: float) -> None:
        super().__init__(name, words, (Difference(name, "option", (words,), ()),))
        self._options = options

    def apply(self, model: Model) -> None:
        for name, value in self._options.items():
            setattr(model.opt, name, value)


class _Tolerance(_Option):
    """A solver that is not stopped."""

    last_resort = True


class _Direction(Mend):
    """Gravity or wind without what the map turns."""

    def __init__(self, name: str, vector: np.ndarray, mean: np.ndarray) -> None:
        words = f"{name} ({', '.join(f'{value:.4g}' for value in vector)}) is not its own image"
        super().__init__(name, words, (Difference(name, "option", (words,), ()),))
        self._mean = mean

    def apply(self, model: Model) -> None:
        getattr(model.opt, self.name)[:] = self._mean


def parameter_mends(model: Model, found: ModelMap) -> list[Mend]:
    """One for each kind of parameter that differs, and one for geoms without a partner."""
    differences = differences_of(model, found)
    mends: list[Mend] = []
    for parameter in parameters_of(model):
        kind = "joint" if parameter.kind == "dof" else parameter.kind
        own = [each for each in differences if each.what == parameter.what and each.kind == kind]
        if own:
            mends.append(_ParameterMend(parameter, found, own))
    alone = [each for each in differences if each.what == "no partner" and each.kind == "geom"]
    if alone:
        mends.append(_Untouchable("geoms without partner", "; ".join(str(each) for each in alone), alone))
    return mends


def option_mends(model: Model, isometry: np.ndarray) -> list[Mend]:
    """One for each option that may break a symmetry."""
    option, mends = model.opt, list[Mend]()
    for name in ("gravity", "wind"):
        vector = np.array(getattr(option, name))
        orbit = [vector]
        while len(orbit) < _LONGEST and np.abs(isometry @ orbit[-1] - vector).max() > 1e-12:
            orbit.append(isometry @ orbit[-1])
        if len(orbit) > 1:
            mends.append(_Direction(name, vector, np.mean(orbit, axis=0)))
    if solver_name(model) == "PGS":
        mends.append(
            _Option(
                "solver",
                "the solver PGS goes through contacts in an order, and stops before that does not matter",
                solver=_NEWTON,
            )
        )
    if int(option.noslip_iterations) > 0:
        words = f"{int(option.noslip_iterations)} noslip iterations go through contacts in an order"
        mends.append(_Option("noslip", words, noslip_iterations=0))
    if int(option.cone) != _ELLIPTIC:
        words = "pyramidal friction cones stand along axes: friction is not the same in all directions"
        mends.append(_Option("friction cone", words, cone=_ELLIPTIC))
    words = f"the solver stops at tolerance {option.tolerance:.0e} or after {option.iterations} iterations"
    strict = {"tolerance": 0.0, "iterations": 300, "ls_iterations": 300, "ls_tolerance": 1e-4}
    mends.append(_Tolerance("solver tolerance", words, **strict))
    return mends


def constants_mend(model: Model) -> Mend:
    """For what is derived from the parameters."""
    return Constants(stale_constants(model))


def mended(model: Model, mends: Sequence[Mend]) -> Model:
    """A copy of a model with all this mended."""
    found = copy.deepcopy(model)
    for each in mends:
        each.apply(found)
    return found
