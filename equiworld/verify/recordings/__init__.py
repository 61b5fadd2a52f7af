"""What recorded data can tell of the frames, forms and sides that are claimed of it: necessary conditions only."""

from equiworld.verify.recordings.check import RecordingCheck, check_recording
from equiworld.verify.recordings.claims import Claims
from equiworld.verify.recordings.reading import Recording, read_lerobot, read_minari
from equiworld.verify.recordings.verdict import Verdict

__all__ = [
    "Claims",
    "Recording",
    "RecordingCheck",
    "Verdict",
    "check_recording",
    "read_lerobot",
    "read_minari",
]
