"""Where a state lies: free, in contact, against what is fixed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import gymnasium as gym

from equiworld.verify.mechanism.parameters import element_name
from equiworld.verify.mechanism.roots import standing_geoms
from equiworld.verify.mujoco_model import model_and_data

__all__ = ["CONTACT", "FIXED", "FREE", "UNREAD", "Region", "region_of", "unvisited", "worse"]

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
        return _OfMujoco()
    if all(hasattr(base, name) for name in ("space", "agent", "block")):
        return _of_pymunk
    return None


def worse(one: str, other: str) -> str:
    """Of two regions that a run goes through, the one that it is counted in; of a user's own the later."""
    if one not in _ORDER or other not in _ORDER:
        return other
    return max(one, other, key=_ORDER.index)


def unvisited(env: gym.Env, region: Region | None, seen: Iterable[str]) -> tuple[str, ...]:
    """What stands in the world and no run touched: nothing is known there. Empty where that cannot be told.

    Words of a user's own do not tell what they mean.

    Args:
        env: any.
        region: what told where it was, all along.
        seen: the regions that runs went through.
    """
    if isinstance(region, _OfMujoco):
        return region.untouched(env)
    space = getattr(env.unwrapped, "space", None)
    walls = getattr(env.unwrapped, "walls", False) or getattr(
        getattr(space, "static_body", None), "shapes", ()
    )
    known, words = set(_ORDER), set(seen)
    return ("the walls",) if walls and region is not None and words <= known - {FIXED} else ()


class _OfMujoco:
    """Which geoms touch, and which ever did."""

    def __init__(self) -> None:
        self._met: set[int] = set()

    def __call__(self, env: gym.Env) -> str:
        found = model_and_data(env)
        assert found is not None
        model, data = found
        if not data.ncon:
            return FREE
        touched = data.contact.geom[: data.ncon].ravel()
        self._met.update(touched.tolist())
        fixed = model.body_weldid[model.geom_bodyid[touched[touched >= 0]]] == 0
        return FIXED if fixed.any() else CONTACT

    def untouched(self, env: gym.Env) -> tuple[str, ...]:
        """The names of geoms that stand in the world and were never met."""
        found = model_and_data(env)
        assert found is not None
        left = [geom for geom in standing_geoms(found[0]) if geom not in self._met]
        return tuple(element_name(found[0], "geom", geom) for geom in left)


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
