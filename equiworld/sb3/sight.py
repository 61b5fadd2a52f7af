"""What a policy's networks see of observations, and the way back to the world for what they say."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

__all__ = ["Sight"]


class Sight(NamedTuple):
    """B observations as numbers for a network, and how its actions stand in the world.

    Attributes:
        numbers: `(B, n)`.
        turn: `(B, m, m)`, brings the channels of actions to the world; None if they are there.
        shift: `(B, m)`, what absolute actions are measured from; None without any.
        mixing: `(B, c, c)`, which noise of the network belongs to which block of the action; None if to its own.
    """

    numbers: Tensor
    turn: Tensor | None = None
    shift: Tensor | None = None
    mixing: Tensor | None = None

    def to_world(self, row: Tensor) -> Tensor:
        """Channels of actions `(B, m)` from the network to the world."""
        if self.turn is not None:
            row = (self.turn @ row.unsqueeze(-1)).squeeze(-1)
        return row if self.shift is None else row + self.shift

    def to_frame(self, row: Tensor) -> Tensor:
        """Channels of actions `(B, m)` from the world to the network; gradients flow."""
        if self.shift is not None:
            row = row - self.shift
        return row if self.turn is None else (row.unsqueeze(-2) @ self.turn).squeeze(-2)

    def noise(self, blocks: Tensor) -> Tensor:
        """Numbers `(B, c)` of the blocks of an action from the network to the world."""
        return blocks if self.mixing is None else (self.mixing @ blocks.unsqueeze(-1)).squeeze(-1)

    def seen_as(self, numbers: Tensor) -> Sight:
        """The same with other numbers: what a layer made of them."""
        return self._replace(numbers=numbers)

    def detach(self) -> Sight:
        """The same without gradients of the numbers."""
        return self._replace(numbers=self.numbers.detach())
