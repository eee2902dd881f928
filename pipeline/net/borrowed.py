"""Borrowed: networks of timm's by name, and the user's own by module:function: (facts, weights file) -> Network."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.fx.proxy import TraceError

from pipeline.errors import ModelError, UsageError, bring, did_you_mean
from pipeline.net.cards import RGB, TIMM, Card
from pipeline.net.tap import Network, layers
from pipeline.net.weights import fill, misfits, read, sha256


def from_timm(facts: Card, weights: Path | None) -> Network:
    """`timm:resnet50.a1_in1k`, its layers those of timm's feature extraction.

    weights: else they are downloaded by timm. UsageError: timm is not here, or has none of that name. ModelError:
    it is not convolutional; or weights that cannot be had, or belong to another network.
    """
    try:
        import timm  # noqa: PLC0415 (an extra, and slow to import)
        from timm.models import _features_fx as apart  # noqa: PLC0415
    except ImportError:
        raise UsageError(f"{facts.name}: needs timm, which is not installed: {bring('timm')}") from None
    name = facts.name.removeprefix(TIMM)
    bare, _, tag = name.partition(".")
    if not timm.is_model(bare) or (tag and name not in timm.list_pretrained(f"{bare}.*")):
        close = timm.list_pretrained(f"{bare}.*") or timm.list_models()
        raise UsageError(f"timm has no network {name!r}.{did_you_mean(name, close)}")
    file = weights or _downloaded(timm, name)
    module = _filled(timm, name, file)
    own = module.pretrained_cfg
    facts = replace(
        facts,
        parameters=sum(part.numel() for part in module.parameters()),
        mean=_three(own.get("mean"), facts.mean),
        std=_three(own.get("std"), facts.std),
    )
    whole = (tuple(apart.get_notrace_modules()), tuple(apart.get_notrace_functions()))
    facts = probed(facts, module, whole, [stage["module"] for stage in getattr(module, "feature_info", ())])
    terms = f"timm's, {own.get('license') or 'see its model card'}; what it was trained on may have terms too"
    licence = terms if weights is None else f"{file.name}: under the terms it came with"
    return Network(facts, module, sha256(file), licence, whole)


def _downloaded(timm: Any, name: str) -> Path:
    """Its file of plain tensors; timm itself would take one that runs code where there is no such."""
    from huggingface_hub import hf_hub_download  # noqa: PLC0415 (comes with timm)

    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # each of a dozen tries is told of otherwise
    at = timm.create_model(name, pretrained=False).pretrained_cfg.get("hf_hub_id")
    try:
        return Path(hf_hub_download(at or "", "model.safetensors"))
    except Exception as problem:  # what a hub's client raises is anybody's guess
        raise ModelError(
            f"cannot download timm's weights of {name} ({type(problem).__name__})"
            f"\nGet model.safetensors of {at or name} elsewhere and pass it: --weights model.safetensors"
        ) from problem


def _filled(timm: Any, name: str, weights: Path) -> Any:
    """The network with the weights in a file; it tells apart as many classes as that."""
    state, module = read(weights), timm.create_model(name, pretrained=False)
    head = module.get_classifier() if hasattr(module, "get_classifier") else None
    path = next((path for path, part in module.named_modules() if part is head), "")
    held = state.get(f"{path}.weight")
    if held is not None and isinstance(head, nn.Linear | nn.Conv2d) and len(held) != len(head.weight):
        module = timm.create_model(name, pretrained=False, num_classes=len(held))
    if wrong := misfits(module, state):
        raise ModelError(f"{weights.name} does not fit timm's {name}: {wrong[0]} ({len(wrong)} misfits).")
    fill(module, state)
    return module.eval().requires_grad_(False)


def from_code(facts: Card, weights: Path | None) -> Network:
    """`package.module:function`: what a function of the user's gives when it is called; this runs the user's code.

    The function takes nothing and gives an nn.Module, of pictures [L, 3, H, W] normalised, in evaluation mode or
    not. Its attributes `mean` and `std`, three numbers each, say how it is normalised; ImageNet's where it has none.
    weights: a state dict to fill it with. UsageError: no such module or function. ModelError: what it gives cannot
    dream, or it fails.
    """
    module_name, _, function = facts.name.partition(":")
    try:
        code = _imported(module_name)
    except ModuleNotFoundError as problem:
        raise UsageError(
            f"--model {facts.name}: {problem}. It is looked for here and where Python looks."
        ) from None
    except Exception as problem:
        raise ModelError(f"--model {facts.name}: {module_name} fails ({_said(problem)})") from problem
    build = getattr(code, function, None)
    if not callable(build):
        known = [name for name, part in vars(code).items() if callable(part) and not name.startswith("_")]
        raise UsageError(
            f"--model {facts.name}: {module_name} has no function {function}.{did_you_mean(function, known)}"
        )
    try:
        module = build()
    except Exception as problem:
        raise ModelError(f"--model {facts.name}: {function}() fails ({_said(problem)})") from problem
    if not isinstance(module, nn.Module):
        raise ModelError(
            f"--model {facts.name}: {function}() gives {type(module).__name__}, expected a torch.nn.Module"
        )
    if weights is not None:
        state = read(weights)
        if wrong := misfits(module, state):
            raise ModelError(f"{weights.name} does not fit {facts.name}: {wrong[0]} ({len(wrong)} misfits)")
        fill(module, state)
    module = module.eval().requires_grad_(False).to("cpu", torch.float32)
    facts = replace(
        facts,
        parameters=sum(part.numel() for part in module.parameters()),
        mean=_three(getattr(module, "mean", None), facts.mean),
        std=_three(getattr(module, "std", None), facts.std),
    )
    return Network(
        probed(facts, module), module, _digest(module), f"{facts.licence}, from {inspect.getfile(build)}"
    )


def probed(
    facts: Card,
    module: nn.Module,
    whole: tuple[tuple[Any, ...], tuple[Any, ...]] = ((), ()),
    known: list[str] | None = None,
) -> Card:
    """`facts` with the taps found in `module`: those `known` that are layers, else its trunk.

    whole: as of Network. ModelError: it is not convolutional.
    """
    if any("Attention" in type(part).__name__ for part in module.modules()):
        raise ModelError(f"{facts.name} is a transformer: only convolutional networks can dream here")
    try:
        found = layers(Network(replace(facts, taps=tuple(known or ())), module, "", "", whole))
    except (RuntimeError, AssertionError, TraceError) as problem:
        raise ModelError(f"{facts.name} cannot dream: it takes pictures of one size only") from problem
    trunk = [layer.path for layer in found if layer.trunk]
    if not trunk:
        raise ModelError(f"{facts.name} cannot dream: none of its layers grows with the picture")
    paths = {layer.path for layer in found}
    return replace(facts, taps=tuple(path for path in known or () if path in paths) or tuple(trunk))


def _imported(name: str) -> Any:
    """A module by its name, from the current folder too, as Python itself has it for scripts."""
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    finally:
        if here in sys.path:
            sys.path.remove(here)


def _digest(module: nn.Module) -> str:
    """Of weights that lie in no file of the user's."""
    digest = hashlib.sha256()
    for name, part in module.state_dict().items():
        digest.update(
            name.encode() + part.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes()
        )
    return digest.hexdigest()


def _three(values: Any, otherwise: RGB) -> RGB:
    """Three numbers, however they are held."""
    try:
        red, green, blue = (float(value) for value in values)
    except (TypeError, ValueError):
        return otherwise
    return red, green, blue


def _said(problem: Exception) -> str:
    return f"{type(problem).__name__}: {str(problem).partition(chr(10))[0][:200]}"
