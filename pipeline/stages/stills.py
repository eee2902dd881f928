"""Stills: pictures as files, read and written, and the names of numbered ones. RGB uint8 [H, W, 3], or deeper."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import imageio.v3 as iio
import numpy as np
from PIL.PngImagePlugin import PngInfo

from pipeline import exr, light, spaces
from pipeline.clip import Deep, Frame, Picture, Pixels, Size
from pipeline.errors import InputError, UsageError
from pipeline.files import whole

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".exr")
DEEP = (".png", ".tif", ".tiff", ".exr")
LOSSY = (".jpg", ".jpeg", ".webp")
COUNTER = re.compile(r"%0?(\d*)d|(#+)")
NUMBER = re.compile(r"^(.*?)(\d+)$")


def read(path: Path) -> Picture:
    """A picture, upright, as RGB; grey is spread to three channels, transparency dropped. InputError."""
    if not path.is_file():
        raise InputError(f"{path}: no such file. Check the name and the folder.")
    if path.suffix.lower() == ".exr" or _is_float(path):
        return light.flat(read_deep(path))
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


def read_deep(path: Path, space: str = "auto") -> Deep:
    """As _stored; space: what its values are to be taken for, as --input-space."""
    deep = _stored(path)
    return deep if space == "auto" else replace(deep, transfer="sdr" if space == "srgb" else space)


def _is_float(path: Path) -> bool:
    """Whether this is a .tiff of floats, which Pillow does not read in colour."""
    if path.suffix.lower() not in (".tif", ".tiff"):
        return False
    array = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    return array is not None and array.dtype == np.float32


def _stored(path: Path) -> Deep:
    """A .png, .tiff or .exr at its own depth, with its transparency: 16 bits, or float and linear. InputError."""
    if path.suffix.lower() == ".exr":
        return exr.read(path)
    try:
        array = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    except (OSError, cv2.error) as error:
        raise InputError(f"{path}: cannot be read as a picture ({error}).") from None
    if array is None or array.dtype not in (np.uint8, np.uint16, np.float32):
        raise InputError(f"{path}: cannot be read as a picture. Is the file whole?")
    full = np.iinfo(array.dtype).max if array.dtype.kind == "u" else 1
    array = array.reshape(*array.shape[:2], -1)
    alpha = array[..., -1:].astype(np.float32) / full if array.shape[2] in (2, 4) else None
    colours = array[..., 2::-1] if array.shape[2] >= 3 else np.repeat(array[..., :1], 3, -1)
    values = colours.astype(np.uint16) * 257 if array.dtype == np.uint8 else colours
    return Deep(np.ascontiguousarray(values), alpha, "linear" if array.dtype == np.float32 else "sdr")


def pixels_of(path: Path, space: str = "auto") -> Pixels:
    """What a picture holds beyond 8 bits of RGB. InputError when it is none."""
    if path.suffix.lower() not in DEEP:
        return Pixels()
    deep = read_deep(path, space)
    sixteen = deep.values.dtype == np.uint16 and bool((deep.values % 257).any())
    bits = 32 if deep.values.dtype == np.float32 else 16 if sixteen else 8
    return Pixels(bits, deep.alpha is not None, "linear" if spaces.is_scene(deep.transfer) else "sdr")


def write(path: Path, picture: Picture | Deep, recipe: str = "") -> None:
    """A still, its recipe inside where the format can hold one (.png).

    A Deep becomes 16 bits, with its alpha; in .exr all is scene light.
    """
    suffix = path.suffix.lower()
    if suffix == ".exr":
        deep = light.scene(picture)
        with whole(path) as part:
            exr.write(part, exr.picture(deep), deep.header)
        return
    if isinstance(picture, Deep):
        with whole(path) as part:
            part.write_bytes(_sixteen(picture, suffix, recipe))
        return
    options: dict[str, Any] = {"quality": 95} if suffix in LOSSY else {}
    if suffix in (".jpg", ".jpeg"):
        options["subsampling"] = 0  # a dream is colour
    if suffix == ".png" and recipe:
        options["pnginfo"] = PngInfo()
        options["pnginfo"].add_text("dream_video", recipe)
    with whole(path) as part:
        iio.imwrite(part, picture, plugin="pillow", **options)


def holds_depth(path: Path, pixels: Pixels) -> bool:
    """Whether a picture of this ending can have what these pixels hold beyond 8 bits of RGB."""
    suffix = path.suffix.lower()
    return suffix == ".exr" if pixels.hdr else suffix in DEEP


def _sixteen(picture: Deep, suffix: str, recipe: str) -> bytes:
    array = light.packed(picture, alpha=picture.alpha is not None, stored=True)
    order = [2, 1, 0, 3][: array.shape[2]]
    data = bytes(cv2.imencode(suffix, np.ascontiguousarray(array[..., order]))[1])
    if suffix != ".png" or not recipe:
        return data
    text = b"tEXtdream_video\0" + recipe.encode("latin-1", "replace")
    chunk = (len(text) - 4).to_bytes(4, "big") + text + zlib.crc32(text).to_bytes(4, "big")
    head = 33  # the signature and the header chunk
    return data[:head] + chunk + data[head:]


@contextmanager
def roll(path: Path, recipe: str = "") -> Iterator[Callable[[Picture | Deep, Frame], None]]:
    """Gives a function that writes each picture to a file of its own, numbered where `path` is a pattern."""

    def write_one(picture: Picture | Deep, frame: Frame) -> None:
        own = numbered(str(path), number_of(frame)) if is_pattern(str(path)) else path
        write(own, picture, recipe)

    yield write_one


def number_of(frame: Frame) -> int:
    """What a picture of its own is numbered by: the sequence's own number, or the index."""
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
    if path.suffix.lower() == ".exr":
        return Size(*exr.read(path).values.shape[:2])
    try:
        return Size(*iio.improps(path, index=0, plugin="pillow").shape[:2])
    except (OSError, ValueError, SyntaxError) as error:
        raise InputError(f"{path}: cannot be read as a picture ({error}).") from None


def resized(picture: Picture, size: Size) -> Picture:
    """A picture [H, W, 3] at another size."""
    if Size(*picture.shape[:2]) == size:
        return picture
    shrinks = size.height * size.width < picture.shape[0] * picture.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (size.width, size.height), interpolation=how), np.uint8)


def resized_deep(deep: Deep, size: Size) -> Deep:
    """The same, at full depth."""
    if Size(*deep.values.shape[:2]) == size:
        return deep
    shrinks = size.height * size.width < deep.values.shape[0] * deep.values.shape[1]
    how = (
        cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    )  # bicubic would overshoot where there is no clipping
    to = (size.width, size.height)
    alpha = None if deep.alpha is None else cv2.resize(deep.alpha, to, interpolation=how)[..., None]
    values: Any = cv2.resize(deep.values, to, interpolation=how)
    return replace(deep, values=values, alpha=alpha)


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
        found = sorted((p for p in path.parent.glob(path.name) if p.suffix.lower() in SUFFIXES), key=_natural)
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
    return _by_number(
        sorted((p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES), key=_natural), str(folder)
    )


def _natural(path: Path) -> list[tuple[int, str]]:
    """For the order people mean: shot 9 before shot 10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path.name)]


def gaps(paths: dict[int, Path]) -> list[int]:
    """The numbers missing between the first and the last, where these are numbered and go by equal steps."""
    numbers = sorted(paths)
    if not is_numbered(paths) or len(numbers) < 3:
        return []
    step = math.gcd(*(b - a for a, b in pairwise(numbers)))
    span = range(numbers[0], numbers[-1] + 1, step)
    return sorted(set(span) - set(numbers)) if len(span) < 100 * len(numbers) else []


def _by_number(paths: list[Path], name: str) -> dict[int, Path]:
    if not paths:
        raise InputError(
            f"{name}: no pictures there. Expected {', '.join(SUFFIXES)}; for clips there is dream-farm."
        )
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
