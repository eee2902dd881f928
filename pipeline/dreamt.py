"""Dreamt and Due: a frame after its dream, and all that is known of it before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.clip import Clip, Deep, Flow, Frame, Picture, Tick

if TYPE_CHECKING:
    from pipeline.stages.carry import Carried


class Key(NamedTuple):
    """A frame yet to come that is dreamed already. carried: by it. flow: from the frame due to it.

    weight: what it counts for, 0..1, where both it and the frame before can be trusted.
    """

    carried: Carried
    flow: Flow
    weight: float


@dataclass(frozen=True)
class Due:
    """A frame to be dreamed, what was carried to it, and the facts of its film.

    fades: how often what is carried fades. key: what it is to lead to, if anything.
    """

    tick: Tick
    carried: Carried | None = None
    clip: Clip | None = None
    fades: int = 1
    key: Key | None = None


@dataclass(frozen=True)
class Dreamt:
    """A frame, dreamed. picture: what is shown, uint8 [H, W, 3]: source + strength x dream.

    carried: to the next, None for nothing. flow: of the source at dream size, [h, w]. steps: in each octave, of the
    `iterations` of a full dream; lost: of all of them, those whose gradient was no number. deep: the picture at the
    depth of its source, where that is to be written.
    """

    frame: Frame
    picture: Picture
    carried: Carried | None
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
        if self.carried is None:
            return np.zeros((*self.flow.trust.shape, 3), np.float32)
        return self.carried.dream[0].permute(1, 2, 0).cpu().numpy()

    @property
    def pts(self) -> int:
        """Its exact time, in the clip's time_base."""
        return self.frame.pts

    @property
    def rms(self) -> float:
        """Strength of the dream layer, grey levels."""
        return 0.0 if self.carried is None else 255 * float(self.carried.dream.square().mean().sqrt())
