"""What README.md tells users to run, taken out of it: the tests run what users read.

python .ci/readme.py commands    the lines of shell blocks that begin with "pip install", one a line
python .ci/readme.py python      the Python blocks, in order, as one program
"""

import re
import sys
from pathlib import Path

BLOCK = re.compile(r"^```([a-z]*)\n(.*?)^```", re.M | re.S)
SHELLS = ("bash", "sh", "shell", "console")


def commands(text: str) -> list[str]:
    """The commands that install, without prompts."""
    lines = [line for kind, body in BLOCK.findall(text) if kind in SHELLS for line in body.splitlines()]
    stripped = [re.sub(r"\s+#.*$", "", line).removeprefix("$ ").strip() for line in lines]
    return [line for line in stripped if line.startswith("pip install")]


def program(text: str) -> str:
    """The Python blocks, one behind the other."""
    return "\n".join(body for kind, body in BLOCK.findall(text) if kind == "python")


def main(arguments: list[str]) -> None:
    """Write what was asked for, or stop with what is wrong with README.md."""
    text = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    if arguments == ["commands"]:
        found = commands(text)
        if len(found) != 2 or not found[0].endswith("equiworld demo") or not found[1].endswith("pytest"):
            sys.exit(
                f"README.md: expected 'pip install … equiworld demo' and 'pip install … pytest', got {found}"
            )
        sys.stdout.write("\n".join(found) + "\n")
    elif arguments == ["python"]:
        if not program(text):
            sys.exit("README.md: no python block")
        sys.stdout.write(program(text))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
