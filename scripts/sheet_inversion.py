"""What layers of the network in the box still know of the drawn scene: a row of pictures, as one JPEG.

scripts/gallery inversion
"""

from __future__ import annotations

import cv2
import numpy as np

from pipeline import looks  # isort: skip  (before torch: it has threads sleep while they wait)

from pipeline.clip import Flow, Picture, Tick
from pipeline.dreamer import Dreamer
from pipeline.net import zoo
from pipeline.settings import Input
from pipeline.sources import SceneSource

LAYERS = ("strokes", "mixed3a", "mixed3b", "mixed4b", "mixed4d")
SIZE, BAR = "320x180", 22  # px; the bar is for a name


def named(picture: Picture, name: str) -> Picture:
    bar = np.full((BAR, picture.shape[1], 3), 18, np.uint8)
    cv2.putText(bar, name, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.46, (235,) * 3, 1, cv2.LINE_AA)
    return np.concatenate([picture, bar])


def inversion(threads: int) -> Picture:
    """As it is, and rebuilt from layers nearer and further."""
    source, network = SceneSource.of(Input(size=SIZE)), zoo.load("builtin")
    frame = next(source.across(1))
    cells = [named(frame.picture, "as it is")]
    for layer in LAYERS:
        dreamer = Dreamer(looks.of(objective="invert", layers=layer, threads=threads), network=network)
        done = dreamer.dream(Tick(frame, Flow.none(frame.size)), clip=source.clip)
        wrong = np.sqrt(np.square(done.picture.astype(float) - frame.picture).mean())
        print(f"{layer:10} {wrong:5.1f} grey levels from the picture", flush=True)
        cells.append(named(done.picture, layer))
    half = len(cells) // 2
    rows = [np.concatenate(row, 1) for row in (cells[:half], cells[half:])]
    return np.concatenate(rows)
