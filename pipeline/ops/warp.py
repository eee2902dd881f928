"""Warp: fetch a field along a backward flow. Tensors [L, C, H, W]."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def warp(field: Tensor, flow: Tensor) -> Tensor:
    """field [L, C, H, W] at (x + dx, y + dy), bicubic (a = -0.75), its edge repeated outside.

    flow: [L, 2, H, W], pixels, dx first, pointing back to where the pixel now at (x, y) was. Bilinear would
    lose half of the fine detail in a few frames.
    """
    height, width = field.shape[-2:]
    x = torch.arange(width, device=flow.device, dtype=flow.dtype) + flow[:, 0]
    y = torch.arange(height, device=flow.device, dtype=flow.dtype)[:, None] + flow[:, 1]
    grid = torch.stack((2 * x / max(width - 1, 1) - 1, 2 * y / max(height - 1, 1) - 1), -1)
    return F.grid_sample(field, grid, mode="bicubic", padding_mode="border", align_corners=True)
