"""What no ONNX file can hold, or no runtime run, is refused whole: nothing is written, and the cause is named."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import equiworld as ew
from equiworld.errors import ArgumentError
from equiworld.models import WorldModel
from equiworld.symmetry import Symmetry, Vector

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

FEW = {"elements": 2, "rows": 4}
WAY = Symmetry(ew.SO2(), {"way": Vector()}, action=Vector(), flat=True)


class Bent(nn.Module):
    """A layer and the error function, which onnxruntime has in float32 alone."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2)

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        return nn.functional.gelu(self.layer(seen))


class OfWay(nn.Module):
    """A layer of one of the keys."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2)

    def forward(self, seen: dict[str, torch.Tensor]) -> torch.Tensor:
        return self.layer(seen["way"])


def test_a_model_of_which_one_graph_cannot_be_run_leaves_no_file(tmp_path) -> None:
    model = WorldModel.for_symmetry(WAY, "state", hidden=(8,))
    with pytest.raises(ArgumentError, match=r"model: got one that onnxruntime cannot run .*Erf.*\.float\(\)"):
        ew.export.world_model(model.double(), tmp_path, **FEW)
    assert not list(tmp_path.iterdir())
    ew.export.world_model(model.float(), tmp_path, **FEW)
    assert len(list(tmp_path.iterdir())) == 6


def test_a_policy_that_cannot_be_run_leaves_no_file(tmp_path) -> None:
    with pytest.raises(ArgumentError, match=r"policy: got one that onnxruntime cannot run .*\.float\(\)"):
        ew.export.policy(ew.symmetrise(Bent().double(), WAY), tmp_path / "policy.onnx", **FEW)
    assert not list(tmp_path.iterdir())
    ew.export.policy(ew.symmetrise(Bent(), WAY), tmp_path / "policy.onnx", **FEW)


@pytest.mark.parametrize("name", ["action", "degenerate", "seam_margin"])
def test_keys_that_are_called_like_outputs_are_refused(name: str, tmp_path) -> None:
    symmetry = Symmetry(ew.SO2(), {"way": Vector(), name: Vector()}, action=Vector())
    path = tmp_path / "policy.onnx"
    with pytest.raises(ArgumentError, match=f"policy: got one that observes '{name}'; expected other names"):
        ew.export.policy(ew.symmetrise(OfWay(), symmetry), path, **FEW)
    assert not list(tmp_path.iterdir())
    other = Symmetry(ew.SO2(), {"way": Vector(), f"{name}_before": Vector()}, action=Vector())
    ew.export.policy(ew.symmetrise(OfWay(), other), path, **FEW)


def test_a_state_that_holds_an_action_is_refused(tmp_path) -> None:
    symmetry = Symmetry(ew.SO2(), {"way": Vector(), "action": Vector()}, action=Vector())
    model = WorldModel.for_symmetry(symmetry, "state", hidden=(8,))
    with pytest.raises(ArgumentError, match="model: got one whose state has a field 'action'"):
        ew.export.world_model(model, tmp_path, **FEW)
    assert not list(tmp_path.iterdir())
