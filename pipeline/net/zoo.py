"""Zoo: networks by name, with their weights: (name, weights file or None) -> Network."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import socket
from collections.abc import Iterator, Mapping
from dataclasses import replace
from http.client import HTTPException
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.fx.proxy import TraceError

from pipeline.errors import ModelError, UsageError, did_you_mean
from pipeline.net import builtin
from pipeline.net.cards import CARDS, Card, card
from pipeline.net.tap import Network, layers

SHIPPED = Path(__file__).with_name("builtin.safetensors")
"""The weights in the box; the .json beside them says how they were made."""

PATIENCE = 20.0
"""Seconds without an answer before a download is given up."""

CLASSES = 1000
"""Of ImageNet."""

# Built bare: the heads are for training, and what transform_input does is in their cards' mean and std.
_INCEPTIONS = ("googlenet", "inception_v3")
_BARE = {"aux_logits": False, "transform_input": False, "init_weights": False}
# Heads that only training uses; torchvision's files have them, other people's may not.
_AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")
# torchvision's files of the DenseNets are older than its rule against dots in names.
_OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|conv))\.(?=[12]\.)")


def load(name: str, weights: Path | None = None, *, progress: bool = True) -> Network:
    """The network called `name`, with the weights in the file, or else torchvision's, downloaded once.

    weights: .safetensors, or a state dict saved by torch (.pth, .pt); number of classes as in the file.
    progress: draw a bar on stderr while downloading.
    UsageError: no network of that name. ModelError: not convolutional; or weights that cannot be had, cannot
    be read, or belong to another network.
    """
    facts = card(name)
    if facts.builder == "builtin":
        return _from_the_box(facts, weights)
    module = _skeleton(name)
    if not facts.listed:
        facts = _probed(_with_torchvision_facts(facts), module)
    file, expected = (weights, "") if weights else _downloaded(facts, progress)
    state = read_weights(file)
    digest = _sha256(file)
    if not digest.startswith(expected):
        raise ModelError(f"{file} is damaged. Delete it, and it will be downloaded again.")
    if (classes := _classes(module, state)) != CLASSES:
        module = _skeleton(name, classes)
    if misfits := _misfits(module, state):
        what = f"{misfits[0]} ({len(misfits)} misfits)"
        raise ModelError(f"{file.name} does not fit {name}: {what}.{_owner(state)}")
    _fill(module, state)
    licence = facts.licence if weights is None else f"{file.name}: under the terms it came with"
    return Network(facts, module, digest, licence)


def _from_the_box(facts: Card, weights: Path | None) -> Network:
    """The network that ships with this program, with its own weights or others of its kind."""
    file = weights or SHIPPED
    state = read_weights(file)
    digest = _sha256(file)
    if weights is None and digest != json.loads(SHIPPED.with_suffix(".json").read_text())["sha256"]:
        raise ModelError(f"{file} is damaged: its hash is not the one it was made with. Install again.")
    motifs = state.get("motif.bias", torch.zeros(1)).numel() - 1
    module = builtin.build(motifs)
    if misfits := _misfits(module, state):
        what = f"{misfits[0]} ({len(misfits)} misfits)"
        raise ModelError(f"{file.name} does not fit {facts.name}: {what}.{_owner(state)}")
    _fill(module, state)
    return Network(facts, module, digest, facts.licence)


def build(name: str, classes: int = CLASSES) -> nn.Module:
    """The network in the box or a torchvision classifier, random weights, eval mode. UsageError: there is none."""
    if name in CARDS and CARDS[name].builder == "builtin":
        return builtin.build()
    from torchvision import models  # noqa: PLC0415 (slow to import, and not every network needs it)

    known = models.list_models(module=models)
    if name not in known:
        raise UsageError(f"there is no network {name!r}.{did_you_mean(name, (*CARDS, *known))}")
    bare = _BARE if name in _INCEPTIONS else {}
    module: nn.Module = models.get_model(name, weights=None, num_classes=classes, **bare)
    return module.eval().requires_grad_(False)


def read_weights(file: Path) -> dict[str, Tensor]:
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


def _skeleton(name: str, classes: int = CLASSES) -> nn.Module:
    """The network without memory for its weights: filling VGG's with random numbers takes seconds."""
    try:
        with torch.device("meta"):
            return build(name, classes)
    except NotImplementedError:  # RegNet computes its widths with tensors
        return build(name, classes)


def _fill(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    module.to_empty(device="cpu")
    # By hand: load_state_dict refuses files whose format versions, which .safetensors cannot hold, are unknown.
    for name, part in module.state_dict().items():
        part.copy_(state.get(name, torch.zeros(())))


def _classes(module: nn.Module, state: Mapping[str, Tensor]) -> int:
    """How many classes the file's classifier has: it may have been trained on other ones."""
    for name, part in module.state_dict().items():
        held = state.get(name)
        if part.shape[:1] == (CLASSES,) and held is not None and held.ndim == part.ndim:
            return len(held)
    return CLASSES


def _misfits(module: nn.Module, state: Mapping[str, Tensor]) -> list[str]:
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


def _owner(state: Mapping[str, Tensor]) -> str:
    for name in (known.name for known in CARDS.values() if known.builder == "torchvision"):
        if not _misfits(_skeleton(name, _classes(_skeleton(name), state)), state):
            return f" These look like the weights of {name}: --model {name}"
    return ""


def _probed(facts: Card, module: nn.Module) -> Card:
    """`facts` with the taps found in `module`. ModelError: it is not convolutional."""
    if any("Attention" in type(part).__name__ for part in module.modules()):
        raise ModelError(f"{facts.name} is a transformer: only convolutional networks can dream here")
    try:
        trunk = [layer.path for layer in layers(Network(facts, module, "", "")) if layer.trunk]
    except (RuntimeError, AssertionError, TraceError) as problem:
        raise ModelError(f"{facts.name} cannot dream: it takes pictures of one size only") from problem
    if not trunk:
        raise ModelError(f"{facts.name} cannot dream: none of its layers grows with the picture")
    return replace(facts, taps=tuple(trunk))


def _with_torchvision_facts(facts: Card) -> Card:
    entry = _entry(facts)
    seen, meta = entry.transforms.keywords, entry.meta
    return replace(
        facts,
        parameters=meta["num_params"],
        megabytes=meta.get("_file_size", 0),
        mean=tuple(seen.get("mean", facts.mean)),
        std=tuple(seen.get("std", facts.std)),
        licence=meta.get("license", facts.licence),
    )


def _entry(facts: Card) -> Any:
    """What torchvision knows of these weights: url, transforms, meta."""
    from torchvision.models import get_model_weights  # noqa: PLC0415

    return get_model_weights(facts.name)[facts.weights]


def _downloaded(facts: Card, progress: bool) -> tuple[Path, str]:
    """torchvision's weights file, and the digits its sha256 starts with (they stand at the end of its name)."""
    url = _entry(facts).url
    file = Path(torch.hub.get_dir(), "checkpoints", url.rpartition("/")[2])
    expected = file.stem.rpartition("-")[2]
    if file.exists():
        return file, expected
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with _patience():  # it writes beside the file, checks, then renames
            torch.hub.download_url_to_file(url, str(file), expected, progress)
    except (OSError, RuntimeError, HTTPException) as problem:
        reason = getattr(problem, "reason", problem)
        raise ModelError(
            f"cannot download {facts.name}'s weights ({facts.megabytes:.0f} MB): {reason}"
            f"\nGet {url} elsewhere and pass it: --weights {file.name}"
        ) from problem
    return file, expected


@contextlib.contextmanager
def _patience() -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
