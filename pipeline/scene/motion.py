"""Where the plates of a scene are at a given time: similarities in closed form, exact at every instant."""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Similarity:
    """z -> turn_scale * z + shift, on points z = x + iy, y down. `(a @ b)(z)` is `a(b(z))`."""

    turn_scale: complex
    shift: complex

    def __call__(self, z: complex) -> complex:
        return self.turn_scale * z + self.shift

    def __matmul__(self, first: Similarity) -> Similarity:
        return Similarity(self.turn_scale * first.turn_scale, self(first.shift))

    @property
    def inverse(self) -> Similarity:
        """What undoes it."""
        return Similarity(1 / self.turn_scale, -self.shift / self.turn_scale)


@dataclass(frozen=True)
class Orbit:
    """A swing round an ellipse with a zoom and a turn: always moving, and back after a period.

    Lengths are in the scene's unit, so the look does not depend on the picture's size; x + iy, y down.
    centre: of the ellipse, from the middle of the view. swing: its half-axes. period: seconds.
    phase: 0..1 of a period at time 0; at phase 0 it is at its lowest, going right.
    zoom: greatest magnification, >= 1; the least is 1 / zoom. turn: greatest turn either way, degrees.
    """

    centre: complex
    swing: complex
    period: float
    phase: float = 0.0
    zoom: float = 1.0
    turn: float = 0.0

    def at(self, seconds: float) -> Similarity:
        """From the plate to the view, both in units from their own middles."""
        angle = math.tau * (seconds / self.period + self.phase)
        shift = self.centre + complex(self.swing.real * math.sin(angle), self.swing.imag * math.cos(angle))
        # Out of step with the swing and each other, so that there is no instant without zoom and turn.
        growth = math.log(self.zoom) * math.sin(angle + 1.0)
        return Similarity(cmath.exp(complex(growth, math.radians(self.turn) * math.sin(angle + 2.0))), shift)

    def reach(self, half: complex) -> complex:
        """Half-width and half-height a plate needs for its border never to enter a view of half-size `half`."""
        width = half.real + abs(self.centre.real) + abs(self.swing.real)
        height = half.imag + abs(self.centre.imag) + abs(self.swing.imag)
        lean = math.sin(math.radians(self.turn))
        return self.zoom * complex(width + lean * height, height + lean * width)


@dataclass(frozen=True)
class Motion:
    """How the background and the front object move, and how noisy the sensor is.

    noise: standard deviation of the Gaussian noise of each frame, in grey levels.
    """

    background: Orbit
    front: Orbit
    noise: float = 0.0


_SLOW = Motion(
    background=Orbit(0j, 0.10 + 0.03j, period=9, phase=0.3, zoom=1.03, turn=1.0),
    front=Orbit(0.02 - 0.02j, 0.36 + 0.05j, period=14, phase=-0.1, zoom=1.04, turn=2.0),
)

MOTIONS = {
    "demo": Motion(
        background=Orbit(0j, 0.16 + 0.04j, period=9, phase=0.28, zoom=1.06, turn=1.8),
        front=Orbit(0.02 - 0.03j, 0.55 + 0.05j, period=14, phase=-0.13, zoom=1.06, turn=4.0),
    ),
    "slow": _SLOW,
    "fast": Motion(
        background=Orbit(0j, 0.26 + 0.08j, period=5, phase=0.3, zoom=1.10, turn=3.0),
        front=Orbit(0.0 - 0.02j, 0.42 + 0.20j, period=1.9, phase=-0.1, zoom=1.08, turn=5.0),
    ),
    "noisy": Motion(_SLOW.background, _SLOW.front, noise=4.0),
}
"""By name of difficulty. At 640x360 and 24 frames a second the front moves about 3, 2, 16 and 2 pixels a frame."""
