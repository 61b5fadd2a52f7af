"""`equiworld certify`"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from equiworld import export
from equiworld.arguments import integer
from equiworld.commands.environment import arguments_of, make_env, named_or_known, symmetric_arguments
from equiworld.commands.outcome import Outcome
from equiworld.commands.planner import AnyPlanner
from equiworld.files import check_folder
from equiworld.models import WorldModel
from equiworld.planners import MPCPolicy
from equiworld.verify.certificate import certify

__all__ = ["Certify"]

QUICK_ELEMENTS, QUICK_EPISODES, QUICK_STEPS = 4, 2, 20


@dataclass(frozen=True)
class Certify:
    """Is the closed loop the same at every orientation? Exit code 1 if it is not.

    Attributes:
        model: folder of `equiworld train`.
        out: folder for `certificate.json` and `certificate.png`; the model's by default.
        env: id of the environment, or module:id; the model's by default, if it is known without an import.
        env_arguments: arguments of `gym.make`, as JSON; by default those that the model's environment had, and those
            with which its symmetry holds everywhere.
        mode: active: the simulator itself starts turned; passive: it is shown turned.
        elements: group elements besides the identity.
        episodes: at each.
        steps: environment steps of an episode at most.
        dtype: of the planning: that which is deployed.
        door: whether to decide in the frame at the door; without it planning goes on along the world's axes.
        tolerance: largest deviation that passes, in the units of the observation.
        success: the entry of `info` that says whether a task is solved; None for nothing.
        seed: of episodes, elements and planner.
        planner: and its settings; that of the environment's task if none is named.
        quick: few elements and short episodes.
        check: an exported ONNX file, or its certificate: verify hashes and self-test instead, by onnxruntime; nothing
            else is read or written.
    """

    model: Path = Path("runs/model")
    out: Path | None = None
    env: str | None = None
    env_arguments: str | None = None
    mode: Literal["active", "passive", "both"] = "active"
    elements: int = 16
    episodes: int = 4
    steps: int = 100
    dtype: Literal["float32", "float64"] = "float32"
    door: bool = True
    tolerance: float | None = None
    success: str | None = "is_success"
    seed: int = 0
    planner: AnyPlanner | None = None
    quick: bool = False
    check: Path | None = None

    def run(self) -> Outcome:
        """Run the orbit, write result and figure; or check an exported file."""
        if self.check is not None:
            report = export.check(self.check)
            return Outcome(str(report), report.passed)
        seed = integer("seed", self.seed, least=0)
        folder = check_folder("--out", self.out or self.model, ["certificate.json", "certificate.png"])
        model = WorldModel.load(self.model)
        env_id = named_or_known(self.env, model)
        arguments = self.env_arguments
        if arguments is None:
            env = make_env(env_id, {**arguments_of(model, env_id), **symmetric_arguments(env_id)})
        else:
            env = make_env(env_id, arguments)
        policy = MPCPolicy(model, self.planner, dtype=self.dtype, seed=seed, door=self.door)
        numbers = (self.elements, self.episodes, self.steps)
        if self.quick:
            least = (QUICK_ELEMENTS, QUICK_EPISODES, QUICK_STEPS)
            numbers = tuple(min(pair) for pair in zip(numbers, least, strict=True))  # type: ignore[assignment]
        certificate = certify(
            policy,
            env,
            elements=numbers[0],
            episodes=numbers[1],
            steps=numbers[2],
            seed=seed,
            modes=("active", "passive") if self.mode == "both" else (self.mode,),
            tolerance=self.tolerance,
            success=self.success,
        )
        env.close()
        path = certificate.save(folder / "certificate.json")
        figure = certificate.plot(folder / "certificate.png")
        return Outcome(f"{certificate}\n{path}\n{figure}", certificate.passed)
