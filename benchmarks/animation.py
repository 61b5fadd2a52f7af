"""One task at four orientations side by side, a row for each model, as an animated GIF."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equiworld.benchmarks.closed_loop import Orbit
from equiworld.envs.pusht import geometry
from equiworld.envs.pusht.rendering import draw_scene
from equiworld.files import write_atomically
from equiworld.verify.elements import rotation_angle

__all__ = ["animate", "frames"]

PANEL, GAP, HEAD, SIDE = 176, 6, 26, 26  # pixels
SHOWN = ("equivariant", "plain")
REST = 12  # frames that the end is shown for
STRIDE = 2  # environment steps between frames
FRAME_MILLISECONDS = 90
INK, SOLVED, FAILED = (40, 40, 40), (0, 114, 178), (213, 94, 0)


def animate(orbits: Mapping[str, Orbit], path: Path, count: int = 4) -> Path:
    """Draw one task, chosen to tell most of how the models differ; the result's rows have all of them.

    Args:
        orbits: by model.
        path: of the GIF.
        count: orientations shown.
    """
    images = frames({name: orbits[name] for name in SHOWN}, count)
    first, *others = _with_shared_palette(images)
    buffer = io.BytesIO()
    times = [FRAME_MILLISECONDS] * (len(images) - 1) + [2000]
    settings = {"append_images": others, "duration": times, "loop": 0, "optimize": True, "save_all": True}
    first.save(buffer, format="GIF", **settings)
    return write_atomically(path, lambda file: file.write(buffer.getvalue()))


def frames(orbits: Mapping[str, Orbit], count: int) -> list[Any]:
    """The pictures, one for every other step, the last repeated."""
    index = np.linspace(0, len(next(iter(orbits.values())).elements), count, endpoint=False).astype(int)
    task = _most_telling(orbits, index)
    last = int(max(orbit.steps()[index, task].max() for orbit in orbits.values()))
    view = _view(orbits, index, task)
    steps = [*range(0, last, STRIDE), last]
    return [_frame(orbits, index, task, step, view) for step in steps] + [
        _frame(orbits, index, task, last, view) for _ in range(REST)
    ]


def _most_telling(orbits: Mapping[str, Orbit], index: NDArray[np.int_]) -> int:
    """Solved by the first model everywhere, by the second unturned but seldom turned; of those, the shortest."""
    ours, plain = orbits.values()
    unsolved = ~ours.success[index].all(0)
    keys = (
        ours.steps()[0],
        ~plain.success[0],
        plain.success[index[1:]].sum(0),
        unsolved,
    )  # the last counts most
    return int(np.lexsort(keys)[0])


def _frame(
    orbits: Mapping[str, Orbit],
    index: NDArray[np.int_],
    task: int,
    step: int,
    view: tuple[float, float, float],
) -> Any:
    from PIL import Image, ImageDraw

    width = SIDE + len(index) * (PANEL + GAP)
    height = HEAD + len(orbits) * (PANEL + GAP)
    image = Image.new("RGB", (width, height), (255, 255, 255))
    canvas = ImageDraw.Draw(image)
    for column, g in enumerate(index):
        ours = next(iter(orbits.values()))
        angle = round(np.degrees(rotation_angle(ours.elements[int(g)])) % 360)
        text = "0° (as trained)" if angle == 0 else f"turned {angle}°"
        middle = SIDE + column * (PANEL + GAP) + PANEL // 2
        canvas.text((middle, HEAD // 2), text, INK, font=_font(14), anchor="mm")
    for row, (name, orbit) in enumerate(orbits.items()):
        top = HEAD + row * (PANEL + GAP)
        image.paste(_sideways(name), (0, top))
        for column, g in enumerate(index):
            corner = (SIDE + column * (PANEL + GAP), top)
            image.paste(_panel(orbit, int(g), task, step, view), corner)
    return image


def _panel(orbit: Orbit, g: int, task: int, step: int, view: tuple[float, float, float]) -> Any:
    from PIL import Image, ImageDraw

    end = int(orbit.steps()[g, task])
    now = min(step, end)
    scene = draw_scene(
        orbit.agents[g, task, now],
        orbit.blocks[g, task, now],
        orbit.goals[g, task],
        walls=False,
        size=PANEL,
        view=view,
        trail=orbit.agents[g, task, : now + 1] if now else None,
    )
    image = Image.fromarray(scene)
    canvas = ImageDraw.Draw(image)
    colour, text = (200, 200, 200), f"step {now}"
    if step >= end:
        solved = bool(orbit.success[g, task])
        colour, text = (SOLVED, f"solved, step {end}") if solved else (FAILED, f"not solved, step {end}")
    box = canvas.textbbox((6, PANEL - 6), text, font=_font(13), anchor="ls")
    canvas.rectangle((box[0] - 3, box[1] - 2, box[2] + 3, box[3] + 2), fill=(255, 255, 255))
    canvas.text((6, PANEL - 6), text, INK if step < end else colour, font=_font(13), anchor="ls")
    canvas.rectangle((0, 0, PANEL - 1, PANEL - 1), outline=colour, width=2 if step >= end else 1)
    return image


def _view(orbits: Mapping[str, Orbit], index: NDArray[np.int_], task: int) -> tuple[float, float, float]:
    """A square about the centre that holds goals and blocks, and the agents of the first model."""
    centre = np.asarray(geometry.CENTRE)
    ours = next(iter(orbits.values()))
    blocks = [geometry.keypoints(orbit.blocks[index, task]) for orbit in orbits.values()]
    shown = [geometry.keypoints(ours.goals[index, task]), *blocks, ours.agents[index, task]]
    points = np.concatenate([part.reshape(-1, 2) for part in shown])
    # What is thrown far away by others may leave the picture: the rest must stay large enough to see.
    half = min(float(np.nanmax(np.abs(points - centre))) + 20.0, 260.0)
    return (float(centre[0]) - half, float(centre[1]) - half, 2 * half)


def _sideways(text: str) -> Any:
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (PANEL, SIDE), (255, 255, 255))
    ImageDraw.Draw(image).text((PANEL // 2, SIDE // 2), text, INK, font=_font(14), anchor="mm")
    return image.rotate(90, expand=True)


def _with_shared_palette(images: list[Any]) -> list[Any]:
    """All frames in the colours of a sheet of some of them: no flicker, and small files."""
    from PIL import Image

    width, height = images[0].size
    chosen = images[:: max(1, len(images) // 4)]
    sheet = Image.new("RGB", (width, height * len(chosen)))
    for row, image in enumerate(chosen):
        sheet.paste(image, (0, row * height))
    palette = sheet.quantize(64, dither=Image.Dither.NONE)
    return [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]


def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)
