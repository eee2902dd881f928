"""Contact sheets of the network in the box, to be looked at: weights or a checkpoint -> JPEGs in a folder.

python scripts/sheets_builtin.py taps --out sheets            the shipped weights
python scripts/sheets_builtin.py motifs --checkpoint build/builtin/checkpoint.pt --out sheets
"""

from __future__ import annotations

import pipeline  # isort: skip  (before torch: it has threads sleep while they wait)

import argparse
import os
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
import torch
from drawing import FAMILIES, draw
from drawing.canvas import SIZE
from drawing.compose import Bank, compose
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor

from pipeline.clip import Size
from pipeline.net import builtin, tap, zoo
from pipeline.net.cards import Card
from pipeline.net.targets import parse_targets
from pipeline.ops.objectives import OBJECTIVES
from pipeline.scene import demo_scene
from pipeline.stages import stills
from pipeline.stages.dream import Look, dream

ROOT = Path(__file__).resolve().parents[1]
Picture = NDArray[np.uint8]
DATA = Path(os.environ.get("DREAM_TEST_DATA", ROOT.parent / "shared" / "data"))
TAPS = ("strokes", "mixed3a", "mixed3b", "mixed4a", "mixed4b", "mixed4c", "mixed4d")
CARD = Card("builtin", "mixed4c", 0, 0, 32, taps=(*TAPS, "motif"), mean=builtin.MEAN, std=builtin.STD)


def network(weights: Path, checkpoint: Path | None) -> tap.Network:
    """The network with the shipped weights, or with the averaged ones of a training in progress."""
    if checkpoint is None:
        module = builtin.build()
        module.load_state_dict({name: value.float() for name, value in load_file(weights).items()})
        return tap.Network(CARD, module, "", "")
    average = torch.load(checkpoint, weights_only=True)["average"]
    state = {name.removeprefix("net."): value for name, value in average.items() if name.startswith("net.")}
    trained = builtin.Builtin(len(state["motif.bias"]) - 1, norm=True)
    trained.load_state_dict(state)
    return tap.Network(CARD, builtin.fold(trained).requires_grad_(False), "", "")


def dreamed(
    net: tap.Network,
    picture: Picture,
    layers: str,
    objective: str,
    smooth: float,
    iterations: int = 10,
    octaves: int = 4,
) -> Picture:
    """The product's dream of a still, at its default step and octave scale."""
    cut = tap.cut(net, parse_targets(layers))
    jitter = min(32, min(picture.shape[:2]) // 8)
    look = Look(cut, OBJECTIVES[objective], octaves=octaves, smooth=smooth, jitter=jitter)
    x = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
    out, *_ = dream(look, x, torch.ones(1, 1, *x.shape[2:]), iterations, 1.5)
    return picture_of(out)


def picture_of(x: Tensor) -> Picture:
    return (x[0].permute(1, 2, 0).numpy() * 255 + 0.5).astype(np.uint8)


def read(path: Path, width: int = 512, height: int = 288) -> Picture:
    """The middle of a still, or of a clip's 10th frame, cut to the sheet's shape."""
    if path.suffix == ".mp4":
        with av.open(str(path)) as clip:
            rgb = next(islice(clip.decode(video=0), 10, None)).to_ndarray(format="rgb24")
    else:
        rgb = stills.read(path)
    h, w = rgb.shape[:2]
    scale = max(width / w, height / h)
    rgb = cv2.resize(rgb, (round(w * scale), round(h * scale)), interpolation=cv2.INTER_AREA)
    top, left = (rgb.shape[0] - height) // 2, (rgb.shape[1] - width) // 2
    return np.ascontiguousarray(rgb[top : top + height, left : left + width])


def scenes() -> list[Picture]:
    """The demo scene, and from the test data stills and clips with sky, fire, a face, houses, a room."""
    names = ("stills/sky1024px.jpg", "clips/volcano.mp4", "stills/lion.jpg", "stills/tubingen.png")
    return [demo_scene(Size(288, 512), seconds=1).picture(8), *(read(DATA / name) for name in names)]


def soft_noise(side: int, seed: int = 0) -> Picture:
    rng = np.random.default_rng(seed)
    coarse = cv2.GaussianBlur(rng.standard_normal((side, side, 3)).astype(np.float32), (0, 0), 2)
    return np.clip(128 + 120 * coarse, 0, 255).astype(np.uint8)


def named(picture: Picture, name: str) -> Picture:
    picture = np.ascontiguousarray(picture)
    for colour, width in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(picture, name, (4, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, width, cv2.LINE_AA)
    return picture


def save(path: Path, cells: Sequence[Picture], columns: int) -> None:
    blank = [np.zeros_like(cells[0])] * (-len(cells) % columns)
    cells = [*cells, *blank]
    rows = [np.concatenate(cells[i : i + columns], 1) for i in range(0, len(cells), columns)]
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.concatenate(rows)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    print(path)


def families(options: argparse.Namespace) -> None:
    """Every family, eight species."""
    cells = []
    for name in FAMILIES:
        for species in range(8):
            rgba = draw(name, species, species).astype(np.float32)
            alpha = rgba[..., 3:] / 255
            flat = (rgba[..., :3] * alpha + 110 * (1 - alpha)).astype(np.uint8)
            cells.append(named(flat, name) if species == 0 else flat)
    save(options.out / "families.jpg", cells, 24)


def compositions(options: argparse.Namespace) -> None:
    """What the network is shown."""
    bank, rng = Bank(options.bank), np.random.default_rng(3)
    save(options.out / "compositions.jpg", [compose(bank, rng).rgb for _ in range(84)], 14)


def taps(options: argparse.Namespace) -> None:
    """Every tap on every scene, with each objective asked for."""
    net, pictures = network(options.weights, options.checkpoint), scenes()
    cells = [] if options.only else [*pictures]
    for name in options.only or TAPS:
        for objective in options.objectives:
            label = f"{name} {objective} smooth {options.smooth:g}"
            cells += [named(dreamed(net, p, name, objective, options.smooth), label) for p in pictures]
    save(options.out / f"taps_{'_'.join(options.objectives)}_{options.smooth:g}.jpg", cells, len(pictures))


def channels(options: argparse.Namespace) -> None:
    """24 channels of each of two taps, grown from noise."""
    net = network(options.weights, options.checkpoint)
    for name in options.only or ("mixed4b", "mixed4c"):
        width = getattr(net.module, name).width
        chosen = np.linspace(0, width - 1, 24).round().astype(int)
        cells = [
            named(dreamed(net, soft_noise(SIZE), f"{name}#{c}", "mean", options.smooth, 24, 3), f"{c}")
            for c in chosen
        ]
        save(options.out / f"channels_{name}.jpg", cells, 12)


def motifs(options: argparse.Namespace) -> None:
    """Every motif by name, grown from noise."""
    net = network(options.weights, options.checkpoint)
    cells = []
    for i, name in enumerate(FAMILIES):
        cells.append(named(dreamed(net, soft_noise(SIZE), f"motif#{i}", "mean", options.smooth, 24, 3), name))
    save(options.out / "motifs.jpg", cells, 12)


def compared(options: argparse.Namespace) -> None:
    """Next to ImageNet's SqueezeNet, with both objectives."""
    squeezenet = zoo.load("squeezenet1_0", DATA / "weights" / "squeezenet1_0_imagenet.safetensors")
    ours, pictures = network(options.weights, options.checkpoint), scenes()
    shown = [(squeezenet, name, 0.0) for name in ("features.9", "features.12")]
    shown += [(ours, name, options.smooth) for name in options.only or ("mixed4b", "mixed4c")]
    cells = []
    for net, name, smooth in shown:
        for objective in ("energy", "sparse"):
            cells += [
                named(dreamed(net, p, name, objective, smooth), f"{name} {objective}") for p in pictures
            ]
    save(options.out / "compared.jpg", cells, len(pictures))


def strip(options: argparse.Namespace) -> None:
    """20 frames of a hand-held clip: source above, dream below."""
    clip, cells = DATA / "clips" / "plants_handheld.mp4", []
    layers = {"layers": options.only[0]} if options.only else {}
    for frame in islice(pipeline.dream(str(clip), model="builtin", **layers), 20):
        dream_alone = frame.picture.astype(np.float32) / 255 - frame.dream
        source = (np.clip(dream_alone, 0, 1) * 255).astype(np.uint8)
        cells.append(np.concatenate([source, frame.picture]))
    save(options.out / "strip.jpg", cells, 10)


SHEETS = {
    sheet.__name__: sheet for sheet in (families, compositions, taps, channels, motifs, compared, strip)
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("sheets", nargs="*", default=list(SHEETS), choices=[*SHEETS, []], metavar="SHEET")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "sheets")
    parser.add_argument("--weights", type=Path, default=ROOT / "pipeline" / "net" / "builtin.safetensors")
    parser.add_argument("--checkpoint", type=Path, help="a training in progress instead of the weights")
    parser.add_argument("--bank", type=Path, default=ROOT / "build" / "builtin" / "bank.npy")
    parser.add_argument("--smooth", type=float, default=0.5)
    parser.add_argument("--objectives", nargs="+", default=["energy", "sparse"], choices=list(OBJECTIVES))
    parser.add_argument("--only", nargs="+", help="taps to show")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for name in options.sheets:
        SHEETS[name](options)


if __name__ == "__main__":
    main()
