"""The maps of joints, actuators and bodies that isometries induce, derived from a MuJoCo model alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from equiworld.arguments import number, reals
from equiworld.errors import ArgumentError
from equiworld.verify.mechanism.bodies import bodies_of
from equiworld.verify.mechanism.candidates import Candidate, candidate_isometries
from equiworld.verify.mechanism.closure import closure, key_of
from equiworld.verify.mechanism.kinematics import Kinematics
from equiworld.verify.mechanism.matching import Assignment, Matching, Misfit
from equiworld.verify.mechanism.model_map import Array, Model, ModelMap
from equiworld.verify.mechanism.parts import Parts
from equiworld.verify.mechanism.plausibility import fit_of

__all__ = ["DerivedMaps", "Rejection", "derive_map", "derive_maps"]

_TOLERANCE = 5e-3  # of the mechanism's size: calibrated models are off by less, other legs by more
_STILL = 1e-9
_ORTHOGONAL = 1e-6
_TOLD = 4  # centres about which the nearest misfit is told


@dataclass(frozen=True)
class Rejection:
    """An isometry that is none of the mechanism.

    Attributes:
        name: of the isometry.
        reason: what has no partner under it.
        distance: how far the joints miss [m]; 0 where they fit, and shapes or ranges do not.
    """

    name: str
    reason: str
    distance: float

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


@dataclass(frozen=True)
class DerivedMaps:
    """What `derive_maps` found.

    Attributes:
        maps: generators: no one is a product of the others before it. None that leaves all as it is.
        rejected: the isometries that are none, with the reason.
        size: the largest distance of joints and centres of mass from their middle [m].
    """

    maps: tuple[ModelMap, ...]
    rejected: tuple[Rejection, ...]
    size: float


def derive_maps(
    model: Model,
    reference: ArrayLike | None = None,
    tolerance: float | None = None,
    pose: Array | None = None,
) -> DerivedMaps:
    """Search the mirrors and turns under which a mechanism is its own image, and find what they do to its parts.

    Args:
        model: a mujoco.MjModel.
        reference: a pose `(nq,)` that is its own image; the model's own, else its key frames, if None.
        tolerance: how far a joint may be from where its image should be [m]; 0.5 % of the mechanism's size if None.
        pose: `(nq,)`, another one to be tried, such as that in which an environment begins.

    Raises:
        ArgumentError: the reference is no pose, or the tolerance no positive number.

    >>> import mujoco
    >>> legs = "".join(f"<body name='{n}' pos='0 {y} 0'><joint axis='1 0 0'/><geom size='.1'/></body>"
    ...                for n, y in (("left", 0.5), ("right", -0.5)))
    >>> model = mujoco.MjModel.from_xml_string(
    ...     f"<mujoco><worldbody><body><freejoint/><geom size='.2'/>{legs}</body></worldbody></mujoco>")
    >>> [(each.name, each.orders.joints.tolist()) for each in derive_maps(model).maps]
    [('mirror y', [0, 2, 1]), ('mirror x', [0, 1, 2])]
    """
    if tolerance is not None:
        tolerance = number("tolerance", tolerance, above=0.0)
    if reference is not None:
        poses = [_checked(model, reference)]
    else:
        poses = [np.array(model.qpos0), *(np.array(key) for key in model.key_qpos)]
        if pose is not None and all(np.abs(pose - each).max() > _STILL for each in poses):
            poses.append(pose)
    found = []
    for each in poses:
        kinematics = Kinematics.of(model, each)
        found.append(_derived(kinematics, tolerance or _TOLERANCE * kinematics.size))
    return max(found, key=lambda one: (len(one.maps), -sum(len(each.without_partner) for each in one.maps)))


def derive_map(
    model: Model, isometry: ArrayLike, reference: ArrayLike | None = None, tolerance: float | None = None
) -> ModelMap:
    """What one isometry R of space `(3, 3)` does to a mechanism; of several ways that which exchanges something.

    Raises:
        ArgumentError: it is no orthogonal matrix; or it takes a body to where there is none like it: says which.

    >>> import mujoco
    >>> pole = "<body name='pole'><joint axis='0 1 0'/><geom size='.1' pos='0 0 1'/></body>"
    >>> model = mujoco.MjModel.from_xml_string(f"<mujoco><worldbody>{pole}</worldbody></mujoco>")
    >>> derive_map(model, np.diag([-1.0, 1.0, 1.0])).orders.joint_signs.tolist()
    [-1]
    """
    given = reals("isometry", isometry)
    if given.shape != (3, 3) or np.abs(given @ given.T - np.eye(3)).max() > _ORTHOGONAL:
        raise ArgumentError("isometry", given.tolist(), "an orthogonal matrix (3, 3)")
    if tolerance is not None:
        tolerance = number("tolerance", tolerance, above=0.0)
    pose = np.array(model.qpos0) if reference is None else _checked(model, reference)
    kinematics = Kinematics.of(model, pose)
    found = _of_candidate(
        kinematics,
        Candidate("given", given),
        tolerance or _TOLERANCE * kinematics.size,
    )
    if isinstance(found, Misfit):
        raise ArgumentError(
            "isometry", f"one under which {found}", "one that takes each body to another's place"
        )
    moving = [each for each in found if not each.trivial]
    plausible = _plausible(kinematics, moving)[0] if len(found) > 1 else []
    return (plausible or found)[0]


def _checked(model: Model, reference: ArrayLike) -> Array:
    found = np.asarray(reference, np.float64)
    if found.shape != (model.nq,) or not np.isfinite(found).all():
        raise ArgumentError("reference", f"shape {found.shape}", f"({model.nq},), finite positions")
    return found


def _derived(kinematics: Kinematics, tolerance: float) -> DerivedMaps:
    maps, rejected = list[ModelMap](), list[Rejection]()
    closed: set[bytes] = set()
    for candidate in candidate_isometries(kinematics):
        found = _of_candidate(kinematics, candidate, tolerance)
        if isinstance(found, Misfit):
            rejected.append(Rejection(candidate.name, str(found), found.distance))
            continue
        plausible, reason = _plausible(kinematics, [each for each in found if not each.trivial])
        if reason:
            rejected.append(Rejection(candidate.name, reason, 0.0))
        for each in plausible:
            if key_of(each) not in closed:
                maps.append(each)
                closed = closure(maps)
    mirrors_first = sorted(_generators(maps), key=lambda each: each.determinant)
    return DerivedMaps(tuple(mirrors_first), tuple(rejected), kinematics.size)


def _generators(maps: list[ModelMap]) -> list[ModelMap]:
    """Without those that the others generate; of mirrors those found last go first."""
    left, last_first = list(maps), maps[::-1]
    last_first.sort(key=lambda one: one.determinant)
    for each in last_first:
        others = [one for one in left if one is not each]
        if others and key_of(each) in closure(others):
            left = others
    return left


def _plausible(kinematics: Kinematics, maps: list[ModelMap]) -> tuple[list[ModelMap], str]:
    """Those of several maps of one isometry that shapes and ranges fit best; and, of none, why."""
    fits = [(fit_of(kinematics, each), each) for each in maps]
    fitting = [pair for pair in fits if pair[0].plausible]
    if not fitting:
        return [], f"the joints fit, but {fits[0][0].example}" if fits else ""
    least = min(fit.misses + len(each.without_partner) for fit, each in fitting)
    return [each for fit, each in fitting if fit.misses + len(each.without_partner) == least], ""


def _of_candidate(kinematics: Kinematics, candidate: Candidate, tolerance: float) -> list[ModelMap] | Misfit:
    """All maps of one isometry, about the first centre for which there is one; or what has no partner."""
    tried = [
        (centre, Matching(kinematics, candidate.isometry, centre, tolerance))
        for centre in _centres(kinematics)
    ]
    for centre, matching in tried:
        assignments = matching.assignments()
        if assignments:
            return [_map(kinematics, candidate, centre, matching, each, tolerance) for each in assignments]
    # what is at fault is a search of its own, and rooms hold dozens of fixed things
    return min((matching.misfit() for _, matching in tried[:_TOLD]), key=lambda each: each.distance)


def _centres(kinematics: Kinematics) -> list[Array]:
    """The origin, and where arms are fixed."""
    found = [np.zeros(3)]
    for root in kinematics.children(0):
        if not kinematics.is_free(root):
            anchor = kinematics.anchors[kinematics.joints(root)[0]]
            if all(np.abs(anchor - each).max() > 1e-9 for each in found):
                found.append(anchor)
    return found


def _taken_up(kinematics: Kinematics, matching: Matching, assignment: Assignment) -> tuple[Array, Array]:
    """By body `(nbody, 3)` what slides and free joints take up of the isometry [m]; and by joint `(njnt,)` how far each
    slide goes for that [m]."""
    model = kinematics.model
    taken_up, slides = np.zeros((model.nbody, 3)), np.zeros(model.njnt)
    for body in range(1, model.nbody):
        above = taken_up[model.body_parentid[body]]
        if kinematics.weld[body] != body:
            taken_up[body] = above
            continue
        image = assignment.bodies[body]
        taken_up[body] = matching.taken_up(body, image, above)
        joints = kinematics.slides(image)
        if joints:
            slides[joints] += np.linalg.pinv(kinematics.axes[joints].T) @ (taken_up[body] - above)
    slides[np.abs(slides) < 1e-12] = 0.0
    return taken_up, slides


def _map(
    kinematics: Kinematics,
    candidate: Candidate,
    centre: Array,
    matching: Matching,
    assignment: Assignment,
    tolerance: float,
) -> ModelMap:
    model, isometry = kinematics.model, candidate.isometry
    taken_up, slides = _taken_up(kinematics, matching, assignment)

    def moved(places: Array, body: int) -> Array:
        return np.asarray(centre + (places - centre) @ isometry.T - taken_up[body])

    bodies, alone = bodies_of(kinematics, assignment, moved)
    parts = Parts(kinematics, assignment, bodies, isometry, moved)
    orders, without_partner = parts.orders()
    sources = np.argsort(bodies)
    frames = kinematics.frames
    turns = frames.swapaxes(1, 2) @ isometry @ frames[sources]
    whole = np.round(turns)
    turns = np.where(np.abs(turns - whole) < 1e-12, whole, turns) + 0.0
    origins = np.stack([moved(kinematics.positions[j][None], int(j))[0] for j in sources])
    shifts = np.einsum("kji,kj->ki", frames, origins - kinematics.positions)
    # What is small is an error of the model, no other choice of frames.
    shifts[np.linalg.norm(shifts, axis=1) <= tolerance] = 0.0
    roots = kinematics.children(0)
    own = turns[roots[0]] if roots else isometry
    led = np.flatnonzero(model.body_mocapid >= 0)
    return ModelMap(
        candidate.name,
        isometry,
        centre,
        own,
        sources,
        turns,
        shifts,
        slides,
        orders,
        kinematics.reference,
        assignment.mismatch,
        (*alone, *without_partner),
        np.array(model.jnt_type, np.int64),
        np.array(model.jnt_bodyid, np.int64),
        {
            "qpos": np.array(model.jnt_qposadr, np.int64),
            "dof": np.array(model.jnt_dofadr, np.int64),
            "nv": np.array([model.nv]),
            "mocap": led[np.argsort(model.body_mocapid[led])],
        },
    )
