"""Cards: what is known of each network before torch is loaded: one frozen row of facts per network, by name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from pipeline.errors import UsageError

RGB = tuple[float, float, float]


@dataclass(frozen=True)
class Card:
    """The facts of one network.

    layers: default target. parameters, megabytes, weights, licence: of the weights downloaded when no file
    is given. least: smallest height and width, in pixels, that still reach the deepest tap.
    taps: the layers people choose among, shallow to deep, by the names they know them by.
    aliases: the taps that are no module path, and all other names, in lower case, to module paths.
    mean, std: what the weights were trained on is (picture - mean) / std, picture RGB in 0..1.
    muted: channels that a dream of a whole layer leaves out, by tap: in a film they would crowd out all others.
    motifs: things it knows by name, to their channels of its layer `motif`; those a sheet shows it can dream.
    objective, smooth (sigma, pixels), dream_size, octaves, octave_scale, step, jitter: this network's defaults for
    the settings of the same names; None where the product's own default suits it.
    listed: False for a network without a row here, whose layers are known only once it is built.
    """

    name: str
    layers: str
    parameters: int
    megabytes: float
    least: int
    taps: tuple[str, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)
    mean: RGB = (0.485, 0.456, 0.406)
    std: RGB = (0.229, 0.224, 0.225)
    objective: str = "energy"
    smooth: float = 0.0
    dream_size: str = "full"
    octaves: int | None = None
    octave_scale: float | None = None
    step: float | None = None
    jitter: int | None = None
    weights: str = "IMAGENET1K_V1"
    licence: str = (
        "torchvision (BSD-3-Clause), trained on ImageNet, whose terms (non-commercial research) may apply"
    )
    builder: Literal["torchvision", "builtin", "inception_v1", "timm", "code"] = "torchvision"
    listed: bool = True
    motifs: Mapping[str, int] = field(default_factory=dict, repr=False, hash=False)
    muted: Mapping[str, tuple[int, ...]] = field(default_factory=dict, repr=False, hash=False)

    @cached_property
    def paths(self) -> Mapping[str, str]:
        """Every name this card knows, in lower case, to its module path."""
        return {tap.lower(): tap for tap in self.taps} | dict(self.aliases)

    @cached_property
    def roots(self) -> frozenset[str]:
        """The first parts of module paths to layers: features, layer3, inception4c ..."""
        return frozenset(path.split(".")[0] for path in self.paths.values())


def card(name: str) -> Card:
    """The card of `name`; for a network without one, a card that says only that (listed=False).

    UsageError: `name` is a misspelling of a network with a card.
    """
    if name in CARDS:
        return CARDS[name]
    if name.startswith(TIMM):
        return Card(name, "60%", 0, 0, 1, weights="DEFAULT", builder="timm", listed=False)
    if is_code(name):
        terms = "your own code and weights"
        return Card(name, "60%", 0, 0, 1, weights="", licence=terms, builder="code", listed=False)
    for known in CARDS:
        if _misspelt(name, known):
            raise UsageError(f"there is no network {name!r}. Did you mean {known}?")
    return Card(name, "60%", parameters=0, megabytes=0, least=1, weights="DEFAULT", listed=False)


TIMM = "timm:"


def is_code(name: str) -> bool:
    """Whether a network is a function of the user's: package.module:function."""
    return bool(re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", name)) and not name.startswith(
        TIMM
    )


def _misspelt(name: str, known: str) -> bool:
    # Networks of one family differ in their numbers (vgg13, vgg16): other digits are another network.
    same_digits = re.findall(r"\d", name) == re.findall(r"\d", known)
    return same_digits and difflib.SequenceMatcher(None, name.lower(), known).ratio() >= 0.85


def _inception_v1(pool: str = "maxpool") -> dict[str, str]:
    """Caffe's names (inception_4c/output, inception_4c/3x3_reduce) and Lucid's (mixed4c, mixed4c_3x3).

    pool: what the modules between the blocks are called.
    """
    names = {
        "conv1/7x7_s2": "conv1",
        "pool1/3x3_s2": f"{pool}1",
        "conv2/3x3_reduce": "conv2",
        "conv2/3x3": "conv3",
        "pool2/3x3_s2": f"{pool}2",
        "pool3/3x3_s2": f"{pool}3",
        "pool4/3x3_s2": f"{pool}4",
    }
    parts = (  # Caffe, Lucid, torchvision
        ("1x1", "1x1", "branch1"),
        ("3x3_reduce", "3x3_bottleneck", "branch2.0"),
        ("3x3", "3x3", "branch2.1"),
        ("5x5_reduce", "5x5_bottleneck", "branch3.0"),
        ("5x5", "5x5", "branch3.1"),
        ("pool", "pool", "branch4.0"),
        ("pool_proj", "pool_reduce", "branch4.1"),
    )
    for block in _words("3a 3b 4a 4b 4c 4d 4e 5a 5b"):
        path = f"inception{block}"
        names |= dict.fromkeys(
            (block, f"mixed{block}", f"inception_{block}", f"inception_{block}/output"), path
        )
        for caffe, lucid, branch in parts:
            names |= dict.fromkeys(
                (f"inception_{block}/{caffe}", f"mixed{block}_{lucid}"), f"{path}.{branch}"
            )
    return names


def _of_2015() -> dict[str, str]:
    """What the first networks have besides: norms, and TensorFlow's names below the blocks."""
    names = _inception_v1("pool") | {"pool1/norm1": "norm1", "conv2/norm2": "norm2"}
    names |= {"localresponsenorm0": "norm1", "localresponsenorm1": "norm2"}
    names |= {"conv2d0": "conv1", "conv2d1": "conv2", "conv2d2": "conv3"}
    return names | {"maxpool0": "pool1", "maxpool1": "pool2", "maxpool4": "pool3", "maxpool10": "pool4"}


def _inception_v3() -> dict[str, str]:
    """Keras's names, mixed0 to mixed10; TF-Slim's Mixed_5b are the modules' own."""
    blocks = _words("5b 5c 5d 6a 6b 6c 6d 6e 7a 7b 7c")
    pools = {"maxpool1": "maxpool1", "maxpool2": "maxpool2"}
    return pools | {f"mixed{i}": f"Mixed_{block}" for i, block in enumerate(blocks)}


def _vgg(*convolutions: int) -> dict[str, str]:
    """conv1_1, relu1_1 ... pool5, for blocks of so many convolutions."""
    names: list[str] = []
    for block, count in enumerate(convolutions, 1):
        names += [f"{kind}{block}_{i}" for i in range(1, count + 1) for kind in ("conv", "relu")]
        names.append(f"pool{block}")
    return _features(*names)


def _resnet(*blocks: int) -> dict[str, str]:
    """Caffe's names (res4f) and Keras's (conv4_block6_out) for the blocks of layer1 to layer4."""
    names = {"conv1": "conv1", "conv1_bn": "bn1", "conv1_relu": "relu", "pool1": "maxpool"}
    for stage, count in enumerate(blocks, 1):
        for i in range(count):
            block = f"res{stage + 1}{'abcdef'[i]}", f"conv{stage + 1}_block{i + 1}_out"
            names |= dict.fromkeys(block, f"layer{stage}.{i}")
    return names


def _efficientnet(*blocks: int) -> dict[str, str]:
    """Keras's names (block4c, top_activation), and block4 for a whole stage."""
    names = {"stem": "features.0", "top_activation": f"features.{len(blocks) + 1}"}
    for stage, count in enumerate(blocks, 1):
        names[f"block{stage}"] = f"features.{stage}"
        names |= {f"block{stage}{'abcd'[i]}": f"features.{stage}.{i}" for i in range(count)}
    return names


def _features(*names: str) -> dict[str, str]:
    """Names for features.0, features.1 ..., in order."""
    return {name: f"features.{i}" for i, name in enumerate(names)}


def _words(names: str) -> tuple[str, ...]:
    return tuple(names.split())


_ALEXNET = _words("conv1 relu1 pool1 conv2 relu2 pool2 conv3 relu3 conv4 relu4 conv5 relu5 pool5")
_SQUEEZE_1_0 = _words("conv1 relu_conv1 pool1 fire2 fire3 fire4 pool4 fire5 fire6 fire7 fire8 pool8 fire9")
_SQUEEZE_1_1 = _words("conv1 relu_conv1 pool1 fire2 fire3 pool3 fire4 fire5 pool5 fire6 fire7 fire8 fire9")
_DENSENET = _words(
    "conv0 norm0 relu0 pool0 denseblock1 transition1 denseblock2 transition2 denseblock3 transition3"
    " denseblock4 norm5"
)
_CONVNEXT = {"stem": "features.0"} | {f"stage{i}": f"features.{2 * i - 1}" for i in (1, 2, 3, 4)}
_CLASS_MAP = {"conv10": "classifier.1", "relu_conv10": "classifier.2"}

_2015_LAYERS = _words(
    "conv1 conv2 conv3 inception3a inception3b inception4a inception4b inception4c inception4d inception4e"
    " inception5a inception5b"
)
_2015_TERMS = "weights of yours, under the terms they came with"
_GREY_LEVEL = (1 / 255, 1 / 255, 1 / 255)
_CAFFE_MEAN = (123 / 255, 117 / 255, 104 / 255)
_TF_MEAN = (117 / 255, 117 / 255, 117 / 255)

# The two Inceptions were trained on -1..1. torchvision gets there from its usual mean and std by their
# transform_input; here their cards say it, and transform_input stays off.
_HALF = (0.5, 0.5, 0.5)

# resnet50 and mobilenet_v3_large have newer weights (V2); V1 are the ones whose dreams are known.
# fmt: off
_MOTIFS = {
    "owl": 1, "dog": 2, "monkey": 4, "turtle": 13, "snail": 16, "leaf": 24, "mushroom": 26, "tree": 27, "coral": 28,
    "tentacle": 32, "peacock": 33, "spiral": 35, "wheel": 39, "arch": 41, "flame": 45, "bubbles": 46,
}
_STRIPES = {"mixed3b": (29, 172, 215, 232)}
"""Rainbow stripes and stars: they spread from saturated places over a whole shot."""

_CARDS = (
    #    name                  layers        parameters     MB     least
    Card("builtin",            "mixed3b",       1_888_339,   3.8,  16, _words(
         "strokes mixed3a mixed3b mixed4a mixed4b mixed4c mixed4d motif"),
         {name: name for name in _words("stem shrink3 shrink4")}, _HALF, (0.25, 0.25, 0.25), "sparse", 0.5,
         weights="", licence="CC0: trained by this project on pictures it draws itself", builder="builtin",
         octaves=3, step=0.5, motifs=_MOTIFS, muted=_STRIPES),
    Card("googlenet",          "inception4c",   6_624_904,  49.7,  15, _words(
         "conv1 conv2 conv3 inception3a inception3b inception4a inception4b inception4c inception4d inception4e"
         " inception5a inception5b"), _inception_v1(), _HALF, _HALF),
    Card("bvlc_googlenet",     "inception4c",   6_998_552,  28.0,  31, _2015_LAYERS, _of_2015(),
         _CAFFE_MEAN, _GREY_LEVEL, weights="", licence=_2015_TERMS, builder="inception_v1"),
    Card("googlenet_places365", "inception4c",  6_347_677,  25.4,  31, _2015_LAYERS, _of_2015(),
         _CAFFE_MEAN, _GREY_LEVEL, weights="", licence=_2015_TERMS, builder="inception_v1"),
    Card("inception5h",        "inception4c",   7_066_380,  28.3,   1, _2015_LAYERS, _of_2015(),
         _TF_MEAN, _GREY_LEVEL, weights="", licence=_2015_TERMS, builder="inception_v1"),
    Card("inception_v3",       "mixed3, mixed5", 27_161_264, 103.9, 75, _words(
         "Conv2d_1a_3x3 Conv2d_2a_3x3 Conv2d_2b_3x3 Conv2d_3b_1x1 Conv2d_4a_3x3 Mixed_5b Mixed_5c Mixed_5d Mixed_6a"
         " Mixed_6b Mixed_6c Mixed_6d Mixed_6e Mixed_7a Mixed_7b Mixed_7c"), _inception_v3(), _HALF, _HALF),
    Card("vgg16",              "relu4_3",     138_357_544, 527.8,  16, _words(
         "relu1_1 relu1_2 relu2_1 relu2_2 relu3_1 relu3_2 relu3_3 relu4_1 relu4_2 relu4_3 relu5_1 relu5_2"
         " relu5_3"), _vgg(2, 2, 3, 3, 3)),
    Card("vgg19",              "relu4_3",     143_667_240, 548.1,  16, _words(
         "relu1_1 relu1_2 relu2_1 relu2_2 relu3_1 relu3_2 relu3_3 relu3_4 relu4_1 relu4_2 relu4_3 relu4_4 relu5_1"
         " relu5_2 relu5_3 relu5_4"), _vgg(2, 2, 4, 4, 4)),
    Card("resnet50",           "layer3",       25_557_032,  97.8,   1, _words(
         "conv1_relu layer1 layer2 layer3 layer4"), _resnet(3, 4, 6, 3)),
    Card("squeezenet1_0",      "fire8",         1_248_424,   4.8,  21, _words(
         "relu_conv1 fire2 fire3 fire4 fire5 fire6 fire7 fire8 fire9"), _features(*_SQUEEZE_1_0) | _CLASS_MAP),
    Card("squeezenet1_1",      "fire8",         1_235_496,   4.7,  17, _words(
         "relu_conv1 fire2 fire3 fire4 fire5 fire6 fire7 fire8 fire9"), _features(*_SQUEEZE_1_1) | _CLASS_MAP),
    Card("alexnet",            "relu4",        61_100_840, 233.1,  31, _words(
         "relu1 relu2 relu3 relu4 relu5"), _features(*_ALEXNET)),
    Card("densenet121",        "denseblock3",   7_978_856,  30.8,  29, _words(
         "relu0 denseblock1 transition1 denseblock2 transition2 denseblock3 transition3 denseblock4"),
         {name: f"features.{name}" for name in _DENSENET}),
    Card("mobilenet_v3_large", "features.12",   5_483_032,  21.1,   1, _words(
         "features.0 features.1 features.2 features.3 features.4 features.5 features.6 features.7 features.8"
         " features.9 features.10 features.11 features.12 features.13 features.14 features.15 features.16")),
    Card("efficientnet_b0",    "block5",        5_288_548,  20.5,   1, _words(
         "stem block1 block2 block3 block4 block5 block6 block7 top_activation"), _efficientnet(1, 2, 2, 3, 3, 4, 1)),
    Card("convnext_tiny",      "stage3",       28_589_128, 109.1,  32, _words(
         "stem stage1 stage2 stage3 stage4"), _CONVNEXT),
)
# fmt: on

CARDS: Mapping[str, Card] = {card.name: card for card in _CARDS}
