"""Every parameter of a MuJoCo model that dynamics depend on."""

from __future__ import annotations

from collections.abc import Sequence

from equiworld.verify.mechanism.model_map import Array, Model, ModelMap
from equiworld.verify.mechanism.parameters import Flags, Numbers, Parameter
from equiworld.verify.mechanism.shapes import (
    Anchors,
    BodyPlaces,
    Equalities,
    Geometry,
    Inertia,
    Places,
    SpringReferences,
)

__all__ = ["parameters_of"]


def parameters_of(model: Model) -> Sequence[Parameter]:
    """The parameters that this version of MuJoCo knows."""
    found: list[Parameter] = [
        Numbers("mass", "body", "body_mass", unit="kg"),
        Places("centre of mass", "body"),
        Inertia(),
        Numbers("gravity compensation", "body", "body_gravcomp"),
        BodyPlaces(),
        Anchors(),
        Numbers("range", "joint", "jnt_range", "interval", "rad or m"),
        Flags("limit", "joint", "jnt_limited"),
        Numbers("stiffness", "joint", "jnt_stiffness", unit="N m/rad or N/m"),
        SpringReferences(),
        Numbers("limit margin", "joint", "jnt_margin"),
        Numbers("limit solref", "joint", "jnt_solref"),
        Numbers("limit solimp", "joint", "jnt_solimp"),
        Numbers("actuator force range", "joint", "jnt_actfrcrange", "interval", "N m or N"),
        Numbers("stiffness polynomial", "joint", "jnt_stiffnesspoly"),
        Numbers("damping", "dof", "dof_damping", unit="N m s/rad or N s/m"),
        Numbers("damping polynomial", "dof", "dof_dampingpoly"),
        Numbers("armature", "dof", "dof_armature", unit="kg m² or kg"),
        Numbers("friction loss", "dof", "dof_frictionloss", unit="N m or N"),
        Numbers("friction solref", "dof", "dof_solref"),
        Numbers("friction solimp", "dof", "dof_solimp"),
        Places("position", "geom"),
        Geometry(),
        Numbers("friction", "geom", "geom_friction"),
        Numbers("solref", "geom", "geom_solref"),
        Numbers("solimp", "geom", "geom_solimp"),
        Numbers("solmix", "geom", "geom_solmix"),
        Numbers("margin", "geom", "geom_margin", unit="m"),
        Numbers("gap", "geom", "geom_gap", unit="m"),
        Flags("condim", "geom", "geom_condim"),
        Flags("contype", "geom", "geom_contype"),
        Flags("conaffinity", "geom", "geom_conaffinity"),
        Flags("priority", "geom", "geom_priority"),
        Numbers("fluid coefficients", "geom", "geom_fluid"),
        _Gears(),
        Numbers("gain", "actuator", "actuator_gainprm"),
        Numbers("bias", "actuator", "actuator_biasprm", "first"),
        Numbers("dynamics", "actuator", "actuator_dynprm"),
        Numbers("control range", "actuator", "actuator_ctrlrange", "interval"),
        Numbers("force range", "actuator", "actuator_forcerange", "interval", "N m or N"),
        Numbers("activation range", "actuator", "actuator_actrange", "interval"),
        Flags("control limit", "actuator", "actuator_ctrllimited"),
        Flags("force limit", "actuator", "actuator_forcelimited"),
        Numbers("range", "tendon", "tendon_range", "interval"),
        Numbers("stiffness", "tendon", "tendon_stiffness"),
        Numbers("damping", "tendon", "tendon_damping"),
        Numbers("friction loss", "tendon", "tendon_frictionloss"),
        Numbers("armature", "tendon", "tendon_armature"),
        Numbers("rest length", "tendon", "tendon_lengthspring", "interval", "m"),
        Numbers("margin", "tendon", "tendon_margin"),
        Numbers("limit solref", "tendon", "tendon_solref_lim"),
        Numbers("limit solimp", "tendon", "tendon_solimp_lim"),
        Equalities(),
        Numbers("solref", "equality", "eq_solref"),
        Numbers("solimp", "equality", "eq_solimp"),
    ]
    return [each for each in found if not isinstance(each, Numbers) or hasattr(model, each.array)]


class _Gears(Numbers):
    """Gears: their first number is compared without its sign, for that is the actuator's own."""

    def __init__(self) -> None:
        super().__init__("gear", "actuator", "actuator_gear")

    def image(self, model: Model, found: ModelMap, rows: Array) -> Array:
        moved = super().image(model, found, rows)
        if len(moved):
            moved[:, 0] = abs(moved[:, 0]) * (2.0 * (rows[:, 0] >= 0) - 1.0)
        return moved
