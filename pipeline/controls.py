"""Controls: what of the look changes from frame to frame: layers, channels, guides, masks. Frames in, a Look out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import torch
from torch import Tensor

from pipeline.clip import Clip, Frame, Picture, Size, fit
from pipeline.errors import InputError, UsageError, did_you_mean
from pipeline.inversion import check
from pipeline.net import tap
from pipeline.net.moment import Each, Moment
from pipeline.net.programme import Programme, Weights
from pipeline.net.tap import Cut, Network
from pipeline.net.targets import Target
from pipeline.ops.gradient import select
from pipeline.ops.look import Look
from pipeline.pulse import Pulse
from pipeline.settings import Dream
from pipeline.sources import Facts
from pipeline.sources.companion import Companion
from pipeline.stages.dream import waking

CUTS = 6  # of the network, that are kept at once


@dataclass
class Controls:
    """masks: by the names that layers call them. notes: what the user should know, a line each.

    Everything it gives follows from the frame alone, so the same film comes again from any frame on.
    """

    network: Network
    device: torch.device
    precision: torch.dtype
    programme: Programme
    guides: tuple[Companion, ...] = ()
    masks: tuple[Companion, ...] = ()
    notes: list[str] = field(default_factory=list)
    _cuts: dict[tuple[Target, ...], Cut] = field(default_factory=dict)
    _features: dict[tuple[tuple[Target, ...], str, int, Size], list[Tensor]] = field(default_factory=dict)

    @staticmethod
    def of(
        knobs: Dream,
        network: Network,
        device: torch.device,
        precision: torch.dtype,
        pulse: Pulse | None = None,
    ) -> Controls:
        """pulse: what cycles by beats hear.

        Raises TargetError, ScheduleError, InputError, and UsageError for a guide or mask that nobody gave.
        """
        if knobs.objective == "guide" and not knobs.guide:
            raise UsageError("--objective guide: follows a picture or film. Give one with --guide FILE.")
        check(knobs)
        programme = replace(Programme.of(knobs.layers or network.card.layers, network.card), pulse=pulse)
        guides = tuple(Companion.open(name, "--guide", "again") for name in knobs.guide)
        masks = tuple(Companion.open(name, "--mask", "hold") for name in knobs.mask)
        controls = Controls(network, device, precision, programme, guides, masks)
        for target in programme.targets:
            if target.mask:
                controls._mask(target)
        return controls

    def cut_at(self, weights: Weights) -> tuple[Cut, Weights]:
        """The network cut for the targets that are dreamed now, and their weights."""
        chosen = [
            (target, share) for target, share in zip(self.programme.targets, weights, strict=True) if share
        ]
        if not chosen:
            chosen = [(self.programme.targets[0], 0.0)]
        targets = tuple(target for target, _ in chosen)
        if targets not in self._cuts:
            while len(self._cuts) >= CUTS:
                del self._cuts[next(iter(self._cuts))]
            self._cuts[targets] = tap.cut(self.network, targets).on(self.device, self.precision)
        return self._cuts[targets], tuple(share for _, share in chosen)

    def first(self) -> Cut:
        """The network cut for how the film begins."""
        return self.cut_at(self.programme.keys[0].weights)[0]

    def check(self, look: Look, size: Size) -> None:
        """InputError when a dream of this size is too small for any of the layers to come, or a guide is."""
        for key in self.programme.keys:
            cut, _ = self.cut_at(key.weights)
            replace(look, cut=cut).sizes(size)
            for guide in self.guides:
                self._large_enough(guide, _fitting(guide.clip.size, size), cut)

    def at(self, look: Look, frames: Sequence[Frame], clip: Clip | None, source: Tensor) -> Look:
        """The look of these frames, one a lane. source: what is dreamed on, [L, 3, h, w] in 0..1."""
        size = Size(*source.shape[-2:])
        look, weights = self._scheduled(look, frames, clip)
        picks = waking(look, source)
        guides = self._guides(look, frames, size, picks)
        return replace(look, now=Moment(weights, picks, guides, *self._masked(look.cut, frames, size)))

    def alone(self, look: Look, frame: Frame, clip: Clip, size: Size) -> Look:
        """The look of a frame that is no film's: its layers and guides. size: that those are seen at, at most."""
        look, weights = self._scheduled(look, [frame], clip)
        return replace(look, now=Moment(weights, guides=self._guides(look, [frame], size)))

    def _scheduled(
        self, look: Look, frames: Sequence[Frame], clip: Clip | None
    ) -> tuple[Look, Tensor | None]:
        """The look with the network cut for what is dreamed in these frames, and how much of each, [L, targets]."""
        if not self.programme.moves:
            return look, None
        rate = float(clip.rate) if clip else None
        every = [self.programme.at(frame.index, float(frame.time), rate) for frame in frames]
        shown = tuple(float(any(lane)) for lane in zip(*every, strict=True))
        cut, active = self.cut_at(shown)
        rows = [[share for share, any_ in zip(lane, shown, strict=True) if any_] for lane in every]
        weights = torch.tensor(rows) if any(active) else torch.zeros(len(frames), 1)
        return replace(look, cut=cut), weights.to(self.device, torch.float32)

    def fingerprints(self) -> list[Facts]:
        """Of all that is read beside the film."""
        return [companion.fingerprint() for companion in (*self.guides, *self.masks)]

    # Guides

    def _guides(self, look: Look, frames: Sequence[Frame], size: Size, picks: Each = ()) -> Each:
        """Columns to match, [L or 1, C, Q], of each target that follows the guides."""
        if not self.guides:
            return ()
        still = all(guide.clip.frames == 1 for guide in self.guides) and not picks
        lanes = [
            [self._seen(guide, guide.place(frame), look.cut, size) for guide in self.guides]
            for frame in (frames[:1] if still else frames)
        ]
        columns: list[Tensor | None] = []
        for index, target in enumerate(look.cut.targets):
            if target.motif or target.classes:
                columns.append(None)
                continue
            own = picks[index] if picks else None
            everywhere = replace(target, at=None)
            rows = []
            for lane, seen in enumerate(lanes):
                row = None if own is None else own[lane : lane + 1]
                parts = [select(maps[index], everywhere, size, picks=row).flatten(2) for maps in seen]
                rows.append(torch.cat(parts, 2))
            columns.append(torch.cat(rows))
        return tuple(columns)

    def _seen(self, guide: Companion, place: int, cut: Cut, size: Size) -> list[Tensor]:
        """What the network sees in a guide: its maps. Those of a still are kept, and the latest of a film."""
        key = (cut.targets, guide.name, place, size)
        if key not in self._features:
            for old in [old for old in self._features if old[1] == guide.name and old[2] != place]:
                del self._features[old]
            picture = guide.picture(place)
            small = _fitting(guide.clip.size, size)
            self._large_enough(guide, small, cut)
            tensor = torch.from_numpy(_resized(picture, small).transpose(2, 0, 1).copy())
            self._features[key] = cut(tensor[None].to(self.device) / 255)
        return self._features[key]

    def _large_enough(self, guide: Companion, size: Size, cut: Cut) -> None:
        if min(size) < cut.least:
            raise InputError(
                f"--guide {guide.name}: is seen at {size}, and these layers need at least {cut.least} pixels a side. "
                "Give a larger one, or a layer nearer to the picture."
            )

    # Masks

    def _masked(self, cut: Cut, frames: Sequence[Frame], size: Size) -> tuple[Tensor | None, Each]:
        """Where it is dreamed at all, and where each target is, [L or 1, 1, H, W]."""
        named = [self._mask(target) if target.mask else None for target in cut.targets]
        spoken_for = {id(self._mask(target)) for target in self.programme.targets if target.mask}
        whole: Tensor | None = None
        for mask in self.masks:
            if id(mask) not in spoken_for:
                own = self._shown(mask, frames, size)
                whole = own if whole is None else whole * own
        each: list[Tensor | None] = []
        for target, chosen in zip(cut.targets, named, strict=True):
            shown = None if chosen is None else self._shown(chosen, frames, size)
            each.append(1 - shown if shown is not None and target.beyond else shown)
        return whole, tuple(each) if any(part is not None for part in each) else ()

    def _shown(self, mask: Companion, frames: Sequence[Frame], size: Size) -> Tensor:
        planes = []
        for frame in frames if mask.clip.frames != 1 else frames[:1]:
            picture = mask.picture(mask.place(frame))
            if picture.shape[:2] != frame.picture.shape[:2]:
                own = Size(*picture.shape[:2])
                self._say(f"--mask {mask.name}: is {own}, the film {frame.size}; it is scaled to fit.")
            planes.append(_resized(picture, size).mean(2, dtype=np.float32) / 255)
        if mask.clip.frames not in (1, None) and frames[-1].index >= (mask.clip.frames or 0):
            self._say(f"--mask {mask.name}: ends after {mask.clip.frames} frames; its last picture is held.")
        return torch.from_numpy(np.stack(planes))[:, None].to(self.device)

    def _mask(self, target: Target) -> Companion:
        names = {mask.stem: mask for mask in reversed(self.masks)}
        names |= {str(number): mask for number, mask in enumerate(self.masks, 1)}
        if target.mask not in names:
            have = f"There are {', '.join(names)}." if names else "Give it with --mask FILE."
            close = did_you_mean(target.mask, names)
            raise UsageError(f"{target.text}: no --mask is called {target.mask!r}. {have}{close}")
        return names[target.mask]

    def _say(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)


def _fitting(size: Size, within: Size) -> Size:
    """A guide's own size, but no larger than the dream: its longer side at most as long."""
    return fit(size, f"max:{max(within)}")


def _resized(picture: Picture, size: Size) -> Picture:
    if tuple(picture.shape[:2]) == tuple(size):
        return picture
    shrinks = size.height < picture.shape[0] or size.width < picture.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (size.width, size.height), interpolation=how))
