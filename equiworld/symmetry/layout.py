"""Where the fields that a door brings in lie among its channels, how finely each is told apart, and what is a frame."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from equiworld.symmetry.bodies import clouds_in
from equiworld.symmetry.concatenation import leaves
from equiworld.symmetry.features import KINDS, Features, Kind
from equiworld.symmetry.fields import Cloud, Heading, Point, Rotation
from equiworld.symmetry.frame import Frame
from equiworld.symmetry.grid import power_of_two, snap, sorted_points
from equiworld.symmetry.holding import origin_field
from equiworld.symmetry.surfaces import Surfaces
from equiworld.symmetry.symmetry import Symmetry
from equiworld.symmetry.tensors import sharpened

__all__ = ["Layout"]

_FINE, _CLOUD, _SINGLE = 2.0**-22, 2.0**-13, 2.0**-10  # steps of the grid, in units of a field's scale


class Layout:
    """The channels of some observed fields: scalars, vectors and points, each field's behind one another.

    Args:
        symmetry: of the fields.
        names: which, in order of their rank.
        scales: by name, a typical size of a field's numbers, where its declaration does not say.
        single: whether numbers come in float32.

    Attributes:
        scales: by name.
        slices: by name and kind, where a field's channels lie.
        steps: of the grid, for all numbers: scalars, then vectors and points coordinate by coordinate.
        step: of the grid for what is seen in the frame, in units of its scale: no finer than what makes the frame.
        sizes: how many numbers are scalars, in vectors, in points.
        units: by kind, the scale of each channel, a power of two.
        pseudo: by kind, whether a reflection gives a channel one sign more.
        mirrors: whether any is such.
        exchange: by point, which one's place it takes under a reflection.
        exchanges: whether any takes another's.
        origin: `(n,)` weights of the points that make the origin; `(n, 0)` where no point is observed.
        arrows: `(n, m)` weights of the points, seen from the origin, that make arrows.
        clouds: where the points of the state's clouds lie.
        pose: which of the arrows, those of points before vectors, are a body's axes.
        turned: `(2, 2)`, how a heading's arrow stands in a body that stands unturned; None where it is the first axis.
    """

    def __init__(
        self, symmetry: Symmetry, names: Sequence[str], scales: Mapping[str, float], single: bool
    ) -> None:
        self.symmetry, self.names, self.single = symmetry, tuple(names), single
        self.scales = {name: self._scale(name, scales) for name in names}
        self.step = (
            _SINGLE if single else _FINE if self._posed() or not self._clouds(symmetry.state) else _CLOUD
        )
        self._lay_out()
        self._read_frame()
        self._found: dict[tuple[tuple[str, ...], Kind], slice | list[int]] = {}
        self._curved = [
            (symmetry.observation[name], slices)
            for name, slices in self.slices.items()
            if any(isinstance(leaf, Heading | Rotation) for leaf in leaves(symmetry.observation[name]))
        ]

    def step_of(self, name: str) -> float:
        """The step of the grid that a field's numbers are snapped to, in their units."""
        step = max(self.step, _CLOUD) if self._clouds([name]) else self.step
        return step * power_of_two(self.scales[name])

    def seen_in(
        self, frame: Frame, rotation: Tensor, origin: Tensor, channels: Mapping[Kind, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Channels as seen in a frame: scalars `(B, n)`, vectors and points `(B, d, n)`.

        Args:
            frame: that they are seen in.
            rotation: `(B, d, d)`, its axes, none of them missing.
            origin: `(B, d)`, where it stands.
            channels: by kind, likewise.
        """
        back, scalars, vectors, points = frame.axes.mT, *(channels[kind] for kind in KINDS)
        if points.shape[-1]:
            apart = points - origin.unsqueeze(-1)
            points = back @ apart
            if self.exchanges:
                # Marks of bodies that are their own mirror image: these, unlike arrows, look the same from either side.
                exchange = self.exchange.to(points.device)
                whole = rotation.mT @ apart
                mirrored = torch.linalg.det(rotation)[:, None, None] < 0
                whole = torch.where(mirrored, whole[..., exchange], whole)
                moves = exchange != torch.arange(len(exchange), device=points.device)
                points = torch.where(moves, whole, points)
        vectors = back @ vectors
        # Where nothing tells which mirror image it is, what a mirror would negate is below the margin: dropped.
        if frame.handedness is not None and len(self.pseudoscalars):
            negated = frame.handedness[:, None] * scalars
            scalars = torch.where(self.pseudo["scalars"].to(scalars.device), negated, scalars)
        if frame.axial is not None and len(self.axial):
            turned = frame.axial.mT @ channels["vectors"]
            vectors = torch.where(self.pseudo["vectors"].to(scalars.device), turned, vectors)
        return scalars, vectors, points

    def snapped(
        self, frame: Frame, rotation: Tensor, origin: Tensor, channels: Mapping[Kind, Tensor]
    ) -> tuple[dict[Kind, Tensor], Tensor]:
        """Channels as `seen_in` gives them, on the grid, and how far from its seams."""
        scalars, vectors, points = self.seen_in(frame, rotation, origin, channels)
        flat, margin = snap(torch.cat([scalars, vectors.flatten(1), points.flatten(1)], -1), self.steps)
        scalars, vectors, points = flat.split(self.sizes, -1)
        dim = self.symmetry.dim
        inside: dict[Kind, Tensor] = {
            "scalars": scalars,
            "vectors": vectors.unflatten(-1, (dim, -1)) if vectors.shape[-1] else channels["vectors"],
            "points": points.unflatten(-1, (dim, -1)) if points.shape[-1] else channels["points"],
        }
        for name, slices in self.slices.items():
            for where in self._clouds_at(name):
                inside["points"][..., where] = sorted_points(inside["points"][..., where], self.step_of(name))
            self._order_surfaces(name, slices, inside)
        return inside, margin

    def _order_surfaces(self, name: str, slices: Mapping[Kind, slice], inside: dict[Kind, Tensor]) -> None:
        """Surfaces, whose order means nothing, in the order of their coordinates; in place."""
        field = self.symmetry.observation[name]
        if not isinstance(field, Surfaces):
            return
        points, vectors = slices.get("points", slice(0, 0)), slices.get("vectors", slice(0, 0))
        found = field.ordered(inside["points"][..., points], inside["vectors"][..., vectors])
        inside["points"][..., points] = found[0]
        if "vectors" in slices:
            inside["vectors"][..., vectors] = found[1]

    def features(
        self, inside: Mapping[Kind, Tensor], groups: Sequence[Sequence[str]]
    ) -> tuple[Features, ...]:
        """Features of some fields by name, from the channels of all; headings and rotations are such again."""
        exact = dict(inside)
        if self._curved:
            exact["vectors"] = exact["vectors"].clone()
        for field, slices in self._curved:
            shares = {kind: exact[kind][..., where] for kind, where in slices.items()}
            exact["vectors"][..., slices["vectors"]] = sharpened(field, shares)["vectors"]
        return tuple(
            Features(*(exact[kind][..., self._columns(tuple(names), kind)] for kind in KINDS))
            for names in groups
        )

    def _columns(self, names: tuple[str, ...], kind: Kind) -> slice | list[int]:
        """Where the channels of some fields lie: side by side as a rule."""
        if (names, kind) not in self._found:
            parts = [self.slices[name][kind] for name in names if kind in self.slices[name]]
            places = [place for part in parts for place in range(part.start, part.stop)]
            start = places[0] if places else 0
            row = places == list(range(start, start + len(places)))
            self._found[names, kind] = slice(start, start + len(places)) if row else places
        return self._found[names, kind]

    def _clouds(self, names: Iterable[str]) -> list[str]:
        fields = self.symmetry.observation
        return [name for name in names if name in self.names and clouds_in(fields[name])]

    def _clouds_at(self, name: str) -> list[slice]:
        """Where the points of a field's clouds lie; none of a field of another kind."""
        count = clouds_in(self.symmetry.observation[name])
        if not count:
            return []
        whole = self.slices[name]["points"]
        size = (whole.stop - whole.start) // count
        return [slice(start, start + size) for start in range(whole.start, whole.stop, size)]

    def _posed(self) -> list[str]:
        """The fields of the state that are a body's axes."""
        symmetry, fields = self.symmetry, self.symmetry.observation
        return [
            name
            for name in symmetry.state
            if name in self.names
            and (name == symmetry.heading or all(isinstance(leaf, Rotation) for leaf in leaves(fields[name])))
        ]

    def _scale(self, name: str, scales: Mapping[str, float]) -> float:
        field = self.symmetry.observation[name]
        if field.scale is not None:
            return field.scale
        parts = list(leaves(field))
        if all(isinstance(part, Heading | Rotation) for part in parts):
            return 1.0  # of unit length they are frames
        if all(isinstance(part, Point | Cloud | Surfaces) for part in parts):
            return self.symmetry.length_scale
        return float(scales.get(name) or 1.0)

    def _lay_out(self) -> None:
        """Where the channels of each field lie, and the step of each number."""
        dim, stops = self.symmetry.dim, dict[Kind, int].fromkeys(KINDS, 0)
        units: dict[Kind, list[float]] = {kind: [] for kind in KINDS}
        steps: dict[Kind, list[float]] = {kind: [] for kind in KINDS}
        pseudo: dict[Kind, list[bool]] = {kind: [] for kind in KINDS}
        self.slices: dict[str, dict[Kind, slice]] = {}
        exchange: list[int] = []
        for name in self.names:
            unit, starts = power_of_two(self.scales[name]), dict(stops)
            for leaf in leaves(self.symmetry.observation[name]):
                width = getattr(leaf.feature_type(dim), leaf.kind)
                if leaf.kind == "points":
                    exchange += [
                        stops["points"] + each for each in getattr(leaf, "mirror", None) or range(width)
                    ]
                units[leaf.kind] += [unit] * width
                steps[leaf.kind] += [self.step_of(name)] * width
                pseudo[leaf.kind] += [leaf.pseudo and not self.symmetry.group.proper] * width
                stops[leaf.kind] += width
            self.slices[name] = {
                kind: slice(starts[kind], stops[kind]) for kind in KINDS if stops[kind] > starts[kind]
            }
        flat = [*steps["scalars"], *steps["vectors"] * dim, *steps["points"] * dim]
        self.steps = torch.tensor(flat, dtype=torch.float64)
        self.sizes = [stops["scalars"], dim * stops["vectors"], dim * stops["points"]]
        self.units = {kind: torch.tensor(each, dtype=torch.float64) for kind, each in units.items()}
        self.pseudo = {kind: torch.tensor(each, dtype=torch.bool) for kind, each in pseudo.items()}
        # By position where a program may be exported: a mask would hide how many there are.
        self.pseudoscalars, self.axial = (
            self.pseudo[kind].nonzero()[:, 0] for kind in ("scalars", "vectors")
        )
        self.polar = (~self.pseudo["vectors"]).nonzero()[:, 0]
        self.mirrors = any(any(each) for each in pseudo.values())
        self.exchange = torch.tensor(exchange, dtype=torch.int64)
        self.exchanges = not self.symmetry.group.proper and exchange != sorted(exchange)

    def _read_frame(self) -> None:
        """Which combinations of points are the origin and the arrows, and which arrows are a pose."""
        symmetry, count = self.symmetry, len(self.units["points"])
        columns, middles = list[Tensor](), dict[str, Tensor]()
        for name, slices in self.slices.items():
            if "points" not in slices:
                continue
            single = torch.eye(count, dtype=torch.float64)[:, slices["points"]]
            if not symmetry.group.proper:  # of points that a reflection exchanges, what turns as an arrow
                single = (single + single[:, self.exchange[slices["points"]] - slices["points"].start]) / 2
            middles[name] = single.mean(-1)
            if isinstance(symmetry.observation[name], Surfaces):
                columns.append(middles[name])
            elif clouds_in(symmetry.observation[name]):
                columns += [each.mean(-1) for each in single.chunk(clouds_in(symmetry.observation[name]), -1)]
            else:
                columns += list(single.unbind(-1))
        self.clouds = [where for name in self._clouds(symmetry.state) for where in self._clouds_at(name)]
        self.origin = self.arrows = torch.zeros(count, 0, dtype=torch.float64)
        if columns:
            self.arrows = torch.stack(columns, -1)
            self.origin = middles.get(origin_field(symmetry) or "", torch.zeros_like(columns[0]))
        self.pose: slice | None = None
        for name in self._posed()[:1]:
            before = ~self.pseudo["vectors"][: self.slices[name]["vectors"].start]
            start = 2 * len(self.clouds) + len(columns) + int(before.sum())
            self.pose = slice(start, start + (3 if symmetry.dim == 3 else 1))
        axis = getattr(symmetry.observation.get(symmetry.heading or ""), "axis", 0.0)
        c, s = math.cos(axis), math.sin(axis)
        stands = self.pose is not None and axis and not symmetry.group.finite
        self.turned = torch.tensor([[c, -s], [s, c]], dtype=torch.float64) if stands else None
