"""`equiworld train`"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field, fields, make_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, Union, get_type_hints

import tyro

from equiworld.commands.environment import parse_arguments
from equiworld.commands.outcome import Outcome
from equiworld.errors import ArgumentError
from equiworld.files import check_folder, held_folder
from equiworld.models import ENCODERS, NETWORKS, Recipe, WorldModel
from equiworld.training import Dataset, TrainingConfig, train
from equiworld.training.config import REGISTRIES

__all__ = ["Train"]

QUICK_STEPS = 300


def _model_settings() -> type[Any]:
    """All settings of all recipes, each as the family has it unless it is given."""
    kinds: dict[str, Any] = {}
    having: dict[str, list[str]] = {}
    for name, settings in (*ENCODERS.items(), *NETWORKS.items(), ("every family", Recipe)):
        hints = get_type_hints(settings)
        for each in fields(settings):  # type: ignore[arg-type]
            if each.name not in ("network", "encoder"):
                kinds.setdefault(each.name, hints[each.name])
                having.setdefault(each.name, []).append(name)
    told = {name: tyro.conf.arg(help=f"of {', '.join(found)}") for name, found in having.items()}
    made = [(name, Annotated[kind | None, told[name]], field(default=None)) for name, kind in kinds.items()]
    return make_dataclass("ModelSettings", made, frozen=True)


def _training_settings() -> type[Any]:
    """The fields of a `TrainingConfig`, registered kinds as subcommands; the folder is that of `--out`."""
    hints = get_type_hints(TrainingConfig)
    made = []
    for each in fields(TrainingConfig):
        kinds = REGISTRIES.get(each.name, {}).items()
        named = tuple(Annotated[kind, tyro.conf.subcommand(name, prefix_name=False)] for name, kind in kinds)
        default = each.default if each.name != "progress" else True
        if each.name != "folder":
            kind = Union[named] if named else hints[each.name]  # noqa: UP007  of as many as there are
            made.append((each.name, kind, field(default=default)))
    return make_dataclass(
        "TrainingSettings", made, frozen=True, namespace={"__doc__": TrainingConfig.__doc__}
    )


if TYPE_CHECKING:
    ModelSettings: TypeAlias = Any
    TrainingSettings: TypeAlias = Any
else:
    ModelSettings, TrainingSettings = _model_settings(), _training_settings()


@dataclass(frozen=True)
class Train:
    """Train a world model on collected data. Interrupted, the same command goes on from its last checkpoint.

    Attributes:
        data: folder of `equiworld collect`, or a file that `Dataset.save` wrote.
        out: folder for the model and its checkpoint.
        env: id of the environment, or module:id; the data's by default, if it is known without an import. Data that
            names none needs none: it says itself how it transforms.
        env_arguments: arguments of `gym.make`, as JSON; those that the data was collected with by default.
        family: of the model, such as state, state-steerable, mlp, augmented; of clouds, latent; auto takes the one
            that the declaration can carry best.
        model: settings of the family's network and encoder; as the family has them if not given.
        training: how to train; `seed` is that of the weights too.
        quick: few steps.
    """

    data: Path = Path("runs/data")
    out: Path = Path("runs/model")
    env: str | None = None
    env_arguments: str | None = None
    family: str = "auto"
    model: ModelSettings = field(default_factory=ModelSettings)
    training: Annotated[TrainingSettings, tyro.conf.OmitArgPrefixes] = field(default_factory=TrainingSettings)
    quick: bool = False

    def run(self) -> Outcome:
        """Train, and write the model."""
        out = check_folder("--out", self.out, ["model.safetensors", "model.json"])
        config = TrainingConfig(**vars(self.training), folder=out)
        data = Dataset.load(self.data if self.data.is_file() else self.data / "data.safetensors")
        config = config.for_transitions(len(data))
        if self.quick:
            counts = {name: getattr(config, name) for name in ("steps", "encoder_steps", "joint_steps")}
            config = replace(config, **{name: min(count, QUICK_STEPS) for name, count in counts.items()})
        model = self._model(data, config.seed)
        began = time.perf_counter()
        with held_folder("--out", self.out):
            train(model, data, config)
            model.save(self.out)
        return Outcome(
            f"{model.family} model of {model.env_id}, {model.parameter_count} parameters, {config.steps} steps on "
            f"{len(data)} transitions in {time.perf_counter() - began:.0f} s: {self.out}"
        )

    def _model(self, data: Dataset, seed: int) -> WorldModel:
        """A fresh model, for the environment if there is one, else for the data alone."""
        given = {name: value for name, value in asdict(self.model).items() if value is not None}
        arguments = None if self.env_arguments is None else parse_arguments(self.env_arguments)
        if self.env is None and data.provenance.get("environment") is None:
            if arguments is not None:
                raise ArgumentError("--env-arguments", self.env_arguments, "--env too: the data names none")
            return WorldModel.for_data(data, self.family, seed, **given)
        env = data.make_env(self.env, arguments)
        try:
            return WorldModel.for_env(
                env, self.family, seed, symmetry=data.symmetry, transitions=len(data), **given
            )
        finally:
            env.close()
