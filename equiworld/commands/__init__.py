"""What `equiworld …` can do: one frozen dataclass a command, its fields the options, `run()` the work.

`run` returns what is to be shown; printing is the command line's.
"""

from equiworld.commands.auditing import Audit
from equiworld.commands.audits import Audits
from equiworld.commands.benchmarks import Demo
from equiworld.commands.certification import Certify
from equiworld.commands.collection import Collect
from equiworld.commands.evaluation import Evaluate
from equiworld.commands.outcome import Outcome
from equiworld.commands.reporting import Report
from equiworld.commands.training import Train

__all__ = ["Audit", "Audits", "Certify", "Collect", "Demo", "Evaluate", "Outcome", "Report", "Train"]
