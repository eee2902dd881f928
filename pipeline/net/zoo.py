"""Zoo: networks by name, with their weights: (name, weights file or None) -> Network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.errors import ModelError, UsageError, did_you_mean
from pipeline.net import borrowed, builtin, converted, inception_v1
from pipeline.net.cards import CARDS, Card, card
from pipeline.net.tap import Network
from pipeline.net.weights import downloaded, fill, misfits, read, sha256

SHIPPED = Path(__file__).with_name("builtin.safetensors")
"""The weights in the box; the .json beside them says how they were made."""

CLASSES = 1000
"""Of ImageNet."""

# Built bare: the heads are for training, and what transform_input does is in their cards' mean and std.
_INCEPTIONS = ("googlenet", "inception_v3")
_BARE = {"aux_logits": False, "transform_input": False, "init_weights": False}


def load(name: str, weights: Path | str | None = None, *, progress: bool = True) -> Network:
    """The network called `name`, with the weights in the file, or else those of its library, downloaded once.

    A name with a colon runs code: timm's, or with package.module:function the user's own. What may come from a
    stranger must not get here with one: `looks.settle` sees to it.

    weights: .safetensors, or a state dict saved by torch (.pth, .pt); number of classes as in the file.
    progress: draw a bar on stderr while downloading.
    UsageError: no network of that name. ModelError: not convolutional; or weights that cannot be had, cannot
    be read, or belong to another network.
    """
    weights = Path(weights) if weights else None
    facts = card(name)
    if facts.builder == "builtin":
        return _from_the_box(facts, weights)
    if facts.builder == "inception_v1":
        return _of_2015(facts, weights)
    if facts.builder == "timm":
        return borrowed.from_timm(facts, weights)
    if facts.builder == "code":
        return borrowed.from_code(facts, weights)
    module = _skeleton(name)
    if not facts.listed:
        facts = borrowed.probed(_with_torchvision_facts(facts), module)
    file = weights or downloaded(_entry(facts).url, facts.name, facts.megabytes, progress)
    state, digest = read(file), sha256(file)
    if (classes := _classes(module, state)) != CLASSES:
        module = _skeleton(name, classes)
    if wrong := misfits(module, state):
        what = f"{wrong[0]} ({len(wrong)} misfits)"
        raise ModelError(f"{file.name} does not fit {name}: {what}.{_owner(state)}")
    fill(module, state)
    licence = facts.licence if weights is None else f"{file.name}: under the terms it came with"
    return Network(facts, module, digest, licence)


def _from_the_box(facts: Card, weights: Path | None) -> Network:
    """The network that ships with this program, with its own weights or others of its kind."""
    file = weights or SHIPPED
    if weights is None and sha256(file) != json.loads(SHIPPED.with_suffix(".json").read_text())["sha256"]:
        raise ModelError(f"{file} is damaged: its hash is not the one it was made with. Install again.")
    state = read(file)
    motifs = state.get("motif.bias", torch.zeros(1)).numel() - 1
    module = builtin.build(motifs)
    if wrong := misfits(module, state):
        what = f"{wrong[0]} ({len(wrong)} misfits)"
        raise ModelError(f"{file.name} does not fit {facts.name}: {what}.{_owner(state)}")
    fill(module, state)
    return Network(facts, module, sha256(file), facts.licence)


def _of_2015(facts: Card, weights: Path | None) -> Network:
    """A network of 2015, with weights as one of many tools wrote them down."""
    if weights is None:
        raise ModelError(
            f"{facts.name} comes without weights: give them with --weights FILE, .pth or .safetensors, as converted"
            f" from {'TensorFlow' if facts.name == 'inception5h' else 'Caffe'}."
            " --model googlenet is its relative that torchvision downloads."
        )
    given = read(weights)
    state = converted.named(given, facts)
    module = _bare_of_2015(facts.name, state)
    bgr = inception_v1.KINDS[facts.name].bgr and "conv1.conv.weight" not in given
    state = converted.shaped(state, module, bgr=bgr)
    if wrong := misfits(module, state):
        what = f"{wrong[0]} ({len(wrong)} misfits)"
        raise ModelError(f"{weights.name} does not fit {facts.name}: {what}.{_owner(given)}")
    fill(module, state)
    return Network(facts, module, sha256(weights), f"{weights.name}: under the terms it came with")


def build(name: str, classes: int = CLASSES) -> nn.Module:
    """A network with a card or a torchvision classifier, random weights, eval mode. UsageError: there is none."""
    if name in CARDS and CARDS[name].builder == "builtin":
        return builtin.build()
    if name in inception_v1.KINDS:
        return inception_v1.build(name, None if classes == CLASSES else classes)
    from torchvision import models  # noqa: PLC0415 (slow to import, and not every network needs it)

    known = models.list_models(module=models)
    if name not in known:
        raise UsageError(f"there is no network {name!r}.{did_you_mean(name, (*CARDS, *known))}")
    bare = _BARE if name in _INCEPTIONS else {}
    module: nn.Module = models.get_model(name, weights=None, num_classes=classes, **bare)
    return module.eval().requires_grad_(False)


def _skeleton(name: str, classes: int = CLASSES) -> nn.Module:
    """The network without memory for its weights: filling VGG's with random numbers takes seconds."""
    try:
        with torch.device("meta"):
            return build(name, classes)
    except NotImplementedError:  # RegNet computes its widths with tensors
        return build(name, classes)


def _classes(module: nn.Module, state: Mapping[str, Tensor]) -> int:
    """How many classes the file's classifier has: it may have been trained on other ones."""
    for name, part in module.state_dict().items():
        held = state.get(name)
        if part.shape[:1] == (CLASSES,) and held is not None and held.ndim == part.ndim:
            return len(held)
    return CLASSES


def _owner(state: Mapping[str, Tensor]) -> str:
    for name in inception_v1.KINDS:
        known = converted.named(state, CARDS[name])
        module = _bare_of_2015(name, known)
        if not misfits(module, converted.shaped(known, module, bgr=False)):
            return f" These look like the weights of {name}: --model {name}"
    for name in (known.name for known in CARDS.values() if known.builder == "torchvision"):
        if not misfits(_skeleton(name, _classes(_skeleton(name), state)), state):
            return f" These look like the weights of {name}: --model {name}"
    return ""


def _bare_of_2015(name: str, state: Mapping[str, Tensor]) -> nn.Module:
    """Without memory for its weights, for as many classes as the state tells apart."""
    with torch.device("meta"):
        return inception_v1.build(name, converted.classes(state))


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
