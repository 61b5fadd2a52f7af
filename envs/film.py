"""Films of recorded episodes side by side: what environments share; each says how one of its scenes is drawn."""

from __future__ import annotations

import io
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from equiworld.errors import ArgumentError
from equiworld.files import write_atomically

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

__all__ = ["Episode", "Film", "Moment", "Shown"]

GAP, HEAD, SIDE, LINE = 8, 26, 26, 24  # pixels, of titles above and beside panels, and of the line in each
MILLISECONDS, REST = 4000, 2000  # of a film, and of its last picture
LARGEST = 2_900_000  # [bytes] of a GIF
PAPER, INK, QUIET = (255, 255, 255), (40, 40, 40), (200, 200, 200)
SOLVED, FAILED = (0, 114, 178), (213, 94, 0)


class Shown(Protocol):
    """The observation and info of one step, such as a step of `equiworld.rollout`."""

    @property
    def observation(self) -> Any:
        """As the environment returned it."""

    @property
    def info(self) -> Mapping[str, Any]:
        """Likewise."""


class Moment(NamedTuple):
    """The plainest `Shown`."""

    observation: Any
    info: Mapping[str, Any]


Episode = Sequence[Shown]
"""An episode, from its reset to its end."""


class Film(ABC):
    """Episodes side by side, in a table; shorter ones wait at their ends for the others.

    A subclass draws one scene, and may say in words how things stand.

    Args:
        episodes: by the titles of their row and their column; each row has the same columns.
        size: of a panel, which is square [pixels].
        solved: whether the task is, from an `info`.

    Raises:
        ArgumentError: no episode, one without steps, or rows that differ.
    """

    def __init__(
        self,
        episodes: Mapping[str, Mapping[str, Episode]],
        size: int,
        solved: Callable[[Mapping[str, Any]], bool] = lambda info: bool(info["is_success"]),
    ) -> None:
        self.columns = list(next(iter(episodes.values()), ()))
        if not self.columns or any(list(row) != self.columns for row in episodes.values()):
            got = {name: list(row) for name, row in episodes.items()}
            raise ArgumentError("episodes", got, "rows of at least one episode, all with the same columns")
        for name, row in episodes.items():
            for column, episode in row.items():
                if not len(episode):
                    raise ArgumentError(f"episodes[{name!r}][{column!r}]", "no steps", "an episode")
        self.episodes, self.size, self.solved = episodes, size, solved

    @abstractmethod
    def draw(self, row: str, column: str, step: int) -> NDArray[np.uint8]:
        """The scene of an episode at a step that it has, `(size, size, 3)`."""

    def status(self, shown: Shown) -> str:
        """The state of the episode, in a few words; by default nothing."""
        return ""

    def key(self, width: int) -> Image | None:
        """A legend below the panels, so wide [pixels]; by default none."""
        return None

    def save(self, path: Path, most_frames: int = 42, largest: int = LARGEST) -> Path:
        """Write a GIF of about six seconds.

        Args:
            path: of the file.
            most_frames: more steps than this are shown in equal strides.
            largest: [bytes] of the file; of a larger one frames are left out.
        """
        images = self.frames(most_frames)
        data = _gif(images)
        while len(data) > largest and len(images) > 2:
            images = [*images[:-1:2], images[-1]]
            data = _gif(images)
        return write_atomically(path, lambda file: file.write(data))

    def save_strip(self, path: Path) -> Path:
        """Write a PNG of start, middle and end of each episode, a line for each."""
        lines = []
        for row, episodes in self.episodes.items():
            for column, episode in episodes.items():
                end = len(episode) - 1
                steps = dict.fromkeys((0, (end + 1) // 2, end))
                lines.append([_above(self.panel(row, column, step), f"{row}, {column}") for step in steps])
        sheet = self._with_key(_table(lines))
        return write_atomically(path, lambda file: sheet.save(file, format="PNG", optimize=True))

    def frames(self, most: int = 42) -> list[Image]:
        """The pictures of the GIF: the first step, equal strides, the last step."""
        last = max(len(one) for row in self.episodes.values() for one in row.values()) - 1
        stride = max(1, math.ceil(last / max(1, most - 1)))
        return [self.frame(step) for step in [*range(0, last, stride), last]]

    def frame(self, step: int) -> Image:
        """All episodes at one step."""
        lines = []
        for number, row in enumerate(self.episodes):
            panels = [self.panel(row, column, step) for column in self.columns]
            if not number:
                panels = [_above(panel, title) for panel, title in zip(panels, self.columns, strict=True)]
            lines.append([_beside(panels[0], row), *panels[1:]])
        return self._with_key(_table(lines))

    def panel(self, row: str, column: str, step: int) -> Image:
        """One episode at one step, or at its end if that was before, below a line that says how things stand."""
        from PIL import Image, ImageDraw

        episode = self.episodes[row][column]
        now = min(step, len(episode) - 1)
        solved = self.solved(episode[now].info)
        finished = solved or now == len(episode) - 1
        colour = SOLVED if solved else FAILED if finished else INK
        image = Image.new("RGB", (self.size, self.size + LINE), PAPER)
        image.paste(Image.fromarray(self.draw(row, column, now)), (0, LINE))
        canvas = ImageDraw.Draw(image)
        text = f"step {now}" + self.status(episode[now])
        canvas.text((8, LINE - 6), text, colour, font=font(14), anchor="ls")
        if finished:
            _mark(canvas, 16 + canvas.textlength(text, font=font(14)), LINE - 6, solved)
        edge = (colour, 3) if finished else (QUIET, 1)
        canvas.rectangle((0, 0, image.width - 1, image.height - 1), outline=edge[0], width=edge[1])
        return image

    def _with_key(self, picture: Image) -> Image:
        key = self.key(picture.width)
        return picture if key is None else _table([[picture], [key]])


def font(size: int) -> Any:
    """The font of titles and legends."""
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _table(lines: Sequence[Sequence[Image]]) -> Image:
    """Pictures line by line, with gaps; flush right, below those above them."""
    from PIL import Image

    widths = [sum(image.width + GAP for image in line) - GAP for line in lines]
    heights = [max(image.height for image in line) for line in lines]
    sheet = Image.new("RGB", (max(widths), sum(heights) + GAP * (len(lines) - 1)), PAPER)
    top = 0
    for line, height in zip(lines, heights, strict=True):
        left = 0
        for image in line:
            sheet.paste(image, (left, top + height - image.height))
            left += image.width + GAP
        top += height + GAP
    return sheet


def _above(picture: Image, title: str) -> Image:
    """A picture with its title above it, small enough to fit."""
    from PIL import Image, ImageDraw

    sheet = Image.new("RGB", (picture.width, picture.height + HEAD), PAPER)
    sheet.paste(picture, (0, HEAD))
    canvas, size = ImageDraw.Draw(sheet), 16
    while size > 9 and canvas.textlength(title, font=font(size)) > picture.width:
        size -= 1
    canvas.text((picture.width / 2, HEAD / 2), title, INK, font=font(size), anchor="mm")
    return sheet


def _beside(picture: Image, title: str) -> Image:
    """A picture with its title to the left of it, upwards along its lower part."""
    from PIL import Image, ImageDraw

    sheet = Image.new("RGB", (picture.width + SIDE, picture.height), PAPER)
    sheet.paste(picture, (SIDE, 0))
    strip = Image.new("RGB", (picture.width, SIDE), PAPER)
    ImageDraw.Draw(strip).text((picture.width / 2, SIDE / 2), title, INK, font=font(16), anchor="mm")
    sheet.paste(strip.rotate(90, expand=True), (0, picture.height - picture.width))
    return sheet


def _mark(canvas: ImageDraw, left: float, base: float, solved: bool) -> None:
    """A tick or a cross."""
    if solved:
        canvas.line([(left, base - 5), (left + 4, base - 1), (left + 12, base - 11)], SOLVED, 3)
    else:
        canvas.line([(left, base - 10), (left + 10, base)], FAILED, 3)
        canvas.line([(left, base), (left + 10, base - 10)], FAILED, 3)


def _gif(images: Sequence[Image]) -> bytes:
    first, *others = _with_shared_palette(images)
    milliseconds = min(max(10 * round(MILLISECONDS / 10 / len(images)), 70), 200)
    times = [milliseconds] * len(others) + [REST]
    buffer = io.BytesIO()
    settings = {"append_images": others, "duration": times, "loop": 0, "optimize": True, "save_all": True}
    first.save(buffer, format="GIF", **settings)
    return buffer.getvalue()


def _with_shared_palette(images: Sequence[Image]) -> list[Image]:
    """All frames in the colours of a sheet of some of them: no flicker, and small files."""
    from PIL import Image, ImageDraw

    # Small marks must keep their colours too.
    swatches = Image.new("RGB", (images[0].width, 60))
    canvas, colours = ImageDraw.Draw(swatches), (SOLVED, FAILED, INK)
    for index, colour in enumerate(colours):
        step = images[0].width / len(colours)
        canvas.rectangle((index * step, 0, (index + 1) * step, 60), fill=colour)
    sheet = _table([[image] for image in (images[0], images[len(images) // 2], images[-1], swatches)])
    palette = sheet.quantize(128, dither=Image.Dither.NONE)
    return [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
