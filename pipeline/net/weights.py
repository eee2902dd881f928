"""Weights: from a file or a download, checked, and into a network. Nothing in them is ever run."""

from __future__ import annotations

import contextlib
import hashlib
import re
import socket
from collections.abc import Iterator, Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from pipeline.errors import ModelError

PATIENCE = 20.0
"""Seconds without an answer before a download is given up."""

# Heads that only training uses; torchvision's files have them, other people's may not.
_AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")
# torchvision's files of the DenseNets are older than its rule against dots in names.
_OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|conv))\.(?=[12]\.)")


def read(file: Path) -> dict[str, Tensor]:
    """The state dict in `file`, on the CPU; nothing in it is ever run. ModelError: not readable as one."""
    try:
        safe = file.suffix == ".safetensors"
        state: Any = load_file(file) if safe else torch.load(file, map_location="cpu", weights_only=True)
    except OSError as problem:
        raise ModelError(f"cannot read weights from {file}: {problem.strerror or problem}") from problem
    except Exception as problem:  # what a reader of pickles raises on rubbish is anybody's guess
        raise ModelError(
            f"{file} is not a weights file that can be used: damaged, or more than tensors in it."
            " Expected .safetensors, or a state dict saved with torch.save."
        ) from problem
    if isinstance(state, Mapping) and isinstance(state.get("state_dict"), Mapping):
        state = state["state_dict"]
    if not isinstance(state, Mapping) or not all(isinstance(part, Tensor) for part in state.values()):
        raise ModelError(f"{file} holds no state dict: expected names and tensors")
    names = {key: _OLD_DENSENET.sub(r"\1", key.removeprefix("module.")) for key in state}
    return {name: state[key] for key, name in names.items() if not name.startswith(_AUXILIARY)}


def misfits(module: nn.Module, state: Mapping[str, Tensor]) -> list[str]:
    """What keeps `state` from being the weights of `module`, in words."""
    known = module.state_dict()
    wanted = {name: part for name, part in known.items() if not name.endswith("num_batches_tracked")}
    missing = [f"it has no {name}" for name in wanted if name not in state]
    other = [
        f"{name} is {_shape(state[name])} instead of {_shape(part)}"
        for name, part in wanted.items()
        if name in state and state[name].shape != part.shape
    ]
    surplus = [f"it has {name}" for name in state if name not in known]
    return missing + other + surplus


def _shape(part: Tensor) -> str:
    return "x".join(map(str, part.shape))


def fill(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Put the weights in place of a network's, which may lie on the meta device."""
    module.to_empty(device="cpu")
    # By hand: load_state_dict refuses files whose format versions, which .safetensors cannot hold, are unknown.
    for name, part in module.state_dict().items():
        part.copy_(state.get(name, torch.zeros(())))


def downloaded(url: str, name: str, megabytes: float, progress: bool, flag: str = "--weights") -> Path:
    """torchvision's weights file, from its cache or its address; the sha256's first digits end its name.

    flag: what takes the file where it cannot be downloaded. ModelError: it cannot be had, or is damaged.
    """
    file = Path(torch.hub.get_dir(), "checkpoints", url.rpartition("/")[2])
    expected = file.stem.rpartition("-")[2]
    if file.exists():
        if not sha256(file).startswith(expected):
            raise ModelError(f"{file} is damaged. Delete it, and it will be downloaded again.")
        return file
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with _patience():  # it writes beside the file, checks, then renames
            torch.hub.download_url_to_file(url, str(file), expected, progress)
    except (OSError, RuntimeError, HTTPException) as problem:
        reason = getattr(problem, "reason", problem)
        raise ModelError(
            f"cannot download {name}'s weights ({megabytes:.0f} MB): {reason}"
            f"\nGet {url} elsewhere and pass it: {flag} {file.name}"
        ) from problem
    return file


def sha256(file: Path) -> str:
    """Of what is in a file, as hexadecimal digits."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


@contextlib.contextmanager
def _patience() -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
