"""Our world models inside other libraries' planners."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from equiworld.errors import ArgumentError
from equiworld.models import WorldModel
from equiworld.symmetry import Features
from equiworld.tasks import Task, task_of

__all__ = ["FlatModel"]


class FlatModel:
    """A world model and a task's cost as plain functions of flat tensors, which other libraries plan with.

    | library | takes |
    | --- | --- |
    | pytorch_mppi, pytorch_icem | `MPPI(flat.dynamics, flat.running_cost, …).command(flat.state(observation)[0])` |
    | stable-worldmodel | `CEMSolver(flat, …)`: it is a `Costable`; observations are the `info_dict` |

    Their noise is drawn along the axes that they see: the world's, or behind `equiworld.symmetrise` the frame's.

    Args:
        model: a trained world model, with the dtype and on the device that planning shall have; its parameters are not
            touched.
        task: what to minimise; that registered for the model's environment if None.

    >>> import gymnasium as gym, equiworld.envs
    >>> env = gym.make("equiworld/PushT-v0")
    >>> flat = FlatModel(WorldModel.for_env(env, hidden=(16,)))
    >>> x = flat.state(env.reset(seed=0)[0])
    >>> flat.dynamics(x, torch.zeros(1, 2)).shape, flat.running_cost(x, torch.zeros(1, 2)).shape
    (torch.Size([1, 8]), torch.Size([1]))
    """

    def __init__(self, model: WorldModel, task: Task | None = None) -> None:
        self.model, self.symmetry = model, model.symmetry
        self._cost = (task or task_of(model.env_id)).objective().bind(model.latent)
        self.goal: Features | None = None

    def state(self, observation: Mapping[str, Any] | Any) -> Tensor:
        """The flat states `(B, n)` of one observation or B of them; their goals become those of `running_cost`."""
        z, goal = self._encode(observation)
        if not z.batch_shape:
            z, goal = z[None], goal[None]
        self.goal = goal
        return z.flatten()

    @torch.no_grad()
    def dynamics(self, state: Tensor, action: Tensor) -> Tensor:
        """Flat states `(…, n)` after actions `(…, size)`."""
        return self.model.predict(self._features(state), action).flatten()

    @torch.no_grad()
    def running_cost(self, state: Tensor, action: Tensor) -> Tensor:
        """Costs `(…)` of flat states `(…, n)`, all for the goal of the last observation.

        After B observations states are `(…, B, n)`, each row for the goal of its own.

        Raises:
            ArgumentError: no observation has said what the goal is, or states are of another number of rows.
        """
        if self.goal is None:
            raise ArgumentError("goal", None, "state(observation) called first, which says what the goal is")
        (count,) = self.goal.batch_shape
        if count == 1:
            return self._cost(self._features(state), action, self.goal[0])
        if state.shape[-2:-1] != (count,):
            expected = f"shape (…, {count}, n), a row for the goal of each of the {count} last observations"
            raise ArgumentError("state", f"shape {tuple(state.shape)}", expected)
        return self._cost(self._features(state), action, self.goal)

    @torch.no_grad()
    def get_cost(self, info_dict: Mapping[str, Any], action_candidates: Tensor) -> Tensor:
        """Costs `(B, S)`, summed over the horizon, of candidates `(B, S, H, size)`: stable-worldmodel's protocol.

        Args:
            info_dict: observations, each `(B, S, …)` with the same numbers for every candidate; other entries are not
                looked at.
            action_candidates: in the environment's units.
        """
        observed = {name: torch.as_tensor(info_dict[name])[:, 0] for name in self.symmetry.observation}
        z, goal = self._encode(observed)
        envs, samples = action_candidates.shape[:2]
        z = z[:, None].map(lambda part: part.expand(-1, samples, *part.shape[2:]).flatten(0, 1))
        states = self.model.rollout(z, action_candidates.flatten(0, 1))
        states = states.map(lambda part: part.unflatten(1, (envs, samples)))
        return self._cost(states, action_candidates.permute(2, 0, 1, 3), goal[None, :, None]).sum(0)

    def parameters(self) -> Iterator[nn.Parameter]:
        """Of the model: libraries read dtype and device off them."""
        return self.model.parameters()

    def _encode(self, observation: Any) -> tuple[Features, Features]:
        return self.model.encode(observation), self.model.encode_goal(observation)

    def _features(self, state: Tensor) -> Features:
        return Features.unflatten(state, self.model.latent.feature_type())
