"""Calls of environments, replay buffers, planning with bare functions, and the command line."""

from __future__ import annotations

import contextlib
import io
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium.error import ResetNeeded

import equiworld as ew
from equiworld.cli import main
from equiworld.envs import GroupAction
from equiworld.errors import ArgumentError
from equiworld.planners import CEM, plan
from equiworld.training import Dataset

from .data_calls import _dataset
from .loop_calls import data, model
from .oracle import Call
from .toys import ENV, SYMMETRY, made, observation

__all__ = ["CALLS"]

REFUSED = 2


# ----------------------------------------------------------------------------------------------- environments


def _before_reset(env: gym.Env[Any, Any], method: str) -> Any:
    """Nothing, after the error that is due; what is refused for its arguments may be."""

    def function(**given: Any) -> None:
        with contextlib.suppress(ResetNeeded):
            getattr(env.unwrapped if method.endswith("state") else env, method)(**given)
            raise AssertionError(f"{method} before an episode began")

    return function


def _environments() -> list[Call]:
    names = ["equiworld/PushT-v0", "equiworld/CloudPush-v0"]
    calls = []
    for name in names:
        fresh = gym.make(name, disable_env_checker=True)
        begun = gym.make(name, disable_env_checker=True)
        begun.reset(seed=0)
        state = begun.unwrapped.get_state()  # type: ignore[attr-defined]
        action = np.zeros(begun.action_space.shape or ())
        size = len(action)

        def stepped(env: gym.Env[Any, Any] = begun, **given: Any) -> Any:
            env.reset(seed=0)
            return env.step(**given)[0]

        def put(env: gym.Env[Any, Any] = begun, **given: Any) -> Any:
            env.unwrapped.set_state(**given)  # type: ignore[attr-defined]
            return env.unwrapped.get_state()  # type: ignore[attr-defined]

        calls += [
            Call(
                f"{name}.step before reset",
                _before_reset(fresh, "step"),
                lambda a=action: {"action": a},
                real=False,
            ),
            Call(f"{name}.get_state before reset", _before_reset(fresh, "get_state"), dict, weight=1),
            Call(f"{name}.step", stepped, lambda a=action: {"action": a + 0.01}),
            Call(
                f"{name}.reset",
                lambda env=begun, **given: env.reset(**given)[0],
                lambda n=size: {
                    "seed": 3,
                    "options": {"group_element": (ew.SE2() if n == 2 else ew.SE3()).identity()},
                },
                close=None,
                weight=2,
            ),
            Call(f"{name}.set_state", put, lambda s=state: {"state": s}, close=None, weight=1),
        ]
    turned = GroupAction(made(), ew.E2().rotation(0.3), symmetry=SYMMETRY, outside="clip")
    calls.append(
        Call(
            "GroupAction.step before reset",
            _before_reset(turned, "step"),
            lambda: {"action": np.array([0.5, -0.25])},
            real=False,
        )
    )
    return calls


# -------------------------------------------------------------------------------------------- replay buffers


def _attributes() -> dict[str, Any]:
    """Of a buffer of four steps of one environment, the last of which ends its episode."""
    rng = np.random.default_rng(0)
    rows = {name: rng.normal(size=(5, 1, len(array))) for name, array in observation().items()}
    return {
        "observations": {name: array[:4] for name, array in rows.items()},
        "next_observations": {name: array[1:] for name, array in rows.items()},
        "actions": rng.uniform(-1, 1, (4, 1, 2)),
        "dones": np.array([[0.0], [0.0], [0.0], [1.0]]),
        "timeouts": np.zeros((4, 1)),
        "pos": 0,
        "full": True,
        "n_envs": 1,
        "buffer_size": 4,
        "optimize_memory_usage": False,
        "handle_timeout_termination": True,
        "action_space": made().action_space,
    }


def _buffers() -> list[Call]:
    return [
        Call(
            "Dataset.from_replay_buffer",
            Dataset.from_replay_buffer,
            lambda: {
                "buffer": SimpleNamespace(**_attributes()),
                "symmetry": SYMMETRY,
                "scaled": True,
                "action_repeat": 1,
                "extra_keys": "refuse",
                "provenance": {},
            },
            _dataset,
        ),
        Call(
            "Dataset.from_replay_buffer of attributes",
            lambda **given: Dataset.from_replay_buffer(SimpleNamespace(**given), SYMMETRY),
            _attributes,
            _dataset,
            close=None,
            real=False,
        ),
    ]


# -------------------------------------------------------------------------------------------------- planning


def _pushed(state: Any, action: Any) -> Any:
    """A dynamics that says so where it does not fit."""
    if not isinstance(state, torch.Tensor) or state.shape != action.shape:
        raise ArgumentError("state", getattr(state, "shape", state), "numbers as many as an action's")
    return state + action


def _apart(states: Any, actions: Any, goal: Any = None) -> Any:
    """A cost that says so likewise."""
    if goal is not None and (not isinstance(goal, torch.Tensor) or goal.shape[-1] != states.shape[-1]):
        raise ArgumentError("goal", goal, "numbers as many as a state's")
    return (states if goal is None else states - goal).square().sum(-1)


def _planning() -> list[Call]:
    few = CEM(horizon=2, samples=8, iterations=2, elites=2)
    return [
        Call(
            "plan",
            plan,
            lambda: {
                "dynamics": _pushed,
                "cost": _apart,
                "state": torch.zeros(3, 2, dtype=torch.float64),
                "action_size": 2,
                "planner": few,
                "bound": 1.0,
                "goal": torch.ones(3, 2, dtype=torch.float64),
                "warm_start": torch.zeros(3, 2, 2, dtype=torch.float64),
                "active": torch.tensor([True, False, True]),
                "seed": 1,
                "generators": None,
            },
            close=None,
            infinite=True,
            real=False,
            kept=("dynamics", "cost"),
        ),
        Call(
            "plan of its own",
            lambda state, goal: plan(
                _pushed,
                _apart,
                state,
                action_size=2,
                planner=few,
                bound=1.0,
                goal=goal,
            ),
            lambda: {
                "state": torch.zeros(2, dtype=torch.float64),
                "goal": torch.ones(2, dtype=torch.float64),
            },
            close=None,
            real=False,
            infinite=True,
        ),
    ]


# ---------------------------------------------------------------------------------------------- command line

WORDS = [
    *(
        "",
        " ",
        "-1",
        "0",
        "2",
        "nan",
        "inf",
        "1e400",
        "0.5",
        "True",
        "None",
        "é",
        "\ud800",
        "a\0b",
        "--",
        "-",
    ),
    *(
        "--help",
        "--seed",
        "{}",
        "[1]",
        '{"a": 1}',
        "{'a'",
        "../..",
        "/dev/null",
        "/proc/none",
        "no:such/Env-v0",
    ),
    *(
        "os:Env",
        "fuzz/None-v0",
        "equiworld",
        "1" * 400,
        "x" * 300,
        "%s",
        "\n",
        "~",
        "*",
        "certify",
        "float16",
    ),
]


@lru_cache
def _folder() -> Path:
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="fuzz"))
    data().save(folder / "data" / "data.safetensors")
    model().save(folder / "model")
    return folder


def _lines() -> dict[str, list[str]]:
    folder = _folder()
    return {
        "collect": ["collect", "--env", ENV, "--transitions", "3", "--seed", "1", "--out", f"{folder}/new"],
        "train": [
            "train",
            "--data",
            f"{folder}/data",
            "--model",
            f"{folder}/model",
            "--out",
            f"{folder}/out",
        ],
        "evaluate": ["evaluate", "--model", f"{folder}/model", "--env", ENV, "--env-arguments", "{}"],
        "certify": ["certify", "--model", f"{folder}/model", "--env", ENV, "--elements", "1", "--steps", "1"],
        "demo": ["demo", "--env", "nowhere", "--out", f"{folder}/out"],
        "bench": ["bench", "nothing", "--seed", "1"],
    }


def _said(command: str, word: int, place: int) -> int:
    """The exit code of a command with one word replaced; of the work nothing is done but what is made of words."""
    words = list(_lines()[command])
    place %= len(words) + 1
    if place < len(words):
        words[place] = WORDS[word % len(WORDS)]
    said, failed = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(failed):
        code: Any
        try:
            code = main(words)
        except SystemExit as end:  # of a word that no command has: usage
            code, usage = end.code, True
        else:
            usage = False
    if usage:
        assert code in (0, REFUSED), f"exit code {code}: {failed.getvalue()[-300:]}"
        raise ArgumentError("words", words, "those of a command")
    if code == REFUSED:
        message = failed.getvalue()
        assert message.startswith("equiworld: ") or "\nequiworld: " in message, message[-300:]
        raise ArgumentError("words", words, message)
    return code


def _commands() -> list[Call]:
    return [
        Call(
            f"equiworld {name}",
            _said,
            lambda name=name: {"command": name},
            close=None,
            kept=("command",),
            drawn=("word", "place"),
            weight=1,
        )
        for name in ("collect", "train", "evaluate", "certify", "demo", "bench")
    ]


CALLS = [*_environments(), *_buffers(), *_planning(), *_commands()]
