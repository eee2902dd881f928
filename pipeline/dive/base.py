"""What every way of diving shares: a dreamer of one source whose layers, steps and strength change through time."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TypeVar

from pipeline import device
from pipeline.clip import Frame, Size
from pipeline.dive.masters import Climb
from pipeline.dreamer import NO_PICTURE, Dreamer
from pipeline.errors import DeviceError
from pipeline.net.tap import Network
from pipeline.settings.zoom import ZoomSettings
from pipeline.sources.zoom import ZoomSource

T = TypeVar("T")

# Bytes of memory, measured with the network in the box.
ANYHOW = 1_500_000_000  # libraries, and one tile
WHOLE = 480  # per pixel of a picture, while it is dreamed whole
TILED = 135  # likewise, while it is dreamed in tiles


class Dive(Dreamer):
    """A Dreamer that holds its film, for what it dreams depends on when. Raises as Dreamer does."""

    def __init__(self, settings: ZoomSettings, source: ZoomSource, network: Network | None = None) -> None:
        settings = settings.hearing(source.pulse)
        super().__init__(settings, network=network)
        self.settings: ZoomSettings = settings
        self.keyframes = None  # what it carries is no film's motion
        self.source = source
        seen = self.size(source.clip.size)
        self.controls.check(self.look, seen)
        self.room_for(seen)

    def room_for(self, size: Size) -> None:
        """DeviceError when dreaming at a size takes more memory than this machine has."""
        tiled = 0 < 2 * self.look.tile**2 < size.height * size.width
        needs = ANYHOW + size.height * size.width * (TILED if tiled else WHOLE)
        device.room_for(size, needs, "a smaller --size, or --dream-size max:1920")

    def fitted_in(self, size: Size, make: Callable[[], T]) -> T:
        """What `make` dreams at a size; in smaller tiles from then on where the memory is too small. DeviceError."""
        while True:
            try:
                with device.memory(f"dreaming a picture of {size}"):
                    return make()
            except DeviceError:
                device.let_go(self.device)
                if not self._takes_less(1):
                    raise

    def climb_at(self, seconds: float) -> Climb:
        """How far it is dreamed at a time. Here strength shortens the steps: what is dreamed is dreamed on."""
        index = round(seconds * float(self.source.clip.rate))
        frame = Frame(index, index, Fraction(seconds), NO_PICTURE)
        iterations, step, _, strength, saturation = self._knobs(frame, self.source.clip)
        look = self.controls.alone(self.look, frame, self.source.clip, self.size(self.source.clip.size))
        knobs = self.settings.dream
        return Climb(look, iterations, step * strength, knobs.dream_size, knobs.colour, saturation)
