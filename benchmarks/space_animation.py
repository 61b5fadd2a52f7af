"""Episodes of CloudPush side by side, seen by one camera, as an animated GIF and as a film strip."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from equiworld.benchmarks.space_pictures import COLOURS
from equiworld.benchmarks.space_tasks import SUCCESS
from equiworld.envs.cloudpush.criterion import Criterion
from equiworld.envs.cloudpush.engine import AGENT_RADIUS
from equiworld.envs.cloudpush.geometry import Array, Pose, rotation_matrix
from equiworld.envs.cloudpush.scene import Camera, Scene, cast
from equiworld.envs.cloudpush.sensor import Sensor
from equiworld.envs.cloudpush.shapes import Shape
from equiworld.envs.cloudpush.simulation import CloudPushState
from equiworld.errors import ArgumentError
from equiworld.files import write_atomically

__all__ = ["animate", "frames", "still"]

Runs = Mapping[str, Sequence[CloudPushState]]

GAP, HEAD, LINE, FOOT = 8, 26, 24, 26  # pixels
PANELS = {1: 480, 2: 400, 3: 292, 4: 340}  # pixels, by the number of runs; as many as three go in a row
STRIP = 270  # pixels, of a panel in the film strip
TRAIL = 12  # steps
ASTRAY = 0.06  # [m] farther off than they need to be: such ways may leave the picture
MILLISECONDS, REST = 4000, 1800  # of the film, and of its last picture
LARGEST = 2_900_000  # [bytes] of a GIF; frames are left out of a larger one
INK, QUIET, SOLVED, FAILED = (40, 40, 40), (200, 200, 200), (0, 114, 178), (213, 94, 0)
KEY = (("goal", "goal pose"), ("body", "body"), ("agent", "end-effector"), ("cloud", "observed point cloud"))


def animate(runs: Runs, shape: Shape, path: Path, points: int = 128, most_frames: int = 42) -> Path:
    """Draw episodes side by side to a GIF of about five seconds and at most 3 MB.

    Args:
        runs: by caption, the states of an episode, one for each control period. A caption that begins with the
            name of a model has its colour. Shorter episodes wait at their ends for the others.
        shape: of the body.
        path: of the GIF.
        points: of the observed cloud, drawn as the sensor drew it; 0 for none.
        most_frames: more steps than this are shown in equal strides.

    Raises:
        ArgumentError: no run, or a run without states.
    """
    images = frames(runs, shape, points, most_frames)
    data = _gif(images)
    while len(data) > LARGEST and len(images) > 2:
        images = [*images[:-1:2], images[-1]]
        data = _gif(images)
    return write_atomically(path, lambda file: file.write(data))


def still(runs: Runs, shape: Shape, path: Path, points: int = 128) -> Path:
    """Draw start, middle and end of each episode to a PNG, a row for each; arguments as of `animate`."""
    stage = _Stage(runs, shape, STRIP, points)
    rows = []
    for name, states in runs.items():
        end = len(states) - 1
        panels = [stage.panel(name, step) for step in dict.fromkeys((0, (end + 1) // 2, end))]
        rows.append(_titled(name, _in_rows(panels, len(panels))))
    sheet = _with_key(_in_rows(rows, 1))
    return write_atomically(path, lambda file: sheet.save(file, format="PNG", optimize=True))


def frames(runs: Runs, shape: Shape, points: int = 128, most_frames: int = 42) -> list[Any]:
    """The pictures of the GIF: the first step, equal strides, the last step."""
    stage = _Stage(runs, shape, PANELS.get(len(runs), PANELS[3]), points)
    last = max(map(len, runs.values())) - 1
    stride = max(1, math.ceil(last / max(1, most_frames - 1)))
    columns = 2 if len(runs) == 4 else min(len(runs), 3)

    def picture(step: int) -> Any:
        return _with_key(_in_rows([_titled(name, stage.panel(name, step)) for name in runs], columns))

    return [picture(step) for step in [*range(0, last, stride), last]]


class _Stage:
    """One camera, scale and upward direction for all runs; the middle of each picture is its own run's."""

    def __init__(self, runs: Runs, shape: Shape, size: int, points: int) -> None:
        for name, states in runs.items():
            if not len(states):
                raise ArgumentError(f"runs[{name!r}]", "no states", "the states of an episode")
        if not runs:
            raise ArgumentError("runs", "none", "at least one episode by caption")
        self.runs, self.shape, self.sensor = runs, shape, Sensor(points)
        self.task = Criterion("ADD" if shape.fold == 1 else "ADD-S", *SUCCESS["success"])
        camera = Camera(_azimuth(list(runs.values()), shape))
        views = {name: _View(states, shape, camera) for name, states in runs.items()}
        radius = max(view.radius for view in views.values())
        self.scenes = {
            name: Scene(shape, runs[name][0].goal, view.centre, radius, camera, size)
            for name, view in views.items()
        }

    def panel(self, name: str, step: int) -> Any:
        """One run at one step, or at its end if that was before; how far it is from its goal below."""
        from PIL import Image, ImageDraw

        states = self.runs[name]
        now = min(step, len(states) - 1)
        state = states[now]
        trail = [one.agent_pos for one in states[max(0, now - TRAIL) : now + 1]]
        scene = self.scenes[name].draw(state.body, state.agent_pos, self._cloud(state), trail)
        image = Image.new("RGB", (scene.shape[1], scene.shape[0] + LINE), (255, 255, 255))
        image.paste(Image.fromarray(scene), (0, LINE))
        canvas = ImageDraw.Draw(image)
        distance, angle = self.task.measure(self.shape, state.body, state.goal)
        solved = self.task.success(distance, angle)
        finished = solved or now == len(states) - 1
        colour = SOLVED if solved else FAILED if finished else INK
        text = f"step {now}: {1000 * distance:.0f} mm, {math.degrees(angle):.0f}° to goal"
        canvas.text((10, LINE - 4), text, colour, font=_font(14), anchor="ls")
        if finished:
            _mark(canvas, 18 + canvas.textlength(text, font=_font(14)), LINE - 4, solved)
        corners = (0, 0, image.width - 1, image.height - 1)
        canvas.rectangle(corners, outline=colour if finished else QUIET, width=3 if finished else 1)
        return image

    def _cloud(self, state: CloudPushState) -> Array:
        """What the sensor shows in this state; of an arbitrary episode if the state does not say which."""
        if not self.sensor.points:
            return np.empty((0, 3))
        key = 0 if state.cloud_key is None else state.cloud_key
        return self.sensor.cloud(self.shape, state.body, key, state.step + 1, state.camera)


class _View:
    """What a picture of an episode must hold: its start, its goal and its ways, but not who goes far astray.

    Attributes:
        centre: `(3,)` [m], of the picture.
        radius: half of the picture's side [m].
    """

    def __init__(self, states: Sequence[CloudPushState], shape: Shape, camera: Camera) -> None:
        first = states[0]
        far = 1.15 * math.dist(first.body_pos, first.goal_pos) + ASTRAY
        near = shape.surface.reach + ASTRAY
        held = [_corners(shape, first.goal), _corners(shape, first.body), _around(first.agent_pos)]
        for state in states:
            if math.dist(state.body_pos, state.goal_pos) < far:
                held.append(_corners(shape, state.body))
                if math.dist(state.agent_pos, state.body_pos) < near:
                    held.append(_around(state.agent_pos))
        flat = np.concatenate(held) @ camera.axes
        low, high = flat.min(0), flat.max(0)
        middle = (low + high) / 2
        self.radius = 1.08 * float((high - low)[:2].max()) / 2
        # A little lower, for the floor.
        self.centre = camera.axes @ (middle - (0.0, 0.07 * self.radius, 0.0))


def _corners(shape: Shape, pose: Pose) -> Array:
    return shape.surface.corners @ rotation_matrix(pose.quaternion).T + pose.position


def _around(agent: Sequence[float]) -> Array:
    """The ends `(6, 3)` [m] of the end-effector along the axes."""
    return np.concatenate([np.asarray(agent) + side * AGENT_RADIUS * np.eye(3) for side in (-1, 1)])


def _azimuth(runs: Sequence[Sequence[CloudPushState]], shape: Shape) -> float:
    """The azimuth [rad] of a camera that sees the end-effectors most of the time and the ways to go from the side."""
    scores = []
    candidates = np.radians(np.arange(10.0, 370.0, 20.0))
    for azimuth in candidates:
        towards, shares = Camera(float(azimuth)).towards, []
        for states in runs:
            seen = [_sees(towards, state, shape) for state in states[:: max(1, len(states) // 12)]]
            way = np.subtract(states[0].goal_pos, states[0].body_pos)
            slanted = abs(float(way @ towards)) / max(float(np.linalg.norm(way)), 1e-9)
            shares.append(np.mean(seen) - 0.5 * slanted)
        scores.append(np.mean(shares) + 0.3 * min(shares))
    return float(candidates[int(np.argmax(scores))])


def _sees(towards: Array, state: CloudPushState, shape: Shape) -> bool:
    """Whether nothing hides the centre of the end-effector."""
    rotation = rotation_matrix(state.body_quat)
    origin = (np.subtract(state.agent_pos, state.body_pos) @ rotation)[None]
    # Back from the camera: what is met first is nearer to it, if anything is met on this side.
    return bool(cast(shape.surface.solids, origin, -towards @ rotation).depth[0] > 0.0)


# --- putting pictures together -----------------------------------------------------------------------


def _in_rows(images: Sequence[Any], columns: int) -> Any:
    """A sheet of equally large pictures, row by row."""
    from PIL import Image

    width, height = (max(image.size[axis] for image in images) + GAP for axis in (0, 1))
    rows = math.ceil(len(images) / columns)
    sheet = Image.new("RGB", (columns * width - GAP, rows * height - GAP), (255, 255, 255))
    for index, image in enumerate(images):
        sheet.paste(image, (index % columns * width, index // columns * height))
    return sheet


def _titled(text: str, picture: Any) -> Any:
    """A picture with its caption above it, small enough to fit, in its model's colour."""
    from PIL import Image, ImageColor, ImageDraw

    sheet = Image.new("RGB", (picture.width, picture.height + HEAD), (255, 255, 255))
    canvas = ImageDraw.Draw(sheet)
    size = 16
    while size > 9 and canvas.textlength(text, font=_font(size)) > picture.width - 24:
        size -= 1
    named = [colour for model, colour in COLOURS.items() if text.startswith(model)]
    colour = ImageColor.getrgb(named[0]) if named else INK
    length = canvas.textlength(text, font=_font(size))
    left = (picture.width - length - 18) / 2
    canvas.ellipse((left, HEAD // 2 - 6, left + 11, HEAD // 2 + 5), fill=colour)
    canvas.text((left + 18, HEAD // 2), text, INK, font=_font(size), anchor="lm")
    sheet.paste(picture, (0, HEAD))
    return sheet


def _with_key(picture: Any) -> Any:
    """A picture with what is what in words below it."""
    from PIL import Image, ImageDraw

    sheet = Image.new("RGB", (picture.width, picture.height + FOOT), (255, 255, 255))
    sheet.paste(picture, (0, 0))
    canvas = ImageDraw.Draw(sheet)
    font, middle = _font(13), picture.height + FOOT // 2 + 1
    lengths = [26 + canvas.textlength(text, font=font) for _, text in KEY]
    gap = min(34.0, (picture.width - sum(lengths)) / len(KEY))
    left = (picture.width - sum(lengths) - gap * (len(KEY) - 1)) / 2
    for (kind, text), length in zip(KEY, lengths, strict=True):
        _symbol(canvas, kind, left, middle)
        canvas.text((left + 22, middle), text, INK, font=font, anchor="lm")
        left += length + gap
    return sheet


def _symbol(canvas: Any, kind: str, left: float, middle: float) -> None:
    square = (left, middle - 7, left + 14, middle + 7)
    if kind == "goal":
        canvas.rectangle(square, fill=(215, 241, 219), outline=(41, 147, 61), width=2)
    elif kind == "body":
        canvas.rectangle(square, fill=(143, 168, 199), outline=(43, 54, 69), width=1)
    elif kind == "agent":
        canvas.ellipse(square, fill=(41, 92, 242))
    else:
        for x, y in ((2, -4), (9, -5), (5, 0), (12, 1), (1, 4), (8, 5)):
            canvas.ellipse((left + x - 1, middle + y - 1, left + x + 1, middle + y + 1), fill=(204, 31, 20))


def _mark(canvas: Any, left: float, base: float, solved: bool) -> None:
    """A tick or a cross."""
    if solved:
        canvas.line([(left, base - 5), (left + 4, base - 1), (left + 12, base - 11)], SOLVED, 3)
    else:
        canvas.line([(left, base - 10), (left + 10, base)], FAILED, 3)
        canvas.line([(left, base), (left + 10, base - 10)], FAILED, 3)


def _gif(images: Sequence[Any]) -> bytes:
    first, *others = _with_shared_palette(images)
    milliseconds = min(max(10 * round(MILLISECONDS / 10 / len(images)), 70), 200)
    times = [milliseconds] * len(others) + [REST]
    buffer = io.BytesIO()
    settings = {"append_images": others, "duration": times, "loop": 0, "optimize": True, "save_all": True}
    first.save(buffer, format="GIF", **settings)
    return buffer.getvalue()


def _with_shared_palette(images: Sequence[Any]) -> list[Any]:
    """All frames in the colours of a sheet of some of them: no flicker, and small files."""
    from PIL import Image, ImageColor, ImageDraw

    # Small marks must keep their colours too.
    swatches = Image.new("RGB", (images[0].width, 60))
    canvas = ImageDraw.Draw(swatches)
    colours = [*map(ImageColor.getrgb, COLOURS.values()), SOLVED, FAILED, INK]
    step = images[0].width / len(colours)
    for index, colour in enumerate(colours):
        canvas.rectangle((index * step, 0, (index + 1) * step, 60), fill=colour)
    sheet = _in_rows([images[0], images[len(images) // 2], images[-1], swatches], 1)
    palette = sheet.quantize(128, dither=Image.Dither.NONE)
    return [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]


def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)
