"""What many environments carry: one line each, as a page that somebody reads who has a robot of his own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import gymnasium as gym

from equiworld.verify.audit import Audit, audit
from equiworld.verify.mechanism.closure import generated
from equiworld.verify.mechanism.explain import explain
from equiworld.verify.mechanism.report import Explanation, Mechanism

__all__ = ["WITHOUT_MODEL", "Rows", "mujoco_ids", "page", "row_of", "survey", "table"]

Rows = list[dict[str, Any]]
WITHOUT_MODEL = ("gym_pusht/PushT-v0",)
"""Environments that are no MuJoCo models, and are audited by what they declare."""

_ROBOTICS = "gymnasium_robotics"
_VERSIONS = ("v4", "v5")
_SHOWN = 3
_FEW = 160  # letters
_LEAST = 1e-4  # the share of a cause that is told in the table


def mujoco_ids() -> list[str]:
    """The environments of Gymnasium, and of Gymnasium-Robotics where that is installed, one of a kind each."""
    try:
        import gymnasium_robotics
    except ImportError:
        pass
    else:
        gym.register_envs(gymnasium_robotics)
    found = []
    for name, spec in gym.registry.items():
        point = str(spec.entry_point)
        stock = point.startswith("gymnasium.envs.mujoco") and name.endswith(_VERSIONS)
        if stock or (point.startswith(_ROBOTICS) and _is_first_of_its_kind(name)):
            found.append(name)
    return sorted(found)


def _is_first_of_its_kind(name: str) -> bool:
    """Whether it is the newest of a robot and its world; rewards, goals and sensors make no other mechanism."""
    more = ("Dense", "Sparse", "Diverse", "TouchSensors", "Rotate", "Full", "Medium")
    own, _, version = name.rpartition("-v")
    versions = [int(each.rpartition("-v")[2]) for each in gym.registry if each.rpartition("-v")[0] == own]
    base = gym.registry[name].entry_point
    legacy = "mujoco_py" in str(base) or ("mujoco" in str(base) and own in ("Ant", "Humanoid", "Hopper"))
    return not legacy and int(version) == max(versions) and not any(word in own for word in more)


def survey(
    sources: Iterable[Any],
    say: Callable[[str], None] = lambda words: None,
    **settings: Any,
) -> Rows:
    """A row for each source that `explain` takes; what cannot be made is a row that says so.

    Args:
        sources: as `explain` takes them.
        say: told the text of each report.
        settings: of `explain`; a floor is added only to files.

    >>> survey(["Swimmer-v5"], starts=2, steps=2)[0]["symmetric"]
    'mirror y (2 elements); turns of the world about gravity'
    """
    rows = Rows()
    for source in sources:
        name = str(source)
        own = dict(settings)
        if not name.endswith(".xml"):
            own.pop("floor", None)
        try:
            if name in WITHOUT_MODEL:
                audited = audit(
                    gym.make(f"{name.split('/')[0]}:{name}"),
                    states=own.get("starts", 24),
                    seed=own.get("seed", 0),
                )
                say(str(audited))
                rows.append(_row_of_audit(audited, name))
                continue
            found = explain(source, **own)
        except Exception as error:  # of whatever other people's environments and files raise
            rows.append({"name": name, "error": " ".join(str(error).split())})
            continue
        say(str(found))
        rows.append(row_of(found, name))
    return rows


def _row_of_audit(found: Audit, name: str) -> dict[str, Any]:
    """Of an environment that is no MuJoCo model: what of the group asked about holds."""
    worst = max((each.horizon for each in found.elements), default=0.0)
    causes = [{"words": str(each), "short": str(each), "share": each.share or 0.0} for each in found.causes]
    broken = {"name": found.group, "position": worst, "median": None, "velocity": None, "rest": 0.0}
    holds = f"{', '.join(found.largest)} of {found.group}" if found.largest else ""
    return {
        "name": name,
        "symmetric": holds,
        "broken": [] if found.ok else [{**broken, "causes": causes}],
        "deviation": worst if found.ok else None,
        "none": "",
        "recommendation": found.recommendation,
        "starts": found.config["states"],
        "steps": found.config["horizon"],
        "seconds": found.seconds,
        "mujoco": None,
    }


def row_of(found: Mechanism, name: str | None = None) -> dict[str, Any]:
    """What a mechanism carries, what is broken and by what, as JSON takes it."""
    maps = [each for each in found.explanations if each.map is not None]
    exact = [each for each in maps if each.exact]
    symmetric = _group(exact)
    world = [each for each in found.explanations if each.map is None]
    if world and world[0].exact:
        symmetric = f"{symmetric}; " if symmetric else ""
        symmetric += "turns of the world about gravity"
    nearest = sorted(found.rejected, key=lambda each: each.distance)[:1]
    return {
        "name": name or found.model,
        "symmetric": symmetric,
        "broken": [_broken(each) for each in found.explanations if not each.exact],
        "deviation": max(
            (each.deviation.position for each in found.explanations if each.exact), default=None
        ),
        "none": str(nearest[0]) if nearest and not maps else "",
        "unfelt": list(dict.fromkeys(words for each in exact for words in each.causes.harmless)),
        "stale": list(found.stale),
        "untouched": list(found.untouched),
        "starts": found.config["starts"],
        "steps": found.config["steps"],
        "seconds": found.seconds,
        "mujoco": _version(),
    }


def _version() -> str:
    import mujoco

    return str(mujoco.__version__)


def _group(exact: Sequence[Explanation]) -> str:
    maps = [each.map for each in exact if each.map is not None]
    if not maps:
        return ""
    return f"{', '.join(each.name for each in maps)} ({generated(maps)} elements)"


def _broken(each: Explanation) -> dict[str, Any]:
    causes = [
        {
            "words": cause.words,
            "short": cause.short,
            "share": cause.share,
            "alone": cause.alone,
            "after": cause.after,
        }
        for cause in each.causes.causes
    ]
    return {
        "name": each.name,
        "position": each.deviation.position,
        "median": each.deviation.median,
        "velocity": each.deviation.velocity,
        "rest": each.causes.rest.velocity,
        "causes": causes,
    }


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows in Markdown: what holds and to what, what is broken, by how much, and because of what."""
    lines = [
        "| environment | holds | deviation | broken, by | because of | time |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        if "error" in row:
            lines.append(f"| {row['name']} | could not be made: {row['error']} | | | | |")
            continue
        holds = row["symmetric"] or ("none: " + row["none"] if row["none"] else "nothing")
        if row.get("unfelt"):
            holds += f"; differs, and nothing was felt of it: {_shortened(row['unfelt'])}"
        if row.get("untouched"):
            holds += f"; never touched: {_shortened(row['untouched'])}"
        rounding = f"{row['deviation']:.0e}" if row["deviation"] is not None else ""
        broken = "; ".join(
            f"{each['name']}, {each['position']:.1e}{_median(each['median'])}" for each in row["broken"]
        )
        causes = "<br>".join(
            words for each in row["broken"] for words in _causes(each, row.get("recommendation", ""))
        )
        lines.append(
            f"| {row['name']} | {holds} | {rounding} | {broken} | {causes} | {row['seconds']:.0f} s |"
        )
    return "\n".join(lines)


def _shortened(words: Sequence[str]) -> str:
    """The first of several differences, and how many more there are."""
    every = [each for one in words for each in one.split("; ")]
    more = f", and {len(every) - 1} more" if len(every) > 1 else ""
    return every[0] + more


def _median(value: float | None) -> str:
    return "" if value is None else f" (median {value:.0e})"


def _brief(cause: Mapping[str, Any]) -> str:
    """All its words if they are few."""
    return str(cause["words"] if len(cause["words"]) <= _FEW else cause["short"])


def _causes(broken: Mapping[str, Any], recommendation: str = "") -> list[str]:
    """The largest causes of one broken symmetry, with their shares."""
    told = [cause for cause in broken["causes"] if cause["share"] >= _LEAST]
    words = [f"{100 * cause['share']:.3g} %: {_brief(cause)}" for cause in told[:_SHOWN]]
    less = [cause for cause in broken["causes"] if cause not in told[:_SHOWN]]
    if less:
        words.append(f"{100 * sum(cause['share'] for cause in less):.2g} %: {len(less)} more")
    if not broken["causes"] and recommendation:
        words.append(recommendation)
    elif not broken["causes"]:
        words.append(f"{broken['name']}: not found in the model")
    elif broken["rest"] > 1e-8:
        words.append(f"{broken['name']}: {broken['rest']:.0e} of the velocities' deviation stays unexplained")
    return words


_PAGE = """# What the field's environments carry

This page is made by one command, `equiworld audits`. For each environment it answers three questions: which
mirrors and turns map the robot to itself, does its simulator move the image as the image of its motion, and
if not, what in the model is at fault.

How to read it. A map of joints and actuators is derived from the model file: under an isometry a joint's
anchor and axis go to where another joint is. Then simulations from s and from g·s are compared, from states
that random controls lead to, upright and tumbled, with and without contacts. *holds* names the symmetries
under which they differ by rounding only, and what differs in the model without having been felt, such as a
wall that nothing touched; *deviation* is that difference, of positions [m, rad]. What is *broken* differs by
the number beside it, the largest over all states. *because of* lists what differs in the model, with its
share: the deviation that is left when everything else is mended, averaged over the states that deviate. "turn
of the world about gravity" is a turn of the whole scene with the robot in it: it says whether north means
anything to the simulator. *Never touched* is what stands in the world and was met from no state: what that
breaks is not known. *Time* is that of the whole row.

{made}

{table}

## Your own robot

```bash
equiworld audits --robots robot.xml --out runs/mine   # one row of this table, and the whole report
equiworld audit robot.xml                             # states, regions, a counterexample that can be run again
```

or in Python, with the maps of joints to use in a policy:

```python
from equiworld.verify.mechanism import explain, propose

found = explain("Walker2d-v5", starts=4)
summary = str(found)  # what holds, what is broken, and the share of each cause
joints = found.explanations[0].joints  # {{"thigh_joint": "+thigh_left_joint", ...}}
```

`propose(env)` turns the maps into a `Symmetry` for the environment, to be confirmed by you and by
`check_symmetry`. Where the table says *broken*, mend the model, restrict the group, or give what breaks it as
an input; a model that was edited after it was compiled needs `mujoco.mj_setConst`, or its two sides differ
though the file looks symmetric.
"""


def page(rows: Sequence[Mapping[str, Any]], note: str = "") -> str:
    """The table with what somebody needs who reads it for the first time, and a note on what was looked at."""
    known = [row for row in rows if "error" not in row]
    versions = sorted({str(row["mujoco"]) for row in known if row["mujoco"]})
    sizes = sorted({(row["starts"], row["steps"]) for row in known if row["mujoco"]})
    made = "Made with " + " and ".join(f"MuJoCo {version}" for version in versions)
    made += "; " + ", ".join(
        f"{starts} states, {steps} steps of the simulator from each" for starts, steps in sizes
    )
    return _PAGE.format(made=f"{made}. {note}".strip() if versions else note, table=table(rows))
