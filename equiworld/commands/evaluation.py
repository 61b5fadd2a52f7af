"""`equiworld evaluate`"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from equiworld.arguments import integer
from equiworld.commands.environment import arguments_of, make_env, named_or_known
from equiworld.commands.outcome import Outcome
from equiworld.commands.planner import AnyPlanner
from equiworld.files import check_folder
from equiworld.models import WorldModel
from equiworld.planners import MPCPolicy
from equiworld.results import text_table
from equiworld.verify.evaluate import evaluate

__all__ = ["Evaluate"]

QUICK_EPISODES, QUICK_STEPS = 4, 60


@dataclass(frozen=True)
class Evaluate:
    """How often a model with its planner succeeds, and how soon.

    Attributes:
        model: folder of `equiworld train`.
        out: folder for `evaluate.json`; the model's by default.
        env: id of the environment, or module:id; the model's by default, if it is known without an import.
        env_arguments: arguments of `gym.make`, as JSON; those that the model's environment had by default.
        episodes: how many.
        n_envs: environments side by side.
        success: the entry of `info` that says whether an episode succeeded; None to judge by the return alone.
        max_steps: environment steps of an episode at most; the environment's own limit by default.
        dtype: of the planning.
        seed: of the first episode, and of the planner.
        planner: and its settings; that of the environment's task if none is named.
        quick: few and short episodes.
        progress: show a progress bar.
    """

    model: Path = Path("runs/model")
    out: Path | None = None
    env: str | None = None
    env_arguments: str | None = None
    episodes: int = 100
    n_envs: int = 25
    success: str | None = "is_success"
    max_steps: int | None = None
    dtype: Literal["float32", "float64"] = "float32"
    seed: int = 0
    planner: AnyPlanner | None = None
    quick: bool = False
    progress: bool = True

    def run(self) -> Outcome:
        """Run the episodes, and write the result."""
        seed = integer("seed", self.seed, least=0)
        folder = check_folder("--out", self.out or self.model, ["evaluate.json"])
        model = WorldModel.load(self.model)
        env_id, arguments = named_or_known(self.env, model), self.env_arguments
        env = make_env(env_id, arguments_of(model, env_id) if arguments is None else arguments)
        policy = MPCPolicy(model, self.planner, dtype=self.dtype, seed=seed)
        result = evaluate(
            policy,
            env,
            episodes=min(self.episodes, QUICK_EPISODES) if self.quick else self.episodes,
            seed=seed,
            n_envs=self.n_envs,
            success=self.success,
            max_steps=min(self.max_steps or QUICK_STEPS, QUICK_STEPS) if self.quick else self.max_steps,
            progress=self.progress,
        )
        env.close()
        path = result.save(folder / "evaluate.json")
        summary = text_table([result.summary()])
        return Outcome(f"{summary}\n\n{result}\n{path}")
