"""A contact sheet of every preset on one drawn picture: names of presets (default: all) -> one JPEG.

python scripts/sheet_presets.py --out sheet.jpg
python scripts/sheet_presets.py gentle night --picture photo.jpg --out sheet.jpg

Those whose network is not on this machine are named and left out; a guided one is guided by the picture, mirrored.
`draft` is faster than other looks and no look of its own: it is left out unless named.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from pipeline import looks  # isort: skip  (before torch: it has threads sleep while they wait)

import torch

from pipeline.clip import Flow, Picture, Tick
from pipeline.dreamer import Dreamer
from pipeline.extras import sheet
from pipeline.net.cards import card
from pipeline.overrides import Layer
from pipeline.settings import Input
from pipeline.sources import SceneSource, Source, open_source
from pipeline.stages import stills

BAR = 22  # px, under each picture, for its name
NO_LOOK = ("draft",)
PLAIN = "no preset"


def has_weights(model: str) -> bool:
    """In the box, or downloaded already: a sheet is no reason to download half a gigabyte."""
    if card(model).builder == "builtin":
        return True
    return any((Path(torch.hub.get_dir()) / "checkpoints").glob(f"{model}-*"))


def dreamed(name: str, source: Source, place: int, guide: Path, threads: int = 0) -> Picture | None:
    """The film's frame at `place` as a preset dreams it, with nothing before it; None without its network."""
    layers = [] if name == PLAIN else [looks.preset(name)]
    layers.append(Layer("sheet", {"run": {"quiet": True}, "speed": {"threads": threads}}))
    settings, _ = looks.settle(layers)
    if not has_weights(settings.dream.model):
        return None
    if settings.dream.objective == "guide":
        layers.append(Layer("sheet", {"dream": {"guide": str(guide)}}))
        settings, _ = looks.settle(layers)
    dreamer = Dreamer(settings)
    frame = next(frame for frame in source.frames() if frame.index == place)
    return dreamer.dream(Tick(frame, Flow.none(dreamer.size(frame.size))), clip=source.clip).picture


def named(picture: Picture, name: str, width: int) -> Picture:
    """Made `width` wide, its name under it."""
    height = round(picture.shape[0] * width / picture.shape[1])
    small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    cell = np.concatenate([small, np.full((BAR, width, 3), 16, np.uint8)])
    cv2.putText(cell, name, (6, height + 15), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (230,) * 3, 1, cv2.LINE_AA)
    return cell


def all_of(source: Source, place: int, width: int, names: Sequence[str] = (), threads: int = 0) -> Picture:
    """The frame at `place` as it is, without a preset, and with each of `names` (none: all looks)."""
    own = next(frame.picture for frame in source.frames() if frame.index == place)
    cells = [named(own, "as it is", width)]
    with tempfile.TemporaryDirectory() as folder:
        guide = Path(folder) / "guide.png"
        stills.write(guide, own[:, ::-1])
        for name in names or [PLAIN, *(name for name in looks.presets() if name not in NO_LOOK)]:
            picture = dreamed(name, source, place, guide, threads)
            if picture is None:
                print(f"{name}: its network is not here", file=sys.stderr)
                continue
            cells.append(named(picture, name, width))
    return sheet(cells)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="PRESET")
    parser.add_argument("--picture", type=Path, help="in place of the drawn scene")
    parser.add_argument("--size", default="480x270", help="to dream at")
    parser.add_argument("--frame", type=int, default=40, help="of the drawn scene")
    parser.add_argument("--width", type=int, default=320, help="of each picture on the sheet")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    how = Input(size=asked.size)
    source = open_source(str(asked.picture), how) if asked.picture else SceneSource.of(how)
    whole = all_of(source, 0 if asked.picture else asked.frame, asked.width, asked.names)
    cv2.imwrite(str(asked.out), whole[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 82])
    print(f"{asked.out}: {whole.shape[1]}x{whole.shape[0]}, {asked.out.stat().st_size >> 10} KB")


if __name__ == "__main__":
    main()
