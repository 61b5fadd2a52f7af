"""gym-pusht's pymunk world as bare Chipmunk objects: built in a tenth of the time, equal to the last bit."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import pymunk
from pymunk._chipmunk_cffi import ffi
from pymunk._chipmunk_cffi import lib as chipmunk

from equiworld.envs.pusht import geometry
from equiworld.envs.pusht.geometry import Array

__all__ = ["Engine", "block_pose", "new_engine", "new_space", "remembers_contact"]


class Engine(NamedTuple):
    """Pointers to a Chipmunk space and its two bodies, and whether walls stand in it.

    The bodies live as long as `space` is referred to.
    """

    space: Any
    agent: Any
    block: Any
    walls: bool


class _Tee(NamedTuple):
    """What gym-pusht's T is made of: mass, moment of inertia, centre of gravity [px], corners [px]."""

    mass: float
    moment: float
    gravity: tuple[float, float]
    polygons: tuple[tuple[tuple[float, float], ...], ...]


@lru_cache(maxsize=1)
def _stock_tee() -> _Tee:
    body, shapes = geometry.stock_class().add_tee(pymunk.Space(), (0, 0), 0)
    polygons = tuple(tuple((x, y) for x, y in shape.get_vertices()) for shape in shapes)
    return _Tee(body.mass, body.moment, tuple(body.center_of_gravity), polygons)


def new_engine(walls: bool, inset: float = 0.0, placed: Array | None = None) -> Engine:
    """A fresh world, with its objects in gym-pusht's order: what comes first is solved first.

    Args:
        walls: whether the four walls stand.
        inset: how much nearer to the centre they do than gym-pusht's [px].
        placed: `(4, 2, 2)`, where they stand instead, from end to end [px]; None for that.
    """
    space, agent, (block,) = new_space(1, walls, inset, placed=placed)
    return Engine(space, agent, block, walls)


def new_space(
    count: int,
    walls: bool = False,
    inset: float = 0.0,
    iterations: int | None = None,
    placed: Array | None = None,
) -> tuple[Any, Any, list[Any]]:
    """A fresh Chipmunk space, its agent, and some of gym-pusht's blocks; see `new_engine`.

    Args:
        count: of blocks.
        walls, inset, placed: see there.
        iterations: of the solver in an engine step; Chipmunk's own number, 10, if None.
    """
    tee = _stock_tee()
    space, fixed = chipmunk.cpSpaceNew(), chipmunk.cpBodyNewStatic()
    agent = chipmunk.cpBodyNewKinematic()
    blocks = [chipmunk.cpBodyNew(tee.mass, tee.moment) for _ in range(count)]
    shapes = []
    chipmunk.cpSpaceSetGravity(space, (0.0, 0.0))
    chipmunk.cpSpaceSetDamping(space, 0.0)
    if iterations is not None:
        chipmunk.cpSpaceSetIterations(space, iterations)
    chipmunk.cpSpaceAddBody(space, fixed)
    sides = geometry.wall_segments(inset) if placed is None else placed
    for start, end in sides.tolist() if walls else ():
        shapes.append(chipmunk.cpSegmentShapeNew(fixed, start, end, geometry.WALL_RADIUS))
    chipmunk.cpBodySetPosition(agent, (256.0, 400.0))
    shapes.append(chipmunk.cpCircleShapeNew(agent, geometry.AGENT_RADIUS, (0.0, 0.0)))
    chipmunk.cpSpaceAddBody(space, agent)
    for block in blocks:
        shapes += [chipmunk.cpPolyShapeNewRaw(block, len(corners), corners, 0.0) for corners in tee.polygons]
        chipmunk.cpBodySetCenterOfGravity(block, tee.gravity)
        chipmunk.cpBodySetPosition(block, (256.0, 300.0))
        chipmunk.cpSpaceAddBody(space, block)
    for shape in shapes:
        chipmunk.cpSpaceAddShape(space, shape)

    def free(pointer: Any) -> None:
        chipmunk.cpSpaceFree(pointer)  # first: it still looks at its bodies
        for shape in shapes:
            chipmunk.cpShapeFree(shape)
        for body in (fixed, agent, *blocks):
            chipmunk.cpBodyFree(body)

    return ffi.gc(space, free), agent, blocks


def remembers_contact(engine: Engine) -> bool:
    """Whether the engine holds a contact, of now or of the last 3 engine steps. If not, the block is at rest."""
    contacts: list[Any] = []
    handle = ffi.new_handle(contacts)
    chipmunk.cpSpaceEachCachedArbiter(engine.space, chipmunk.ext_cpArbiterIteratorFunc, handle)
    return bool(contacts)


def block_pose(engine: Engine) -> tuple[float, float, float]:
    """Centre of gravity and heading of the block, to the last bit.

    The engine keeps the centre of gravity, but tells only points that it computes from it, rounded. Without the
    offset of its centre a body tells the centre itself; setting the angle, to what it is, has it see the offset.
    """
    block, angle = engine.block, chipmunk.cpBodyGetAngle(engine.block)
    chipmunk.cpBodySetCenterOfGravity(block, (0.0, 0.0))
    chipmunk.cpBodySetAngle(block, angle)
    centre = chipmunk.cpBodyGetPosition(block)
    chipmunk.cpBodySetCenterOfGravity(block, _stock_tee().gravity)
    chipmunk.cpBodySetAngle(block, angle)
    return centre.x, centre.y, angle
