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


def main() -> int:
    text = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    wanted = sys.argv[1] if len(sys.argv) == 2 else ""
    if wanted == "commands":
        found = commands(text)
        if len(found) != 2 or not found[0].endswith("equiworld demo") or not found[1].endswith("pytest"):
            print(f"README.md: expected 'pip install … equiworld demo' and 'pip install … pytest': {found}", file=sys.stderr)
            return 1
        print("\n".join(found))
    elif wanted == "python":
        if not program(text):
            print("README.md: no python block", file=sys.stderr)
            return 1
        print(program(text))
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
