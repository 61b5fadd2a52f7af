"""The package is whole: what is on the disk is shipped, and what is promised is there."""

import importlib
import tomllib
from pathlib import Path

import pytest

import equiworld as ew

ROOT = Path(__file__).parent.parent
SOURCES = {"equiworld": "equiworld", "equiworld.envs": "envs"}
SOURCES |= {"equiworld.planners": "planners", "equiworld.benchmarks": "benchmarks"}

GROUPS = ["SO2", "O2", "SE2", "E2", "SO3", "O3", "SE3", "E3", "Cyclic", "Dihedral", "Permutation"]
FUNCTIONS = ["symmetry_of", "register_symmetry", "check_symmetry", "collect", "train", "certify", "evaluate"]
PLANNERS = ["CEM"]
METHODS = ["for_env", "load", "save", "encode", "predict", "rollout"]
OTHERS = ["assert_equivariant", "envs.GroupAction", "envs.RandomGroupAction", "MPCPolicy.predict"]
PROMISED = [*GROUPS, *FUNCTIONS, *OTHERS]
PROMISED += [f"planners.{name}" for name in PLANNERS] + [f"WorldModel.{name}" for name in METHODS]
"""Names that other tools call."""

if not (ROOT / "pyproject.toml").exists():
    pytest.skip("runs in a checkout only", allow_module_level=True)


def packages_on_disk() -> set[str]:
    """Every folder of sources that holds Python files, as the package that it becomes."""
    found = set()
    for package, folder in SOURCES.items():
        for file in (ROOT / folder).rglob("*.py"):
            parts = file.parent.relative_to(ROOT / folder).parts
            found.add(".".join([package, *parts]))
    return found


def source_files() -> list[Path]:
    return sorted(file for folder in SOURCES.values() for file in (ROOT / folder).rglob("*.py"))


def test_every_package_on_the_disk_is_listed_and_every_listed_one_is_there():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert set(project["tool"]["setuptools"]["packages"]) == packages_on_disk()


@pytest.mark.parametrize("package", sorted(packages_on_disk()))
def test_every_package_is_imported_from_where_it_belongs(package):
    module = importlib.import_module(package)
    assert module.__file__ is not None, f"{package} has no __init__.py"
    assert module.__name__ == package


@pytest.mark.parametrize("name", PROMISED)
def test_promised_names_are_there(name):
    value = ew
    for part in name.split("."):
        value = getattr(value, part)
    assert callable(value)


@pytest.mark.parametrize("package", sorted(packages_on_disk()))
def test_what_a_package_lists_is_there(package):
    module = importlib.import_module(package)
    for name in getattr(module, "__all__", ()):
        assert hasattr(module, name), f"{package}.__all__ lists {name}"


def test_files_stay_short():
    lengths = {str(file.relative_to(ROOT)): len(file.read_text().splitlines()) for file in source_files()}
    assert {name: length for name, length in lengths.items() if length > 300} == {}


@pytest.mark.parametrize(
    ("file", "extras"),
    [
        ("constraints.txt", {"sb3", "mujoco", "minari", "peers", "test"}),
        ("constraints-robotics.txt", {"robotics", "sb3", "minari"}),
    ],
)
def test_constraints_pin_every_dependency(file, extras):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"]]
    wanted += [one for extra in extras for one in project["optional-dependencies"][extra]]
    lines = (ROOT / file).read_text().splitlines()
    assert all(len(line.split("==")) == 2 for line in lines)
    plain = {line.partition("==")[0].lower().replace("_", "-") for line in lines}
    for requirement in wanted:
        name = requirement.partition("[")[0] if requirement.startswith("equiworld") else requirement
        for stop in "<>=!~ ;":
            name = name.partition(stop)[0]
        assert name == "equiworld" or name.lower().replace("_", "-") in plain, (
            f"{name} is not pinned in {file}"
        )


def test_some_constraints_hold_every_extra():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(project["optional-dependencies"]) == {
        "sb3",
        "mujoco",
        "minari",
        "peers",
        "ray",
        "onnx",
        "parquet",
        "test",
        "robotics",
    }


def test_both_constraints_agree_but_for_what_robots_want():
    pins = [
        dict(line.split("==") for line in (ROOT / file).read_text().splitlines())
        for file in ("constraints.txt", "constraints-robotics.txt")
    ]
    other = {name for name in pins[0].keys() & pins[1].keys() if pins[0][name] != pins[1][name]}
    assert other == {"mujoco"}
