"""Where an environment keeps MuJoCo's model and data."""

from __future__ import annotations

from typing import Any

import gymnasium as gym

__all__ = ["model_and_data"]


def model_and_data(env: gym.Env) -> tuple[Any, Any] | None:
    """MuJoCo's model and data of an environment; None if it has none.

    Known are `env.unwrapped.model` and `.data`, those of its `simulation`, and `physics` of dm_control behind shimmy.
    """
    base: Any = env.unwrapped
    inside = getattr(getattr(base, "_env", None), "physics", None), getattr(base, "simulation", None)
    for holder in (base, *inside):
        model, data = (getattr(holder, name, None) for name in ("model", "data"))
        model, data = (getattr(each, "ptr", each) for each in (model, data))  # dm_control wraps both
        if type(model).__name__ == "MjModel" and type(data).__name__ == "MjData":
            return model, data
    return None
