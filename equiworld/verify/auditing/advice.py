"""What to build in, from what was found."""

from __future__ import annotations

from collections.abc import Sequence

from equiworld.verify.auditing.findings import RegionFinding, SubgroupFinding
from equiworld.verify.auditing.regions import UNREAD

__all__ = ["advice"]


def advice(
    whole: SubgroupFinding,
    largest: Sequence[str],
    regions: Sequence[RegionFinding],
    mended: bool,
    infeasible: float,
    unvisited: Sequence[str] = (),
) -> str:
    """A sentence or two.

    Args:
        whole: the finding of the group that was asked about.
        largest: the largest subgroups that hold.
        regions: by where runs went.
        mended: whether another declaration would fit.
        infeasible: the share of actions whose images are not allowed.
        unvisited: what stands in the world and no run touched.
    """
    if mended:
        return "correct the declaration first, as said above, and audit again"
    text = _of_dynamics(whole, largest, regions)
    if whole.held and not whole.reward:
        text += "; the reward or the end of episodes is not the same: declare reward=False, or give the task its goal"
    if infeasible > 0:
        share = f"{100 * infeasible:.0f} % of the allowed actions"
        text += f"; {share} have images that are not allowed: bound them by a ball"
    if unvisited:
        more = f" and {len(unvisited) - 1} more" if len(unvisited) > 1 else ""
        text += (
            f"; no run touched {unvisited[0]}{more}: what is said does not hold for there. Audit along a policy that "
            "goes there, or with more states"
        )
    return text


def _of_dynamics(whole: SubgroupFinding, largest: Sequence[str], regions: Sequence[RegionFinding]) -> str:
    if whole.holds == "untested":
        return "nothing can be said: elements that only this group has were not compared in any state"
    if whole.holds != "broken":
        how = {
            "exact": "exact",
            "in law": "true in law",
            "to the solver's tolerance": "true to the solver's tolerance",
        }
        return f"build all of {whole.name} in: it is {how[whole.holds]}"
    held = [
        each for each in regions if each.region != UNREAD and whole.name in each.largest and each.runs > 1
    ]
    lost = [each.region for each in regions if each.broken]
    local = ""
    if held and lost:
        where = " and ".join(each.region for each in held)
        local = (
            f"; where states are {where}, all of {whole.name} holds, and it is broken {' and '.join(lost)}: give what "
            "breaks it as an input that turns along, or let a soft model learn it there"
        )
    if largest:
        return f"build in {' and '.join(largest)} exactly, not all of {whole.name}{local}"
    return f"build nothing in exactly: no subgroup that was tried holds everywhere{local}"
