"""Where a state lies: free, in contact, against what is fixed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym

from equiworld.verify.mujoco_model import model_and_data

__all__ = ["CONTACT", "FIXED", "FREE", "UNREAD", "Region", "region_of", "worse"]

Region = Callable[[gym.Env], str]

FREE, CONTACT, FIXED, UNREAD = "free", "in contact", "against what is fixed", "anywhere"

_ORDER = (UNREAD, FREE, CONTACT, FIXED)


def region_of(env: gym.Env) -> Region | None:
    """What tells the region of an environment's present state; None where nothing known does.

    An environment's own `region()`, MuJoCo's contacts, pymunk's.
    """
    base: Any = env.unwrapped
    if callable(getattr(base, "region", None)):
        return lambda env: str(env.unwrapped.region())  # type: ignore[attr-defined]
    if model_and_data(env) is not None:
        return _of_mujoco
    if all(hasattr(base, name) for name in ("space", "agent", "block")):
        return _of_pymunk
    return None


def worse(one: str, other: str) -> str:
    """Of two regions that a run goes through, the one that it is counted in; of a user's own the later."""
    if one not in _ORDER or other not in _ORDER:
        return other
    return max(one, other, key=_ORDER.index)


def _of_mujoco(env: gym.Env) -> str:
    found = model_and_data(env)
    assert found is not None
    model, data = found
    if not data.ncon:
        return FREE
    touched = data.contact.geom[: data.ncon].ravel()
    fixed = model.body_weldid[model.geom_bodyid[touched[touched >= 0]]] == 0
    return FIXED if fixed.any() else CONTACT


def _of_pymunk(env: gym.Env) -> str:
    space: Any = env.unwrapped.space  # type: ignore[attr-defined]
    found = FREE
    for shape in space.shapes:
        if shape.body is space.static_body:
            continue
        for hit in space.shape_query(shape):
            if hit.shape is not None and hit.shape.body is not shape.body and hit.contact_point_set.points:
                found = worse(found, FIXED if hit.shape.body is space.static_body else CONTACT)
    return found
