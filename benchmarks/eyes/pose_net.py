"""Learned eyes: a network that was told poses, of bodies in all orientations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from equiworld.benchmarks.eyes.eyes import Array, PoseEyes
from equiworld.benchmarks.suite.store import Store
from equiworld.envs.cloudpush.geometry import Pose
from equiworld.envs.cloudpush.sensor import Sensor
from equiworld.envs.cloudpush.shapes import make_shape
from equiworld.groups import SO3
from equiworld.nn import orthonormal
from equiworld.nn.clouds import PooledPerceptron
from equiworld.storage import load_tensors, save_tensors

__all__ = ["PoseNet", "PoseNetTraining", "pose_loss", "trained_pose_net"]

LENGTH = 0.1  # [m] about the size of a body
POINTS = 128  # of the clouds trained on
REFINEMENTS = 2  # of the first guess
_UNTURNED = Pose((0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0))

Poses = tuple[Tensor, Tensor]
"""Rotations `(B, 3, 3)` from body to world axes, and places `(B, 3)` [m]."""


class PoseNet(nn.Module, PoseEyes):
    """Poses of clouds: a guess, then corrections by a network that sees the cloud in the frame of the last pose.

    Both say two axes, made orthonormal, and a shift. Geometry is worked out in float64. Nothing is remembered.

    References: Qi et al., PointNet, CVPR 2017; Zhou et al., On the continuity of rotation representations in neural
    networks, CVPR 2019 (the axes); Li et al., DeepIM, ECCV 2018 (corrections).

    Args:
        width: channels of each point.
        seed: of the initial weights.
    """

    def __init__(self, width: int, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.guess, self.correction = (PooledPerceptron(3, 0, 9, width, generator) for _ in range(2))

    def forward(self, clouds: Tensor) -> list[Poses]:
        """The guess and its corrections, of clouds `(B, N, 3)` [m], float64; no slope leads from one to the next."""
        place = clouds.mean(-2)
        turn = torch.eye(3, dtype=torch.float64).expand(len(clouds), 3, 3)
        found = [self._moved(self.guess, clouds, turn, place)]
        for _ in range(REFINEMENTS):
            turn, place = (part.detach() for part in found[-1])
            found.append(self._moved(self.correction, clouds, turn, place))
        return found

    def _moved(self, network: nn.Module, clouds: Tensor, turn: Tensor, place: Tensor) -> Poses:
        """The pose that takes the place of one, from the cloud in its frame."""
        own = (clouds - place[:, None]) @ turn / LENGTH
        seen = own.to(torch.float32)
        said = network(seen, seen[:, 0, :0]).to(torch.float64)
        axes = orthonormal(said[:, :6].unflatten(-1, (3, 2)) + torch.eye(3, 2, dtype=torch.float64))
        change = torch.cat([axes, torch.linalg.cross(axes[..., :1], axes[..., 1:], dim=-2)], -1)
        return turn @ change, place + LENGTH * (turn @ said[:, 6:, None])[..., 0]

    def see(self, clouds: Array, before: Array) -> Array:
        with torch.inference_mode():
            turn, place = self(torch.from_numpy(np.ascontiguousarray(clouds, np.float64)))[-1]
        return torch.cat([turn.flatten(1), place], -1).numpy()


def pose_loss(found: Poses, wanted: Poses, fold: int = 1) -> Tensor:
    """|p − p*| / LENGTH + min over h of ‖R − R* h‖, `(B,)`; h are the turns that leave the body as it is.

    It does not change where both are moved by one g, nor from a wanted pose to one that looks alike. Not squared: a few
    clouds whose ends are taken one for the other must not outweigh all others.

    Args:
        found: rotations and places.
        wanted: likewise.
        fold: of the body's turns about its z axis; of a body of revolution, 0, every tenth degree is one.
    """
    angles = torch.arange(fold or 36, dtype=torch.float64) * (2 * torch.pi / (fold or 36))
    flat, one = torch.zeros_like(angles), torch.ones_like(angles)
    rows = [angles.cos(), -angles.sin(), flat, angles.sin(), angles.cos(), flat, flat, flat, one]
    alike = wanted[0][:, None] @ torch.stack(rows, -1).unflatten(-1, (3, 3))
    return _norm((found[1] - wanted[1]) / LENGTH) + _norm((found[0][:, None] - alike).flatten(2)).amin(-1)


def _norm(vectors: Tensor) -> Tensor:
    return (vectors.square().sum(-1) + 1e-12).sqrt()  # its slope is 0 at 0


@dataclass(frozen=True)
class PoseNetTraining:
    """How a pose net is trained: on fresh clouds that the body's own sensor draws, turned at random (Haar), by AdamW.

    Attributes:
        shape: the body.
        sensors: arguments of `Sensor` beside the number of points, which batches have in turn.
        steps: of the optimiser.
        batch_size: clouds in each.
        learning_rate: the peak of a one-cycle schedule.
        width: channels of each point.
    """

    shape: str = "bracket"
    sensors: tuple[Mapping[str, Any], ...] = ({},)
    steps: int = 4500
    batch_size: int = 64
    learning_rate: float = 3e-3
    width: int = 64

    def train(self, seed: int) -> PoseNet:
        """A trained net; the same bits for the same seed."""
        net, fold, rng = (
            PoseNet(self.width, seed),
            make_shape(self.shape).fold,
            np.random.default_rng([seed, 61]),
        )
        optimiser = torch.optim.AdamW(net.parameters(), self.learning_rate, weight_decay=1e-4)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, self.learning_rate, total_steps=self.steps + 1, pct_start=0.1
        )
        for step in range(self.steps):
            clouds, wanted = self._batch(rng, Sensor(POINTS, **self.sensors[step % len(self.sensors)]))
            loss = torch.stack([pose_loss(found, wanted, fold).mean() for found in net(clouds)]).sum()
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            schedule.step()
        return net.eval()

    def _batch(self, rng: np.random.Generator, sensor: Sensor) -> tuple[Tensor, Poses]:
        """Clouds `(B, N, 3)` of the body about the origin, and their poses."""
        shape, keys = make_shape(self.shape), rng.integers(2**63 - 1, size=self.batch_size).tolist()
        arrows = rng.standard_normal((self.batch_size, 3))
        cameras = (arrows / np.linalg.norm(arrows, axis=-1, keepdims=True)).tolist()
        clouds = [sensor.cloud(shape, _UNTURNED, key, 0, eye) for key, eye in zip(keys, cameras, strict=True)]
        turns = SO3().sample(rng, self.batch_size).matrix
        turned = torch.from_numpy(np.stack(clouds) @ np.swapaxes(turns, -1, -2))
        return turned, (torch.from_numpy(turns), torch.zeros_like(turned[:, 0]))


def trained_pose_net(store: Store, training: PoseNetTraining, seed: int) -> PoseNet:
    """The net of a seed, trained now if it is not in the store."""

    def make(folder: Path) -> None:
        save_tensors(folder / "net.safetensors", "pose net", training.train(seed).state_dict(), {})

    inputs = {"training": training, "seed": seed}
    folder = store.artefact("models", f"pose-net-{training.shape}-{seed}", inputs, (__name__,), make)
    net = PoseNet(training.width, seed)
    net.load_state_dict(load_tensors(folder / "net.safetensors", "pose net")[0])
    return net.eval()
