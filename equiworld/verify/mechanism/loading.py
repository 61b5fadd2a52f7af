"""The MuJoCo model of whatever somebody has: an environment, its id, a file, XML, a model."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from equiworld.errors import ArgumentError
from equiworld.symmetry.registry import make_env
from equiworld.verify.mechanism.model_map import Array, Model

__all__ = ["Loaded", "add_floor", "load_model"]

_RESETS = 8
_EXTRA = "MuJoCo to be installed: pip install equiworld[mujoco]"


class Loaded(NamedTuple):
    """A mujoco.MjModel, what it is called, and the poses `(n, nq)` that its environment begins in; none of files."""

    model: Model
    title: str
    poses: Array | None


def load_model(source: Any) -> Loaded:
    """The mujoco.MjModel of something, what it is called, and in which poses its environment, which is reset, begins.

    Args:
        source: a mujoco.MjModel; a Gymnasium environment with MuJoCo's `model`, or its id; a path that ends in .xml or
            .mjb; or XML, beginning with "<mujoco".

    Raises:
        ArgumentError: it is none of these; or MuJoCo is not installed, or cannot read it.

    >>> load_model("<mujoco model='ball'><worldbody><geom size='.1'/></worldbody></mujoco>")[1]
    'ball'
    """
    try:
        import mujoco
    except ImportError as error:
        raise ArgumentError("source", f"{source!r} without MuJoCo ({error})", _EXTRA) from error
    if isinstance(source, mujoco.MjModel):
        return Loaded(source, _title(source), None)
    if isinstance(source, os.PathLike) or (isinstance(source, str) and source.endswith((".xml", ".mjb"))):
        return _from_file(os.fspath(source))
    if isinstance(source, str) and source.lstrip().startswith("<mujoco"):
        try:
            found = mujoco.MjModel.from_xml_string(source)
        except ValueError as error:
            raise ArgumentError("source", f"XML that MuJoCo cannot read ({error})", "a model") from error
        return Loaded(found, _title(found), None)
    env = make_env(source)
    base = getattr(env, "unwrapped", env)
    for holder in (base, getattr(base, "physics", None)):
        model, data = (getattr(holder, name, None) for name in ("model", "data"))
        model, data = getattr(model, "ptr", model), getattr(data, "ptr", data)  # dm_control wraps them
        if isinstance(model, mujoco.MjModel):
            title = source if isinstance(source, str) else getattr(getattr(base, "spec", None), "id", None)
            return Loaded(model, title or type(base).__name__, _begun(env, data))
    raise ArgumentError(
        "source",
        f"a {type(base).__name__}",
        "a MuJoCo model, its file, or an environment with MuJoCo's `model`",
    )


def _begun(env: Any, data: Any) -> Array | None:
    """The poses that an environment begins in; None of what is no Gymnasium environment."""
    if not isinstance(env, gym.Env):
        return None
    poses = []
    for seed in range(_RESETS):
        env.reset(seed=seed)
        poses.append(np.array(data.qpos))
    return np.stack(poses)


def _from_file(path: str) -> Loaded:
    import mujoco

    if not os.path.isfile(path):
        raise ArgumentError("source", repr(path), "a file that exists")
    read = mujoco.MjModel.from_binary_path if path.endswith(".mjb") else mujoco.MjModel.from_xml_path
    try:
        return Loaded(read(path), os.path.basename(path), None)
    except ValueError as error:
        raise ArgumentError("source", f"{path!r}, which MuJoCo cannot read ({error})", "a model") from error


def _title(model: Model) -> str:
    """The name that a model has in its file."""
    return bytes(model.names).split(b"\0", 1)[0].decode() or "model"


def add_floor(source: Any, model: Model) -> Model:
    """A robot whose file comes without a world, with a plane under it: level with its lowest geom that can touch.

    Args:
        source: the file's path, ending in .xml.
        model: of that file.
    """
    import mujoco

    if not isinstance(source, str | os.PathLike) or not os.fspath(source).endswith(".xml"):
        raise ArgumentError(
            "floor", "True without a file", "the path of an XML file, to which a floor is added"
        )
    spec = mujoco.MjSpec.from_file(os.fspath(source))
    if any(geom.type == mujoco.mjtGeom.mjGEOM_PLANE for geom in spec.worldbody.geoms):
        return model
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    touching = (model.geom_contype | model.geom_conaffinity) > 0
    lowest = (data.geom_xpos[:, 2] - model.geom_rbound)[touching].min(initial=0.0)
    spec.worldbody.add_geom(
        name="floor", type=mujoco.mjtGeom.mjGEOM_PLANE, size=[0, 0, 1], pos=[0, 0, float(lowest)]
    )
    return spec.compile()
