"""Colour: how much of a dream layer's colour is shown. Layers [L, 3, H, W], -1..1, signed; nothing crosses lanes."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

LUMA = (0.2126, 0.7152, 0.0722)  # of Rec. 709, on the values as they are
COARSE = 12  # cells along the shorter side: what is larger is tone, what is smaller is detail


def luma(layer: Tensor) -> Tensor:
    """[L, 1, H, W]. Laid on a picture alone it leaves that picture's own colour differences."""
    weights = layer.new_tensor(LUMA).view(1, 3, 1, 1)
    return (layer * weights).sum(1, keepdim=True)


def saturated(layer: Tensor, saturation: float) -> Tensor:
    """0: light and dark alone; 1: as it is; 2: twice as colourful."""
    grey = luma(layer)
    return grey + saturation * (layer - grey)


def untoned(layer: Tensor) -> Tensor:
    """Without what it changes of light and colour at large: those stay as they were."""
    height, width = layer.shape[-2:]
    cell = max(1, min(height, width) // COARSE)
    cells = F.adaptive_avg_pool2d(layer, (-(-height // cell), -(-width // cell)))
    return layer - F.interpolate(cells, (height, width), mode="bicubic", align_corners=False)


def shown(layer: Tensor, colour: str, saturation: float) -> Tensor:
    """dream: all of it; keep: light and dark alone, the colours stay the source's; tone: as `untoned`."""
    if colour == "keep":
        return luma(layer).expand_as(layer)
    layer = untoned(layer) if colour == "tone" else layer
    return layer if saturation == 1 else saturated(layer, saturation)
