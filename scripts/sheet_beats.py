"""A picture of a dream that goes with the beat: a drum loop this script plays, the strength it drives, and frames.

scripts/gallery beats
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline import hearing, looks  # isort: skip  (before torch: it has threads sleep while they wait)

from pipeline.clip import Picture
from pipeline.dreamer import Dreamer
from pipeline.sources import SceneSource
from pipeline.stages import sound

STRENGTH = "0.1+1.1*beat(t)"
FRAMES = 30
SHOWN = (11, 12, 15, 18, 23)  # of those: just before a beat, on it, and as it fades
WIDTH, GAP, PANEL = 190, 6, 74  # px: of a picture, between two, and the height of a curve
INK, DIM, MARK, LINE, PAPER = (235, 235, 235), (120, 120, 120), (255, 170, 60), (110, 200, 255), (18, 18, 22)


def drums(seconds: float) -> NDArray[np.float32]:
    """A bass drum on each beat of 120 a minute and a hiss between, float32 [n, 1]."""
    rng, rate = np.random.default_rng(3), sound.RATE
    t = np.arange(rate // 4) / rate
    drum = np.sin(2 * np.pi * (52 * t + 5 * (1 - np.exp(-40 * t)))) * np.exp(-14 * t)
    hat = rng.normal(0, 0.16, len(t)) * np.exp(-70 * t)
    track = np.zeros(round(seconds * rate) + len(t))
    for k in range(int(2 * seconds)):
        track[k * rate // 2 :][: len(t)] += 0.8 * drum + hat
    return track[: round(seconds * rate), None].astype(np.float32)


def panel(width: int, title: str) -> Picture:
    """An empty strip with its title."""
    strip = np.full((PANEL, width, 3), PAPER, np.uint8)
    cv2.putText(strip, title, (6, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, DIM, 1, cv2.LINE_AA)
    return strip


def heard_panel(width: int, track: NDArray[np.float32], beats: list[float], seconds: float) -> Picture:
    """The loop's outline, and a mark where a beat was heard."""
    strip = panel(width, "what is heard: --beats drums.m4a")
    pieces = np.array_split(np.abs(track[:, 0]), width)
    for x, piece in enumerate(pieces):
        half = round(float(piece.max()) * (PANEL / 2 - 12))
        cv2.line(strip, (x, PANEL // 2 + 6 - half), (x, PANEL // 2 + 6 + half), DIM, 1)
    for beat in beats:
        x = round(beat / seconds * width)
        cv2.line(strip, (x, 20), (x, PANEL), MARK, 2)
    return strip


def strength_panel(width: int, values: list[float]) -> Picture:
    """A curve, with dots on the frames that are shown."""
    strip = panel(width, f'--strength "{STRENGTH}"')
    x = (np.arange(len(values)) * width / len(values)).round().astype(int)
    y = (PANEL - 8 - np.array(values) / 1.25 * (PANEL - 28)).round().astype(int)
    cv2.polylines(strip, [np.stack((x, y), 1).reshape(-1, 1, 2)], False, LINE, 2, cv2.LINE_AA)
    for place in SHOWN:
        cv2.circle(strip, (int(x[place]), int(y[place])), 4, INK, -1, cv2.LINE_AA)
    return strip


def labelled(picture: Picture, seconds: float, strength: float) -> Picture:
    """A frame at its width, with its time and strength below."""
    height = round(picture.shape[0] * WIDTH / picture.shape[1])
    small = cv2.resize(picture, (WIDTH, height), interpolation=cv2.INTER_AREA)
    bar = np.full((22, WIDTH, 3), PAPER, np.uint8)
    text = f"{seconds:.2f} s   strength {strength:.2f}"
    cv2.putText(bar, text, (4, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.42, INK, 1, cv2.LINE_AA)
    return np.concatenate([small, bar])


def beats(threads: int) -> Picture:
    """The loop, the strength, and five frames."""
    with tempfile.TemporaryDirectory() as folder:
        song = Path(folder) / "drums.m4a"
        track = drums(3)
        sound.write(song, track)
        plain = looks.of(
            preset="strong", strength=STRENGTH, beats=str(song), size="432x243", end=str(FRAMES), quiet=True,
            threads=threads,
        )  # fmt: skip
        source = SceneSource.of(plain.input)
        settings = hearing.heard(plain, source)
    pulse, rate = settings.pulse, float(source.clip.rate)
    assert pulse is not None
    values = [settings.dream.strength.at(n, n / rate) for n in range(FRAMES)]
    heard = [n / rate for n in range(FRAMES) if pulse.count(n / rate) > pulse.count((n - 1) / rate)]
    pictures = [
        labelled(dreamt.picture, dreamt.frame.index / rate, values[dreamt.frame.index])
        for dreamt in Dreamer(settings).walk(source)
        if dreamt.frame.index in SHOWN
    ]
    spaced = [np.concatenate([one, np.full((len(one), GAP, 3), PAPER, np.uint8)], 1) for one in pictures]
    row = np.concatenate(spaced, 1)[:, :-GAP]
    width, seconds = row.shape[1], FRAMES / rate
    strips = [
        heard_panel(width, track[: round(seconds * sound.RATE)], heard, seconds),
        strength_panel(width, values),
    ]
    return np.ascontiguousarray(np.concatenate([*strips, row]))
