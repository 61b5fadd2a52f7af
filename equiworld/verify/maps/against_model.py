"""A hand-written map beside the one that a MuJoCo model file implies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from equiworld.errors import ArgumentError
from equiworld.verify.maps.fault import MapFault
from equiworld.verify.maps.peers import peers_of
from equiworld.verify.maps.symmetry_map import SignedOrder, SymmetryMap

__all__ = ["model_faults"]


def model_faults(
    given: SymmetryMap, model: Any, joints: Sequence[str] | None = None
) -> Iterator[tuple[MapFault, int, SignedOrder]]:
    """Entries that are not as the model file has them; with the place where the block begins, and the block as it is.

    Under an isometry R the joint whose axis lies where R takes another's comes to its place; the sign is that of the
    image of its axis. Joints of one angle or length count, a free root does not.

    Args:
        given: the map, whose action, and blocks of joints, are compared.
        model: a mujoco.MjModel, its file or XML, or an environment that has one.
        joints: their names in the map's order; the model's own order if None.

    Raises:
        ArgumentError: the map is of another number of joints; or a name is not in the model.
    """
    from equiworld.verify.mechanism.derive import derive_map
    from equiworld.verify.mechanism.loading import load_model
    from equiworld.verify.mechanism.model_map import SLIDE

    found = load_model(model).model
    scalar = np.flatnonzero(found.jnt_type >= SLIDE)  # and hinges
    names = [found.joint(int(each)).name for each in scalar]
    chosen = _places(names, joints)
    if len(given.action[0].order) != len(chosen):
        got = f"a map of {len(given.action[0].order)} joints"
        raise ArgumentError(
            "given", got, f"one of {len(chosen)}, as the model has; name them by joints=", names
        )
    place = {int(scalar[each]): number for number, each in enumerate(chosen)}
    for number, isometry in enumerate(given.isometries):
        orders = derive_map(found, isometry).orders
        right = SignedOrder(
            tuple(place[int(orders.joints[scalar[each]])] for each in chosen),
            tuple(int(orders.joint_signs[scalar[each]]) for each in chosen),
        )
        yield from _differing(given, number, right, [names[each] for each in chosen])


def _places(names: list[str], joints: Sequence[str] | None) -> list[int]:
    """Which of the model's joints stands at each place of the map."""
    if joints is None:
        return list(range(len(names)))
    if isinstance(joints, str) or not isinstance(joints, Sequence):
        raise ArgumentError("joints", joints, "the names of joints", names)
    unknown = [name for name in joints if name not in names]
    if unknown or sorted(joints) != sorted(names):
        got = repr(unknown[0]) if unknown else f"{len(joints)} names"
        raise ArgumentError("joints", got, "each joint of the model once", names)
    return [names.index(name) for name in joints]


def _differing(
    given: SymmetryMap, number: int, right: SignedOrder, names: Sequence[str]
) -> Iterator[tuple[MapFault, int, SignedOrder]]:
    for (array, start), block in peers_of(given, number).blocks.items():
        for joint, (old, new) in enumerate(
            zip(zip(*block, strict=True), zip(*right, strict=True), strict=True)
        ):
            if old != new:
                what = f"{names[joint]} from {names[old[0]] if old[0] in range(len(names)) else old[0]}"
                what += f" with sign {'+' if old[1] > 0 else '−'}, and not so in the model file"
                mend = f"place {start + joint} from {start + new[0]} with sign {'+' if new[1] > 0 else '−'}"
                mend += f" ({names[new[0]]})"
                fault = MapFault(array, number, (start + joint,), what, mend)
                yield fault, start, right
