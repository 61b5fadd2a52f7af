"""The one stepping loop: a policy, environments, and the episodes that begin in them."""

from equiworld.rollout.copies import EnvLike, close_copies, env_copies
from equiworld.rollout.loop import Decision, Start, Step, rollout, stack
from equiworld.rollout.policy import Policy, Replay, as_policy, dtype_of
from equiworld.rollout.stepping import Begin, Take, Transition, reset_env, step_env
from equiworld.rollout.turned import SeenTurned

__all__ = [
    "Begin",
    "Decision",
    "EnvLike",
    "Policy",
    "Replay",
    "SeenTurned",
    "Start",
    "Step",
    "Take",
    "Transition",
    "as_policy",
    "close_copies",
    "dtype_of",
    "env_copies",
    "reset_env",
    "rollout",
    "stack",
    "step_env",
]
