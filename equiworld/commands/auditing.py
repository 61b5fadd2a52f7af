"""`equiworld audit`"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import gymnasium as gym
import tyro

from equiworld.arguments import integer
from equiworld.commands.environment import make_env
from equiworld.commands.outcome import Outcome
from equiworld.files import check_folder
from equiworld.groups import group_from_name
from equiworld.models import WorldModel
from equiworld.planners import MPCPolicy
from equiworld.verify.audit import audit
from equiworld.verify.discovery.proposal import with_mirrors
from equiworld.verify.discovery.turning import turning_symmetry
from equiworld.verify.mechanism import Proposal, propose

__all__ = ["Audit"]

QUICK_STATES, QUICK_HORIZON = 6, 3
_MECHANISM = "mechanism.json"
_STARTS = 24
_FILES = ("audit.json", "audit.png", "audit.html", "counterexample.json")


@dataclass(frozen=True)
class Audit:
    """Which symmetry does a simulator really carry, and what breaks it? Exit code 1 if the declared one does not hold.

    Attributes:
        target: id of the environment, or module:id; or the path of a MuJoCo model, robot.xml.
        out: folder for `audit.json`, `audit.png`, `audit.html`, and `counterexample.json` if there is one; of a robot's
            file `mechanism.json` too: its maps of joints, what differs in it, and the share of that.
        env_arguments: arguments of `gym.make`, as JSON.
        group: the group to ask about, such as "E2" or "Cyclic(4)"; the declared one by default.
        model: folder of `equiworld train`: half of the states lie along the rollouts of its policy.
        states: how many states, each of another episode.
        horizon: steps from each.
        tolerance: relative deviation that passes.
        confidence: of bounds, and of verdicts of noisy worlds.
        seed: of states, actions and elements.
        quick: few states and steps.
    """

    target: Annotated[str, tyro.conf.Positional]
    out: Path = Path("runs/audit")
    env_arguments: str = "{}"
    group: str | None = None
    model: Path | None = None
    states: int = 32
    horizon: int = 8
    tolerance: float = 1e-6
    confidence: float = 0.95
    seed: int = 0
    quick: bool = False

    def run(self) -> Outcome:
        """Audit it, write result, figure and page."""
        seed = integer("seed", self.seed, least=0)
        folder = check_folder("--out", self.out, _FILES)
        group = None if self.group is None else group_from_name(self.group)
        proposal: Proposal | None = None
        env: gym.Env
        if self.target.lower().endswith(".xml"):
            from equiworld.verify.auditing.model_env import ModelEnv

            model = ModelEnv(self.target)
            env = model
            # a robot's file declares nothing: its own mirrors and turns are derived from it
            starts = QUICK_STATES if self.quick else _STARTS
            proposal = propose(model, seed=seed, starts=starts, gravity=True)
            turning = turning_symmetry(model, proposal.mechanism, seed)
            if turning.symmetry is not None and with_mirrors(turning.symmetry.group) is None:
                # all turns of the plane, and the model's own mirror among their reflections
                proposal = replace(proposal, symmetry=turning.symmetry, move=turning.move)
            acts = model.model.nu or model.model.njnt == 1  # a single body is pushed
            if proposal.symmetry is None and (model.symmetry is None or not acts):
                return self._of_model(proposal, folder)
        else:
            env = make_env(self.target, self.env_arguments)
        policy = None if self.model is None else MPCPolicy(WorldModel.load(self.model), seed=seed)
        states, horizon = self.states, self.horizon
        if self.quick:
            states, horizon = min(states, QUICK_STATES), min(horizon, QUICK_HORIZON)
        symmetry, move = (None, None) if proposal is None else (proposal.symmetry, proposal.move)
        found = audit(
            env,
            group,
            symmetry,
            move=move,
            policy=policy,
            states=states,
            horizon=horizon,
            tolerance=self.tolerance,
            confidence=self.confidence,
            seed=seed,
        )
        env.close()
        paths = [
            found.save(folder / _FILES[0]),
            found.plot(folder / _FILES[1]),
            found.page(folder / _FILES[2]),
        ]
        if found.counterexample is not None:
            paths.append(found.counterexample.save(folder / _FILES[3]))
        told = [] if proposal is None else [proposal.mechanism]
        if proposal is not None:
            paths.append(proposal.mechanism.save(folder / _MECHANISM))
        return Outcome("\n".join(map(str, (found, *told, *paths))), found.ok)

    def _of_model(self, proposal: Proposal, folder: Path) -> Outcome:
        """What the model's mirrors and turns say, where there is nothing else to audit."""
        mechanism = proposal.mechanism
        path = mechanism.save(folder / _MECHANISM)
        exact = all(each.exact for each in mechanism.explanations)
        return Outcome("\n".join(map(str, (mechanism, *proposal.untyped, path))), exact)
