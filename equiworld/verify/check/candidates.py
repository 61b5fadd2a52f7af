"""Other declarations of the same numbers, one exchange away: of type, axes, sign, centre or order."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from equiworld.groups import GroupElement
from equiworld.symmetry import (
    Concatenation,
    Field,
    Heading,
    Permuted,
    Point,
    Pseudoscalar,
    Pseudovector,
    Rotation,
    Scalar,
    SignedPermutation,
    SymmetricMatrix,
    Symmetry,
    Vector,
)
from equiworld.verify.check.candidate import Candidate
from equiworld.verify.check.exchanges import (
    borrowed,
    renamed_bodies,
    renamed_numbers,
    seen_joints,
    seen_marks,
)
from equiworld.verify.check.pairs import Pairs
from equiworld.verify.check.report import places_in_words, shown

__all__ = ["action_candidates", "field_candidates"]


def field_candidates(
    declared: Field, pairs: Pairs, elements: GroupElement, symmetry: Symmetry
) -> Iterator[Candidate]:
    """Other fields for numbers that were seen, the plainest first."""
    size, dim = declared.size(symmetry.dim), symmetry.dim
    yield from _types(declared, size, symmetry)
    yield from _inner(declared, symmetry)
    yield from _centred(declared, pairs, elements, symmetry)
    yield from _headings(size, pairs, elements, symmetry)
    yield from seen_joints(declared, pairs, elements, symmetry)
    yield from borrowed(declared, symmetry)
    yield from seen_marks(size, pairs, elements, symmetry)
    yield from _axes(size, dim)
    yield from renamed_bodies(declared, symmetry)


def action_candidates(symmetry: Symmetry) -> Iterator[Candidate]:
    """Other fields for actions, which are not seen but tried."""
    declared, dim = symmetry.action, symmetry.dim
    size = declared.size(dim)
    yield from _types(declared, size, symmetry)
    if isinstance(declared, SignedPermutation):
        yield from renamed_numbers(declared)
    yield from _other_parts(declared)
    yield from borrowed(declared, symmetry)
    yield from _axes(size, dim)


def _other_parts(declared: Field) -> Iterator[Candidate]:
    """Numbers one behind the other, some of which reflections negate: one part of them the other way."""
    parts = declared.parts if isinstance(declared, Concatenation) else ()
    others: dict[type[Field], type[Field]] = {Scalar: Pseudoscalar, Pseudoscalar: Scalar}
    place = 0
    for index, part in enumerate(parts):
        if type(part) not in others:
            return
        other = others[type(part)](part.count)
        field = Concatenation((*parts[:index], other, *parts[index + 1 :]))
        yield Candidate(field, f"{shown(other)} at {places_in_words(range(place, place + part.count))}")
        place += part.count


def _types(declared: Field, size: int, symmetry: Symmetry) -> Iterator[Candidate]:
    """Those that the numbers' count allows."""
    dim = symmetry.dim
    found: list[Field] = [Scalar(size), Pseudoscalar(size)]
    if size % dim == 0:
        items = size // dim
        found += [Vector(items), Pseudovector(items), Point(items)]
    if dim == 2:
        found.append(Heading(size))
    body = "body" in symmetry.group.labels.natural
    for form, width in (("matrix", 9), ("xyzw", 4), ("wxyz", 4)):
        if dim == 3 and size % width == 0:
            turned = (False, True) if body else (False,)
            found += [Rotation(size // width, form=form, body=each) for each in turned]
    if dim == 3 and size % 6 == 0:
        found.append(SymmetricMatrix(size // 6))
    for field in found:
        if field != declared:
            yield Candidate(field, shown(field))
    if dim == 3 and size == 9:
        order = tuple(np.arange(9).reshape(3, 3).T.ravel().tolist())
        yield Candidate(Rotation(), "Rotation() written column by column", order)


def _inner(declared: Field, symmetry: Symmetry) -> Iterator[Candidate]:
    """Other fields of what bodies hold that take each other's place."""
    if not isinstance(declared, Permuted):
        return
    size = declared.field.size(symmetry.dim)
    for other in _types(declared.field, size, symmetry):
        if other.order is None:
            field = replace(declared, field=other.declared)
            yield Candidate(field, f"the same of {other.words}")


def _centred(
    declared: Field, pairs: Pairs, elements: GroupElement, symmetry: Symmetry
) -> Iterator[Candidate]:
    """Points about another centre: (1 − R) Δ is what they are off by, in the mean of least squares."""
    size, dim = declared.size(symmetry.dim), symmetry.dim
    if size % dim or not len(pairs):
        return
    g, items = elements[pairs.element], size // dim
    field = declared if isinstance(declared, Point) else Point(items)
    expected = field.transform(g, pairs.before, np.asarray(symmetry.centre))
    off = (pairs.after - expected).reshape(-1, items, dim)
    matrices = np.repeat((np.eye(dim) - g.matrix)[:, None], items, 1)
    found, *_ = np.linalg.lstsq(matrices.reshape(-1, dim), off.ravel(), rcond=1e-9)
    centre = np.asarray(symmetry.centre) + found
    words = ", ".join(f"{number:.6g}" for number in np.round(centre, 9) + 0.0)
    yield Candidate(field, f"{shown(field)} about the centre ({words})", centre=tuple(centre))


def _headings(size: int, pairs: Pairs, elements: GroupElement, symmetry: Symmetry) -> Iterator[Candidate]:
    """Angles that are counted the other way round, or from elsewhere in the body."""
    if symmetry.dim != 2 or not len(pairs):
        return
    yield Candidate(Heading(size), f"{shown(Heading(size))} of the negative angles", signs=(-1,) * size)
    reflect = elements.determinant[pairs.element] < 0
    if reflect.any():
        g = elements[pairs.element[reflect]]
        turn = np.arctan2(g.matrix[:, 1, 0], g.matrix[:, 0, 0])
        axis = ((turn - pairs.before[reflect, 0] - pairs.after[reflect, 0]) / 2)[0] % np.pi
        field = Heading(size, axis=float(axis))
        yield Candidate(field, f"Heading({'' if size == 1 else f'{size}, '}axis={axis:.6g})")


def _axes(size: int, dim: int) -> Iterator[Candidate]:
    """Arrows and points with their axes exchanged or turned over, or written one axis after the other."""
    if size % dim:
        return
    items = size // dim
    fields: tuple[Field, ...] = (Vector(items), Pseudovector(items), Point(items))
    if items > 1:
        order = tuple(np.arange(size).reshape(dim, items).T.ravel().tolist())
        for field in fields:
            yield Candidate(field, f"{shown(field)} written one axis after the other", order)
    for field, axes in itertools.product(fields, itertools.permutations(range(dim))):
        for signs in itertools.product((1, -1), repeat=dim):
            if signs[0] < 0 or (axes == tuple(range(dim)) and min(signs) > 0):
                continue  # all signs changed at once commute with every rotation
            order = tuple(dim * item + axis for item in range(items) for axis in axes)
            way = ", ".join(
                f"{'-' * (sign < 0)}{'xyz'[axis]}" for axis, sign in zip(axes, signs, strict=True)
            )
            yield Candidate(field, f"{shown(field)} of its axes ({way})", order, signs * items)
