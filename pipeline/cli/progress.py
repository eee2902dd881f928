"""Progress: what is said while a film is dreamed. On stderr, except json, which is for programs, on stdout."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, NoReturn

from tqdm import tqdm

from pipeline.errors import printable

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.clip import Clip, Frame, Size
    from pipeline.dreamt import Dreamt
    from pipeline.settings import Dream

PLAIN_EVERY = 10.0  # seconds between two plain lines
LONG = 120.0  # seconds from which an atlas offers a shorter way
WORTH_SAYING = 60.0  # seconds left from which an estimate is told
SMALLER = 640  # px, the longer side of the smaller dream an estimate offers


class Teller:
    """Says things in one style: bar, plain, json or none. Nobody listening is no error."""

    style: str
    _bar: tqdm[NoReturn] | None = None

    def note(self, text: str) -> None:
        """A line of its own, whatever else is on the screen."""
        try:
            if self.style == "json":
                print(json.dumps({"event": "note", "text": text}), flush=True)
            elif self.style != "none":
                tqdm.write(printable(text), file=sys.stderr)
        except (OSError, ValueError):
            self.style, self._bar = "none", None

    def close(self) -> None:
        """Take the bar off the screen."""
        if self._bar is not None:
            with suppress(OSError, ValueError):
                self._bar.close()


class Progress(Teller):
    """Counts frames and tells of them in one style: bar, plain, json or none.

    total: frames in all, None when unknown. size: of the dream.
    """

    def __init__(self, style: str, total: int | None, size: Size, octaves: int) -> None:
        self.style = style if style != "auto" else "bar" if sys.stderr.isatty() else "plain"
        self.total, self.size, self.octaves = total, size, octaves
        self.done = self._from = self._looked = 0
        self._began = self._after_first = monotonic()
        self._spoke = -PLAIN_EVERY
        self._bar: tqdm[NoReturn] | None = None

    def start(self, done: int) -> None:
        """Before the first frame; done: the frames of an earlier run."""
        self.done = self._from = done
        self._began = monotonic()
        if done:
            self.note(f"going on after frame {done} of {self.total or '?'}")
        if self.style == "bar":
            self._bar = tqdm(total=self.total, initial=done, unit="frame", dynamic_ncols=True, leave=False)

    def skip(self, done: int) -> None:
        """So many frames, of a film among many, were done before."""
        self.done += done
        self._from += done

    def look(self, frame: Frame) -> None:
        """Of each frame that is looked through for cuts before the first is dreamed."""
        self._looked += 1
        told, now = f"looking for cuts: frame {self._looked} of {self.total or '?'}", monotonic()
        if self._bar is not None:
            self._bar.set_postfix_str(told)
        elif now - self._spoke >= PLAIN_EVERY:
            self._spoke = now
            self.note(told)

    def __call__(self, dreamt: Dreamt) -> None:
        self.done += 1
        try:
            self._tell(dreamt, monotonic())
        except (OSError, ValueError):  # nobody listens any more; the film is dreamed all the same
            self.style, self._bar = "none", None

    def _tell(self, dreamt: Dreamt, now: float) -> None:
        if self.done == self._from + 1:
            self._after_first = now
        if self.done == self._from + 2 and self.style in ("bar", "plain"):
            self._estimate(now - self._after_first)
        if self._bar is not None:
            self._bar.set_postfix_str(f"{self.octaves}x{dreamt.steps} steps, {dreamt.rms:.0f} grey levels")
            self._bar.update(self.done - self._bar.n)
        elif self.style == "json":
            self._json(dreamt, now)
        elif self.style == "plain" and (now - self._spoke >= PLAIN_EVERY or self.done == self.total):
            self._spoke = now
            self.note(f"frame {self.done} of {self.total or '?'}{self._left(now)}")

    def _pace(self, now: float) -> float:
        """Seconds a frame, the first left out: it is dreamed whole, the others carry it on."""
        later = self.done - self._from - 1
        return (now - self._after_first) / later if later > 0 else now - self._began

    def _left(self, now: float) -> str:
        if not self.total:
            return ""
        if self.done == self._from + 1:  # dreamed whole, and no measure of the others
            return f" after {now - self._began:.1f} s"
        pace, still = self._pace(now), self.total - self.done
        return f", {pace:.2f} s/frame" + (f", {duration(pace * still)} left" if still else "")

    def _estimate(self, pace: float) -> None:
        left = pace * ((self.total or 0) - self.done)
        if left < WORTH_SAYING:
            return
        text = f"about {duration(left)} at {pace:.1f} s/frame"
        if max(self.size) > SMALLER * 1.2:
            smaller = left * (SMALLER / max(self.size)) ** 2
            text += f"; with --dream-size max:{SMALLER} about {duration(smaller)}"
        self.note(text)

    def _json(self, dreamt: Dreamt, now: float) -> None:
        facts = {
            "event": "frame", "frame": dreamt.frame.index, "done": self.done, "of": self.total,
            "octaves": self.octaves, "steps": dreamt.steps, "strength": round(dreamt.rms, 3),
            "trust": round(dreamt.trust, 4), "cut": dreamt.cut, "seconds_per_frame": round(self._pace(now), 3),
        }  # fmt: skip
        print(json.dumps(facts), flush=True)


class Told(Teller):
    """Tells of an atlas in one style, bar, plain, json or none: the time it will take, then each dream."""

    def __init__(self, style: str) -> None:
        self.style = style if style != "auto" else "bar" if sys.stderr.isatty() else "plain"
        self.done = self.total = 0
        self._began = self._spoke = monotonic()
        self._bar: tqdm[NoReturn] | None = None

    def begin(self, total: int, size: Size, seconds: float) -> None:
        """Before the first of `total` dreams of a size, which take about so many seconds."""
        self.total, self._began = total, monotonic()
        self.note(f"{total} dreams of {size}, about {duration(seconds)}")
        if seconds > LONG:
            self.note("--dream-size max:240 makes it shorter, and so does naming a few layers: --layers A,B")
        if self.style == "bar":
            self._bar = tqdm(total=total, unit="dream", dynamic_ncols=True, leave=False)

    def step(self) -> None:
        """One more is dreamed."""
        self.done += 1
        now = monotonic()
        try:
            if self._bar is not None:
                self._bar.update(1)
            elif self.style == "json":
                facts = {"event": "dream", "done": self.done, "of": self.total}
                print(json.dumps(facts), flush=True)
            elif self.style == "plain" and now - self._spoke >= PLAIN_EVERY:
                self._spoke = now
                left = (now - self._began) / self.done * (self.total - self.done)
                self.note(f"dream {self.done} of {self.total}, {duration(left)} left")
        except (OSError, ValueError):  # nobody listens any more; the atlas is made all the same
            self.style, self._bar = "none", None


def beginning(clip: Clip, dream: Dream, path: Path) -> str:
    """What is about to be dreamed, and where it goes."""
    frames = counted(clip.frames, "frame") if clip.frames else "some frames"
    return f"{clip.name}: {frames} of {clip.size}, dreamed by {dream.model} {dream.layers}, to {path}"


def counted(number: int, what: str) -> str:
    """1 frame, 36 frames."""
    return f"{number} {what}{'s' * (number != 1)}"


def duration(seconds: float) -> str:
    """48 s, 25 min, 2 h 10 min."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
