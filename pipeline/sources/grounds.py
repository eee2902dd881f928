"""Grounds: what a dive starts from, by its name: a picture, a clip, noise, a colour or a gradient."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np

from pipeline.clip import Picture, Plane, Size, fit
from pipeline.errors import UsageError
from pipeline.settings import Input
from pipeline.sources.base import Source
from pipeline.sources.film import ClipSource
from pipeline.sources.pictures import PictureSource
from pipeline.stages import stills

PLAIN = Size(720, 1280)  # of a ground that has no size of its own
LARGEST = 1 << 27  # pixels of a ground that is made up
CELLS = (3, 6, 12, 24, 48, 96)  # across the shorter side, of noise
SPREAD = 0.16  # rms of noise
GRAIN = 0.012  # rms of the noise on a plain ground: nothing is dreamed on nothing
COLOUR = re.compile(r"#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})")


def open_ground(
    name: str, how: Input, *, strict: bool = False
) -> tuple[Plane | None, Source | None, list[Path]]:
    """A picture, float32 [H, W, 3] in 0..1, or else a film; and the files that are read.

    A file is taken by its name before the name is taken for a word. Raises InputError, UsageError.
    """
    path = Path(name)
    if not path.exists():
        size = fit(PLAIN, how.size or "full")
        if size.height * size.width > LARGEST:
            raise UsageError(f"{name}: cannot be made as large as {size}. Give a smaller --size.")
        if name == "noise":
            return noise(size), None, []
        kind, colon, colours = name.partition(":")
        if colon and kind in ("colour", "color", "gradient"):
            return _plain(name, kind, colours, size), None, []
    if path.is_file() and path.suffix.lower() in stills.SUFFIXES:
        return unit(stills.read(path)), None, [path]
    film: Source
    if path.is_dir() or (not path.is_file() and stills.is_pattern(name)):
        paths = stills.in_folder(path) if path.is_dir() else stills.matching(name)
        film = PictureSource.of(name, paths, how)
    else:
        film = ClipSource.of(path, how.model_copy(update={"fps": None}), strict=strict)
    return None, film, film.files()


def unit(picture: Picture) -> Plane:
    """0..255 as 0..1."""
    return np.asarray(picture, np.float32) / np.float32(255)


def noise(size: Size, seed: int = 0) -> Plane:
    """Soft coloured noise with detail at every size, around middle grey."""
    random = np.random.default_rng(seed)
    picture = np.zeros((*size, 3), np.float32)
    for cells in CELLS:
        across = max(2, round(cells * size.width / size.height))
        coarse = random.normal(0, 1, (cells, across, 3)).astype(np.float32)
        coarse = 0.6 * coarse.mean(-1, keepdims=True) * 3**0.5 + 0.4 * coarse
        picture += cv2.resize(coarse, (size.width, size.height), interpolation=cv2.INTER_CUBIC)
    picture *= SPREAD / picture.std()
    return np.asarray(np.clip(0.5 + picture, 0, 1), np.float32)


def _plain(name: str, kind: str, colours: str, size: Size) -> Plane:
    """colour:#203040, or gradient:#000,#f80 from top to bottom, of two colours or more."""
    texts = [text.strip() for text in colours.split(",")]
    if not all(map(COLOUR.fullmatch, texts)) or (len(texts) != 1 if kind != "gradient" else len(texts) < 2):
        raise UsageError(f"{name}: expected colour:#203040, or gradient:#000,#f80 of two colours or more.")
    stops = np.array([_rgb(text) for text in texts], np.float32)
    at = np.linspace(0, len(stops) - 1, size.height)
    rows = np.stack([np.interp(at, np.arange(len(stops)), stops[:, band]) for band in range(3)], -1)
    picture = np.repeat(rows[:, None].astype(np.float32), size.width, 1)
    return np.asarray(np.clip(picture + GRAIN / SPREAD * (noise(size) - 0.5), 0, 1), np.float32)


def _rgb(text: str) -> tuple[float, float, float]:
    digits = text[1:] if len(text) == 7 else "".join(2 * digit for digit in text[1:])
    red, green, blue = (int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4))
    return red, green, blue
