"""Beats: where a sound's onsets are and how loud it is: a file in, seconds and an envelope out.

The sound streams by: of it all two numbers per HOP are kept. An onset is a sudden rise of the spectrum, as in
SuperFlux (Boeck and Widmer 2013): the logarithm of each band against the loudest of its neighbours a little earlier,
so that vibrato is no onset. Where the mean rise stands out from what is around it, there is a beat.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from pipeline import media
from pipeline.errors import InputError

RATE = 22_050  # samples a second that are listened to: beats lie below 11 kHz
HOP = 256  # samples: 86 looks a second
WINDOW = 512  # samples: 23 ms
BANDS = 40  # of equal ratio, from LOWEST to half the RATE
LOWEST = 60.0  # Hz
FLOOR = 1e-3  # of full scale: what is quieter is silence
BACK = 2  # looks: what a band is compared with
NEAR = 3  # looks, each way: an onset is the highest of these
AROUND = 43  # looks, each way: what it has to stand out from
STANDS_OUT = 0.1  # nepers, mean over the bands
SPREADS = 9.0  # times the spread around it: noise alone never is
APART = 5  # looks between two onsets
EARLY = 1  # looks that a rise is highest after the onset: a frame that lies on the beat is to show it
WEAK = 0.2  # of the median onset: what is less is none
SOFT = 5  # looks that the envelope is averaged over
LOUD = 99  # percentile that is taken for 1
GAP = 0.02  # s: less is no gap in the sound, but rounding
LONGEST = 24 * 3600  # s
BLOCK = 1 << 16  # samples that are looked at together

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Listened:
    """onsets: seconds of the file's own time, rising. levels: 0..1, `rate` of them a second from time 0.

    seconds: when it ends. broken: packets that could not be decoded.
    """

    onsets: tuple[float, ...]
    levels: array[float]
    rate: float
    seconds: float
    broken: int


def listen(path: Path) -> Listened:
    """The first sound track of a file. InputError where it has none, or nothing of it can be decoded."""
    track = _Track(path)
    rises, power = array("f"), array("f")
    before = np.zeros((BACK, BANDS), np.float32)
    bands, window = _bands(), np.hanning(WINDOW + 1)[:-1].astype(np.float32)
    for block in _blocks(track.samples()):
        looks = np.lib.stride_tricks.sliding_window_view(block, WINDOW)[::HOP]
        spectrum = np.abs(np.fft.rfft(looks * window, axis=1)).astype(np.float32) * np.float32(4 / WINDOW)
        heard = np.concatenate((before, np.log1p(spectrum @ bands / FLOOR)))
        rises.frombytes(_rises(heard).tobytes())
        power.frombytes(np.square(looks).mean(1, dtype=np.float32).tobytes())
        before = heard[-BACK:]
    if not track.heard:
        raise InputError(f"{path}: nothing of its sound can be decoded. Is it whole?")
    return Listened(_onsets(rises, track.place), _levels(power), RATE / HOP, track.place / RATE, track.broken)


@dataclass
class _Track:
    """place: how many samples from time 0 on were given. heard: frames decoded. broken: packets that were not."""

    path: Path
    place: int = 0
    heard: int = 0
    broken: int = 0

    def samples(self) -> Iterator[Samples]:
        """Mono at RATE, from time 0 on; a gap in the sound is silence."""
        with media.open_clip(self.path) as file:
            if not file.streams.audio:
                raise InputError(f"{self.path}: holds no sound.")
            resampler: av.AudioResampler | None = None
            shape: object = None
            ends = 0.0
            for frame in self._frames(file):
                begins = ends if frame.time is None else frame.time
                now = (frame.format.name, frame.layout.name, frame.sample_rate)
                if resampler is None or now != shape or begins - ends > GAP:
                    yield from self._given(resampler.resample(None) if resampler else [])
                    yield from self._until(begins)
                    resampler, shape = av.AudioResampler(format="flt", layout="mono", rate=RATE), now
                frame.pts = None
                yield from self._given(resampler.resample(frame))
                ends = begins + frame.samples / frame.sample_rate
            yield from self._given(resampler.resample(None) if resampler else [])

    def _frames(self, file: InputContainer) -> Iterator[av.AudioFrame]:
        packets = file.demux(file.streams.audio[0])
        while True:
            try:
                frames = next(packets).decode()
            except StopIteration:
                return
            except (av.error.InvalidDataError, av.error.EOFError):  # the next ones may be whole
                self.broken += 1
                continue
            except av.error.FFmpegError:
                self.broken += 1
                return
            for frame in frames:
                if isinstance(frame, av.AudioFrame) and frame.samples:
                    self.heard += 1
                    yield frame

    def _until(self, seconds: float) -> Iterator[Samples]:
        """Silence up to a time; before time 0 there is less than nothing: samples to be left out."""
        if seconds > LONGEST:
            raise InputError(
                f"{self.path}: its sound goes on after {LONGEST // 3600} h. Give a shorter piece."
            )
        lacking = round(seconds * RATE) - self.place
        if self.place == 0 and lacking < 0:
            self.place = lacking
        while lacking > 0:
            part = min(lacking, BLOCK)
            lacking -= part
            self.place += part
            yield np.zeros(part, np.float32)

    def _given(self, frames: list[av.AudioFrame]) -> Iterator[Samples]:
        for frame in frames:
            part = frame.to_ndarray()[0]
            early = min(max(0, -self.place), len(part))
            self.place += len(part)
            if early < len(part):
                yield np.nan_to_num(part[early:], posinf=0, neginf=0)


def _blocks(parts: Iterator[Samples]) -> Iterator[Samples]:
    """The sound in pieces of whole looks, the first of them around time 0, and no look twice."""
    waiting, size = [np.zeros(WINDOW // 2, np.float32)], WINDOW // 2
    for part in parts:
        waiting.append(part)
        size += len(part)
        if size >= BLOCK:
            whole = np.concatenate(waiting)
            looks = (size - WINDOW) // HOP + 1
            yield whole[: (looks - 1) * HOP + WINDOW]
            waiting, size = [whole[looks * HOP :]], size - looks * HOP
    whole = np.concatenate([*waiting, np.zeros(WINDOW, np.float32)])
    yield whole[: (len(whole) - WINDOW) // HOP * HOP + WINDOW]


def _bands() -> Samples:
    """[WINDOW / 2 + 1, BANDS]: triangles of equal ratio over the spectrum, no narrower than a line of it."""
    lines = np.arange(WINDOW // 2 + 1) * RATE / WINDOW
    edges = np.geomspace(LOWEST, RATE / 2, BANDS + 2)
    width = RATE / WINDOW
    rising = (lines[:, None] - edges[:-2]) / np.maximum(edges[1:-1] - edges[:-2], width)
    falling = (edges[2:] - lines[:, None]) / np.maximum(edges[2:] - edges[1:-1], width)
    return np.clip(np.minimum(rising, falling), 0, 1).astype(np.float32)


def _rises(heard: Samples) -> Samples:
    """[BACK + n, BANDS], the first of them looked at before, to n: the mean rise of a band."""
    wide = np.pad(heard, ((0, 0), (1, 1)), mode="edge")
    loudest = np.maximum(np.maximum(wide[:, :-2], wide[:, 2:]), heard)
    return np.asarray(np.maximum(heard[BACK:] - loudest[:-BACK], 0).mean(1), np.float32)


def _onsets(rises: array[float], samples: int) -> tuple[float, ...]:
    """Of a sound of so many samples: a look that reaches beyond its end hears it break off, which is no onset."""
    flux = np.asarray(rises)[: max(0, (samples - WINDOW // 2) // HOP)]
    onsets: list[int] = []
    strengths: list[float] = []
    for begin in range(0, len(flux), BLOCK):
        first, last = max(0, begin - AROUND), min(len(flux), begin + BLOCK + AROUND)
        padded = np.pad(flux[first:last], AROUND, mode="reflect" if last - first > AROUND else "edge")
        around = np.lib.stride_tricks.sliding_window_view(padded, 2 * AROUND + 1)
        usual = np.median(around, axis=1)
        spread = np.median(np.abs(around - usual[:, None]), axis=1)
        least = (usual + np.maximum(STANDS_OUT, SPREADS * spread))[begin - first :]
        high = np.flatnonzero(flux[begin : begin + BLOCK] >= least[:BLOCK])
        for place in (begin + high).tolist():
            near = flux[max(0, place - NEAR) : place + NEAR + 1]
            highest = flux[place] == near.max() and place - max(0, place - NEAR) == near.argmax()
            if highest and (not onsets or place - onsets[-1] >= APART):
                onsets.append(place)
                strengths.append(float(flux[place] - usual[place - first]))
    least_of_all = WEAK * float(np.median(strengths)) if strengths else 0.0
    strong = [place for place, strength in zip(onsets, strengths, strict=True) if strength >= least_of_all]
    return tuple(round(max(0, place - EARLY) * HOP / RATE, 4) for place in strong)


def _levels(power: array[float]) -> array[float]:
    loud = np.sqrt(np.convolve(np.asarray(power), np.full(SOFT, 1 / SOFT), "same"))
    most = float(np.percentile(loud, LOUD)) if len(loud) else 0.0
    levels = np.minimum(1, loud / most) if most > FLOOR**2 else np.zeros_like(loud)
    return array("f", levels.astype(np.float32).tobytes())
