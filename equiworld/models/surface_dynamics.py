"""How an action moves a state among surfaces: as if there were none, and corrected where the body meets one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from equiworld.errors import ArgumentError
from equiworld.models.dynamics import Dynamics
from equiworld.models.networks import Network
from equiworld.models.outline import Outline
from equiworld.models.state_layout import StateLayout
from equiworld.symmetry import Features, Symmetry, Vector
from equiworld.symmetry.surfaces import Surfaces

__all__ = ["SurfaceDynamics", "dynamics_of"]

_MET = "what is met"
_STANDS = 1e-6  # relative


def dynamics_of(
    symmetry: Symmetry, network: Network, centred: bool, generator: torch.Generator
) -> Dynamics | SurfaceDynamics:
    """The dynamics of a declaration: with surfaces in its state those that correct themselves there."""
    bounded = any(isinstance(symmetry.observation[name], Surfaces) for name in symmetry.state)
    if bounded:
        return SurfaceDynamics(symmetry, network, centred, generator)
    return Dynamics(symmetry, network, centred, generator)


class SurfaceDynamics(nn.Module):
    """z′ = f(z, a) + γ · D · network(f(z, a), what is met there, a), where surfaces stand in the state.

    f are the dynamics without surfaces. What is met is found where f would bring the body: how far it would get into
    which surface, see `Surfaces`, and how far that is from where it was. γ = s² (3 − 2 s) of s = 1 − gap / reach of the
    nearest surface, within 0 and 1, is 0 for a body that comes near none: there the model is f, exactly, and what it
    learns at walls takes nothing from what it knows elsewhere.

    Args:
        symmetry: of states and actions.
        network: settings of both networks.
        centred: whether points are seen from the reference point.
        generator: of the initial weights.

    Raises:
        ArgumentError: no point to see surfaces from; or an outline of a body whose axes or mirror image are unknown.
    """

    def __init__(
        self, symmetry: Symmetry, network: Network, centred: bool, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.symmetry, self._state = symmetry, symmetry.feature_type()
        bare, met = _parted(symmetry)
        self.free = Dynamics(bare, network, centred, generator)
        self.near = Dynamics(met, network, centred, generator)
        self._find_channels()
        layout = self.free.layout
        self._bodies = [Outline(layout, field) for field, *_ in self._surfaces]

    @property
    def layout(self) -> StateLayout:
        """The channels that the network of the free dynamics sees."""
        return self.free.layout

    @property
    def network(self) -> nn.Module:
        """The network of the free dynamics."""
        return self.free.network

    @property
    def parts(self) -> tuple[Dynamics, ...]:
        """Those that have a network: the free ones, and those near surfaces."""
        return self.free, self.near

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of its numbers."""
        return self.free.dtype

    def action_features(self, action: Features | Tensor) -> Features:
        """Actions `(…, size)` as Features; Features are handed on."""
        return self.free.action_features(action)

    def forward(self, z: Features, action: Features | Tensor) -> Features:
        """The state after one action, of any batch shape."""
        acted = self.action_features(action)
        self.free.check_pair(z, acted, self._state)
        return self.stepper()(z, acted)

    def stepper(self) -> Callable[[Features, Features | Tensor], Features]:
        """`forward` for many calls in a row, without checks, with the weights as they are now; the same numbers."""
        prepare = getattr(self.near.network, "prepared", None)
        network, free = None if prepare is None else prepare(), self.free.stepper()

        def step(z: Features, action: Features | Tensor) -> Features:
            own, standing = self._apart(z)
            nominal = free(own, action)
            change, _ = self._correction(own, nominal, standing, self.action_features(action), network)
            return self._together(self.free.moved(nominal, change), standing)

        return step

    def errors(self, z: Features, action: Features, target: Features) -> Tensor:
        """Squared lengths of the displacements' errors `(…, channels)`, in units of each channel's spread.

        The free dynamics learn from a transition as far as it is free, 1 − γ of it: what walls do is none of theirs.
        """
        free, (own, standing), (after, _) = self.free, self._apart(z), self._apart(target)
        inputs = free.inputs(own, action)
        change = free.change(inputs)
        known = Features(*(each.detach() for each in (change.scalars, change.vectors, change.points)))
        more, gate = self._correction(own, free.moved(own, known, inputs), standing, action)
        scalars = torch.lerp(change.scalars, known.scalars, gate) + more.scalars
        vectors = torch.lerp(change.vectors, known.vectors, gate.unsqueeze(-1)) + more.vectors
        return free.missed(own, inputs, Features(scalars, vectors, change.points), after)

    def own(self, z: Features) -> Features:
        """The state without its surfaces, as the free dynamics know it."""
        return self._apart(z)[0]

    @torch.no_grad()
    def meets(self, z: Features, after: Features) -> Tensor:
        """Whether a body that gets from z to a state, given without surfaces, is within reach of one there, `(…)`."""
        own, standing = self._apart(z)
        return self._met(own, after, standing)[1] > 0.0

    def penalty(self, z: Features, action: Features) -> Tensor | None:
        """What its networks ask training to add to the loss, a scalar; None for those that ask for nothing."""
        own, standing = self._apart(z)
        free = self.free.penalty(own, action)
        if free is None:
            return None
        met, _ = self._met(own, self.free.stepper()(own, action), standing)
        near = self.near.penalty(met, action)
        return free if near is None else free + near

    def free_share(self, z: Features, action: Features) -> float | None:
        """As of `Dynamics`, of the dynamics without surfaces."""
        return self.free.free_share(self._apart(z)[0], action)

    def fit_scales(self, z: Features, action: Features, target: Features) -> None:
        """One length for each channel from the training data, and the linear combinations that are exact.

        Raises:
            ArgumentError: surfaces that move from one state to the next.
        """
        (own, standing), (after, there) = self._apart(z), self._apart(target)
        for one, other in ((standing.points, there.points), (standing.vectors, there.vectors)):
            if one.numel() and (one - other).abs().max() > _STANDS * one.abs().max():
                raise ArgumentError("data", "surfaces that move", "surfaces that stand still in a transition")
        self.free.fit_scales(own, action, after)
        nothing = own.vectors.new_zeros(*own.vectors.shape[:-1], self.near.layout.state_type.vectors)
        nothing = nothing[..., own.vectors.shape[-1] :]
        met, later = (
            Features(each.scalars, torch.cat([each.vectors, nothing], -1), each.points)
            for each in (own, after)
        )
        self.near.fit_scales(met, action, later)
        with torch.no_grad():
            points, moves = self.free.layout.state_type.points, self.free.out_vector_scale
            seen = self.free.layout.reference or list(range(points))
            far = moves[seen].square().mean().sqrt()
            lengths = [
                field.reach_in(self.symmetry.length_scale)
                for field, *_ in self._surfaces
                for _ in range(field.channels)
            ]
            scales = torch.tensor([*lengths, float(far)]).to(self.near.in_vector_scale)
            kind = self.near.layout.action_type
            stop = self.near.layout.in_type.vectors - kind.vectors - kind.points
            self.near.in_vector_scale[stop - len(scales) : stop] = scales

    def _correction(
        self,
        own: Features,
        nominal: Features,
        standing: Features,
        action: Features,
        network: Callable[[Features], Features] | None = None,
    ) -> tuple[Features, Tensor]:
        """γ · network(…), displacements in units of each channel's spread; and γ, `(…, 1)`."""
        met, near = self._met(own, nominal, standing)
        change = self.near.change(self.near.inputs(met, action), network)
        gate = (near * near * (3.0 - 2.0 * near)).unsqueeze(-1)
        vectors = change.vectors[..., : self.free.layout.out_type.vectors] * gate.unsqueeze(-1)
        return Features(change.scalars * gate, vectors, vectors[..., :0]), gate

    def _met(self, own: Features, nominal: Features, standing: Features) -> tuple[Features, Tensor]:
        """The state that the near network sees, and how near the nearest surface is, from 0 to 1."""
        before, origin = (self.free.layout.origin(each.points) for each in (own, nominal))
        found, near = list[Tensor](), list[Tensor]()
        for (field, points, vectors), body in zip(self._surfaces, self._bodies, strict=True):
            surface = standing.points[..., points], standing.vectors[..., vectors]
            corners = body.corners(nominal.vectors)
            arrows, share = field.seen(*surface, origin, self.symmetry.length_scale, corners, before)
            found.append(arrows)
            near.append(share)
        seen = torch.cat([nominal.vectors, *found, origin - before], -1)
        nearest = torch.stack(near, -1).amax(-1).clamp(max=1.0)
        return Features(nominal.scalars, seen, nominal.points), nearest

    def _find_channels(self) -> None:
        """Where surfaces lie among the channels of the state, and each of them among those of all surfaces."""
        self._surfaces: list[tuple[Surfaces, slice, slice]] = []
        own = {"points": list[int](), "vectors": list[int]()}
        theirs = {"points": list[int](), "vectors": list[int]()}
        used = {"points": 0, "vectors": 0}
        for name in self.symmetry.state:
            field = self.symmetry.observation[name]
            bounds = list[slice]()
            for kind, first in used.items():
                count = getattr(field.feature_type(self.symmetry.dim), kind)
                chosen = theirs if isinstance(field, Surfaces) else own
                bounds.append(slice(len(chosen[kind]), len(chosen[kind]) + count))
                chosen[kind] += range(first, first + count)
                used[kind] += count
            if isinstance(field, Surfaces):
                self._surfaces.append((field, bounds[0], bounds[1]))
        self._own, self._theirs = own, theirs
        self._order = {kind: np.argsort([*own[kind], *theirs[kind]]).tolist() for kind in used}

    def _apart(self, z: Features) -> tuple[Features, Features]:
        """What moves, and the surfaces."""
        own, theirs = (
            {kind: getattr(z, kind)[..., _run(places[kind])] for kind in places}
            for places in (self._own, self._theirs)
        )
        return Features(z.scalars, **own), Features(z.scalars[..., :0], **theirs)

    def _together(self, own: Features, standing: Features) -> Features:
        """The whole state again."""
        found = {}
        for kind, order in self._order.items():
            joined = torch.cat([getattr(own, kind), getattr(standing, kind)], -1)
            found[kind] = joined[..., _run(order)]
        return Features(own.scalars, **found)


def _parted(symmetry: Symmetry) -> tuple[Symmetry, Symmetry]:
    """The declaration of states without surfaces, and that of what the near network sees."""
    fields = {name: symmetry.observation[name] for name in symmetry.state}
    own = {name: field for name, field in fields.items() if not isinstance(field, Surfaces)}
    if not sum(field.feature_type(symmetry.dim).points for field in own.values()):
        got = f"surfaces in {symmetry.state} and no point"
        raise ArgumentError("symmetry", got, "a point to see them from")
    count = sum(field.channels for field in fields.values() if isinstance(field, Surfaces))
    settings = {
        name: getattr(symmetry, name) for name in ("action", "reference", "heading", "centre", "length_scale")
    }
    bare = Symmetry(symmetry.group, own, **settings)
    return bare, Symmetry(symmetry.group, {**own, _MET: Vector(count + 1)}, **settings)


def _run(places: Sequence[int]) -> slice | list[int]:
    """Places in a row as a slice, which copies nothing."""
    start = places[0] if places else 0
    run = range(start, start + len(places))
    return slice(run.start, run.stop) if list(run) == list(places) else list(places)
