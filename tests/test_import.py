"""`import equiworld` stays light: what not everybody needs is imported when it is needed."""

import subprocess
import sys

import pytest

HEAVY = ("cv2", "matplotlib", "mujoco", "pygame", "pymunk", "scipy", "shapely", "stable_baselines3", "tyro")


def modules_after(code: str, folder: str) -> set[str]:
    """The names of the top-level modules that a fresh interpreter holds after some code."""
    report = "import sys; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    # -I: neither the current folder nor PYTHONPATH may help.
    command = [sys.executable, "-I", "-c", f"{code}; {report}"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize("code", ["import equiworld", "import equiworld.envs, equiworld.verify"])
def test_nothing_heavy_is_imported(code, tmp_path):
    found = modules_after(code, str(tmp_path))
    assert "torch" in found
    assert not found & set(HEAVY)


def test_the_check_sees_what_is_imported(tmp_path):
    assert "scipy" in modules_after("import equiworld, scipy", str(tmp_path))


def test_no_folder_of_the_repository_becomes_a_top_level_module(tmp_path):
    code = "import equiworld.envs, equiworld.planners, equiworld.benchmarks"
    assert not modules_after(code, str(tmp_path)) & {"envs", "planners", "benchmarks", "tests"}


def test_no_folder_of_the_repository_is_importable_from_elsewhere(tmp_path):
    # Known by a file: others install folders of such names too, torchrl one called benchmarks.
    files = {
        "envs": "pusht/__init__.py",
        "planners": "cem.py",
        "benchmarks": "arms.py",
        "tests": "planners/planner_cases.py",
    }
    code = (
        "import importlib.util as u, pathlib; "
        f"specs = [(u.find_spec(name), file) for name, file in {files!r}.items()]; "
        "found = [str(place) for spec, file in specs if spec for place in spec.submodule_search_locations or () "
        "if (pathlib.Path(place) / file).exists()]; "
        "assert not found, found"
    )
    modules_after(code, str(tmp_path))
