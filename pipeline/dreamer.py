"""Dreamer: a network and how to dream with it. Frames that know their motion in, dreamed frames out."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline import device, hearing, looks
from pipeline.clip import WHOLE, Clip, Flow, Frame, Picture, Segment, Shot, Size, Tick, fit
from pipeline.controls import Controls
from pipeline.developed import Bath, developed
from pipeline.dreamt import Dreamt, Due, Key
from pipeline.errors import DeviceError, InputError, UsageError
from pipeline.inversion import rebuild
from pipeline.keyframes import Keyframes
from pipeline.lanes import read_ahead
from pipeline.motion import Motion, View, ticks
from pipeline.net import tap, zoo
from pipeline.ops import pyramid
from pipeline.ops.look import Look
from pipeline.ops.objectives import OBJECTIVES, Callback, energy
from pipeline.ops.recorded import Recorder
from pipeline.settings import Settings
from pipeline.settings.knob import shares
from pipeline.sources import Source
from pipeline.stages import carry
from pipeline.stages.carry import Ahead, Carried
from pipeline.stages.dream import Dreamed, dream
from pipeline.stages.flow import resized

LIVE_RATE = 24  # frames a second that live pictures are taken for, by schedules in seconds

NO_PICTURE = np.zeros((0, 0, 3), np.uint8)


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
        model = {"model": network.card.name} if network else {}
        settings = settings or looks.of(**model, **knobs)
        if settings.pulse is None and settings.time.beats != "audio":  # which is of a film
            settings = hearing.heard(settings, None)
        self.settings = settings
        self.device = device.pick(settings.speed.device)
        self.lanes = device.lanes(settings.speed.lanes, self.device)
        self.keyframes = Keyframes.of(settings, self.device, self.lanes)
        self.use_threads(settings.speed.threads)
        self.notes: list[str] = []
        self._turn = threading.Lock()
        knob = settings.dream
        self.network = network or zoo.load(knob.model, knob.weights, progress=not settings.silent)
        self.precision = device.precision(settings.speed.precision, self.device)
        self.controls = Controls.of(knob, self.network, self.device, self.precision, settings.pulse)
        self.look = Look(
            self.controls.first(), OBJECTIVES.get(knob.objective, energy), objective,
            knob.octaves, knob.octave_scale, knob.jitter, knob.smooth, knob.seed,
            knob.laplacian, shares(knob.octave_iterations), shares(knob.octave_step),
            knob.enlarge == "linear", device.tile(settings.speed.tile),
            record=Recorder(self.notes.append) if device.graphs(settings.speed.graphs, self.device) else None,
        )  # fmt: skip
        self._climb = rebuild if knob.objective == "invert" and objective is None else dream
        self._bath = partial(Bath, knob.colour, self._climb is rebuild)
        self.motion = Motion.of(settings, self.device)
        self._live: tuple[View, Carried | None] | None = None
        self._steps = -1

    def again(self, settings: Settings) -> Dreamer:
        """The same, for another film: settings that differ in what they hear alone."""
        own = copy.copy(self)
        programme = replace(self.controls.programme, pulse=settings.pulse)
        own.controls = replace(self.controls, programme=programme, notes=[])
        own.settings, own.notes = settings, []
        return own

    def use_threads(self, threads: int) -> None:
        """Dream each lane with so many CPU threads; 0: all cores between them. A dream's last bits depend on it."""
        apart = self.lanes if self.device.type == "cpu" else 1
        self.threads = device.use_threads(threads, apart)

    def suit(self, shots: Sequence[Shot]) -> None:
        """All shots of a film: enough of them to fill the lanes need no keyframes, unless they were asked for."""
        if len(shots) >= self.lanes and self.settings.speed.keyframes == "auto":
            self.keyframes = None

    def size(self, frame: Size) -> Size:
        """The size that frames of this size are dreamed at."""
        return fit(frame, self.settings.dream.dream_size)

    def walk(
        self,
        source: Source,
        last: Segment | None = None,
        carried: Carried | None = None,
        shot: Shot = WHOLE,
        dream: Callable[[Due], Dreamt] | None = None,
    ) -> Generator[Dreamt, None, None]:
        """The film goes by, or one shot of it. From its start, or after segment `last`, which left `carried`.

        dream: what dreams each frame, in place of this alone. A shot whose end is told is dreamed in windows where
        there are keyframes.
        """
        dream = dream or (lambda due: self.together([due])[0])
        moving = self.moving(source, last, carried, shot)
        if self.keyframes and shot.end is not None:
            yield from self.keyframes.walk(moving, carried, source.clip, shot, self.together)
            return
        with closing(read_ahead(moving)) as ahead:
            for tick in ahead:
                dreamt = dream(Due(tick, carried, source.clip))
                carried = dreamt.carried
                yield dreamt

    def moving(
        self, source: Source, last: Segment | None, carried: Carried | None, shot: Shot
    ) -> Generator[Tick, None, None]:
        """The frames of `walk`, before they are dreamed: each with its motion."""
        past = None if carried is None or carried.past is None else carried.past.cpu().numpy()
        motion = replace(self.motion, onward=self.keyframes is not None and shot.end is not None)
        return ticks(source, last or shot.before, self.size, motion, past, shot)

    def dream(self, tick: Tick, carried: Carried | None = None, clip: Clip | None = None) -> Dreamt:
        """One frame: lay the carried dream on it, climb what is owed, keep what is new."""
        return self.together([Due(tick, carried, clip)])[0]

    def together(self, frames: Sequence[Due]) -> list[Dreamt]:
        """A frame of each lane, in as few batches as their sizes and schedules allow. Nothing crosses lanes."""
        batches: dict[object, list[int]] = {}
        for place, due in enumerate(frames):
            batches.setdefault(self._alike(due), []).append(place)
        dreamt: dict[int, Dreamt] = {}
        for places in batches.values():
            dreamt |= zip(places, self._fitting([frames[place] for place in places]), strict=True)
        return [dreamt[place] for place in range(len(frames))]

    def _alike(self, due: Due) -> object:
        """Frames for which this is the same can be dreamed as one batch."""
        frame = due.tick.frame
        rate = due.clip and due.clip.rate
        return frame.size, frame.deep is None, rate, self._knobs(frame, due.clip), due.fades, due.key is None

    def _fitting(self, frames: Sequence[Due]) -> list[Dreamt]:
        """As one batch, or in halves where the memory is too small for that: then for good."""
        if len(frames) > self.lanes:
            half = -(-len(frames) // 2)
            return self._fitting(frames[:half]) + self._fitting(frames[half:])
        try:
            return self._batch(frames)
        except DeviceError:
            device.let_go(self.device)
            if not self._takes_less(len(frames)):
                raise
        return self._fitting(frames)

    def _takes_less(self, lanes: int) -> bool:
        """Half the lanes from now on, or else smaller tiles. False where there is no less to take."""
        tile = (self.look.tile or 2 * device.TILE) // 2
        if lanes > 1:
            self.lanes = -(-lanes // 2)
            self.notes.append(
                f"The memory was too small for {lanes} lanes: {self.lanes} were dreamed at once."
            )
        elif tile >= device.LEAST_TILE:
            self.look = replace(self.look, tile=tile)
            self.notes.append(f"The memory was too small: pictures were dreamed in tiles of {tile} pixels.")
        return lanes > 1 or tile >= device.LEAST_TILE

    @torch.no_grad()
    def _batch(self, frames: Sequence[Due]) -> list[Dreamt]:
        """Frames of one size and one set of knobs, dreamed at once."""
        moving, clip = [due.tick for due in frames], frames[0].clip
        still = [tick.frame for tick in moving]
        size = self.size(still[0].size)
        if self.settings.dream.iterations.constant == 0:
            return [Dreamt(t.frame, t.frame.picture, None, t.flow, 0, 0, 0, t.frame.deep) for t in moving]
        iterations, step, steadiness, strength, saturation = self._knobs(still[0], clip)
        with device.memory(f"dreaming at {size}"):
            full, source = self._pixels(still)
            where, trust = self._motion([tick.flow for tick in moving])
            nothing = Carried.nothing(1, size, self.device)
            before = Carried.together([due.carried or nothing for due in frames])
            key = self._ahead([due.key for due in frames if due.key], size)
            with self._turn:  # guides and masks are read by one lane at a time
                look = self.controls.at(self.look, still, clip, source)
            octaves = len(look.sizes(size))

            if self.settings.time.carry == "blend":
                seed, owed = carry.blend(source, before, trust, steadiness)
            else:
                kept, effort = steadiness ** frames[0].fades, iterations * step
                seed, owed = carry.lay(source, before, where, trust, kept, effort, octaves, key)
            dreamed = (
                self._climb(look, seed, owed, iterations, step) if iterations else Dreamed.nothing(source)
            )
            after = carry.keep(source, dreamed.picture, before, trust, iterations * step)
            after = after.on(source) if self.settings.time.carry == "blend" else after

            shown = developed(still, full, source, after.dream, self._bath(strength, saturation))
        return [
            Dreamt(tick.frame, picture, own.seen(tick.past), tick.flow, steps, iterations, lost, deep)
            for tick, own, (picture, deep), steps, lost in zip(
                moving, after.apart(), shown, dreamed.steps, dreamed.lost.tolist(), strict=True
            )
        ]

    def _pixels(self, still: Sequence[Frame]) -> tuple[Tensor, Tensor]:
        """Frames as they are, [L, 3, H, W] in 0..1, and at the size they are dreamed at."""
        full = self._tensor([frame.picture.transpose(2, 0, 1) for frame in still]) / 255
        return full, pyramid.resize(full, self.size(still[0].size)).clamp(0, 1)

    @torch.no_grad()
    def shown(self, tick: Tick, left: Carried, clip: Clip | None = None) -> Dreamt:
        """A frame that was dreamed alone before, from what it left: the same picture."""
        *_, strength, saturation = self._knobs(tick.frame, clip)
        seen, bath = self._pixels([tick.frame]), self._bath(strength, saturation)
        [(picture, deep)] = developed([tick.frame], *seen, left.dream, bath)
        return Dreamt(tick.frame, picture, left, tick.flow, 0, 0, 0, deep)

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

    def _knobs(self, frame: Frame, clip: Clip | None) -> tuple[int, float, float, float, float]:
        """iterations, step, steadiness, strength and saturation as they stand at this frame."""
        knobs = self.settings.dream
        told = (knobs.iterations, knobs.step, self.settings.time.steadiness, knobs.strength, knobs.saturation)
        when, rate = (frame.index, float(frame.time)), float(clip.rate) if clip else None
        last = clip.frames - 1 if clip and clip.frames else None
        iterations, step, *others = (knob.at(*when, rate=rate, last=last) for knob in told)
        steadiness, strength, saturation = others
        return round(iterations), step, steadiness, strength, saturation

    def rehearse(self, clip: Clip) -> None:
        """Read every schedule at every frame, so that one that fails does it now. UsageError, InputError."""
        looks.check_still(self.settings, clip)
        if self.settings.dream.iterations.constant != 0:
            self.controls.check(self.look, self.size(clip.size))
        for index in range(clip.frames or 1):
            frame = Frame(index, index, index / clip.rate, NO_PICTURE)
            self._knobs(frame, clip)
            self.controls.programme.at(index, float(frame.time), float(clip.rate))

    def _motion(self, flows: Sequence[Flow]) -> tuple[Tensor, Tensor]:
        """Backward, [L, 2, h, w], and trust, [L, 1, h, w], of a flow of each lane."""
        where = self._tensor([flow.backward.transpose(2, 0, 1) for flow in flows])
        return where, self._tensor([flow.trust[None] for flow in flows])

    def _ahead(self, keys: Sequence[Key], size: Size) -> Ahead | None:
        """What each lane is to lead to, if they are to lead to anything."""
        if not keys:
            return None
        weight = torch.tensor([key.weight for key in keys], device=self.device).view(-1, 1, 1, 1)
        carried = Carried.together([key.carried for key in keys])
        return Ahead(carried, *self._motion([resized(key.flow, size) for key in keys]), weight)

    def _tensor(self, arrays: Sequence[NDArray[np.float32] | Picture]) -> Tensor:
        return torch.from_numpy(np.stack(arrays)).to(self.device).float()
