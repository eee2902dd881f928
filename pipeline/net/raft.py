"""RAFT: optical flow by a network of torchvision's. Two pictures in, the flow from each to the other out.

Source: Teed and Deng, "RAFT: Recurrent All-Pairs Field Transforms for Optical Flow" (2020). Finer at the edges of
what moves than a search on the CPU, and worth its time only on a GPU.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from pipeline.clip import Picture, Plane
from pipeline.errors import ModelError
from pipeline.net.weights import downloaded, fill, misfits, read

NAMES = {"raft": "raft_small", "raft-large": "raft_large"}
MULTIPLE, LEAST = 8, 128  # px: it looks at eighths, and at a pyramid of them


class Raft:
    """The network on its device. name: raft or raft-large; weights: its file, else torchvision's, downloaded once.

    Raises ModelError where the weights cannot be had, cannot be read, or belong to something else.
    """

    def __init__(
        self, name: str, weights: Path | None, device: torch.device, *, progress: bool = True
    ) -> None:
        self.device = device
        self.network = _loaded(NAMES[name], weights, progress).to(device)

    @torch.no_grad()
    def __call__(self, now: Picture, before: Picture) -> tuple[Plane, Plane]:
        """Pictures uint8 [H, W, 3] to flow back from now, and on from before, float32 [H, W, 2], pixels, dx first."""
        height, width = now.shape[:2]
        pair = torch.from_numpy(np.stack((now, before))).to(self.device).permute(0, 3, 1, 2)
        pair = pair.float() / 127.5 - 1
        bottom, right = (max(LEAST, -(-side // MULTIPLE) * MULTIPLE) - side for side in (height, width))
        pair = F.pad(pair, (0, right, 0, bottom), mode="replicate")
        flows = self.network(pair, pair.flip(0))[-1][..., :height, :width]
        backward, forward = flows.permute(0, 2, 3, 1).float().cpu().numpy()
        return np.ascontiguousarray(backward), np.ascontiguousarray(forward)


def _loaded(name: str, weights: Path | None, progress: bool) -> nn.Module:
    from torchvision.models import get_model, get_model_weights  # noqa: PLC0415 (slow to import, rarely asked for)

    module: nn.Module = get_model(name, weights=None)
    usual = get_model_weights(name)["DEFAULT"]
    file = weights or downloaded(usual.url, name, usual.meta["_file_size"], progress, "--flow-weights")
    state = read(file)
    if wrong := misfits(module, state):
        raise ModelError(f"{file.name} does not fit {name}: {wrong[0]} ({len(wrong)} misfits).")
    fill(module, state)
    return module.eval().requires_grad_(False)
