"""Converted: weights of the networks of 2015, as many tools have written them down -> the names used here.

conv1/7x7_s2.weight, conv1/7x7_s2.0      Caffe's layers and the numbers of their blobs
conv1_7x7_s2.weight                      the same as names of Python have to be
conv1/7x7_s2_w_0, conv1/7x7_s2_w         as ONNX and Caffe2 call them
conv2d0_w                                TensorFlow's constants, [h, w, in, out]
conv2d0_pre_relu_conv.weight             the same, as torch would have them
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor, nn

from pipeline.net.cards import Card

_KEY = re.compile(
    r"(?:import/)?(?P<layer>.+?)(?:_pre_relu_conv|_pre_relu/conv|_pre_activation_matmul|_pre_activation/matmul)?"
    r"[./_](?P<kind>weights?|w|kernel|0|bias(?:es)?|b|1)(?:_0)?(?::0)?"
)
WIDTH = 1024
"""Channels that the classifier of all of them looks at."""

_BIAS = ("bias", "biases", "b", "1")
_CLASSIFIER = ("loss3_classifier", "softmax2")  # what follows says of what
# Heads for training only. Their classifiers are as wide as the one at the end.
_AUXILIARY = re.compile(r"(loss[12]|head[01]|nn[01]|softmax[01])(_|$)")


def named(state: Mapping[str, Tensor], card: Card) -> dict[str, Tensor]:
    """`state` by the names of `InceptionV1`; a key that means nothing here stays as it is, heads for training go."""
    layers = {_plain(name): path for name, path in card.aliases.items()}
    found: dict[str, Tensor] = {}
    for key, part in state.items():
        match = _KEY.fullmatch(key.lower())
        layer = _plain(match["layer"]) if match else ""
        if _AUXILIARY.match(layer):
            continue
        path = "fc" if layer.startswith(_CLASSIFIER) else f"{layers.get(layer, '')}.conv"
        if match is None or path == ".conv":
            found[key] = part
        else:
            found[f"{path}.{'bias' if match['kind'] in _BIAS else 'weight'}"] = part
    return found


def classes(state: Mapping[str, Tensor]) -> int:
    """How many the classifier in a state by the names used here tells apart, 0 without one."""
    sides = [side for side in state["fc.weight"].shape if side != 1] if "fc.weight" in state else []
    return next((side for side in sides if side != WIDTH), WIDTH if sides else 0)


def shaped(state: Mapping[str, Tensor], module: nn.Module, *, bgr: bool) -> dict[str, Tensor]:
    """The same as `module` has them: [out, in, h, w], without sides of 1 before them, red first.

    bgr: blue is first in what the first layer was taught. What fits in no way is left as it is.
    """
    wanted = {name: part.shape for name, part in module.state_dict().items()}
    fitted = {name: _fitted(part, wanted[name]) if name in wanted else part for name, part in state.items()}
    first = fitted.get("conv1.conv.weight")
    if bgr and first is not None and first.ndim == 4 and first.shape[1] == 3:
        fitted["conv1.conv.weight"] = first.flip(1)
    return fitted


def _fitted(part: Tensor, shape: tuple[int, ...]) -> Tensor:
    if part.shape == shape:
        return part
    turned = part.permute(3, 2, 0, 1) if part.ndim == 4 else part.T if part.ndim == 2 else part
    if turned.shape == shape:
        return turned.contiguous()
    bare = [side for side in part.shape if side != 1]
    return part.reshape(shape) if bare == [side for side in shape if side != 1] else part


def _plain(name: str) -> str:
    return re.sub(r"[/.]", "_", name.lower())
