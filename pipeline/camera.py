"""Camera: where a dive looks at any moment: schedules of speeds in, exact views at times (seconds) out.

Frame coordinates are complex numbers: x to the right + i y downwards, in frame widths, 0 the middle of the frame.
With z the speed in doublings/s, w the turn in radians/s (the picture turns clockwise), c the point that is dived
into and v the pan, what stands at p in the frame moves by

    dp/dt = L (p - c) - v,    L = z ln 2 + i w

so that one frame is a similarity of another: it turns and scales by exp(-integral of L), and shifts by the
integral of that times (L c + v). Both are integrated over time, never over frames: the same dive at 24 and at
60 frames a second passes through the same views at the same times.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.schedule import Schedule

NODES = 120  # a second: Simpson's rule is exact for what runs straight between them, and keys are nodes too


@dataclass(frozen=True)
class Similarity:
    """p -> scale p + offset: turns, scales and shifts a plane. `a @ b` does b first."""

    scale: complex = 1
    offset: complex = 0

    def __call__(self, p: complex) -> complex:
        return self.scale * p + self.offset

    def __matmul__(self, inner: Similarity) -> Similarity:
        return Similarity(self.scale * inner.scale, self.scale * inner.offset + self.offset)

    @property
    def inverse(self) -> Similarity:
        """What undoes it."""
        return Similarity(1 / self.scale, -self.offset / self.scale)

    @property
    def matrix(self) -> NDArray[np.float64]:
        """[2, 3], for cv2.warpAffine."""
        a, b = self.scale.real, self.scale.imag
        return np.array([[a, -b, self.offset.real], [b, a, self.offset.imag]])


@dataclass(frozen=True)
class Moves:
    """What drives the camera, each a schedule. zoom: doublings/s. turn: degrees/s, the picture clockwise.

    centre: x, y of the point dived into, 0..1 of the frame. pan: frame widths and heights per second, the camera
    to the right and down. rate: frames/s, and last: the last frame's number, for schedules that count in frames.
    aspect: height over width. For a loop that has to close, pace: a factor on zoom, and spin: radians/s of turn more.
    """

    zoom: Schedule
    turn: Schedule
    centre: tuple[Schedule, Schedule]
    pan: tuple[Schedule, Schedule]
    rate: float
    last: int
    aspect: float
    pace: float = 1.0
    spin: float = 0.0

    @property
    def schedules(self) -> tuple[Schedule, ...]:
        """zoom, turn, the centre's x and y, and the pan's."""
        return (self.zoom, self.turn, *self.centre, *self.pan)

    def at(self, schedule: Schedule, seconds: float) -> float:
        """One of its schedules at a time, seconds from the start."""
        if schedule.constant is not None:
            return schedule.constant
        return schedule.at(seconds * self.rate, seconds, rate=self.rate, last=self.last)

    def speeds(self, seconds: float) -> tuple[complex, complex]:
        """L, and L c + v, at a time."""
        zoom, turn, x, y, right, down = (self.at(schedule, seconds) for schedule in self.schedules)
        speed = complex(self.pace * zoom * math.log(2), math.radians(turn) + self.spin)
        centre = complex(x - 0.5, (y - 0.5) * self.aspect)
        return speed, speed * centre + complex(right, down * self.aspect)


@dataclass(frozen=True)
class Path:
    """A camera's way through `seconds`. times [n] are its nodes; depth [n] doublings and angle [n] radians so far.

    scales, offsets [n - 1]: the similarity of each node's frame in the frame of the node before.
    """

    moves: Moves
    seconds: float
    times: NDArray[np.float64]
    depth: NDArray[np.float64]
    angle: NDArray[np.float64]
    scales: NDArray[np.complex128]
    offsets: NDArray[np.complex128]

    @staticmethod
    def of(moves: Moves, seconds: float) -> Path:
        """Integrate the schedules over 0..seconds. Raises ScheduleError where one has no value."""
        times = _nodes(moves, seconds)
        steps = list(map(_stepper(moves), times[:-1], times[1:]))
        turned = np.concatenate(([0], np.cumsum([integral for integral, _ in steps])))
        scales = np.array([cmath.exp(-integral) for integral, _ in steps])
        offsets = np.array([offset for _, offset in steps])
        return Path(moves, seconds, times, turned.real / math.log(2), turned.imag, scales, offsets)

    def depth_at(self, seconds: float) -> float:
        """Doublings since the start."""
        node = self._node(seconds)
        return float(self.depth[node] - math.log2(abs(self._partial(node, seconds).scale)))

    def seen_from(self, now: float, then: float) -> Similarity:
        """Where the frame at `then` lies in the frame at `now`: maps its points to points of that one."""
        if then < now:
            return self.seen_from(then, now).inverse
        first, last = self._node(now), self._node(then)
        scales = np.concatenate(([1], np.cumprod(self.scales[first:last])))
        offset = complex(np.sum(scales[:-1] * self.offsets[first:last]))
        way = Similarity(complex(scales[-1]), offset) @ self._partial(last, then)
        return self._partial(first, now).inverse @ way

    def when(self, depth: float) -> float:
        """The node's time at which the camera is first at `depth`, or nearest to it."""
        return float(self.times[int(np.argmin(np.abs(self.depth - depth)))])

    def _node(self, seconds: float) -> int:
        return int(np.searchsorted(self.times, seconds + 1e-9, "right")) - 1

    def _partial(self, node: int, seconds: float) -> Similarity:
        """The frame at `seconds`, seen from the node at or before it."""
        if seconds - self.times[node] < 1e-9:
            return Similarity()
        integral, offset = _stepper(self.moves)(float(self.times[node]), seconds)
        return Similarity(cmath.exp(-integral), offset)


def _nodes(moves: Moves, seconds: float) -> NDArray[np.float64]:
    even = np.linspace(0, seconds, max(1, math.ceil(seconds * NODES)) + 1)
    keys = [
        key.time if key.in_seconds else key.time / moves.rate
        for schedule in moves.schedules
        for key in schedule.keys
    ]
    return np.unique(np.concatenate((even, [key for key in keys if 0 < key < seconds])).round(9))


def _stepper(moves: Moves) -> Callable[[float, float], tuple[complex, complex]]:
    """From two times to the integral of L between them, and the shift of the later frame in the earlier one."""
    constant = all(schedule.constant is not None for schedule in moves.schedules)
    always = moves.speeds(0.0) if constant else None

    def step(start: float, end: float) -> tuple[complex, complex]:
        width = end - start
        times = (start, (start + end) / 2, end)
        (l0, u0), (l1, u1), (l2, u2) = [always or moves.speeds(time) for time in times]
        half, whole = width / 24 * (5 * l0 + 8 * l1 - l2), width / 6 * (l0 + 4 * l1 + l2)
        return whole, width / 6 * (u0 + 4 * cmath.exp(-half) * u1 + cmath.exp(-whole) * u2)

    return step


def closed(moves: Moves, seconds: float) -> tuple[Path, int]:
    """The nearest path that ends as it began: whole doublings, full turns; and the doublings, signed.

    Neither becomes none: a steady turn of less than half a circle is made a whole one. A turn that sways is given
    what it lacks evenly, so that it sways on.
    """
    asked = Path.of(moves, seconds)
    depth, angle = float(asked.depth[-1]), float(asked.angle[-1])
    doublings = _whole(depth)
    if not doublings:
        return asked, 0
    turns = _whole(angle / math.tau) if moves.turn.constant is not None else round(angle / math.tau)
    spin = (turns * math.tau - angle) / seconds
    return Path.of(replace(moves, pace=doublings / depth, spin=spin), seconds), doublings


def _whole(asked: float) -> int:
    return round(asked) or (int(math.copysign(1, asked)) if asked else 0)
