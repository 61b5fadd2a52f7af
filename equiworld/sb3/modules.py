"""A torch module from observation to action, as a policy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from equiworld.arguments import instance, integer
from equiworld.errors import ArgumentError

__all__ = ["ModulePolicy", "evaluated"]


@contextmanager
def evaluated(module: nn.Module) -> Iterator[None]:
    """In evaluation mode, and then each layer in the mode that it was in: `train` would thaw those that are frozen."""
    training = [each for each in module.modules() if each.training]
    module.eval()
    try:
        yield
    finally:
        for each in training:
            each.training = True


class ModulePolicy:
    """A torch module as a policy without memory.

    It is asked in its own dtype, on its own device, in evaluation mode, without gradients; its weights are not copied,
    so that a module that is still trained decides as it is now.

    Args:
        module: observations `(B, size)`, or a mapping of them, → actions `(B, size)`; or a torch Distribution of
            actions, whose mode is taken, or which is sampled. One that has no mode, such as a mixture, is sampled with
            the same noise at each call where decisions are to be deterministic: its mean would be an action of none
            of its components.
        seed: of what is sampled.

    >>> policy = ModulePolicy(nn.Linear(3, 2))
    >>> policy.predict(np.zeros((5, 3)))[0].shape, policy.predict(np.zeros(3))[0].shape
    ((5, 2), (2,))
    """

    def __init__(self, module: nn.Module, seed: int = 0) -> None:
        instance("module", module, nn.Module)
        self.module, self.seed = module, integer("seed", seed, least=0)
        self._generator = np.random.default_rng(self.seed)

    @property
    def dtype(self) -> torch.dtype:
        """Of its floating parameters; float32 if it has none."""
        floating = (each.dtype for each in self.module.parameters() if each.is_floating_point())
        return next(floating, torch.float32)

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = True
    ) -> tuple[NDArray[np.floating], None]:
        """The action `(size,)` or actions `(B, size)`; state comes back as None.

        Raises:
            ArgumentError: what the module returns is neither a tensor nor a distribution.
        """
        some = next(iter(observation.values())) if isinstance(observation, Mapping) else observation
        batched = np.ndim(some) > 1
        with evaluated(self.module), torch.no_grad():
            found = self.module(self._seen(observation, batched))
            action = found if isinstance(found, Tensor) else self._drawn(found, deterministic)
        actions = action.cpu().numpy()
        return (actions if batched else actions[0]), None

    def _seen(self, observation: Any, batched: bool) -> Any:
        """An observation as tensors `(B, size)`."""
        if isinstance(observation, Mapping):
            return {name: self._seen(value, batched) for name, value in observation.items()}
        device = next((each.device for each in self.module.parameters()), None)
        seen = torch.as_tensor(np.asarray(observation), dtype=self.dtype, device=device)
        return seen if batched else seen[None]

    def _drawn(self, distribution: Any, deterministic: bool) -> Tensor:
        """An action of a distribution; torch's global generator is left as it was."""
        if not isinstance(distribution, torch.distributions.Distribution):
            got = f"a module that returned a {type(distribution).__name__}"
            raise ArgumentError(
                "policy", got, "one that returns actions (B, size), or a Distribution of them"
            )
        if deterministic:
            try:
                return distribution.mode
            except NotImplementedError:  # a mixture has none
                pass
        seed = self.seed if deterministic else int(self._generator.integers(2**62))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return distribution.sample()
