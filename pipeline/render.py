"""Render: the walk. Frames go by; each is read, moved, carried, dreamed and written.

Read first. The walk of one frame is `Dreamer.dream`; the walk of a film is `render`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline import device, light, looks
from pipeline.clip import Clip, Deep, Flow, Frame, Picture, Segment, Size, Tick, fit
from pipeline.controls import Controls
from pipeline.errors import InputError, UsageError
from pipeline.knobs import shares
from pipeline.lanes import Motion, View, read_ahead, ticks
from pipeline.net import tap, zoo
from pipeline.ops import colour, pyramid
from pipeline.ops.objectives import OBJECTIVES, Callback, energy
from pipeline.schedule import Schedule
from pipeline.settings import Settings
from pipeline.sources import Source
from pipeline.stages import carry
from pipeline.stages.carry import Carried
from pipeline.stages.dream import Dreamed, Look, dream
from pipeline.stages.flow import matcher
from pipeline.workdir import Workdir

SEGMENT = 2  # seconds of film at most between two checkpoints
LIVE_RATE = 24  # frames a second that live pictures are taken for, by schedules in seconds

NO_PICTURE = np.zeros((0, 0, 3), np.uint8)

Write = Callable[[Picture | Deep, Frame], None]

Reel = AbstractContextManager[Write]
"""Where pictures go: inside it, a function that writes one."""


@dataclass(frozen=True)
class Dreamt:
    """A frame, dreamed. picture: what is shown, uint8 [H, W, 3]: source + strength x dream.

    flow: of the source at dream size, [h, w]. steps: in each octave, of the `iterations` of a full dream; lost:
    of all of them, those whose gradient was no number. deep: the picture at the depth of its source, where that
    is to be written.
    """

    frame: Frame
    picture: Picture
    carried: Carried
    flow: Flow
    steps: int
    iterations: int
    lost: int
    deep: Deep | None = None

    @property
    def trust(self) -> float:
        """In the flow, mean over the picture, 0..1."""
        return float(self.flow.trust.mean())

    @property
    def cut(self) -> bool:
        """Nothing connects it to the frame before."""
        return self.flow.cut

    @property
    def dream(self) -> NDArray[np.float32]:
        """The dream layer, float32 [h, w, 3] at dream size, -1..1: dreamed minus source."""
        return self.carried.dream[0].permute(1, 2, 0).cpu().numpy()

    @property
    def pts(self) -> int:
        return self.frame.pts

    @property
    def rms(self) -> float:
        """Strength of the dream layer, grey levels."""
        return 255 * float(carry.rms(self.carried.dream))


class Dreamer:
    """A network and how to dream with it. Holds no film: what goes from frame to frame is handed on.

    Settings, or single knobs by name (`layers="mixed4c"`); objective: a word, as in the settings, or
    a function of the targets' activations (a list of [1, C, h, w]) to a tensor [1]. network: one of your
    own, in place of the settings' model. Raises UsageError, ModelError, DeviceError.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        objective: Callback | str | None = None,
        network: tap.Network | None = None,
        **knobs: object,
    ) -> None:
        if isinstance(objective, str):  # the settings' word after all
            knobs, objective = knobs | {"objective": objective}, None
        if settings and knobs:
            raise UsageError(f"Give settings or single knobs, not both: {', '.join(knobs)}.")
        self.settings = settings = settings or looks.of(**_of(network), **knobs)
        self.use_threads(settings.speed.threads)
        self.device = device.pick(settings.speed.device)
        knob = settings.dream
        self.network = network or _load(settings)
        self.precision = device.precision(settings.speed.precision, self.device)
        self.controls = Controls.of(knob, self.network, self.device, self.precision)
        self.look = Look(
            self.controls.first(), OBJECTIVES.get(knob.objective, energy), objective,
            knob.octaves, knob.octave_scale, knob.jitter, knob.smooth, knob.seed,
            knob.laplacian, shares(knob.octave_iterations), shares(knob.octave_step),
            knob.enlarge == "linear",
        )  # fmt: skip
        self.motion = _motion(settings, self.device)
        self._live: tuple[View, Carried] | None = None
        self._steps = -1

    def use_threads(self, threads: int) -> None:
        """Dream with so many CPU threads; 0: one for each core. The last bits of a dream depend on it."""
        self.threads = device.use_threads(threads)

    def size(self, frame: Size) -> Size:
        """The size that frames of this size are dreamed at."""
        return fit(frame, self.settings.dream.dream_size)

    def walk(
        self, source: Source, last: Segment | None = None, carried: Carried | None = None
    ) -> Generator[Dreamt, None, None]:
        """The film goes by. From its start, or after segment `last` with what that has `carried` over."""
        past = None if carried is None or carried.past is None else carried.past.cpu().numpy()
        with closing(read_ahead(ticks(source, last, self.size, self.motion, past))) as ahead:
            for tick in ahead:
                dreamt = self.dream(tick, carried, source.clip)
                carried = dreamt.carried
                yield dreamt

    @torch.no_grad()
    def dream(self, tick: Tick, carried: Carried | None = None, clip: Clip | None = None) -> Dreamt:
        """One frame: lay the carried dream on it, climb what is owed, keep what is new."""
        frame, size = tick.frame, self.size(tick.frame.size)
        if self.settings.dream.iterations.constant == 0:
            blank = Carried.nothing(1, size, self.device)
            return Dreamt(frame, frame.picture, blank, tick.flow, 0, 0, 0, frame.deep)
        iterations, step, steadiness, strength = self._knobs(frame, clip)
        saturation = self._at(self.settings.dream.saturation, frame, clip)
        with device.memory(f"dreaming at {size}"):
            full = self._tensor(frame.picture.transpose(2, 0, 1)) / 255
            source = pyramid.resize(full, size).clamp(0, 1)
            where, trust = (
                self._tensor(tick.flow.backward.transpose(2, 0, 1)),
                self._tensor(tick.flow.trust[None]),
            )
            carried = carried or Carried.nothing(1, size, self.device)
            look = self.controls.at(self.look, [frame], clip, source)
            octaves = len(look.sizes(size))

            if self.settings.time.carry == "blend":
                seed, owed = carry.blend(source, carried, trust, steadiness)
            else:
                seed, owed = carry.lay(source, carried, where, trust, steadiness, iterations * step, octaves)
            dreamed = dream(look, seed, owed, iterations, step) if iterations else Dreamed.nothing(source)
            carried = carry.keep(source, dreamed.picture, carried, trust, iterations * step)

            shown = colour.shown(carried.dream, self.settings.dream.colour, saturation)
            layer = strength * pyramid.resize(shown, frame.size)
            picture = _array((full + layer).mul(255).round_().clamp_(0, 255).byte())
            deep = light.lay(frame.deep, _array(layer)) if frame.deep else None
            lost = int(dreamed.lost.sum())
        if tick.past is not None:
            carried = replace(carried, past=torch.from_numpy(tick.past))
        return Dreamt(frame, picture, carried, tick.flow, dreamed.steps[0], iterations, lost, deep)

    def step(self, picture: Picture) -> Picture:
        """Live pictures: dream on the next one, uint8 RGB [H, W, 3], steady with those given before. InputError."""
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
            raise InputError(
                f"Expected a picture uint8 [H, W, 3], got {picture.dtype} {list(picture.shape)}."
            )
        before, carried = self._live or (None, None)
        now = self.motion.view(picture, self.size(Size(*picture.shape[:2])))
        if before is not None and before.seen.shape != now.seen.shape:
            before, carried = None, None
        self._steps += 1
        frame = Frame(self._steps, self._steps, Fraction(self._steps, LIVE_RATE), picture)
        flow, now = self.motion.between(now, before)
        dreamt = self.dream(Tick(frame, flow), carried)
        self._live = now, dreamt.carried
        return dreamt.picture

    def _knobs(self, frame: Frame, clip: Clip | None) -> tuple[int, float, float, float]:
        """iterations, step, steadiness and strength as they stand at this frame."""
        knobs = self.settings.dream
        iterations, step, steadiness, strength = (
            self._at(knob, frame, clip)
            for knob in (knobs.iterations, knobs.step, self.settings.time.steadiness, knobs.strength)
        )
        return round(iterations), step, steadiness, strength

    @staticmethod
    def _at(knob: Schedule, frame: Frame, clip: Clip | None) -> float:
        rate = float(clip.rate) if clip else None
        last = clip.frames - 1 if clip and clip.frames else None
        return knob.at(frame.index, float(frame.time), rate=rate, last=last)

    def rehearse(self, clip: Clip) -> None:
        """Read every schedule at every frame, so that one that fails does it now. ScheduleError, InputError."""
        if self.settings.dream.iterations.constant != 0:
            self.controls.check(self.look, self.size(clip.size))
        for index in range(clip.frames or 1):
            frame = Frame(index, index, index / clip.rate, NO_PICTURE)
            self._knobs(frame, clip)
            self._at(self.settings.dream.saturation, frame, clip)
            self.controls.programme.at(index, float(frame.time), float(clip.rate))

    def _tensor(self, array: NDArray[np.float32] | Picture) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device).float()[None]


def _array(picture: Tensor) -> NDArray[Any]:
    """[1, 3, H, W] on the device as [H, W, 3] on the CPU."""
    return picture[0].permute(1, 2, 0).cpu().contiguous().numpy()


def _load(settings: Settings) -> tap.Network:
    weights = Path(settings.dream.weights) if settings.dream.weights else None
    return zoo.load(settings.dream.model, weights, progress=not _silent(settings))


def _motion(settings: Settings, on: torch.device) -> Motion:
    """How the film's motion is found. Without iterations there is nothing to hold still, and none is looked for."""
    time = settings.time
    if settings.dream.iterations.constant == 0:
        time = time.model_copy(update={"flow": "none"})
    weights = Path(time.flow_weights) if time.flow_weights else None
    return Motion(time, matcher(time.flow, weights, on, progress=not _silent(settings)))


def _silent(settings: Settings) -> bool:
    return settings.run.quiet or settings.run.progress in ("json", "none")


def _of(network: tap.Network | None) -> dict[str, object]:
    return {} if network is None else {"model": network.card.name}


def render(
    source: Source,
    dreamer: Dreamer,
    work: Workdir,
    reel: Callable[[int], Reel],
    watch: Callable[[Dreamt], None],
) -> None:
    """Dream what is left of a film, segment by segment; each is done once it stands in `work`.

    reel: given a segment's first frame, where its pictures are written. watch: called after every frame.
    """
    dreams = dreamer.walk(source, work.last, work.carried(dreamer.device))
    with closing(dreams):
        for first, segment in groupby(dreams, key=_segments()):
            with reel(first.index) as write:
                for dreamt in segment:
                    write(dreamt.deep or dreamt.picture, dreamt.frame)
                    watch(dreamt)
            work.finish(Segment(first.index, dreamt.frame.index + 1, first.pts, dreamt.pts), dreamt.carried)


def _segments() -> Callable[[Dreamt], Frame]:
    """The first frame of the segment a frame is in: a new one begins at a cut and after two seconds."""
    first: Frame | None = None

    def key(dreamt: Dreamt) -> Frame:
        nonlocal first
        if first is None or dreamt.cut or dreamt.frame.time - first.time >= SEGMENT:
            first = dreamt.frame
        return first

    return key
