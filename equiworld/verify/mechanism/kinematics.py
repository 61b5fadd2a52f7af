"""A MuJoCo model in one pose: which bodies move against which, and where their joints stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from equiworld.verify.mechanism.model_map import FREE, SLIDE, Array, Indices, Model

__all__ = ["Kinematics"]


@dataclass(frozen=True)
class Kinematics:
    """Bodies that have joints, as a forest, and where everything stands in the world in a reference pose.

    Bodies without joints belong to the body that they are welded to.

    Attributes:
        model: the mujoco.MjModel.
        reference: `(nq,)`.
        positions: `(nbody, 3)`, origins of the bodies [m].
        frames: `(nbody, 3, 3)`, their axes as columns.
        anchors: `(njnt, 3)` [m].
        axes: `(njnt, 3)`, unit vectors.
        centres: `(nbody, 3)`, centres of mass [m].
        geom_positions: `(ngeom, 3)` [m].
        geom_frames: `(ngeom, 3, 3)`, their axes as columns.
        site_positions: `(nsite, 3)` [m].
        size: the largest distance of joints and centres of mass from their middle [m].
    """

    model: Model
    reference: Array
    positions: Array
    frames: Array
    anchors: Array
    axes: Array
    centres: Array
    geom_positions: Array
    geom_frames: Array
    site_positions: Array
    size: float

    @classmethod
    def of(cls, model: Model, reference: Array) -> Kinematics:
        """A model in the pose `reference` `(nq,)`."""
        import mujoco

        data = mujoco.MjData(model)
        data.qpos[:] = reference
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)

        def frames(name: str) -> Array:
            return np.array(getattr(data, name)).reshape(-1, 3, 3)

        moving = model.body_weldid[1:] > 0
        places = np.concatenate([data.xipos[1:][moving], data.xanchor])
        size = float(np.linalg.norm(places - places.mean(0), axis=1).max()) if len(places) else 1.0
        return cls(
            model,
            np.array(reference),
            data.xpos.copy(),
            frames("xmat"),
            data.xanchor.copy(),
            data.xaxis.copy(),
            data.xipos.copy(),
            data.geom_xpos.copy(),
            frames("geom_xmat"),
            data.site_xpos.copy(),
            size or 1.0,
        )

    def joints(self, body: int) -> list[int]:
        """The joints of a body, in the order in which they turn it."""
        return self._joints[body]

    def children(self, body: int) -> list[int]:
        """The bodies with joints that hang on a body, or on what is welded to it."""
        return self._children[body]

    @cached_property
    def weld(self) -> Indices:
        """`(nbody,)`, what each body moves with; mocap bodies, whatever MuJoCo says of them, with the world."""
        found = np.array(self.model.body_weldid, np.int64)
        led = np.flatnonzero(self.model.body_mocapid >= 0)
        return np.where(np.isin(found, led), 0, found)

    @cached_property
    def _joints(self) -> list[list[int]]:
        """By body; asked for each pair of bodies again and again."""
        starts, counts = self.model.body_jntadr.tolist(), self.model.body_jntnum.tolist()
        return [list(range(first, first + count)) for first, count in zip(starts, counts, strict=True)]

    @cached_property
    def _children(self) -> list[list[int]]:
        """Likewise."""
        weld, parents = self.weld.tolist(), self.model.body_parentid.tolist()
        found: list[list[int]] = [[] for _ in weld]
        for child in range(1, len(weld)):
            if weld[child] == child:
                found[weld[parents[child]]].append(child)
        return found

    def welded(self, body: int) -> list[int]:
        """A body and those that are welded to it."""
        return np.flatnonzero(self.weld == body).tolist()

    def is_free(self, body: int) -> bool:
        """Whether a body floats."""
        joints = self.joints(body)
        return bool(joints) and int(self.model.jnt_type[joints[0]]) == FREE

    def slides(self, body: int) -> list[int]:
        """The slides that move a body before anything turns it."""
        found = []
        for joint in self.joints(body):
            if self.model.jnt_type[joint] != SLIDE:
                break
            found.append(joint)
        return found

    def name(self, kind: str, index: int) -> str:
        """The name of an element, or its number."""
        return getattr(self.model, kind)(index).name or f"number {index}"

    def geoms(self, body: int) -> Iterator[int]:
        """The geoms that can touch something, of a body and of what is welded to it."""
        model = self.model
        paired = {*np.ravel(model.pair_geom1).tolist(), *np.ravel(model.pair_geom2).tolist()}
        fluid = model.opt.density > 0 or model.opt.viscosity > 0
        for each in self.welded(body):
            first = int(model.body_geomadr[each])
            for geom in range(first, first + int(model.body_geomnum[each])):
                touches = model.geom_contype[geom] or model.geom_conaffinity[geom] or geom in paired
                if touches or (fluid and each and model.geom_fluid[geom].any()):
                    yield geom
