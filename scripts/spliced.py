"""A film spliced to be hard on cut detectors: takes and what may happen in them -> pieces whose cuts are known.

A piece is some frames of one kind: two takes with a cut between, or one take in which something else happens
(a flash, a dissolve, a whip pan ...). Pieces of a film follow each other by hard cuts, so those count as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.clip import Picture, Size
from pipeline.scene import Scene, demo_scene, photo_scene
from pipeline.settings import Input
from pipeline.sources import open_source
from pipeline.stages import stills

SHOT = 18
"""Frames of a take, and of what stands before and after an effect: PySceneDetect wants shots of 15 and more."""

FRONTS = {"tubingen.png": "lion.jpg", "lion.jpg": "sky1024px.jpg", "sky1024px.jpg": "tubingen.png"}
"""What moves in front of each photograph."""

Grey = NDArray[np.float32]
Take = list[Picture]


class Cut(NamedTuple):
    """A new shot, that begins with a frame from first to last. They differ where a flash or black hides the cut."""

    kind: str
    first: int
    last: int


@dataclass(frozen=True)
class Piece:
    """Frames of one kind. cuts: within it, (first, last) as of Cut.

    either: frames where a cut may be found or not, as a scene changes slowly there.
    """

    kind: str
    pictures: Take
    cuts: tuple[tuple[int, int], ...] = ()
    either: range = range(0)


@dataclass(frozen=True)
class Film:
    """Pieces one after the other. kinds: of each frame, the kind of its piece."""

    pictures: Take
    cuts: list[Cut]
    either: frozenset[int]
    kinds: list[str]


def spliced(pieces: Sequence[Piece]) -> Film:
    """One film of the pieces, cut hard at every seam."""
    pictures, kinds = [], []
    cuts: list[Cut] = []
    either: set[int] = set()
    for piece in pieces:
        start = len(pictures)
        if start:
            cuts.append(Cut("between pieces", start, start))
        cuts += [Cut(piece.kind, start + first, start + last) for first, last in piece.cuts]
        either |= {start + frame for frame in piece.either}
        pictures += piece.pictures
        kinds += [piece.kind] * len(piece.pictures)
    return Film(pictures, cuts, frozenset(either), kinds)


# ---- takes --------------------------------------------------------------------------------------------------------


class Stock:
    """Where takes come from: drawn scenes always; photographs and clips where there are some.

    other: 1, 2 ... for other scenes, other noise, and other moments of the clips, than 0 has.
    """

    def __init__(self, size: Size, data: Path | None = None, seeds: int = 3, other: int = 0) -> None:
        self.size, self.data, self.seeds, self.other = size, data, seeds, other
        self._taken = 0
        self._scene = cache(self._drawn)
        self._clip = cache(self._frames)
        self._photograph = cache(self._moved)

    def demo(self, seed: int, start: int = 0, difficulty: str = "demo", frames: int = SHOT) -> Take:
        return play(self._scene(seed % self.seeds, difficulty), start, frames)

    def photograph(self, name: str, start: int = 0, difficulty: str = "demo", frames: int = SHOT) -> Take:
        return play(self._photograph(name, difficulty), start + 67 * self.other, frames)

    def clip(self, name: str, start: int = 0, frames: int = SHOT) -> Take:
        """To and fro where it is too short."""
        there = self._clip(name)
        order = [*range(len(there)), *range(len(there) - 2, 0, -1)]
        start += 53 * self.other
        return [there[order[(start + index) % len(order)]] for index in range(frames)]

    def texture(self, seed: int, speed: float = 2.0, frames: int = SHOT) -> Take:
        """Smooth noise at several sizes, panned."""
        return whip(self.noise(seed), [speed] * frames, self.size, shutter=0)

    def noise(self, seed: int) -> Picture:
        return texture(self.size, seed + 1000 * self.other)

    def panorama(self, seed: int) -> Picture:
        """A drawn landscape four pictures wide, mirrored again and again."""
        height, width = self.size
        pixels = self._scene(seed % self.seeds, "demo").background.pixels
        wide = round(pixels.shape[1] * height / pixels.shape[0])
        tile = cv2.resize(pixels, (wide, height), interpolation=cv2.INTER_AREA).clip(0, 255).astype(np.uint8)
        return cv2.copyMakeBorder(tile, 0, 0, 0, 5 * width, cv2.BORDER_REFLECT)

    def next(self, frames: int = SHOT) -> Take:
        """Another take each time, never of the scene of the three before."""
        takes: list[Callable[[int], Take]] = [
            lambda start: self.demo(0, start, frames=frames),
            lambda start: self.texture(start, frames=frames),
            lambda start: [cv2.flip(p, 1) for p in self.demo(1, start, "fast", frames)],
            lambda start: [cv2.flip(p, 0) for p in self.demo(2, start, "noisy", frames)],
        ]
        if self.data:
            takes[2:2] = [
                lambda start: self.clip("volcano.mp4", start, frames),
                lambda start: self.photograph("tubingen.png", start, frames=frames),
                lambda start: self.clip("plants_handheld.mp4", start, frames),
            ]
            takes += [
                lambda start: self.photograph("lion.jpg", start, frames=frames),
                lambda start: self.clip("sintel_frames", start, frames),
                lambda start: self.photograph("sky1024px.jpg", start, "fast", frames),
            ]
        self._taken += 1
        return takes[3 * self._taken % len(takes)](17 * (self._taken // len(takes)))

    def _drawn(self, seed: int, difficulty: str) -> Scene:
        return demo_scene(self.size, seconds=8, difficulty=difficulty, seed=seed + self.seeds * self.other)

    def _moved(self, name: str, difficulty: str) -> Scene:
        assert self.data
        folder = self.data / "stills"
        front = folder / FRONTS[name]
        return photo_scene(
            stills.read(folder / name), stills.read(front), self.size, seconds=8, difficulty=difficulty
        )

    def _frames(self, name: str) -> Take:
        assert self.data
        source = open_source(str(self.data / "clips" / name), Input())
        return [fill(frame.picture, self.size) for frame in source.frames()]


def play(scene: Scene, start: int, frames: int) -> Take:
    """Never past the scene's end, where it would jump back to its beginning: that is a cut."""
    start %= scene.frames - frames + 1
    return [scene.picture(start + index) for index in range(frames)]


def fill(picture: Picture, size: Size) -> Picture:
    """The middle of a picture, scaled to fill a size."""
    scale = max(size.height / picture.shape[0], size.width / picture.shape[1])
    high, wide = round(picture.shape[0] * scale), round(picture.shape[1] * scale)
    scaled = cv2.resize(picture, (wide, high), interpolation=cv2.INTER_AREA)
    top, left = (high - size.height) // 2, (wide - size.width) // 2
    return np.ascontiguousarray(scaled[top : top + size.height, left : left + size.width])


def texture(size: Size, seed: int) -> Picture:
    """[H, 4 W, 3]."""
    rng = np.random.default_rng(seed)
    height, width = size.height, 4 * size.width
    pixels = np.full((height, width, 3), 120, np.float32)
    for cells, weight in ((4, 90), (12, 60), (40, 40)):
        coarse = rng.uniform(-1, 1, (cells, cells * width // height, 3)).astype(np.float32)
        pixels += weight * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return pixels.clip(8, 247).astype(np.uint8)


def byte(pixels: Grey) -> Picture:
    return np.rint(pixels).clip(0, 255).astype(np.uint8)


# ---- looks: a whole take, graded ----------------------------------------------------------------------------------


def graded(take: Take, gain: float = 1, lift: float = 0, noise: float = 0, seed: int = 0) -> Take:
    """gain * picture + lift, and sensor noise, in grey levels."""
    rng = np.random.default_rng(seed)
    return [
        byte(gain * p.astype(np.float32) + lift + noise * rng.standard_normal(p.shape, np.float32))
        for p in take
    ]


def flat(take: Take, contrast: float) -> Take:
    """As through fog: so much of its contrast, about a light grey."""
    return [byte(170 + contrast * (p.astype(np.float32) - p.mean())) for p in take]


def framed(take: Take, width: float, height: float) -> Take:
    """Reduced, with black bars around: as a phone's picture or a wide film's stands in a screen."""
    size = take[0].shape[:2]
    high, wide = round(size[0] * height), round(size[1] * width)
    top, left = (size[0] - high) // 2, (size[1] - wide) // 2
    pictures = []
    for p in take:
        screen = np.zeros_like(p)
        screen[top : top + high, left : left + wide] = fill(p, Size(high, wide))
        pictures.append(screen)
    return pictures


def zoomed(picture: Picture, zoom: float, dx: float = 0, dy: float = 0, turn: float = 0) -> Picture:
    """About its middle, shifted by pixels, turned by degrees; its edge mirrored."""
    height, width = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), turn, zoom)
    matrix[:, 2] += dx, dy
    how = cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC
    return cv2.warpAffine(picture, matrix, (width, height), flags=how, borderMode=cv2.BORDER_REFLECT_101)


# ---- what happens in a take and is no cut -------------------------------------------------------------------------


def whip(panorama: Picture, speeds: Sequence[float], size: Size, shutter: float = 0.5) -> Take:
    """A pan by so many pixels each frame, blurred along for the time the shutter is open."""
    places = np.cumsum(speeds)
    wide = panorama.shape[1] - size.width - 1
    pictures = []
    for place, speed in zip(places, speeds, strict=True):
        at = place % (2 * wide)
        at = at if at <= wide else 2 * wide - at  # there and back
        blur = max(1, round(shutter * abs(speed)))
        matrix = np.float32([[1, 0, -at], [0, 1, 0]])
        shown = cv2.blur(panorama, (blur, 1)) if blur > 1 else panorama
        pictures.append(cv2.warpAffine(shown, matrix, (size.width, size.height), flags=cv2.INTER_LINEAR))
    return pictures


def swish(panorama: Picture, fastest: float, size: Size, frames: int = 16, shutter: float = 0.5) -> Take:
    """Still, then a whip pan that speeds up to `fastest` pixels a frame and slows down again, then still."""
    rise = np.sin(np.linspace(0, np.pi, frames)) ** 2
    return whip(panorama, [0.5] * SHOT + list(fastest * rise) + [0.5] * SHOT, size, shutter)


def flashed(take: Take, frames: int, how: str) -> Take:
    """From its middle on, so many frames are lit: 'lamp' (all of it, clipped), 'spot' (one side), 'white'."""
    lit = list(take)
    height, width = take[0].shape[:2]
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    spot = 260 * np.exp(-(((x - 0.3 * width) ** 2 + (y - 0.4 * height) ** 2) / (0.35 * width) ** 2))
    for index in range(len(take) // 2, len(take) // 2 + frames):
        p = take[index].astype(np.float32)
        light = {"lamp": 1.8 * p + 60, "spot": p + spot[..., None], "white": np.full_like(p, 255)}
        lit[index] = byte(light[how])
    return lit


def dissolved(before: Take, after: Take, frames: int) -> Take:
    """The one into the other over so many frames; both takes run on meanwhile."""
    stay = len(before) - frames
    mixed = [
        byte((1 - k) * a.astype(np.float32) + k * b.astype(np.float32))
        for a, b, k in zip(before[stay:], after, np.linspace(0, 1, frames + 2)[1:-1], strict=False)
    ]
    return [*before[:stay], *mixed, *after[frames:]]


def faded(take: Take, frames: int, dark: int, *, gone: float = 0) -> Take:
    """Out to black (or `gone`) over so many frames, `dark` frames of it, and in again, about the take's middle."""
    middle, share = len(take) // 2, np.ones(len(take), np.float32)
    out = np.linspace(1, 0, frames + 1)[1:]
    share[middle - dark // 2 - frames : middle - dark // 2] = out
    share[middle - dark // 2 : middle - dark // 2 + dark] = 0
    share[middle - dark // 2 + dark : middle - dark // 2 + dark + frames] = out[::-1]
    return [byte(k * p.astype(np.float32) + (1 - k) * gone) for p, k in zip(take, share, strict=True)]


def stepped(take: Take, change: Callable[[Picture], Picture]) -> Take:
    """From its middle on, changed."""
    return [p if index < len(take) // 2 else change(p) for index, p in enumerate(take)]


def shaken(take: Take, share: float, seed: int = 0) -> Take:
    """Every frame thrown about by up to so much of the width, and turned by up to 2 degrees."""
    rng = np.random.default_rng(seed)
    reach = share * take[0].shape[1]
    return [zoomed(p, 1.1, *rng.uniform(-reach, reach, 2), turn=rng.uniform(-2, 2)) for p in take]


def crossed(take: Take, by: Picture, radius: float, speed: float, blur: float = 0.5) -> Take:
    """A textured thing close to the lens goes across, of so many heights and by so many widths a frame."""
    height, width = take[0].shape[:2]
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    across = radius * height
    frames = int(np.ceil((width + 2 * across) / (speed * width)))
    begin = (len(take) - frames) // 2
    pictures = list(take)
    for index in range(frames):
        at = -across + (index + 0.5) * speed * width
        cover = np.clip(across - np.hypot(x - at, y - 0.55 * height) + 0.5, 0, 1).astype(np.float32)
        smear = max(1, round(blur * speed * width))
        cover = cv2.blur(cover, (smear, 1))[..., None]
        thing = cv2.blur(np.roll(by[:height, :width], round(at), 1), (smear, 1)).astype(np.float32) * 0.6
        if 0 <= begin + index < len(take):
            p = take[begin + index].astype(np.float32)
            pictures[begin + index] = byte(cover * thing + (1 - cover) * p)
    return pictures


def joined(kind: str, *takes: Take) -> Piece:
    """Takes cut hard, one after the other."""
    ends = np.cumsum([len(take) for take in takes])[:-1]
    return Piece(kind, [p for take in takes for p in take], tuple((int(e), int(e)) for e in ends))
