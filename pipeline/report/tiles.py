"""Tiles: a frame as five small pictures for a page, each a JPEG: source, dream, dream layer, flow and trust."""

from __future__ import annotations

import math

import cv2
import numpy as np

from pipeline.clip import Flow, Picture, Plane, Size
from pipeline.dreamt import Dreamt

AREA = 480 * 270  # px of a tile
OVERLAY_AREA = 256 * 144  # px of the tiles that only tell where
MOST = 40_000  # bytes of a tile, so that a page of sixty stays small enough to mail
QUALITIES = (84, 70, 55, 40)
FULL_COLOUR = 0.025  # of the width: motion in a frame that is drawn in full colour
CLEAR = 48  # grey levels: about as strong as a drawn layer may be before much of it is cut off
UNTRUSTED = np.array((240, 130, 30), np.float32)  # RGB

Tiles = dict[str, bytes]
"""By name: source, dream, layer; flow and trust where motion was followed."""


def tiles(dreamt: Dreamt, gain: int) -> Tiles:
    """Of one frame. The layer is drawn as grey + gain x D; motion by colour, the untrusted in orange."""
    source, shown = dreamt.frame.picture, dreamt.picture
    small = shrunk(source, AREA)
    layer = shrunk(np.ascontiguousarray(dreamt.dream), AREA)
    made = {
        "source": jpeg(small),
        "dream": jpeg(shrunk(shown, AREA)),
        "layer": jpeg(_levels(128 + gain * 255 * layer)),
    }
    if not dreamt.cut:
        made |= {name: jpeg(picture) for name, picture in _overlays(small, dreamt.flow).items()}
    return made


def gain_of(dream: Plane) -> int:
    """1, 2, 4 or 8: what makes this layer [H, W, 3] clear to see around grey."""
    rms = 255 * float(np.sqrt(np.square(shrunk(np.ascontiguousarray(dream), AREA)).mean()))
    return next((gain for gain in (8, 4, 2) if gain * rms <= CLEAR), 1)


def full_colour(width: int) -> float:
    """Motion, px a frame at a dream this wide, that is drawn in full colour."""
    return FULL_COLOUR * width


def colours(to: Plane, light: Plane, full: float) -> Picture:
    """Motion [H, W, 2], dx right and dy down, as colour: hue its direction, saturation the root of its speed.

    light: brightness [H, W], 0..1. full: px of full saturation. The hues of `wheel`.
    """
    speed, angle = cv2.cartToPolar(to[..., 0], to[..., 1], angleInDegrees=True)
    saturation = np.sqrt(np.minimum(speed / full, 1))
    hsv = np.stack([angle, saturation, light], -1).astype(np.float32)
    return _levels(255 * cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB))


def wheel(side: int = 120) -> bytes:
    """The legend of `colours`: what is drawn at a place moves there from the middle; its rim is full speed."""
    to = np.stack(np.meshgrid(*[np.linspace(-1, 1, side, dtype=np.float32)] * 2), -1)
    return jpeg(colours(to, np.ones((side, side), np.float32), 1.0))


def shrunk(picture: Plane | Picture, area: int) -> np.ndarray:
    """At most `area` pixels, its shape kept; never enlarged."""
    height, width = picture.shape[:2]
    scale = min(1.0, math.sqrt(area / (height * width)))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return picture if scale == 1 else cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def jpeg(picture: Picture) -> bytes:
    """RGB uint8 [H, W, 3] as a JPEG, coarser where it would be too large."""
    backwards = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    for quality in QUALITIES:
        data = cv2.imencode(".jpg", backwards, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
        if len(data) <= MOST:
            break
    return data


def _overlays(source: Picture, flow: Flow) -> dict[str, Picture]:
    grey = cv2.cvtColor(shrunk(source, OVERLAY_AREA), cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    size = Size(*grey.shape)
    full = full_colour(flow.backward.shape[1])
    to = -cv2.resize(flow.backward, (size.width, size.height), interpolation=cv2.INTER_AREA)
    trust = cv2.resize(flow.trust, (size.width, size.height), interpolation=cv2.INTER_AREA)[..., None]
    calm = (60 + 150 * grey)[..., None]
    return {
        "flow": colours(to, 0.6 + 0.4 * grey, full),
        "trust": _levels(trust * calm + (1 - trust) * (0.25 * calm + 0.75 * UNTRUSTED)),
    }


def _levels(values: Plane) -> Picture:
    return np.rint(values).clip(0, 255).astype(np.uint8)
