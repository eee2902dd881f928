"""Moving scenes whose flow and occlusion are known exactly: the demo, drawn from nothing, and photographs moved.

scene = demo_scene(seconds=2)
scene.picture(8)               # RGB uint8 [H, W, 3]
scene.flow(8), scene.flow(8, before=0)
"""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.clip import Picture, Size
from pipeline.errors import InputError, UsageError, did_you_mean
from pipeline.scene.balloon import HALF, balloon
from pipeline.scene.canvas import Canvas
from pipeline.scene.landscape import landscape
from pipeline.scene.motion import MOTIONS, Motion, Orbit, Similarity
from pipeline.scene.scene import Plate, Scene
from pipeline.scene.sound import tone

__all__ = ["MOTIONS", "Motion", "Orbit", "Plate", "Scene", "Similarity", "demo_scene", "photo_scene", "tone"]

DEFAULT_SIZE = Size(360, 640)

LEAST = 16
"""Pixels; nothing can be made out in a smaller picture."""

DENSITY = 1.6
"""Plate pixels to a view pixel: from there on a finer plate brings a resample no nearer to the truth."""

PLATE_PIXELS = 9e6
"""Above this many the density gives way, down to 1: less exact by a tenth of a grey level, but drawn in seconds."""

DETAIL = 1.5
"""Pixels of the view: the finest noise worth drawing."""

BLOB = 0.30
"""Mean radius, in units, of the piece cut out of a photograph."""


def demo_scene(
    size: Size = DEFAULT_SIZE,
    rate: Fraction | int = 24,
    seconds: float = 4.0,
    difficulty: str = "demo",
    seed: int = 0,
) -> Scene:
    """A lake at dusk and a balloon drifting over it; the same seed draws the same scene at every size.

    rate: frames per second. difficulty: a name of MOTIONS.
    Raises UsageError for a size, length or difficulty there is not.
    """
    motion, unit, frames = _checked(size, rate, seconds, difficulty)
    pitch, (height, width) = _plate_shape(motion, size, unit)
    pixels = np.zeros((3, height, width), np.float32)
    fine = pitch * unit / size.height  # the landscape is laid out in heights of the view
    landscape(
        Canvas(pixels, -(width - 1) / 2 * fine, 0.5 - (height - 1) / 2 * fine, fine, DETAIL / size.height),
        seed,
    )
    high, wide = (2 * int(np.ceil(side / pitch)) + 1 for side in (HALF.imag, HALF.real))
    cut = np.zeros((4, high, wide), np.float32)
    balloon(Canvas(cut, -(wide - 1) / 2 * pitch, -(high - 1) / 2 * pitch, pitch, DETAIL / unit), seed)
    background, front = (_plate(planes.transpose(1, 2, 0), pitch, unit) for planes in (pixels, cut))
    return Scene(background, front, motion, size, unit, Fraction(rate), frames, seed)


def photo_scene(
    background: Picture,
    front: Picture,
    size: Size = DEFAULT_SIZE,
    rate: Fraction | int = 24,
    seconds: float = 4.0,
    difficulty: str = "demo",
    seed: int = 0,
) -> Scene:
    """A photograph under a known pan, zoom and turn, with a soft-edged piece of a second one moving in front.

    background, front: of any size, enlarged or reduced to fill what the motion needs; the seed shapes the piece.
    Raises InputError for what is not RGB uint8 [H, W, 3], and UsageError as demo_scene does.
    """
    motion, unit, frames = _checked(size, rate, seconds, difficulty)
    pitch, shape = _plate_shape(motion, size, unit)
    radius = int(np.ceil(1.2 * BLOB / pitch))
    cut = _filling(front, (2 * radius + 1, 2 * radius + 1), "front")
    inside = _blob(radius, seed) * BLOB / pitch
    coverage = np.clip(0.5 + inside * pitch * unit, 0, 1)[..., None]
    sprite = np.concatenate([cut * coverage, coverage], axis=2)
    behind, before = (
        _plate(pixels, pitch, unit) for pixels in (_filling(background, shape, "background"), sprite)
    )
    return Scene(behind, before, motion, size, unit, Fraction(rate), frames, seed)


def _checked(size: Size, rate: Fraction | int, seconds: float, difficulty: str) -> tuple[Motion, float, int]:
    """The motion, the unit in pixels, and the number of frames."""
    if difficulty not in MOTIONS:
        raise UsageError(
            f"difficulty {difficulty!r} is not one of {', '.join(MOTIONS)}.{did_you_mean(difficulty, MOTIONS)}"
        )
    if min(size) < LEAST:
        raise UsageError(f"size {size} is too small for a scene: give at least {LEAST} pixels each way")
    if rate <= 0 or seconds <= 0:
        raise UsageError(f"a scene of {seconds} s at {rate} frames/s is empty: both must be above 0")
    # In a narrow picture the width rules, so that the front object stays in view.
    return MOTIONS[difficulty], min(size.height, 0.75 * size.width), max(1, round(seconds * rate))


def _plate_shape(motion: Motion, size: Size, unit: float) -> tuple[float, tuple[int, int]]:
    """The pitch of both plates, and height and width of the background's in pixels."""
    reach = motion.background.reach(complex(size.width, size.height) / 2 / unit) * unit
    density = float(np.clip(np.sqrt(PLATE_PIXELS / (4 * reach.real * reach.imag)), 1, DENSITY))
    # Two more pixels on each side are what bicubic interpolation reads.
    height, width = (2 * int(np.ceil(side * density)) + 5 for side in (reach.imag, reach.real))
    return 1 / (unit * density), (height, width)


def _plate(pixels: NDArray[np.float32], pitch: float, unit: float) -> Plate:
    """Without what is too fine for the view: a Gaussian of half a view pixel."""
    sigma = 0.5 / (pitch * unit)
    return Plate(cv2.GaussianBlur(np.ascontiguousarray(pixels, np.float32), (0, 0), sigma), pitch)


def _filling(picture: Picture, shape: tuple[int, int], name: str) -> NDArray[np.float32]:
    """The middle of a picture, float32 [h, w, 3], scaled to fill a shape."""
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise InputError(f"{name}: expected RGB uint8 [H, W, 3], not {picture.dtype} {list(picture.shape)}")
    (height, width), (full_height, full_width) = shape, picture.shape[:2]
    scale = max(height / full_height, width / full_width)
    high, wide = max(height, round(full_height * scale)), max(width, round(full_width * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    scaled: NDArray[np.float32] = cv2.resize(picture.astype(np.float32), (wide, high), interpolation=how)
    top, left = (high - height) // 2, (wide - width) // 2
    return scaled[top : top + height, left : left + width].clip(0, 255)


def _blob(radius: int, seed: int) -> NDArray[np.float32]:
    """[2 radius + 1, same]: how far inside a wobbly disk each pixel is, in mean radii; it reaches at most 1.15."""
    down, across = np.mgrid[-1 : 1 : (2 * radius + 1) * 1j, -1 : 1 : (2 * radius + 1) * 1j] * 1.2
    angle, phases = np.arctan2(down, across), np.random.default_rng(seed).uniform(0, 2 * np.pi, 3)
    waves = [0.05 * np.sin(n * angle + phase) for n, phase in zip((2, 3, 5), phases, strict=True)]
    inside: NDArray[np.float32] = (1 + np.stack(waves).sum(axis=0) - np.hypot(across, down)).astype(
        np.float32
    )
    return inside
