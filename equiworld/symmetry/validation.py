"""What a Symmetry must satisfy, checked when it is made."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Iterator, KeysView, Mapping, Sequence, Set
from typing import Any

import numpy as np

from equiworld.arguments import flag, instance, integer, number, reals
from equiworld.errors import ArgumentError
from equiworld.groups import GroupElement
from equiworld.groups.matrix_group import checked_group
from equiworld.symmetry.concatenation import Interleaved, leaves
from equiworld.symmetry.declaration import Declaration
from equiworld.symmetry.field import Field
from equiworld.symmetry.fields import Cloud, Heading, Point, Rotation
from equiworld.symmetry.parts import Parts

__all__ = [
    "centre_of",
    "check_alone",
    "check_element",
    "check_kinds",
    "check_leading",
    "check_symmetry",
    "door_arguments",
    "goal_among",
    "goal_of",
    "names_of",
    "owned",
    "places_of",
    "shapes_of",
]


def check_element(g: GroupElement, dim: int) -> None:
    """Refuse what is no group element, or one of another dimension."""
    if not isinstance(g, GroupElement):
        raise ArgumentError("g", g, "a GroupElement, such as SE2().rotation(0.3)")
    if g.matrix.shape[-1] != dim:
        raise ArgumentError(
            "g", f"an element of {g.group!r}, dimension {g.matrix.shape[-1]}", f"dimension {dim}"
        )


def centre_of(symmetry: Declaration) -> tuple[float, ...]:
    """The centre as plain numbers; the origin where none is given."""
    centre = reals("centre", symmetry.centre)
    centre = centre if centre.size else np.zeros(symmetry.dim)
    if centre.shape != (symmetry.dim,):
        raise ArgumentError("centre", symmetry.centre, f"{symmetry.dim} finite coordinates")
    return tuple(centre.tolist())


def check_alone(symmetry: Declaration, parts: bool) -> None:
    """Refuse `Parts` of one array beside other fields of it."""
    if parts and symmetry.flat and len(symmetry.observation) > 1:
        raise ArgumentError(
            "observation", f"Parts among {list(symmetry.observation)}", "alone, with flat=True"
        )


def check_kinds(symmetry: Declaration) -> None:
    """Refuse what is of another kind altogether."""
    checked_group("group", symmetry.group)
    for name in ("observation", "info", "places", "shapes"):
        if not isinstance(getattr(symmetry, name), Mapping):
            raise ArgumentError(name, getattr(symmetry, name), "a mapping by name")
    if not isinstance(symmetry.action, Field):
        raise ArgumentError("action", symmetry.action, "a field, such as Vector()")
    if not isinstance(symmetry.holds, str):
        raise ArgumentError("holds", symmetry.holds, "words")


def names_of(argument: str, names: Iterable[str]) -> tuple[str, ...]:
    """Names as a tuple; one name alone, in place of several, is refused as its letters would be."""
    # Not whatever can be iterated over: text, arrays, tensors and group elements can.
    if isinstance(names, Sequence | Set | KeysView | Mapping | Iterator) and not isinstance(
        names, str | bytes
    ):
        found = tuple(names)
        if all(isinstance(name, str) for name in found):
            return found
    raise ArgumentError(argument, names, "names of observed fields, such as a tuple")


def goal_of(goal: Any) -> dict[str, str | None]:
    """The state's field by goal field; None for each where only their names are given."""
    pairs = dict(goal) if isinstance(goal, Mapping) else dict.fromkeys(names_of("goal", goal))
    if not all(isinstance(name, str) and isinstance(of, str | None) for name, of in pairs.items()):
        raise ArgumentError("goal", goal, "a mapping from goal fields to fields of the state, or their names")
    return pairs


def goal_among(symmetry: Declaration, names: Container[str]) -> dict[str, str | None]:
    """The goal as far as it is among these fields."""
    pairs = goal_of(symmetry.goal).items()
    return {name: of if of in names else None for name, of in pairs if name in names}


def places_of(places: Mapping[str, Any]) -> dict[str, tuple[str, tuple[int, ...]]]:
    """By field, the key that holds it and the places of its numbers there, as plain values."""
    found = {}
    for name, place in places.items():
        if not isinstance(place, Sequence) or len(place) != 2 or not isinstance(place[0], str):
            raise ArgumentError(
                "places", f"{place!r} of {name!r}", "a key, and the places of the field's numbers there"
            )
        found[name] = place[0], _whole_numbers("places", place[1])
    return found


def shapes_of(shapes: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """By key, the shape of an array of several axes, as plain numbers."""
    return {key: _whole_numbers("shapes", shape) for key, shape in shapes.items()}


def _whole_numbers(argument: str, values: Any) -> tuple[int, ...]:
    row = values.ndim == 1 if isinstance(values, np.ndarray) else isinstance(values, Sequence)
    if not row or isinstance(values, str | bytes):
        raise ArgumentError(argument, repr(values), "several whole numbers, such as a tuple")
    return tuple(integer(argument, value, least=0) for value in values)


def owned(symmetry: Declaration, g: GroupElement) -> GroupElement:
    """An element of a subgroup as one of the symmetry's group, whose labels the fields know; others as they are."""
    check_element(g, symmetry.dim)
    if g.group == symmetry.group or not symmetry.labelled:
        return g
    if symmetry.group.includes(g.group):
        return g.within(symmetry.group)
    raise ArgumentError("g", f"an element of {g.group!r}", f"one of {symmetry.group!r}, or of a subgroup")


def check_symmetry(symmetry: Declaration) -> None:
    """Refuse fields that the dimension or the group does not have, and names that are no field."""
    if symmetry.dim not in (2, 3):
        raise ArgumentError("group", f"{symmetry.group!r} of dimension {symmetry.dim}", "dimension 2 or 3")
    if not isinstance(symmetry.reward, bool | np.bool_):
        raise ArgumentError("reward", symmetry.reward, "True, or False where the reward is not invariant")
    if not symmetry.observation:
        raise ArgumentError("observation", "no fields", "at least one")
    for name, field in (*symmetry.observation.items(), ("action", symmetry.action), *symmetry.info.items()):
        _check_field(name, field, symmetry)
    if any(
        isinstance(each, Interleaved | Parts)
        for each in (symmetry.action, *getattr(symmetry.action, "parts", ()))
    ):
        raise ArgumentError("action", symmetry.action, "fields one behind the other: a Concatenation")
    _check_names(symmetry)


def _check_field(name: str, field: Field, symmetry: Declaration) -> None:
    if not isinstance(field, Field):
        raise ArgumentError(name, field, "a field, such as Point() or Vector()")
    if isinstance(field, Cloud) and field.count is None:
        return
    try:
        field.size(symmetry.dim)
    except ArgumentError as error:
        raise ArgumentError(name, str(error), f"a field of dimension {symmetry.dim}") from None
    if field.labelled:
        _check_labels(name, field, symmetry)
    for part in leaves(field):
        if (
            isinstance(part, Rotation)
            and part.form != "matrix"
            and not part.body
            and not symmetry.group.proper
        ):
            raise ArgumentError(
                name,
                f"a quaternion under {symmetry.group!r}, which has reflections",
                'Rotation(form="matrix"): quaternions have no mirror image',
            )


def _check_labels(name: str, field: Field, symmetry: Declaration) -> None:
    """Refuse what labels of the group do not move as the field says."""
    try:
        g = symmetry.group.section()
        none = np.zeros((len(g), field.size(symmetry.dim)))
        field.bounds(g, none, none, np.asarray(symmetry.centre))
    except ArgumentError as error:
        raise ArgumentError(name, str(error), f"a field that {symmetry.group!r} moves") from None


def _check_names(symmetry: Declaration) -> None:
    declared = symmetry.observation
    for key, shape in symmetry.shapes.items():
        arrays = symmetry.arrays()
        if key not in arrays:
            raise ArgumentError("shapes", repr(key), "keys of the observation", arrays)
        size = arrays[key].size(symmetry.dim)
        if math.prod(shape) != size:
            raise ArgumentError("shapes", f"{shape} of {key!r}", f"a shape of {size} numbers")
    for argument in ("state", "goal", "places"):
        for name in getattr(symmetry, argument):
            if name not in declared:
                raise ArgumentError(argument, repr(name), "names of observed fields", declared)
    _check_goal(symmetry)
    for name, (_, at) in symmetry.places.items():
        if len(at) != declared[name].size(symmetry.dim):
            got = f"{len(at)} of {name!r}"
            raise ArgumentError("places", got, f"{declared[name].size(symmetry.dim)}, one for each number")
    single = (("action_origin", Point()), ("reference", Point()), ("heading", Heading()))
    for argument, example in single:
        name = getattr(symmetry, argument)
        if name is None:
            continue
        if not isinstance(name, str) or name not in declared:
            raise ArgumentError(argument, repr(name), "the name of an observed field", declared)
        field = declared[name]
        if not isinstance(field, type(example)) or (field.count != 1 and argument != "reference"):
            count = "" if argument == "reference" else " of one"
            raise ArgumentError(
                argument, f"{name!r}, a {field!r}", f"a field {type(example).__name__}(){count}"
            )


def _check_goal(symmetry: Declaration) -> None:
    """Refuse pairs of a goal and what it is the goal of that cannot be compared."""
    declared = symmetry.observation
    for name, of in goal_of(symmetry.goal).items():
        if of is None:
            continue
        others = [each for each in declared if each not in symmetry.goal]
        if of not in others:
            raise ArgumentError("goal", f"{of!r}, of {name!r}", "an observed field that is no goal", others)
        wanted, shown = declared[name], declared[of]
        counts = {field.count for field in (wanted, shown) if not isinstance(field, Cloud)}
        if type(wanted) is not type(shown) or len(counts) > 1:
            got = f"{name!r}, a {wanted!r}, and {of!r}, a {shown!r}"
            raise ArgumentError("goal", got, "pairs of fields of one type and count")


def check_leading(arrays: Mapping[str, Any]) -> None:
    """Refuse fields of one observation that differ in their leading shape."""
    shapes = {name: tuple(array.shape[:-1]) for name, array in arrays.items()}
    first = next(iter(shapes), None)
    for name, shape in shapes.items():
        if first is not None and shape != shapes[first]:
            raise ArgumentError(name, f"leading shape {shape}", f"{shapes[first]}, that of {first!r}")


def door_arguments(
    symmetry: Declaration, names: Any, scales: Any, single: Any, reference_pose: Any
) -> tuple[tuple[str, ...] | None, dict[str, float], bool]:
    """What a door is made of, plain: the names that are wanted, the scales by name, and the flag.

    Raises:
        ArgumentError: a name is no observed field's, a scale no positive number, or the pose no element of the group.
    """
    fields = symmetry.observation
    names = None if names is None else names_of("names", names)
    unknown = [name for name in names or () if name not in fields]
    if unknown or names == ():
        raise ArgumentError("names", unknown[0] if unknown else "none", "names of observed fields", fields)
    if scales is not None:
        instance("scales", scales, Mapping)
        unknown = [name for name in scales if name not in fields]
        if unknown:
            raise ArgumentError("scales", repr(unknown[0]), "names of observed fields", fields)
    sizes = {name: number(f"scales[{name!r}]", size, above=0) for name, size in (scales or {}).items()}
    if reference_pose is not None:
        instance("reference_pose", reference_pose, GroupElement)
        if reference_pose.batch_shape or not symmetry.group.contains(reference_pose):
            got = f"{reference_pose!r} of {reference_pose.group!r}, batch shape {reference_pose.batch_shape}"
            raise ArgumentError("reference_pose", got, f"one element of {symmetry.group!r}")
    return names, sizes, flag("single", single)
