"""Light: pictures of more than 8 bits, seen by the network as 8, and given their dream back at full depth.

A deep picture [H, W, 3] is turned into a perceptual encoding that can be turned back (`_encoded`, `_decoded`); the
network sees that, cut to 0..1, over grey where it is transparent; the dream layer is added to it uncut. What the
layer does not touch comes back bit for bit.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline import spaces
from pipeline.clip import Deep, Picture, Plane

# The code value shown as white: reference white (203 cd/m2, ITU-R BT.2408) and a little room above.
WHITE = {"sdr": 1.0, "pq": 0.64, "hlg": 0.82}
FULL = 65535
GREY = 0.5
REFERENCE_WHITE = 203.0  # cd/m2
PEAK = 1000.0 / REFERENCE_WHITE  # of the film that is mapped to SDR; brighter is cut
BT2020_TO_BT709 = np.array(
    [[1.660491, -0.587641, -0.072850], [-0.124550, 1.132900, -0.008349], [-0.018151, -0.100579, 1.118730]],
    np.float32,
)  # ITU-R BT.2087


def proxy(deep: Deep) -> Picture:
    """What the network sees of a deep picture: uint8 [H, W, 3]."""
    seen: Any = np.clip(_encoded(_straight(deep), deep.transfer), 0, 1)
    if deep.alpha is not None:
        seen = GREY + deep.alpha * (seen - GREY)
    return np.asarray(np.round(seen * 255), np.uint8)


def lay(deep: Deep, layer: NDArray[np.float32]) -> Deep:
    """The picture with a dream layer, [H, W, 3] in -1..1, laid on it where it shows."""
    shown = _decoded(_encoded(_straight(deep), deep.transfer) + layer, deep.transfer)
    if deep.premultiplied and deep.alpha is not None:
        shown = shown * deep.alpha
    if deep.values.dtype == np.uint16:
        shown = np.round(np.clip(shown, 0, 1) * FULL).astype(np.uint16)
    touched = layer != 0
    if deep.alpha is not None:
        touched &= deep.alpha > 0
    values: Any = np.where(touched, shown, deep.values)
    return replace(deep, values=values)


def mixed(before: Picture | Deep, now: Picture | Deep, share: float) -> Picture | Deep:
    """Two pictures of one frame laid over each other: `share` of `now`, 0..1, in the values they are stored as."""
    if not isinstance(before, Deep) and not isinstance(now, Deep):
        return np.asarray(np.round(before + share * (now.astype(np.float32) - before)), np.uint8)
    assert isinstance(before, Deep)
    assert isinstance(now, Deep)
    if not _alike(before, now):
        before, now = (_as_stored(deep, alpha=before.alpha is not None) for deep in (before, now))
    values: Any = before.values + np.float32(share) * (now.values.astype(np.float32) - before.values)
    if before.values.dtype == np.uint16:
        values = np.round(values).astype(np.uint16)
    return replace(now, values=values)


def _alike(one: Deep, other: Deep) -> bool:
    """Whether their values stand for the same."""
    facts = [(d.values.dtype, d.alpha is None, d.transfer, d.premultiplied) for d in (one, other)]
    return facts[0] == facts[1]


def _as_stored(deep: Deep, *, alpha: bool) -> Deep:
    """As an encoder is given it."""
    array = packed(deep, alpha=alpha)
    opacity = array[..., 3:].astype(np.float32) / np.float32(FULL) if alpha else None
    return Deep(np.ascontiguousarray(array[..., :3]), opacity, header=deep.header)


def flat(deep: Deep) -> Picture:
    """A deep picture for a place that holds 8 bits and no transparency: SDR, over black, uint8 [H, W, 3]."""
    if deep.transfer in ("pq", "hlg"):
        return tone_mapped(np.asarray(deep.values, np.uint16), deep.transfer)
    return np.asarray(packed(deep, alpha=False, sixteen=False), np.uint8)


def scene(picture: Picture | Deep) -> Deep:
    """For a file of scene light, float32: linear, of Rec. 709, 1 for white; or in the space it is in already."""
    deep = picture if isinstance(picture, Deep) else Deep(np.asarray(picture, np.uint16) * np.uint16(257))
    if spaces.is_scene(deep.transfer):
        return replace(deep, values=_unit(deep.values))
    values: Any = _straight(deep)
    if deep.transfer == "sdr":
        values = _decoded(_unit(values), "linear")
    else:
        values = cv2.transform(np.take(_curve(deep.transfer), values.astype(np.uint16)), BT2020_TO_BT709)
    if deep.alpha is not None:
        values = values * deep.alpha
    return replace(deep, values=np.asarray(values, np.float32), transfer="linear", premultiplied=True)


def packed(deep: Deep, *, alpha: bool, sixteen: bool = True, stored: bool = False) -> NDArray[Any]:
    """For an encoder: uint16, or uint8, [H, W, 3], or with straight alpha [H, W, 4]; scene light becomes sRGB.

    stored: what stood in integers, such as a log space, is left in its own.
    """
    values = _straight(deep) if alpha else deep.values
    own = not spaces.is_scene(deep.transfer) or (stored and deep.values.dtype == np.uint16)
    values = _unit(values) if own else _encoded(values, deep.transfer)
    if alpha:
        opaque = np.ones((*values.shape[:2], 1), np.float32)
        values = np.concatenate([values, opaque if deep.alpha is None else deep.alpha], -1)
    elif deep.alpha is not None and not deep.premultiplied:
        values = values * deep.alpha
    kind = np.uint16 if sixteen else np.uint8
    return np.ascontiguousarray(np.round(np.clip(values, 0, 1) * np.iinfo(kind).max), kind)


def tone_mapped(values: NDArray[np.uint16], transfer: str) -> Picture:
    """PQ or HLG in bt2020, uint16 [H, W, 3], as SDR in bt709, uint8: highlights rolled off above 3/4 of white."""
    linear = np.take(_curve(transfer), values)
    linear = np.maximum(cv2.transform(linear, BT2020_TO_BT709), 0)
    peak = linear.max(-1, keepdims=True)
    linear *= _rolled_off(peak) / np.maximum(peak, 1e-6)
    return np.asarray(np.round(np.clip(linear, 0, 1) ** (1 / 2.2) * 255), np.uint8)


def _rolled_off(light: Plane, knee: float = 0.75) -> Plane:
    """Light relative to reference white, 0..PEAK, as 0..1: itself up to the knee, an asymptote above."""
    over = np.maximum(light - knee, 0)
    room = 1 - knee
    scale = room * (1 + room / (PEAK - knee))  # so that PEAK becomes 1
    return np.asarray(np.where(light <= knee, light, knee + scale * over / (over + room)), np.float32)


_CURVES: dict[str, Plane] = {}


def _curve(transfer: str) -> Plane:
    """Light over reference white, for each code value: SMPTE ST 2084, or ARIB STD-B67 at 1000 cd/m2."""
    if transfer not in _CURVES:
        code = np.arange(FULL + 1) / FULL
        if transfer == "pq":
            power = code ** (32 / 2523)
            light = 10_000 * (np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)) ** (
                8192 / 1305
            )
        else:
            scene = np.where(
                code <= 0.5, code**2 / 3, (np.exp((code - 0.55991073) / 0.17883277) + 0.28466892) / 12
            )
            light = 1000 * scene**1.2
        _CURVES[transfer] = (light / REFERENCE_WHITE).astype(np.float32)
    return _CURVES[transfer]


def _straight(deep: Deep) -> NDArray[Any]:
    """The colours, not multiplied by alpha."""
    if deep.alpha is None or not deep.premultiplied:
        return deep.values
    return np.asarray(np.where(deep.alpha > 0, deep.values / np.maximum(deep.alpha, 1e-6), deep.values))


def _unit(values: NDArray[Any]) -> NDArray[np.float32]:
    """As float, with 1 for what integers hold at most."""
    return np.asarray(values, np.float32) / np.float32(FULL if values.dtype == np.uint16 else 1)


def _encoded(values: NDArray[Any], transfer: str) -> NDArray[np.float32]:
    """Perceptual values, 0..1 from black to white and beyond; a scene's light by sRGB's curve, odd about 0."""
    values = _unit(values)
    if not spaces.is_scene(transfer):
        return values / np.float32(WHITE[transfer])
    values = spaces.space(transfer).to_light(values)
    size = np.abs(values)
    curve = np.where(size <= 0.0031308, 12.92 * size, 1.055 * np.maximum(size, 1e-9) ** (1 / 2.4) - 0.055)
    return np.asarray(np.copysign(curve, values), np.float32)


def _decoded(values: NDArray[np.float32], transfer: str) -> NDArray[np.float32]:
    """The inverse of _encoded; integers come back as 0..1."""
    if not spaces.is_scene(transfer):
        return values * np.float32(WHITE[transfer])
    size = np.abs(values)
    curve = np.where(size <= 0.04045, size / 12.92, ((size + 0.055) / 1.055) ** 2.4)
    return spaces.space(transfer).from_light(np.asarray(np.copysign(curve, values), np.float32))
