"""Environments with true declarations, and with false ones: what was planted, who is to be named, what mends it."""

from __future__ import annotations

from dataclasses import replace

import gymnasium as gym
import numpy as np
from puck import FIELDS, SYMMETRY, Puck

import equiworld as ew
from equiworld.envs.known.ant import ant_symmetry
from equiworld.envs.known.pusher import free_pusher, pusher_symmetry
from equiworld.envs.known.swimmer import swimmer_symmetry
from equiworld.groups import SE2, SO2, left_right
from equiworld.symmetry import (
    Concatenation,
    Heading,
    Parts,
    Point,
    Pseudoscalar,
    Scalar,
    SignedPermutation,
    Vector,
)

BARE = {"include_cfrc_ext_in_observation": False}
CLOUDS = {"points": 8}
PLACED = {"exclude_current_positions_from_observation": False}


def pusht():
    return gym.make("equiworld/PushT-v0", walls=False)


def declared(fields=(), order=None, at=None, **changes):
    """The puck's declaration with other fields, order, places or whatever else."""
    parts = {name: dict(fields).get(name, FIELDS[name]) for name in order or FIELDS}
    return replace(SYMMETRY, observation={"seen": Parts(parts, at or {})}, places={}, **changes)


def changed(env, fields=None, **changes):
    """An environment and its registered declaration with some fields replaced."""
    symmetry = ew.symmetry_of(env)
    return env, replace(symmetry, observation={**symmetry.observation, **(fields or {})}, **changes)


def puck(symmetry=None, /, **settings):
    return Puck(**settings), symmetry or SYMMETRY


TRUE = {
    "puck": lambda: puck(),
    "puck, float32 seen": lambda: puck(dtype="float32"),
    "puck, float32 actions": lambda: puck(strict=True),
    "puck that bends, SE2": lambda: puck(declared(group=SE2()), magnus=0.1),
    "puck, turns alone": lambda: puck(declared(group=SO2())),
    "pusht": lambda: (pusht(), None),
}
TRUE_ROBOTS = {
    "clouds": lambda: (gym.make("equiworld/CloudPush-v0", **CLOUDS), None),
    "reacher": lambda: (gym.make("Reacher-v5"), None),
    "walker": lambda: (gym.make("Walker2d-v5"), None),
    "ant": lambda: (gym.make("Ant-v5"), None),
    "swimmer": lambda: (gym.make("Swimmer-v5"), None),
    "swimmer, placed": lambda: (gym.make("Swimmer-v5", **PLACED), None),
    "swimmer, mirror": lambda: (env := gym.make("Swimmer-v5"), swimmer_symmetry(env, "mirror")),
    "pusher": lambda: freed_pusher("turns"),
    "pusher, all": lambda: freed_pusher("all"),
    "pendulum": lambda: (gym.make("InvertedPendulum-v5"), None),
}


def flipped(field, number):
    """The same joints, one of them counted the other way round."""
    own = np.ones(field.count)
    own[number] = -1.0
    signs = field.signs or [(1,) * field.count] * len(field.orders)
    changed = [
        (own * np.array(each) * own[list(order)]).astype(int).tolist()
        for order, each in zip(field.orders, signs, strict=True)
    ]
    return SignedPermutation(field.orders, changed)


def ant_with(name, change):
    env = gym.make("Ant-v5", **({} if "contact" in name else BARE))
    symmetry = ew.symmetry_of(env)
    if name == "action":
        return env, replace(symmetry, action=change(symmetry))
    return changed(env, {name: change(symmetry)})


def freed_pusher(group, fields=None, **changes):
    """A Pusher without ends of ranges, and its declaration with some fields replaced."""
    symmetry = pusher_symmetry(env := free_pusher(gym.make("Pusher-v5")), group)
    changes = {"goal": tuple(symmetry.goal), **changes}  # without pairs, which other fields may not be
    return env, replace(symmetry, observation={**symmetry.observation, **(fields or {})}, **changes)


def reacher_as(fields, at):
    env = gym.make("Reacher-v5")
    symmetry = ew.symmetry_of(env)
    parts = {name: fields.get(name, field) for name, field in symmetry.observation.items()}
    return env, replace(symmetry, observation={"observation": Parts(parts, at)}, places={})


def reordered(env, order):
    """Its declaration with consecutive fields in another order."""
    symmetry = ew.symmetry_of(env)
    parts = {name: symmetry.observation[name] for name in order}
    return env, replace(symmetry, observation={"observation": Parts(parts)}, places={})


def cheetah_mirrored():
    """The legs of a HalfCheetah exchanged, which are not alike."""
    env = gym.make("HalfCheetah-v5")
    symmetry, legs = ew.symmetry_of(env), SignedPermutation([(3, 4, 5, 0, 1, 2)])
    fields = {**symmetry.observation, "joints": legs, "joint_rates": legs}
    return env, replace(symmetry, group=left_right((0.0, 1.0)), observation=fields, action=legs)


def exchange_legs(env, g):
    """Bring a HalfCheetah to where its legs have changed places."""
    data = env.unwrapped.data
    if g.determinant < 0:
        order = [0, 1, 2, 6, 7, 8, 3, 4, 5]
        env.unwrapped.set_state(data.qpos[order], data.qvel[order])
    return env.unwrapped._get_obs()


# By name what was planted: who is to be named, and what would mend it, as far as one exchange does.
PLANTED = {
    "type of a vector": (lambda: puck(declared({"speed": Scalar(2)})), ["speed"], "Vector()"),
    "type of a point": (lambda: puck(declared({"place": Vector()})), ["place"], "Point()"),
    "sign of a rate": (lambda: puck(declared({"spin": Scalar()})), ["spin"], "Pseudoscalar()"),
    "sign of a mass": (lambda: puck(declared({"mass": Pseudoscalar()})), ["mass"], "Scalar()"),
    "type of a heading": (lambda: puck(declared({"heading": Scalar()})), ["heading"], "Heading()"),
    "axis of a heading": (lambda: puck(declared({"heading": Heading(axis=0.3)})), ["heading"], "Heading()"),
    "sense of a heading": (lambda: puck(clockwise=True), ["heading"], "negative angles"),
    "axes exchanged": (lambda: puck(swapped=True), ["speed"], "axes (y, x)"),
    "centre": (lambda: puck(declared(centre=(0.0, 0.0))), ["place", "goal"], "centre (1, 2)"),
    "info": (lambda: puck(declared(info={"way": Point()})), ["way"], "Vector()"),
    "goal and speed exchanged": (
        lambda: puck(declared(order=["place", "goal", "heading", "spin", "mass", "speed", "one"])),
        ["goal", "speed"],
        "Vector()",
    ),
    "heading before speed": (
        lambda: puck(declared(order=["place", "heading", "speed", "spin", "mass", "goal", "one"])),
        ["heading", "speed"],
        "as speed, heading",
    ),
    "numbers interleaved": (
        lambda: puck(declared(at={"place": (0, 2), "speed": (1, 3)})),
        ["place", "speed"],
        "as place, speed",
    ),
    "type of the action": (lambda: puck(declared(action=Scalar(2))), ["action"], "Vector()"),
    "action upside down": (lambda: puck(upside=True), ["action"], "axes (x, -y)"),
    "mirrors of a world that bends": (lambda: puck(magnus=0.1), ["speed", "place"], None),
    "wind": (lambda: puck(wind=0.01), ["speed", "place"], None),
    "reward for a direction": (lambda: puck(pays=0.1), ["reward"], None),
    "end at a wall": (lambda: puck(ends=1.0), ["end"], None),
    "pusht, velocity": (lambda: changed(pusht(), {"agent_vel": Scalar(2)}), ["agent_vel"], "Vector()"),
    "pusht, marks": (
        lambda: changed(pusht(), {"block_keypoints": Point(8)}),
        ["block_keypoints"],
        "mirror=(1, 0, 3, 2, 5, 4, 7, 6)",
    ),
    "pusht, centre": (lambda: changed(pusht(), centre=(0.0, 0.0)), ["agent_pos"], "(255.5, 255.5)"),
    "pusht, action": (lambda: changed(pusht(), action=Point()), ["action"], "Vector()"),
}
PLANTED_ROBOTS = {
    "reacher, rates": (lambda: changed(gym.make("Reacher-v5"), {"rates": Scalar(2)}), ["rates"], "Pseudo"),
    "reacher, torques": (lambda: changed(gym.make("Reacher-v5"), action=Scalar(2)), ["action"], "Pseudo"),
    "reacher, order": (
        lambda: reacher_as({}, {}),
        ["upper_arm", "elbow_cosine"],
        "numbers 1 and 2 exchanged",
    ),
    "ant, sign of a joint": (
        lambda: ant_with("joints", lambda s: flipped(s.observation["joints"], 0)),
        ["joints"],
        "SignedPermutation",
    ),
    "ant, legs": (
        lambda: ant_with("joint_rates", lambda s: s.action),
        ["joint_rates"],
        "SignedPermutation",
    ),
    "ant, sign of a motor": (
        lambda: ant_with("action", lambda s: flipped(s.action, 3)),
        ["action"],
        "number 3 with the other sign",
    ),
    "ant, motors as joints": (
        lambda: ant_with("action", lambda s: s.observation["joints"]),
        ["action"],
        "'joints'",
    ),
    "ant, torques": (
        lambda: ant_with(
            "contact_torques", lambda s: replace(s.observation["contact_torques"], field=Vector())
        ),
        ["contact_torques"],
        "Pseudovector()",
    ),
    "ant, cones": (
        lambda: (env := gym.make("Ant-v5", **BARE), ant_symmetry(env, "gravity")),
        ["velocity"],
        None,
    ),
    "walker, legs": (
        lambda: changed(gym.make("Walker2d-v5"), {"joints": Scalar(6)}),
        ["joints"],
        "SignedPermutation",
    ),
    "walker, motors": (
        lambda: changed(gym.make("Walker2d-v5"), action=SignedPermutation([(5, 4, 3, 2, 1, 0)])),
        ["action"],
        "numbers 0 and 2 exchanged",
    ),
    "swimmer, joints": (
        lambda: changed(gym.make("Swimmer-v5"), {"joints": Vector()}),
        ["joints"],
        "Pseudoscalar(2)",
    ),
    "swimmer, velocity": (
        lambda: changed(gym.make("Swimmer-v5"), {"velocity": Scalar(2)}),
        ["velocity"],
        "Vector()",
    ),
    "swimmer, rates": (
        lambda: changed(gym.make("Swimmer-v5"), {"joint_rates": Scalar(2)}),
        ["joint_rates"],
        "Pseudoscalar(2)",
    ),
    "swimmer, heading": (
        lambda: changed(gym.make("Swimmer-v5"), {"heading": Heading(axis=0.2)}),
        ["heading"],
        "Heading()",
    ),
    "swimmer, torques": (
        lambda: changed(gym.make("Swimmer-v5"), action=Scalar(2)),
        ["action"],
        "Pseudoscalar(2)",
    ),
    "swimmer, position": (
        lambda: changed(gym.make("Swimmer-v5", **PLACED), {"position": Vector()}),
        ["position"],
        "Point()",
    ),
    "swimmer, order": (
        lambda: reordered(gym.make("Swimmer-v5"), ["heading", "velocity", "joints", "spin", "joint_rates"]),
        ["joints", "velocity"],
        "Vector()",
    ),
    "swimmer, reward": (lambda: changed(gym.make("Swimmer-v5"), reward=True), ["reward"], None),
    "pusher, centre": (
        lambda: freed_pusher("turns", centre=(0.0, 0.0)),
        ["hand", "object", "goal"],
        "centre (0, -0.6)",
    ),
    "pusher, object": (lambda: freed_pusher("turns", {"object": Vector()}), ["object"], "Point()"),
    "pusher, heading": (
        lambda: freed_pusher("turns", {"heading": Scalar()}, heading=None),
        ["heading"],
        "Heading()",
    ),
    "pusher, rolls": (lambda: freed_pusher("all", {"rolls": Scalar(3)}), ["rolls"], "Pseudoscalar(3)"),
    "pusher, torque": (
        lambda: freed_pusher("all", action=Concatenation((Scalar(), *(Scalar(), Pseudoscalar()) * 3))),
        ["action"],
        "Pseudoscalar() at 0",
    ),
    "pusher, ranges": (
        lambda: (env := gym.make("Pusher-v5"), pusher_symmetry(env, "all")),
        ["rolls", "roll_rates"],
        None,
    ),
    "pendulum, upright": (
        lambda: changed(gym.make("InvertedPendulum-v5"), {"angle": Pseudoscalar()}),
        ["angle"],
        "Heading(axis=0.00166667)",
    ),
    "pendulum, place": (
        lambda: changed(gym.make("InvertedPendulum-v5"), {"place": Scalar()}),
        ["place"],
        "Pseudoscalar()",
    ),
    "pendulum, force": (
        lambda: changed(gym.make("InvertedPendulum-v5"), action=Scalar()),
        ["action"],
        "Pseudoscalar()",
    ),
    "cheetah, legs": (cheetah_mirrored, ["joint_rates", "torso_rates"], None),
}
