"""The data of a declared symmetry: a group, and the field of every array."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from equiworld.groups import Group
from equiworld.symmetry.concatenation import Concatenation, Interleaved
from equiworld.symmetry.field import Field
from equiworld.symmetry.parts import Places

__all__ = ["Declaration"]


@dataclass(frozen=True)
class Declaration:
    """The fields of a `Symmetry`; its attributes are described there."""

    group: Group
    observation: Mapping[str, Field] = field(hash=False)
    action: Field
    state: tuple[str, ...] = ()
    goal: Mapping[str, str | None] | Sequence[str] = field(default=(), hash=False)
    action_origin: str | None = None
    reference: str | None = None
    heading: str | None = None
    centre: tuple[float, ...] = ()
    length_scale: float = 1.0
    info: Mapping[str, Field] = field(default_factory=dict, hash=False)
    flat: bool = False
    places: Places = field(default_factory=dict, hash=False)
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict, hash=False)
    holds: str = "everywhere"
    reward: bool = True

    @property
    def dim(self) -> int:
        """The dimension d of the space that the group moves."""
        return self.group.dim

    @property
    def labelled(self) -> bool:
        """Whether any field is moved by the labels of elements."""
        return any(part.labelled for part in (*self.observation.values(), self.action, *self.info.values()))

    def arrays(self) -> dict[str, Field]:
        """The field of each array that is observed, by its key; of a flat observation "observation"."""
        if self.flat:
            parts = tuple(self.observation.values())
            places = tuple(self.places[name][1] for name in self.observation if name in self.places)
            return {"observation": Interleaved(parts, at=places) if places else Concatenation(parts)}
        found: dict[str, Field] = {}
        shared: dict[str, list[str]] = {}
        for name, declared in self.observation.items():
            key = self.places[name][0] if name in self.places else name
            found[key] = declared
            shared.setdefault(key, []).append(name)
        for key, names in shared.items():
            if names[0] in self.places:
                at = tuple(self.places[name][1] for name in names)
                found[key] = Interleaved(tuple(self.observation[name] for name in names), at=at)
        return found

    def segments(self) -> Iterator[tuple[str, slice | list[int]]]:
        """Where each field of a flat observation lies in its last axis."""
        start = 0
        for name, declared in self.observation.items():
            stop = start + declared.size(self.dim)
            yield name, list(self.places[name][1]) if name in self.places else slice(start, stop)
            start = stop
