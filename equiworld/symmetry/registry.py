"""The symmetries of known environments, and how to find that of any environment object."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec, load_env_creator

from equiworld.errors import ArgumentError, UnknownNameError
from equiworld.groups import GroupElement
from equiworld.symmetry.spaces import check_observation_space
from equiworld.symmetry.symmetry import Symmetry
from equiworld.symmetry.wrapped import carried_by, layers_of, through_wrappers, without_unrecorded

__all__ = ["known_id", "register_symmetry", "symmetry_of"]

Entry = Symmetry | Callable[[Any], Symmetry]

Move = Callable[[Any, GroupElement], Any]

_ENTRIES: dict[str, Entry] = {}
_MOVES: dict[str, Move] = {}
_HOW_TO_ADD = "add one with equiworld.register_symmetry(env_id, Symmetry(...))"


def register_symmetry(env_id: str, symmetry: Entry, move: Move | None = None) -> None:
    """Say how the environments of an id transform; a later call for the same id replaces the earlier.

    Args:
        env_id: the Gymnasium id, such as "Reacher-v5".
        symmetry: a Symmetry, or a function from the environment to its Symmetry where that depends on how the
            environment was made.
        move: `move(env, g)` brings the simulator from s to g·s, goal and time with it, and returns what is observed
            then, or None if the environment's `_get_obs` tells it; for active certificates of environments whose reset
            knows no `options={"group_element": g}`.

    >>> from equiworld.groups import SO2
    >>> from equiworld.symmetry import Vector
    >>> register_symmetry("docs/Plane-v0", Symmetry(SO2(), {"velocity": Vector()}, action=Vector()))
    >>> symmetry_of("docs/Plane-v0").group
    SO2()
    """
    if not isinstance(env_id, str) or not env_id:
        raise ArgumentError("env_id", env_id, "the id of a Gymnasium environment")
    if not isinstance(symmetry, Symmetry) and not callable(symmetry):
        raise ArgumentError("symmetry", symmetry, "a Symmetry, or a function env -> Symmetry")
    if move is not None and not callable(move):
        raise ArgumentError("move", move, "a function (env, g), or None")
    _ENTRIES[env_id] = symmetry
    _MOVES.pop(env_id, None)
    if move is not None:
        _MOVES[env_id] = move


def move_of(env: Any) -> Move | None:
    """The function that brings an environment to g·s; None if none was registered.

    Wrappers with a state of their own that g moves, such as a phase, have a method `follow(g)`.
    """
    base = getattr(env, "unwrapped", env)
    move = _MOVES.get(_id_of(base, _MOVES)) if isinstance(base, gym.Env) else None
    return None if move is None else _Followed(move)


class _Followed:
    """A move that wrappers follow; what is observed then is for whoever looks through them."""

    def __init__(self, move: Move) -> None:
        self.move = move

    def __call__(self, env: gym.Env, g: GroupElement) -> Any:
        after, followers = self.move(env, g), list[Any]()
        while isinstance(env, gym.Wrapper):
            followers += [env] if callable(getattr(type(env), "follow", None)) else []
            env = env.env
        for wrapper in followers:
            wrapper.follow(g)
        return None if followers else after


def symmetry_of(env: Any) -> Symmetry:
    """The symmetry of an environment.

    In this order: what the environment or a wrapper carries as its attribute `symmetry`, then the registry by id. It
    looks through wrappers, in any order, those of vector environments and of stable-baselines3 too. Wrappers that
    filter, stack, flatten or reshape observations or add the time are followed, those that leave observations alone
    are passed over; others are refused, such as those that normalise: do that inside the model instead.

    Args:
        env: a Gymnasium environment, its id (made once if its symmetry depends on how it is made, or is not
            registered; "module:id" imports the module first), a Gymnasium vector environment, a
            stable-baselines3 VecEnv, or a Symmetry, which comes back.

    Raises:
        UnknownNameError: nothing is registered for the id; lists what is, and how to add one.
        ArgumentError: not an environment, or its observations are not those of the registered symmetry; or it was
            constructed without `gym.make`, and ids of its class have different symmetries.
    """
    if isinstance(env, Symmetry):
        return env
    if isinstance(env, str):
        return _of_id(env)
    space = getattr(env, "single_observation_space", None) or getattr(env, "observation_space", None)
    if not isinstance(space, gym.Space):
        raise ArgumentError(
            "env", env, "an environment, its id, a vector environment, a VecEnv or a Symmetry"
        )
    symmetry = _of_object(env)
    try:
        symmetry = symmetry.sized(space)
        check_observation_space(symmetry, space)
    except ArgumentError as error:
        raise ArgumentError(
            "env",
            str(error),
            "the registered observations; register or pass a Symmetry of what wrappers return",
        ) from None
    return symmetry


def known_id(argument: str, env_id: Any) -> str:
    """An environment's id that a file gives, if this process knows it already.

    Gymnasium imports the module that an id such as "module:id" names, and some environments import what their
    arguments name. A file that was sent to somebody must not choose what runs on their machine: it chooses among
    the ids that are registered, with Gymnasium and with a symmetry. Whoever wants another names it himself.

    Args:
        argument: where the id was found, for the message.
        env_id: what was found there.

    Raises:
        ArgumentError: it is not known; says how to go on. Nothing was imported.

    >>> known_id("provenance", "os:Foo-v0")
    Traceback (most recent call last):
        ...
    equiworld.errors.ArgumentError: provenance: got environment 'os:Foo-v0'; expected an id that is registered with \
Gymnasium and with a symmetry, since a file does not choose what is imported; import its package first, or name the \
environment yourself: `make_env("module:id")`, on the command line `--env module:id`
    """
    if isinstance(env_id, str) and env_id in gym.registry and env_id in _ENTRIES:
        return env_id
    raise ArgumentError(
        argument,
        f"environment {env_id!r}",
        "an id that is registered with Gymnasium and with a symmetry, since a file does not choose what is imported; "
        'import its package first, or name the environment yourself: `make_env("module:id")`, '
        "on the command line `--env module:id`",
    )


def make_env(env: Any) -> Any:
    """The environment of an id, made; what is no text as it is.

    Raises:
        ArgumentError: Gymnasium cannot make it.
    """
    try:
        return gym.make(env) if isinstance(env, str) else env
    except (gym.error.Error, ImportError) as error:
        raise ArgumentError("env", f"{env!r} ({error})", "an environment that Gymnasium can make") from error


def _of_id(name: str) -> Symmetry:
    module, _, env_id = name.rpartition(":")
    if module:
        try:
            importlib.import_module(module)
        except (ImportError, ValueError, TypeError) as error:  # the latter of names that are none
            raise ArgumentError("env", f"{name!r} ({error})", "a module that can be imported") from error
    entry = _ENTRIES.get(env_id)
    if isinstance(entry, Symmetry):
        return entry
    try:
        spec = gym.spec(env_id)
    except gym.error.Error as error:
        if entry is None:
            raise UnknownNameError("env", env_id, _ENTRIES, _HOW_TO_ADD) from error
        spec = _spec_of_namespace(env_id, error)
    return _of_spec(spec)


def _spec_of_namespace(env_id: str, error: gym.error.Error) -> EnvSpec:
    """The spec of an id whose package was not imported yet; its namespace is the package's name."""
    package = env_id.split("/")[0]
    for module in (package, f"{package}.envs") if package != env_id else ():
        if (
            env_id not in gym.registry
            and importlib.util.find_spec(package)
            and importlib.util.find_spec(module)
        ):
            importlib.import_module(module)
    if env_id not in gym.registry:
        raise ArgumentError("env", env_id, "an id that Gymnasium knows; import its package first") from error
    return gym.registry[env_id]


def _of_spec(spec: EnvSpec) -> Symmetry:
    """The symmetry of a spec and its wrappers; makes the environment if there is something to look at."""
    entry = _ENTRIES.get(spec.id)
    if isinstance(entry, Symmetry) and not spec.additional_wrappers:
        return entry
    spec = without_unrecorded(spec)
    try:
        made = gym.make(spec, disable_env_checker=True)
    except Exception as error:  # whatever its constructor raises
        if entry is None:
            raise UnknownNameError("env", spec.id, _ENTRIES, _HOW_TO_ADD) from error
        raise
    return _of_made(made)


def _of_made(made: gym.Env) -> Symmetry:
    """The symmetry of an environment that was made to look at; closes it."""
    try:
        return _of_object(made)
    finally:
        made.close()


def _of_object(env: Any) -> Symmetry:
    layers = layers_of(env)
    base = layers[-1]
    found = carried_by(base)
    if found is None and not isinstance(base, gym.Env):
        found = _of_elsewhere(base)
        if found is not None:
            return through_wrappers([*layers, base], found)
    if found is None:
        env_id = (
            _id_of(base, _ENTRIES)
            if isinstance(base, gym.Env)
            else getattr(getattr(base, "spec", None), "id", None)
        )
        if env_id is None:  # not even an environment that is a batch by itself
            raise UnknownNameError("env", type(base).__name__, _ENTRIES, _HOW_TO_ADD)
        entry = _entry(env_id)
        found = entry if isinstance(entry, Symmetry) else _call(entry, base, env_id)
    return through_wrappers(layers, found)


def _of_elsewhere(several: Any) -> Symmetry | None:
    """The symmetry of environments in other processes, of one like them that is made here; None of other things."""
    functions = getattr(several, "env_fns", None)  # of AsyncVectorEnv
    if functions:
        return _of_made(functions[0]())
    try:
        spec = several.get_attr("spec")[0]  # of SubprocVecEnv
    except (AttributeError, NotImplementedError):  # of one without members, or of something else
        return None
    return _of_spec(spec) if isinstance(spec, EnvSpec) else None


def _id_of(base: gym.Env, told: Mapping[str, Any]) -> str:
    """The id of an environment, also of one that was constructed without `gym.make`.

    Args:
        base: inside all wrappers.
        told: what is asked about, by id.

    Raises:
        ArgumentError: it is the class of several ids, of which different things are told.
    """
    if base.spec is not None:
        return base.spec.id
    ids = [env_id for env_id in _ENTRIES if _class_of(env_id) is type(base)]
    if any(told.get(env_id) != told.get(ids[0]) for env_id in ids):
        got = f"a {type(base).__name__} that gym.make did not make, the class of several ids with different symmetries"
        raise ArgumentError("env", got, "one that gym.make made by its id, or symmetry=", ids)
    return ids[0] if ids else type(base).__name__


def _class_of(env_id: str) -> object:
    """What makes the environments of an id, as far as its package is imported."""
    spec = gym.registry.get(env_id)
    point: object = spec.entry_point if spec is not None else None
    if isinstance(point, str):
        # an instance exists, so its package is imported; others need not be
        point = load_env_creator(point) if point.split(":")[0] in sys.modules else None
    return point


def _entry(env_id: str) -> Entry:
    if env_id not in _ENTRIES:
        raise UnknownNameError("env", env_id, _ENTRIES, _HOW_TO_ADD)
    return _ENTRIES[env_id]


def _call(entry: Callable[[Any], Symmetry], env: Any, env_id: str) -> Symmetry:
    symmetry = entry(env)
    if not isinstance(symmetry, Symmetry):
        raise ArgumentError(f"symmetry of {env_id}", symmetry, "a Symmetry from the registered function")
    return symmetry
