"""Stills: pictures as files, read and written, and the names of numbered ones. RGB uint8 [H, W, 3]."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import imageio.v3 as iio
import numpy as np
from PIL.PngImagePlugin import PngInfo

from pipeline.clip import Frame, Picture, Size
from pipeline.errors import InputError, UsageError
from pipeline.files import whole

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp")
LOSSY = (".jpg", ".jpeg", ".webp")
COUNTER = re.compile(r"%0?(\d*)d|(#+)")
NUMBER = re.compile(r"^(.*?)(\d+)$")


def read(path: Path) -> Picture:
    """A picture, upright, as RGB; grey is spread to three channels, transparency dropped. InputError."""
    if not path.is_file():
        raise InputError(f"{path}: no such file. Check the name and the folder.")
    try:
        picture = iio.imread(path, index=0, plugin="pillow", rotate=True)
        if (
            picture.dtype != np.uint8
        ):  # 16-bit grey, which Pillow's own conversion to RGB would cut off at 255
            deep = picture.astype(np.float32) / (
                np.iinfo(picture.dtype).max if picture.dtype.kind in "iu" else 1
            )
            picture = np.repeat(np.round(deep.clip(0, 1) * 255)[..., None], 3, -1).astype(np.uint8)
        else:
            picture = iio.imread(path, index=0, plugin="pillow", rotate=True, mode="RGB")
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise InputError(f"{path}: cannot be read as a picture ({error}).") from None
    return np.ascontiguousarray(picture, np.uint8)


def write(path: Path, picture: Picture, recipe: str = "") -> None:
    """A still, its recipe inside where the format can hold one (.png)."""
    suffix = path.suffix.lower()
    options: dict[str, Any] = {"quality": 95} if suffix in LOSSY else {}
    if suffix == ".png" and recipe:
        options["pnginfo"] = PngInfo()
        options["pnginfo"].add_text("dream_video", recipe)
    with whole(path) as part:
        iio.imwrite(part, picture, plugin="pillow", **options)


@contextmanager
def roll(path: Path, recipe: str = "") -> Iterator[Callable[[Picture, Frame], None]]:
    """Gives a function that writes each picture to a file of its own, numbered where `path` is a pattern."""

    def write_one(picture: Picture, frame: Frame) -> None:
        own = numbered(str(path), number_of(frame)) if is_pattern(str(path)) else path
        write(own, picture, recipe)

    yield write_one


def number_of(frame: Frame) -> int:
    return frame.index if frame.number is None else frame.number


def recipe(path: Path) -> str | None:
    """The recipe a .png carries; None without one. InputError when it is no picture."""
    if not path.is_file():
        raise InputError(f"{path}: no such file. Check the name and the folder.")
    try:
        text = iio.immeta(path, plugin="pillow").get("dream_video")
    except (OSError, ValueError, SyntaxError) as error:
        raise InputError(f"{path}: cannot be read as a picture ({error}).") from None
    return str(text) if text else None


def size_of(path: Path) -> Size:
    """A picture's size by its header. InputError when it is none."""
    try:
        return Size(*iio.improps(path, index=0, plugin="pillow").shape[:2])
    except (OSError, ValueError, SyntaxError) as error:
        raise InputError(f"{path}: cannot be read as a picture ({error}).") from None


def resized(picture: Picture, size: Size) -> Picture:
    if Size(*picture.shape[:2]) == size:
        return picture
    shrinks = size.height * size.width < picture.shape[0] * picture.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (size.width, size.height), interpolation=how), np.uint8)


def is_pattern(name: str) -> bool:
    """Whether a name stands for many pictures: frame.%04d.png, frame.####.png, or a glob."""
    return bool(COUNTER.search(Path(name).name)) or any(sign in Path(name).name for sign in "*?[")


def numbered(pattern: str, number: int) -> Path:
    """The file of one number: frame.%04d.png, 7 -> frame.0007.png. UsageError without exactly one counter."""
    path = Path(pattern)
    if len(COUNTER.findall(path.name)) != 1:
        raise UsageError(f"{pattern}: expected one counter in the name, such as frame.%04d.png.")
    return path.with_name(
        COUNTER.sub(lambda m: str(number).zfill(len(m[2]) if m[2] else int(m[1] or 0)), path.name)
    )


def matching(pattern: str) -> dict[int, Path]:
    """Number -> file of all that match a pattern or a glob. InputError when none does."""
    path = Path(pattern)
    counter = COUNTER.search(path.name)
    if counter is None:
        found = sorted(p for p in path.parent.glob(path.name) if p.suffix.lower() in SUFFIXES)
        return _by_number(found, pattern)
    head, tail = path.name[: counter.start()], path.name[counter.end() :]
    name = re.compile(re.escape(head) + r"(\d+)" + re.escape(tail))
    candidates = sorted(path.parent.iterdir()) if path.parent.is_dir() else []
    found_numbers = {int(m[1]): p for p in candidates if (m := name.fullmatch(p.name))}
    if not found_numbers:
        raise InputError(f"{pattern}: no file matches. Expected names such as {numbered(pattern, 1).name}.")
    return found_numbers


def in_folder(folder: Path) -> dict[int, Path]:
    """Number -> file of a folder's pictures, in the order of their names. InputError when there is none."""
    return _by_number(sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES), str(folder))


def _by_number(paths: list[Path], name: str) -> dict[int, Path]:
    if not paths:
        raise InputError(f"{name}: no pictures there. Expected {', '.join(SUFFIXES)}.")
    return _numbers(paths) or dict(enumerate(paths))


def _numbers(paths: list[Path]) -> dict[int, Path] | None:
    """Their own numbers, when the names are one word with a number at its end; None when they are not."""
    parts = [NUMBER.match(path.stem) for path in paths]
    if len({(m[1], path.suffix) for m, path in zip(parts, paths, strict=True) if m}) != 1 or None in parts:
        return None
    return {int(m[2]): path for m, path in zip(parts, paths, strict=True) if m}


def pattern_of(paths: dict[int, Path]) -> str:
    """The name pattern of numbered files: frame_0016.png and on -> frame_%04d.png; %04d.png for others."""
    first = next(iter(paths.values()))
    match = NUMBER.match(first.stem)
    if match is None or _numbers(list(paths.values())) is None:
        return "%04d.png"
    return f"{match[1]}%0{len(match[2])}d{first.suffix}"


def is_numbered(paths: dict[int, Path]) -> bool:
    """Whether these are frames of something, rather than pictures that happen to share a folder."""
    return len(paths) > 1 and _numbers(list(paths.values())) is not None
