"""The scene this program draws, as a source."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from pipeline.clip import Clip, Frame, Segment, Size, fit
from pipeline.errors import InputError, UsageError
from pipeline.scene import Scene, demo_scene, tone
from pipeline.settings import Input
from pipeline.sources.base import Facts, index_of, spread
from pipeline.stages import sound
from pipeline.stages.join import Beside


@dataclass
class SceneSource:
    """The scene this program draws itself, with a tone for its sound. Its motion is known, but not told."""

    clip: Clip
    scene: Scene
    chosen: range
    damaged: int = 0

    @staticmethod
    def of(how: Input) -> SceneSource:
        if how.frames or how.fps:
            raise UsageError(
                "The demo scene has 24 frames a second and no numbers: use --start, --end, --every."
            )
        size = fit(Size(360, 640), how.size or "full")
        scene = demo_scene(size)
        unit = Fraction(1, scene.rate.numerator)
        times = [frame * scene.rate.denominator for frame in range(scene.frames)]
        first = index_of(how.start, times, unit, "--start") if how.start else 0
        end = index_of(how.end, times, unit, "--end") if how.end else scene.frames
        chosen = range(first, min(end, scene.frames), how.every)
        if not chosen:
            raise InputError(f"The demo scene has {scene.frames} frames; none is left to dream.")
        return SceneSource(Clip("demo", size, unit, scene.rate / how.every, len(chosen)), scene, chosen)

    def frames(self, last: Segment | None = None) -> Generator[Frame, None, None]:
        for index in range(0 if last is None else last.end - 1, len(self.chosen)):
            yield self._frame(index)

    def counted(self) -> Sequence[int]:
        return self.chosen

    def across(self, count: int) -> Iterator[Frame]:
        return (self._frame(index) for index in spread(len(self.chosen), count))

    def _frame(self, index: int) -> Frame:
        pts = (self.chosen[index] - self.chosen[0]) * self.scene.rate.denominator
        place = self.chosen[index]
        return Frame(index, pts, pts * self.clip.time_base, self.scene.picture(place), place=place)

    def beside(self, folder: Path) -> Beside | None:
        path = folder / "sound.m4a"
        sound.write(path, tone(float((self.chosen[-1] + self.chosen.step) / self.scene.rate)))
        start = self.chosen[0] / self.scene.rate
        return Beside(path, start if start else None)

    def files(self) -> list[Path]:
        return []

    def fingerprint(self) -> Facts:
        return {"scene": "demo", "size": str(self.clip.size), "frames": str(self.chosen)}
