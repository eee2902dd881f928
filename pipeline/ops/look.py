"""Look: what is dreamed and how, as stages need it: the network, cut, and what to make of its activations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.errors import InputError
from pipeline.net.moment import NOW, Moment
from pipeline.net.tap import Cut
from pipeline.ops import pyramid
from pipeline.ops.objectives import Callback, Objective
from pipeline.ops.recorded import Recorder
from pipeline.size import Size

LEAST_OCTAVE = 16  # px: nothing is seen in less


def go_on() -> None:
    """What heeds nothing."""


@dataclass(frozen=True)
class Look:
    """What is dreamed and how, apart from how far.

    jitter: pixels. smooth: sigma in pixels at the last step, thrice that at the first. laplacian: bands of detail
    that are brought to one strength; 0: none. objective: of one target's activations, or `callback` of all of them.
    octave_iterations, octave_step: each octave's share of the iterations and of the step, smallest octave first;
    the last one holds for those that follow, and those of octaves that do not fit are left out. soft: what is
    dreamed is enlarged from octave to octave linearly, not bicubic. tile: pixels; what is larger than two such
    tiles is seen tile by tile; 0: never. now: what belongs to one frame. heed: called before every step, and
    before every tile: what it raises ends the dream.
    """

    cut: Cut
    objective: Objective
    callback: Callback | None = None
    octaves: int = 4
    octave_scale: float = 1.4
    jitter: int = 32
    smooth: float = 0.0
    seed: int = 0
    laplacian: int = 0
    octave_iterations: tuple[float, ...] = (1.0,)
    octave_step: tuple[float, ...] = (1.0,)
    soft: bool = False
    tile: int = 0
    now: Moment = NOW
    heed: Callable[[], None] = go_on
    record: Recorder | None = None

    @property
    def placed(self) -> bool:
        """Some target is at a place in the picture."""
        return any(target.at is not None for target in self.cut.targets)

    @property
    def is_steady(self) -> bool:
        """A gradient follows from the picture alone, whatever the frame."""
        now = self.now
        varies = now.weights is not None or any(part is not None for part in (*now.guides, *now.picks))
        return not varies and not self.placed and self.callback is None

    def shares(self, octaves: int) -> list[tuple[float, float]]:
        """(of the iterations, of the step) for each of so many octaves that fit, smallest first."""
        asked = range(self.octaves - octaves, self.octaves)
        each = (self.octave_iterations, self.octave_step)
        iterations, step = ([shares[min(k, len(shares) - 1)] for k in asked] for shares in each)
        return list(zip(iterations, step, strict=True))

    def sizes(self, size: Size) -> list[Size]:
        """The octaves that fit a picture of this size, smallest first. InputError when not even it fits."""
        if min(size) < self.cut.least:
            raise InputError(
                f"A dream of {size} is too small: these layers need at least {self.cut.least} pixels a side. "
                "Give a larger --size, or a layer nearer to the picture."
            )
        return pyramid.sizes(size, self.octaves, self.octave_scale, max(self.cut.least, LEAST_OCTAVE))
