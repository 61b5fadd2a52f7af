"""What a policy remembers from step to step."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equiworld.arguments import array_of
from equiworld.errors import ArgumentError
from equiworld.groups import Group, GroupElement
from equiworld.symmetry import Canonical

__all__ = ["PolicyState", "checked_starts"]


class PolicyState(NamedTuple):
    """All that a policy carries from step to step, for each of B environments; arrays, as SB3's states are.

    Attributes:
        plan: `(B, K, H, size)` the last plan, in the frame that it was decided in, its first action being carried out;
            behind it what else the planner wants the next decision to start from.
        rotation: `(B, d, d)` that frame's axes.
        shift: `(B, d)` where it stands, relative to the symmetry's centre.
        action: `(B, size)` the first action, in the world.
        origin: `(B, d)` where the point that actions are measured from was at the last decision.
        label: `(B,)` the label of the element that brings the frame to the world; 0 where the group stores none.
        steps: `(B,)` environment steps since the last decision.
        decisions: `(B,)` decisions taken in the episode.
        degenerate: `(B,)` bool, whether nothing fixed the frame of the last decision: it is equal in law only.
        seam_margin: `(B,)` in [0, 1/2], how near the last decision's observation was to a seam of the grid, in steps.
        clipped: `(B,)` bool, whether the action space cut the last action short where it turns with the world.
    """

    plan: NDArray[np.float64]
    rotation: NDArray[np.float64]
    shift: NDArray[np.float64]
    action: NDArray[np.float64]
    origin: NDArray[np.float64]
    label: NDArray[np.int64]
    steps: NDArray[np.int64]
    decisions: NDArray[np.int64]
    degenerate: NDArray[np.bool_]
    seam_margin: NDArray[np.float64]
    clipped: NDArray[np.bool_]

    @staticmethod
    def recalled(
        state: Any,
        episode_start: ArrayLike | None,
        origin: NDArray[np.float64],
        plan_shape: tuple[int, int, int],
    ) -> PolicyState:
        """A copy of what a policy was handed back, checked, with rows cleared where episodes begin.

        Args:
            state: what the last call returned, or None.
            episode_start: `(B,)` bool; all of them if `state` is None, none otherwise.
            origin: `(B, d)`, where the point is now that actions are measured from.
            plan_shape: (K, H, size).

        Raises:
            ArgumentError: of another kind, number of environments, shape or dtype, or not finite.
        """
        envs, dim = origin.shape
        blank = PolicyState(
            plan=np.zeros((envs, *plan_shape)),
            rotation=np.tile(np.eye(dim), (envs, 1, 1)),
            shift=np.zeros((envs, dim)),
            action=np.zeros((envs, plan_shape[-1])),
            origin=origin.copy(),
            label=np.zeros(envs, np.int64),
            steps=np.zeros(envs, np.int64),
            decisions=np.zeros(envs, np.int64),
            degenerate=np.zeros(envs, np.bool_),
            seam_margin=np.full(envs, 0.5),
            clipped=np.zeros(envs, np.bool_),
        )
        memory = blank if state is None else _checked(state, blank)
        if episode_start is not None:
            start = checked_starts(episode_start, envs)
            memory.steps[start] = 0
            memory.decisions[start] = 0
        return memory

    def shifted(self, rows: NDArray[np.int64], group: Group) -> tuple[GroupElement, NDArray[np.float64]]:
        """The plans of some environments from their second action on, the last repeated, and what framed them."""
        label = self.label[rows] if group.stores_labels else None
        plan = self.plan[rows]
        later = np.concatenate([plan[:, :, 1:], plan[:, :, -1:]], 2)
        return GroupElement(group, self.rotation[rows], self.shift[rows], label), later

    def keep(
        self,
        rows: NDArray[np.int64],
        plan: NDArray[np.float64],
        action: NDArray[np.float64],
        inside: Canonical,
    ) -> None:
        """Write what was decided for some environments: the plan in its frame, its first action in the world."""
        self.plan[rows], self.action[rows] = plan, action
        self.rotation[rows], self.shift[rows] = inside.element.matrix, inside.element.translation
        if inside.element.stored_label is not None:
            self.label[rows] = inside.element.stored_label
        self.degenerate[rows], self.seam_margin[rows] = inside.degenerate, inside.margin


def checked_starts(episode_start: ArrayLike, envs: int) -> NDArray[np.bool_]:
    """Where episodes begin, `(B,)`; of one environment also a single bool.

    Raises:
        ArgumentError: of another number of environments, or no bools.
    """
    start = np.atleast_1d(array_of("episode_start", episode_start))
    if start.dtype.kind not in "biu":
        raise ArgumentError("episode_start", f"dtype {start.dtype}", "bools")
    if start.shape != (envs,):
        raise ArgumentError("episode_start", f"shape {start.shape}", f"shape ({envs},)")
    return start.astype(bool)


def _checked(state: Any, blank: PolicyState) -> PolicyState:
    """A copy of the state, which must be like the blank one."""
    if not isinstance(state, tuple | list) or len(state) != len(blank):
        raise ArgumentError("state", f"a {type(state).__name__}", "what the last call returned, or None")
    memory, envs = PolicyState(*(np.array(array_of("state", part)) for part in state)), len(blank.steps)
    if memory.steps.shape != (envs,):
        raise ArgumentError("state", f"of {memory.steps.size} environments", f"one of {envs}, or None")
    for name, found, expected in zip(PolicyState._fields, memory, blank, strict=True):
        if found.shape != expected.shape or found.dtype.kind != expected.dtype.kind:
            got, wanted = (f"shape {each.shape}, dtype {each.dtype}" for each in (found, expected))
            raise ArgumentError(f"state.{name}", got, wanted)
        if found.dtype.kind == "f" and not np.isfinite(found).all():
            rows = np.flatnonzero(~np.isfinite(found).reshape(envs, -1).all(1)).tolist()
            raise ArgumentError(f"state.{name}", f"NaN or infinity in row(s) {rows[:8]}", "finite numbers")
    return memory
