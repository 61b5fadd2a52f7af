"""The planners of torchrl."""

from __future__ import annotations

import importlib
from typing import Any

import torch
from torch import Tensor, nn

from equiworld.errors import ArgumentError
from equiworld.planners.peers.contender import Contender
from equiworld.planners.peers.world import Budget, World

__all__ = ["TorchRL"]

_ELITES = 0.1  # it has no default


class TorchRL(Contender):
    """`CEMPlanner` and `MPPIPlanner`, all environments in one batch.

    They draw their first noise with a standard deviation of 1 and return the first action of a plan only. The rest is
    found out from the last candidates that their environment was shown, by the rule that gave the first action.
    """

    library = "torchrl"
    version = "0.14.1"

    def __init__(self, world: World, budget: Budget, planner: str) -> None:
        super().__init__(world, budget, planner)
        self.load()
        if budget.spread != 1.0:
            raise ArgumentError("spread", budget.spread, "1, which torchrl's first noise always has")
        self._elites, self._temperature = budget.share(_ELITES), 1.0
        self._planners: dict[torch.dtype, tuple[Any, Any]] = {}
        self.settings = {"top_k": self._elites, "environments": "in one batch"}
        if planner == "mppi":
            self.settings |= {"temperature": self._temperature, "advantage": "return less the best one"}

    @classmethod
    def load(cls) -> None:
        for name in ("tensordict", "torchrl.data", "torchrl.envs", "torchrl.modules.planners"):
            importlib.import_module(name)

    @torch.inference_mode()
    def decide(self, state: Tensor, seed: int) -> Tensor:
        """The first action, `(B, size)`."""
        from tensordict import TensorDict

        torch.manual_seed(seed)
        return self._planner(state.dtype)[0].planning(TensorDict({"state": state}, [len(state)]))

    @torch.inference_mode()
    def plan(self, state: Tensor, seed: int) -> Tensor:
        first = self.decide(state, seed)
        env = self._planner(state.dtype)[1]
        # Returns as it sums them, to the bit: of candidates that are equally good the same ones have to be chosen.
        returns = torch.stack([-cost[..., None] for cost in env.costs], 2).sum(2)[..., 0]
        plans = self._whole(torch.stack(env.actions, 2), -returns)
        # Another rule would have given another first action.
        torch.testing.assert_close(plans[:, 0], first, rtol=1e-4, atol=1e-4)
        return plans

    def _whole(self, candidates: Tensor, cost: Tensor) -> Tensor:
        """The mean that its last iteration came to, `(B, H, size)`, of candidates `(B, S, H, size)`."""
        least, index = cost.topk(self._elites, dim=1, largest=False)
        elites = candidates.gather(1, index[..., None, None].expand(-1, -1, *candidates.shape[2:]))
        if self.planner == "cem":
            return elites.mean(1)
        weights = torch.softmax(-self._temperature * (least - least[:, :1]), 1)
        return (weights[..., None, None] * elites).sum(1)

    def _planner(self, dtype: torch.dtype) -> tuple[Any, Any]:
        from torchrl.modules.planners import CEMPlanner, MPPIPlanner

        if dtype not in self._planners:
            budget, env = self.budget, _environment(self.world, self.budget.horizon, dtype)
            sizes = {
                "planning_horizon": budget.horizon,
                "optim_steps": budget.iterations,
                "num_candidates": budget.samples,
                "top_k": self._elites,
            }
            if self.planner == "cem":
                made = CEMPlanner(env, **sizes)
            else:
                made = MPPIPlanner(env, _Advantage(), temperature=self._temperature, **sizes)
            self._planners[dtype] = made, env
        return self._planners[dtype]


class _Advantage(nn.Module):
    """The return of a rollout, less that of the best: its exponential cannot vanish for all."""

    def forward(self, rollout: Any) -> Any:
        total = rollout["next", "reward"].sum(-2, keepdim=True)
        advantage = total - total.amax(1, keepdim=True)
        return rollout.set("advantage", advantage.expand(rollout["next", "reward"].shape))


def _environment(world: World, horizon: int, dtype: torch.dtype) -> Any:
    """A world as an environment of torchrl, that remembers the actions and costs of its last rollout."""
    from tensordict import TensorDict
    from torchrl.data import Composite, Unbounded
    from torchrl.envs import EnvBase

    class Environment(EnvBase):  # type: ignore[misc]
        _batch_locked = False

        def __new__(cls, *args: Any, **kwargs: Any) -> Any:
            return super().__new__(cls, *args, _batch_locked=False, **kwargs)

        def __init__(self) -> None:
            super().__init__(device="cpu")
            self.observation_spec = Composite(state=Unbounded((world.state_size,), dtype=dtype))
            self.action_spec = Unbounded((world.action_size,), dtype=dtype)
            self.reward_spec = Unbounded((1,), dtype=dtype)
            self.actions: list[Tensor] = []
            self.costs: list[Tensor] = []

        def _step(self, tensordict: Any) -> Any:
            state, action = tensordict["state"], tensordict["action"]
            if len(self.actions) == horizon:
                self.actions, self.costs = [], []
            following = world.dynamics(state.flatten(0, 1), action.flatten(0, 1)).view(state.shape)
            cost = world.cost(following, action)
            self.actions.append(action)
            self.costs.append(cost)
            reward = -cost[..., None]
            done = torch.zeros(reward.shape, dtype=torch.bool)
            parts = {"state": following, "reward": reward, "done": done, "terminated": done}
            return TensorDict(parts, tensordict.batch_size)

        def _reset(self, tensordict: Any) -> Any:
            raise NotImplementedError("planning begins from a state")

        def _set_seed(self, seed: int | None) -> None:
            pass

    return Environment()
