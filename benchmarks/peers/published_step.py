"""One step of stable-worldmodel's PushT as arXiv 2606.03003 measures it: its data, its two networks, its training.

States are packed as there, `(N, 8)`: agent place, agent velocity, the T's place, (cos, sin) of its angle; places are
about the centre of the walls in units of 256 px, velocities in units of 512 px/s. Actions are in [−1, 1].
"""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from equiworld.benchmarks.worlds.swm_pusht import pusht_class
from equiworld.envs.pusht import geometry
from equiworld.groups import E2
from equiworld.symmetry import Heading, Point, Symmetry, Vector
from equiworld.training import Dataset

__all__ = [
    "SYMMETRY",
    "Fit",
    "Perceptron",
    "Steps",
    "VectorNeurons",
    "collected",
    "dataset_of",
    "fitted",
    "packed_of",
    "poses_of",
]

Array = NDArray[np.float64]

PLACE, SPEED = 256.0, 512.0  # [px], [px/s]
GOAL, INTERIOR, STEPS = 60.0, 150.0, 14  # [px] to the goal; [px] of the T from the centre; of an episode
CENTRE = np.array(geometry.CENTRE)

SYMMETRY = Symmetry(
    group=E2(),
    observation={
        "agent_pos": Point(),
        "agent_vel": Vector(),
        "block_pos": Point(),
        "block_heading": Heading(axis=geometry.STEM_DIRECTION),
    },
    action=Vector(),
    reference="block_pos",
    heading="block_heading",
    centre=geometry.CENTRE,
    length_scale=100.0,
    holds="away from the walls",
)
"""As our PushT declares what is here; the T's place is its centre of gravity."""


class Steps(NamedTuple):
    """Transitions: packed states `(N, 8)`, actions `(N, 2)`, packed states that follow `(N, 8)`; float32."""

    state: Tensor
    action: Tensor
    following: Tensor

    def turned(self, quarters: int) -> Steps:
        """Turned about the centre by so many quarter turns, without rounding."""
        found = []
        for part in self:
            pairs = part.unflatten(-1, (-1, 2))
            for _ in range(quarters % 4):
                pairs = torch.stack((-pairs[..., 1], pairs[..., 0]), -1)
            found.append(pairs.flatten(-2))
        return Steps(*found)


def collected(count: int, seed: int) -> Steps:
    """Transitions of pushes from behind the T towards goals in the first quadrant.

    Those that leave the interior are dropped. Seven in ten actions point to the goal, with noise of deviation .4; the
    others are drawn evenly.
    """
    env, rng = pusht_class()(), np.random.default_rng(seed)
    env.render = lambda: None
    rows, episodes = list[tuple[Array, Array, Array]](), itertools.count()
    while len(rows) < count:
        angle = rng.uniform(0.0, math.pi / 2)
        ahead = np.array([math.cos(angle), math.sin(angle)])
        block = CENTRE + rng.uniform(-15, 15, size=2)
        back, aside = rng.uniform(45, 65), rng.uniform(-12, 12)
        agent = block - back * ahead + aside * np.array([-ahead[1], ahead[0]])
        start = np.array([*agent, *block, 0.0, 0.0, 0.0])
        _, info = env.reset(seed=next(episodes), options={"state": start, "goal_state": start})
        for _ in range(STEPS):
            before = _packed(info)
            aimed = rng.random() < 0.7
            action = (
                np.clip(ahead + rng.normal(0, 0.4, size=2), -1, 1) if aimed else rng.uniform(-1, 1, size=2)
            )
            *_, info = env.step(action.astype(np.float32))
            after = _packed(info)
            if np.linalg.norm(after[4:6]) * PLACE < INTERIOR:
                rows.append((before, action, after))
    parts = [torch.tensor(np.array(part), dtype=torch.float32) for part in zip(*rows[:count], strict=True)]
    return Steps(*parts)


def _packed(info: dict[str, Any]) -> Array:
    x, y, angle = np.asarray(info["block_pose"], dtype=np.float64)
    place = (np.asarray(info["pos_agent"], dtype=np.float64) - CENTRE) / PLACE
    block = (np.array([x, y]) - CENTRE) / PLACE
    return np.array(
        [*place, *np.asarray(info["vel_agent"]) / SPEED, *block, math.cos(angle), math.sin(angle)]
    )


def poses_of(packed: Tensor) -> Array:
    """Poses of the T's centre of gravity `(N, 3)` [px, px, rad]."""
    numbers = packed.double().numpy()
    angle = np.arctan2(numbers[:, 7], numbers[:, 6])
    return geometry.from_stock_pose(np.column_stack((numbers[:, 4:6] * PLACE + CENTRE, angle)))


def dataset_of(steps: Steps) -> Dataset:
    """The same transitions as ours are, each an episode of its own."""

    def arrays(packed: Tensor) -> dict[str, Array]:
        numbers, poses = packed.double().numpy(), poses_of(packed)
        agent, velocity = numbers[:, :2] * PLACE + CENTRE, numbers[:, 2:4] * SPEED
        parts = (agent, velocity, poses[:, :2], poses[:, 2:])
        return dict(zip(SYMMETRY.state, parts, strict=True))

    episode = np.arange(len(steps.action))
    return Dataset(
        SYMMETRY, arrays(steps.state), steps.action.double().numpy(), arrays(steps.following), episode
    )


def packed_of(arrays: Any) -> Tensor:
    """Packed states of the arrays of our fields: the inverse of what `dataset_of` does to states."""
    agent, velocity, place, heading = (np.asarray(arrays[name]) for name in SYMMETRY.state)
    block = geometry.to_stock_pose(np.column_stack((place, heading)))
    angle = block[:, 2]
    parts = ((agent - CENTRE) / PLACE, velocity / SPEED, (block[:, :2] - CENTRE) / PLACE)
    return torch.from_numpy(np.column_stack((*parts, np.cos(angle), np.sin(angle))))


class _Residual(nn.Module, ABC):
    """s′ = s + f(s, a), the direction of the T of length one."""

    @abstractmethod
    def change(self, state: Tensor, action: Tensor) -> Tensor:
        """f, `(N, 8)`."""

    def forward(self, state: Tensor, action: Tensor) -> Tensor:
        """The packed states that follow, `(N, 8)`."""
        after = state + self.change(state, action)
        direction = after[:, 6:] / (after[:, 6:].norm(dim=-1, keepdim=True) + 1e-6)
        return torch.cat((after[:, :6], direction), -1)


class _Neurons(nn.Module):
    """Linear in channels of vectors, then each vector loses what points against a learned direction.

    V ↦ W V, then V − min(⟨V, q⟩, 0) q with q ∝ K V of length one (Deng et al., Vector Neurons, ICCV 2021).
    """

    def __init__(self, channels_in: int, channels: int, bends: bool = True) -> None:
        super().__init__()
        self.mix = nn.Linear(channels_in, channels, bias=False)
        self.direction = nn.Linear(channels, channels, bias=False) if bends else None

    def forward(self, vectors: Tensor) -> Tensor:
        """`(N, 2, channels_in)` to `(N, 2, channels)`."""
        mixed: Tensor = self.mix(vectors)
        if self.direction is None:
            return mixed
        towards = self.direction(mixed)
        towards = towards / (towards.norm(dim=-2, keepdim=True) + 1e-6)
        return mixed - (mixed * towards).sum(-2, keepdim=True).clamp(max=0.0) * towards


class VectorNeurons(_Residual):
    """Its equivariant network: 3,360 numbers at width 32. Places are vectors from the centre of the walls."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _Neurons(5, width), _Neurons(width, width), _Neurons(width, 4, bends=False)
        )

    def change(self, state: Tensor, action: Tensor) -> Tensor:
        """f, of the four vectors of the state and the action."""
        vectors = torch.cat((state, action), -1).unflatten(-1, (5, 2)).mT
        return self.layers(vectors).mT.flatten(-2)  # type: ignore[no-any-return]


class Perceptron(_Residual):
    """Its baseline: 18,952 numbers at width 128."""

    def __init__(self, width: int = 128) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(10, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 8)
        )

    def change(self, state: Tensor, action: Tensor) -> Tensor:
        """f, of all numbers."""
        return self.layers(torch.cat((state, action), -1))  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Fit:
    """Its training: Adam on all transitions at once, without early stopping.

    Attributes:
        epochs: steps.
        rate: of learning.
        decay: of weights, added to gradients.
    """

    epochs: int = 1500
    rate: float = 3e-3
    decay: float = 1e-4


def fitted(network: type[VectorNeurons | Perceptron], steps: Steps, fit: Fit, seed: int) -> _Residual:
    """A network trained on the mean square error of packed states."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # torch's layers draw from the global generator
        made = network()
    optimiser = torch.optim.Adam(made.parameters(), lr=fit.rate, weight_decay=fit.decay)
    for _ in range(fit.epochs):
        optimiser.zero_grad()
        nn.functional.mse_loss(made(steps.state, steps.action), steps.following).backward()
        optimiser.step()
    return made
