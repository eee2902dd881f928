"""What every way of diving shares: a dreamer of one source whose layers, steps and strength change through time."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from pipeline import device
from pipeline.clip import Frame, Size
from pipeline.dive.layers import Layers
from pipeline.dive.masters import Climb
from pipeline.dreamer import NO_PICTURE, Dreamer
from pipeline.net import tap
from pipeline.net.cards import card
from pipeline.net.tap import Network
from pipeline.net.targets import Target
from pipeline.settings.zoom import ZoomSettings
from pipeline.sources.zoom import ZoomSource
from pipeline.stages.dream import Look

BYTES = 480  # of memory per pixel of a picture, while it is dreamed whole by the network in the box
TILED = 160  # likewise, while it is dreamed in tiles


class Dive(Dreamer):
    """A Dreamer that holds its film, for what it dreams depends on when. Raises as Dreamer does."""

    def __init__(self, settings: ZoomSettings, source: ZoomSource, network: Network | None = None) -> None:
        facts = network.card if network else card(settings.dream.model)
        self.layers = Layers.of(settings.dream.layers, facts, float(source.clip.rate))
        first = self.layers.keys[0][1]
        plain = {"layers": ",".join(target.text for target in first)}
        super().__init__(
            settings.model_copy(update={"dream": settings.dream.model_copy(update=plain)}), network=network
        )
        self.settings: ZoomSettings = settings
        self.source = source
        seen = self.size(source.clip.size)
        self.look.sizes(seen)  # says so where that is too small
        self.room_for(seen)
        self._look: tuple[tuple[Target, ...], Look] = (first, self.look)

    def room_for(self, size: Size) -> None:
        """DeviceError when dreaming at a size takes more memory than this machine has."""
        tiled = 0 < 2 * self.look.tile**2 < size.height * size.width
        device.room_for(size, TILED if tiled else BYTES)

    def look_at(self, seconds: float) -> Look:
        """What is dreamed at a time."""
        targets = self.layers.at(seconds)
        if targets != self._look[0]:
            cut = tap.cut(self.network, targets).on(self.device, self.precision)
            self._look = targets, replace(self.look, cut=cut)
        return self._look[1]

    def climb_at(self, seconds: float) -> Climb:
        """How far it is dreamed at a time. Here strength shortens the steps: what is dreamed is dreamed on."""
        index = round(seconds * float(self.source.clip.rate))
        frame = Frame(index, index, Fraction(seconds), NO_PICTURE)
        iterations, step, _, strength, saturation = self._knobs(frame, self.source.clip)
        look = self.controls.guided(self.look_at(seconds), frame, self.size(self.source.clip.size))
        knobs = self.settings.dream
        return Climb(look, iterations, step * strength, knobs.dream_size, knobs.colour, saturation)
