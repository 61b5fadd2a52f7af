"""Observations in their frames, in torch: plain networks behind it make an exactly equivariant policy."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from gymnasium import spaces
from torch import Tensor

from equiworld.models.labels import block_images
from equiworld.nn.constant import Constant
from equiworld.sb3.action_channels import ActionChannels
from equiworld.sb3.observation_form import Channels, ObservationForm
from equiworld.sb3.sight import Sight
from equiworld.symmetry import Symmetry
from equiworld.symmetry.features import KINDS
from equiworld.symmetry.representative import MARGIN, irrational

__all__ = ["CanonicalForm"]


class CanonicalForm(ObservationForm):
    """Brings observations into the form that all of their orbit share, and says how actions go back.

    It is the frame at the door (`equiworld.symmetry.Door`) without the grid. Of a finite group, and of labels, the
    representative is that which lies nearest to a fixed direction of no symmetry. A state that some elements leave as
    it is has no frame of its own: there actions are projected on what these elements keep, which alone turns with it.

    Args:
        observation_space: that the symmetry declares.
        symmetry: of observations and actions.
        scales: see `ObservationForm`.

    >>> import numpy as np
    >>> from equiworld.groups import SO2
    >>> from equiworld.symmetry import Vector
    >>> symmetry = Symmetry(SO2(), {"a": Vector(), "b": Vector()}, Vector(), flat=True)
    >>> form = CanonicalForm(spaces.Box(-1, 1, (4,)), symmetry)
    >>> form(torch.tensor([[0.0, 0.5, -0.5, 0.0]])).numbers  # turned by a quarter
    tensor([[0.5000, 0.0000, 0.0000, 0.5000]])
    """

    def __init__(
        self, observation_space: spaces.Space, symmetry: Symmetry, scales: Mapping[str, float] | None = None
    ) -> None:
        super().__init__(observation_space, symmetry, scales)
        symmetry, moved = self.symmetry, self.actions.moved
        weights = irrational(self.features_dim)
        self._weights = Constant(weights)
        self._mixes = bool((self.actions.mixing != torch.eye(len(self.actions.blocks)).numpy()).any())
        self._plain = ActionChannels(self.door.symmetry) if moved else self.actions
        self._action_images = Constant(torch.from_numpy(self.actions.images))
        self._mixing = Constant(torch.from_numpy(self.actions.mixing))
        if symmetry.group.finite:
            # h⁻¹·x = ρ(h)ᵀ x, for all h side by side
            images = torch.from_numpy(self.images())
            self._back = Constant(images.movedim(0, 1).flatten(1).contiguous())
        elif self.cosets:
            fields = [symmetry.observation[name] for name in self.names]
            found = block_images(fields, symmetry)
            self._labels = {kind: Constant(torch.from_numpy(found[kind])) for kind in KINDS}
            self._turns = Constant(torch.from_numpy(symmetry.group.section().matrix))

    def _see(self, channels: Channels) -> Sight:
        if self.symmetry.group.finite:
            return self._of_finite(self.row(channels))
        return self._of_labels(channels) if self.cosets else self._of_frame(channels)

    def _of_finite(self, row: Tensor) -> Sight:
        """Of the forms h⁻¹·x the one nearest to a fixed direction."""
        forms = (row @ self._back.like(row)).unflatten(-1, (-1, row.shape[-1]))
        chosen, share = self._nearest(forms @ self._weights.like(row))
        numbers = forms.gather(-2, chosen[:, None, None].expand(-1, 1, row.shape[-1])).squeeze(-2)
        images, size = self._action_images.like(row), self.actions.size
        turn = (share @ images.flatten(1)).unflatten(-1, (size, size)) if self.actions.moved else None
        return Sight(numbers, turn, None, self._mixed(share))

    def _of_frame(self, channels: Channels) -> Sight:
        numbers, turn, shift = self._framed(channels)
        return Sight(numbers, turn, shift)

    def _framed(self, channels: Channels) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """The numbers in the frames of what moves no labels, and how actions go back."""
        frame = self.door.frame(channels)
        rotation = frame.axes if frame.fixed is None else frame.completed()
        assert frame.origin is not None  # `Door.frame` says where it stands
        scalars, vectors, points = self.door.layout.seen_in(frame, rotation, frame.origin, channels)
        numbers = self.row({"scalars": scalars, "vectors": vectors, "points": points})
        turn = self._plain.turn(frame) if self.actions.moved else None
        return numbers, turn, self.shift(frame.origin)

    def _of_labels(self, channels: Channels) -> Sight:
        """Likewise at one element for each label."""
        scalars, turns = channels["scalars"], self._turns.like(channels["scalars"])
        labels = {kind: each.like(scalars) for kind, each in self._labels.items()}
        count, batch = len(turns), scalars.shape[0]
        apart: Channels = {"scalars": torch.einsum("bs,kst->kbt", scalars, labels["scalars"]).flatten(0, 1)}
        for kind in ("vectors", "points"):
            turned = torch.einsum("kji,bjc->kbic", turns, channels[kind])
            found = torch.einsum("kbic,kce->kbie", turned, labels[kind])
            apart[kind] = found.flatten(0, 1)
        numbers, turn, shift = self._framed(apart)
        forms = numbers.unflatten(0, (count, batch)).transpose(0, 1)
        chosen, share = self._nearest(forms @ self._weights.like(scalars))
        numbers = forms.gather(-2, chosen[:, None, None].expand(-1, 1, forms.shape[-1])).squeeze(-2)
        shared = torch.einsum("bk,kij->bkij", share, self._action_images.like(scalars))
        if turn is not None:
            turn = torch.einsum("bkij,kbjl->bil", shared, turn.unflatten(0, (count, batch)))
        if shift is not None:
            shift = torch.einsum("bkij,kbj->bi", shared, shift.unflatten(0, (count, batch)))
        return Sight(numbers, turn, shift, self._mixed(share))

    def _nearest(self, score: Tensor) -> tuple[Tensor, Tensor]:
        """Which of k forms comes nearest `(B,)`, and the shares `(B, k)` of those that tie."""
        best, chosen = score.max(-1)
        tied = (score >= best.unsqueeze(-1) - MARGIN).to(score.dtype)
        return chosen, tied / tied.sum(-1, keepdim=True)

    def _mixed(self, share: Tensor) -> Tensor | None:
        if not self._mixes or not self.noisy:
            return None
        mixing = self._mixing.like(share)
        return (share @ mixing.flatten(1)).unflatten(-1, mixing.shape[1:])
