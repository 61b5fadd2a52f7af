"""How elements move arrays, in torch operations that can be exported."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from equiworld.groups import Group, GroupElement
from equiworld.symmetry import Field
from equiworld.symmetry.features import Kind
from equiworld.symmetry.tensors import decoded, encoded

__all__ = ["Element", "Mover"]


@dataclass(frozen=True)
class Element:
    """Elements as tensors, of one batch shape `(…,)`.

    Attributes:
        matrix: `(…, d, d)`.
        shift: `(…, d)`.
        label: `(…,)` int64, its image in the group's labels.
    """

    matrix: Tensor
    shift: Tensor
    label: Tensor

    @staticmethod
    def of(g: GroupElement) -> Element:
        """A group's element, or a batch of them."""
        label = np.broadcast_to(np.asarray(g.label, np.int64), g.batch_shape)
        parts = (np.array(each) for each in (g.matrix, g.translation, label))
        return Element(*(torch.from_numpy(each) for each in parts))

    @staticmethod
    def framed(group: Group, rotation: Tensor, origin: Tensor) -> Element:
        """Of frames under a group whose labels the matrix tells."""
        label = torch.zeros(rotation.shape[:-2], dtype=torch.int64, device=rotation.device)
        if group.finite:
            section = torch.from_numpy(np.array(group.section().matrix))
            label = (rotation.flatten(-2) @ section.flatten(1).mT).argmax(-1)
        elif not group.proper:
            mirrored = int(np.flatnonzero(group.labels.determinants < 0)[0])
            label = torch.where(_determinant(rotation) < 0, mirrored, label)
        return Element(rotation, origin, label)


class Mover(nn.Module):
    """ρ(g) on the arrays `(…, size)` of one field, by way of its channels; the numbers are those of `Field.transform`.

    Args:
        field: of the arrays.
        group: of the elements.
        centre: what they move about, `(d,)`.
    """

    centre: Tensor

    def __init__(self, field: Field, group: Group, centre: tuple[float, ...]) -> None:
        super().__init__()
        self.field = field
        self.register_buffer("centre", torch.tensor(centre, dtype=torch.float64), persistent=False)
        self._mixes: list[Kind] = []
        for kind, images in field.label_images(group).items():
            if not np.array_equal(images, np.broadcast_to(np.eye(images.shape[-1]), images.shape)):
                self.register_buffer(f"images_{kind}", torch.from_numpy(np.array(images)), persistent=False)
                self._mixes.append(kind)

    def forward(self, g: Element, array: Tensor) -> Tensor:
        """ρ(g)·array, float64."""
        channels = dict(encoded(self.field, array, self.centre))
        for kind, part in channels.items():
            if kind != "scalars":
                part = g.matrix @ part
                if kind == "points":
                    part = part + g.shift.unsqueeze(-1)
            if kind in self._mixes:
                images = getattr(self, f"images_{kind}")[g.label].mT
                part = (part.unsqueeze(-2) @ images).squeeze(-2) if kind == "scalars" else part @ images
            channels[kind] = part
        return decoded(self.field, channels, self.centre)


def _determinant(matrix: Tensor) -> Tensor:
    """Of matrices `(…, d, d)` in two or three dimensions, in products alone: not every runtime has more."""
    columns = matrix.unbind(-1)
    if len(columns) == 2:
        (a, c), (b, d) = (each.unbind(-1) for each in columns)
        return a * d - b * c
    return (torch.linalg.cross(columns[0], columns[1]) * columns[2]).sum(-1)
