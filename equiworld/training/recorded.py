"""The columns of a `Dataset` out of what others recorded: whole episodes, or a replay buffer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set, ValuesView
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiworld.arguments import array_of, flag, integer
from equiworld.errors import ArgumentError
from equiworld.symmetry import Symmetry
from equiworld.symmetry.field import numbers
from equiworld.symmetry.observing import row_of

__all__ = ["chosen_rows", "columns_of_buffer", "columns_of_episodes", "floats", "integers"]

Array = NDArray[np.floating]
Arrays = dict[str, Array]
Columns = dict[str, Any]
"""`observation`, `action`, `next_observation` and `episode`, as `Dataset` takes them."""

EXTRA = ("refuse", "ignore")
BUFFER = ("observations", "actions", "dones", "pos", "full")


def columns_of_episodes(
    symmetry: Symmetry, episodes: Iterable[Mapping[str, Any]], extra_keys: str
) -> Columns:
    """The transitions of whole episodes, in order; see `Dataset.from_episodes`."""
    _check(symmetry, extra_keys)
    if isinstance(episodes, str | bytes | Mapping) or not isinstance(
        episodes, Sequence | Iterator | Set | ValuesView
    ):
        raise ArgumentError("episodes", f"a {type(episodes).__name__}", "several episodes, such as a list")
    found = [
        _episode(symmetry, each, f"episodes[{index}]", extra_keys) for index, each in enumerate(episodes)
    ]
    if not found:
        raise ArgumentError("episodes", "none", "at least one episode")
    return _columns(found)


def columns_of_buffer(buffer: Any, symmetry: Symmetry, scaled: bool, extra_keys: str) -> Columns:
    """The transitions of a replay buffer, environment by environment; see `Dataset.from_replay_buffer`."""
    _check(symmetry, extra_keys)
    scaled = flag("scaled", scaled)
    saving = flag("buffer.optimize_memory_usage", getattr(buffer, "optimize_memory_usage", False))
    wanted = BUFFER if saving else (*BUFFER, "next_observations")
    expected = f"a replay buffer, with {', '.join(wanted)}, as those of stable-baselines3 have"
    missing = [name for name in wanted if not hasattr(buffer, name)]
    if missing:
        raise ArgumentError("buffer", f"a {type(buffer).__name__} without {missing[0]!r}", expected)
    try:
        found = list(_kept(buffer, symmetry, scaled, extra_keys))
    except ArgumentError:
        raise
    except (TypeError, ValueError, IndexError, AttributeError, RuntimeError) as error:
        raise ArgumentError("buffer", f"a {type(buffer).__name__} ({error})", expected) from error
    if not found:
        raise ArgumentError("buffer", "no complete transition", "at least one")
    return _columns(found)


def chosen_rows(which: Any, count: int) -> NDArray[Any] | slice:
    """A mask, an index array or a slice of so many rows, as NumPy takes it."""
    if not isinstance(which, slice):
        which = array_of("which", which)
        if which.dtype.kind not in "biu" or which.ndim != 1:
            got = f"{which.dtype} of shape {which.shape}"
            raise ArgumentError("which", got, "a mask, an index array (n,) or a slice")
    try:
        np.arange(count)[which]
    except (IndexError, TypeError, ValueError) as error:
        raise ArgumentError("which", str(error), f"a choice of {count} transitions") from error
    return which


def floats(name: str, value: Any) -> Array:
    """Numbers as float64 of this machine's byte order, or as the float32 that they are; copied only if need be."""
    array = array_of(name, value)
    if array.dtype.kind not in "fiu":
        raise ArgumentError(name, f"an array of {array.dtype}", "an array of numbers")
    single = array.dtype.newbyteorder("=") == np.float32
    return np.asarray(array, np.float32 if single else np.float64)


def integers(name: str, value: Any) -> NDArray[np.int64]:
    """Whole numbers as int64."""
    array = array_of(name, value)
    if array.dtype.kind not in "iu":
        raise ArgumentError(name, f"an array of {array.dtype}", "an array of whole numbers")
    return np.asarray(array, np.int64)


# ------------------------------------------------------------------------------------------ one episode


def _check(symmetry: Any, extra_keys: Any) -> None:
    if not isinstance(symmetry, Symmetry):
        expected = "a Symmetry, such as `ew.symmetry_of(env)` gives"
        raise ArgumentError("symmetry", f"a {type(symmetry).__name__}", expected)
    if not isinstance(extra_keys, str) or extra_keys not in EXTRA:
        raise ArgumentError(
            "extra_keys", repr(extra_keys), "what to do with keys that nobody declared", EXTRA
        )


def _episode(symmetry: Symmetry, episode: Any, place: str, extra_keys: str) -> tuple[Arrays, Array]:
    """State arrays `(T + 1, size)` by name, and actions `(T, size)`."""
    wanted = ("observation", "action")
    if not isinstance(episode, Mapping):
        raise ArgumentError(place, f"a {type(episode).__name__}", "a mapping", wanted)
    _check_keys(place, episode, wanted, wanted, extra_keys)
    action = _table(f"{place}['action']", episode["action"], symmetry.action.size(symmetry.dim))
    if not len(action):
        raise ArgumentError(f"{place}['action']", "no rows", "at least one action; leave empty episodes out")
    observation = f"{place}['observation']"
    return _state(symmetry, episode["observation"], observation, extra_keys, len(action)), action


def _state(symmetry: Symmetry, shown: Any, place: str, extra_keys: str, actions: int | None = None) -> Arrays:
    """The state fields out of observations as the environment gives them; one row more than actions, if told."""
    declared = symmetry.arrays()
    if symmetry.flat:
        if isinstance(shown, Mapping):
            raise ArgumentError(place, f"a mapping with keys {sorted(map(str, shown))}", "one array")
        array = _checked(symmetry, "observation", place, shown, actions)
        fields = symmetry.observed(array)
        return {name: fields[name] for name in symmetry.state}
    if not isinstance(shown, Mapping):
        raise ArgumentError(place, f"a {type(shown).__name__}", "a mapping with the declared keys", declared)
    at = symmetry.places
    needed = dict.fromkeys(at[name][0] if name in at else name for name in symmetry.state)
    _check_keys(place, shown, tuple(needed), tuple(declared), extra_keys)
    arrays = {key: _checked(symmetry, key, f"{place}[{key!r}]", shown[key], actions) for key in needed}
    fields = symmetry.observed(arrays, symmetry.state)
    return {name: fields[name] for name in symmetry.state}


def _checked(symmetry: Symmetry, key: str, place: str, shown: Any, actions: int | None) -> Array:
    """One observed array of every step, `(rows, …)`, checked."""
    size = symmetry.arrays()[key].size(symmetry.dim)
    rows = _table(place, row_of(symmetry, key, shown), size, actions)
    return rows.reshape(len(rows), *symmetry.shapes.get(key, (size,)))


def _check_keys(
    place: str, found: Mapping[Any, Any], needed: Sequence[str], known: Sequence[str], extra_keys: str
) -> None:
    missing = [key for key in needed if key not in found]
    if missing:
        raise ArgumentError(place, f"no key {missing[0]!r} among {list(found)}", "every one of", needed)
    extra = [key for key in found if key not in known]
    if extra and extra_keys != "ignore":
        expected = 'declared keys only, or extra_keys="ignore"'
        raise ArgumentError(place, f"the undeclared key {extra[0]!r}", expected, known)


def _table(name: str, value: Any, size: int, actions: int | None = None) -> Array:
    """A finite array `(rows, size)`."""
    try:
        array = numbers(value, size, name)
    except (TypeError, OverflowError) as error:  # of what only looks like an array
        raise ArgumentError(name, f"a {type(value).__name__} ({error})", "an array of numbers") from error
    if array.ndim != 2:
        raise ArgumentError(name, f"shape {array.shape}", f"shape (rows, {size}), one row a step")
    if actions is not None and len(array) != actions + 1:
        expected = (
            f"shape ({actions + 1}, {size}): T + 1 rows, the last one included, for T = {actions} actions"
        )
        raise ArgumentError(name, f"shape {array.shape}", expected)
    return floats(name, array)


# ------------------------------------------------------------------------------------- many of them


def _columns(episodes: Sequence[tuple[Arrays, Array]]) -> Columns:
    """Episodes one behind the other: float32 where every number is, else float64."""
    arrays = [array for fields, action in episodes for array in (*fields.values(), action)]
    dtype = np.result_type(*{array.dtype for array in arrays})
    names, lengths = list(episodes[0][0]), [len(action) for _, action in episodes]

    def joined(parts: Iterator[Array]) -> Array:
        return np.concatenate(list(parts)).astype(dtype, copy=False)

    return {
        "observation": {name: joined(fields[name][:-1] for fields, _ in episodes) for name in names},
        "action": joined(action for _, action in episodes),
        "next_observation": {name: joined(fields[name][1:] for fields, _ in episodes) for name in names},
        "episode": np.repeat(np.array([_number(*episode) for episode in episodes], np.int64), lengths),
    }


def _number(fields: Arrays, action: Array) -> int:
    """An episode's number, made of its numbers: the same recording is known again, in whatever dataset it is."""
    digest = hashlib.blake2b(digest_size=8)
    for array in (action, *fields.values()):
        digest.update(f"{array.shape}".encode())
        digest.update((np.ascontiguousarray(array, "<f8") + 0.0).data)  # −0 and 0 are one number
    return int.from_bytes(digest.digest(), "little") >> 1


# ---------------------------------------------------------------------------------- a replay buffer


def _kept(buffer: Any, symmetry: Symmetry, scaled: bool, extra_keys: str) -> Iterator[tuple[Arrays, Array]]:
    """The episodes of a replay buffer, or what is left of them."""
    rows, following = _rows(buffer)
    actions, ended = array_of("buffer.actions", buffer.actions), _flags("buffer.dones", buffer.dones)
    if hasattr(buffer, "timeouts"):
        ended = ended | _flags("buffer.timeouts", buffer.timeouts)
    if actions.ndim != 3 or ended.shape != actions.shape[:2]:
        got = f"actions of shape {actions.shape} and dones of shape {ended.shape}"
        raise ArgumentError("buffer", got, "shapes (buffer_size, n_envs, size) and (buffer_size, n_envs)")
    if scaled:
        actions = _unscaled(buffer, actions, rows)
    for env in range(actions.shape[1]):
        place = f"buffer, environment {env}: "
        before = _state(symmetry, _of_env(buffer.observations, env, rows), f"{place}observations", extra_keys)
        if following is None:
            shown = _of_env(buffer.next_observations, env, rows)
        else:
            shown = _of_env(buffer.observations, env, following)
        after = _state(symmetry, shown, f"{place}next_observations", extra_keys)
        action = _table(f"{place}actions", actions[rows, env], symmetry.action.size(symmetry.dim))
        ends = ended[rows, env]
        whole = np.ones(len(rows), bool)
        if following is not None:  # the first observation of the next episode stands where the last one stood
            whole = ~ends
            whole[-1:] = True
        yield from _chains(before, action, after, ends, whole)


def _rows(buffer: Any) -> tuple[NDArray[np.int64], NDArray[np.int64] | None]:
    """The rows that hold a transition, the oldest first; where their next observations lie, if among the others."""
    size, full = len(buffer.actions), flag("buffer.full", buffer.full)
    position = integer("buffer.pos", buffer.pos, least=0, most=size)
    rows = (np.arange(size) + position) % size if full else np.arange(position)
    if not getattr(buffer, "optimize_memory_usage", False):
        return rows, None
    # The newest transition's next observation has taken the place of the oldest one's observation.
    rows = rows[1:] if full else rows
    return rows, (rows + 1) % size


def _of_env(observations: Any, env: int, rows: NDArray[np.int64]) -> Any:
    """What one environment observed, as it gives it: an array `(rows, size)`, or a dict of them."""
    if isinstance(observations, Mapping):
        return {key: array_of(str(key), array)[rows, env] for key, array in observations.items()}
    return array_of("buffer.observations", observations)[rows, env]


def _flags(name: str, value: Any) -> NDArray[np.bool_]:
    """Whether each transition ended something, kept as numbers or as bools."""
    array = array_of(name, value)
    if array.dtype.kind not in "biuf" or not np.isin(array, (0, 1)).all():
        raise ArgumentError(name, f"an array of {array.dtype}", "zeros and ones, or bools")
    return array.astype(bool)


def _unscaled(buffer: Any, actions: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[Any]:
    """The actions that the environment got for what is kept, which lies between −1 and 1."""
    space = getattr(buffer, "action_space", None)
    low, high = getattr(space, "low", None), getattr(space, "high", None)
    if low is None or high is None or not (np.isfinite(low).all() and np.isfinite(high).all()):
        expected = "a bounded Box, which the actions kept are fractions of; or scaled=False if they are not"
        raise ArgumentError("buffer.action_space", str(space), expected)
    if np.shape(low) != actions.shape[2:]:
        expected = f"a Box of shape {actions.shape[2:]}"
        raise ArgumentError("buffer.action_space", f"shape {np.shape(low)}", expected)
    largest = float(np.abs(actions[rows]).max(initial=0.0))
    if largest > 1 + 1e-6:
        expected = (
            "at most 1, as stable-baselines3 keeps actions; or scaled=False if they are the environment's own"
        )
        raise ArgumentError("buffer.actions", f"numbers up to {largest:.6g}", expected)
    return low + 0.5 * (actions + 1.0) * (
        high - low
    )  # in the dtypes of stable-baselines3: to the bit what acted


def _chains(
    before: Arrays, action: Array, after: Arrays, ends: NDArray[np.bool_], whole: NDArray[np.bool_]
) -> Iterator[tuple[Arrays, Array]]:
    """Runs of transitions that follow one another, each as an episode with its last observation."""
    follows = whole[1:] & whole[:-1] & ~ends[:-1]
    for name, array in before.items():
        follows &= (array[1:] == after[name][:-1]).all(-1)
    for run in np.split(np.arange(len(action)), np.flatnonzero(~follows) + 1):
        if len(run) and whole[run[0]]:  # what is not whole stands alone
            last = run[-1:]
            yield (
                {name: np.concatenate([array[run], after[name][last]]) for name, array in before.items()},
                action[run],
            )
