"""Hearing: what schedules hear, and the song under a film. Settings and a source in, settings that hear out.

A song begins with the film's first frame; a clip's own sound keeps its own time, whatever is left out of the clip.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from pipeline import beats, media
from pipeline.beats import Listened
from pipeline.clip import Clip
from pipeline.errors import InputError, ScheduleError, UsageError
from pipeline.formula import HEARD
from pipeline.net import programme
from pipeline.pulse import Found, Pulse, Steady
from pipeline.settings import Settings
from pipeline.settings.knob import seconds_of
from pipeline.sources.base import Facts, Source, fingerprint
from pipeline.sources.film import ClipSource
from pipeline.tracks import Beside

APART = 0.1  # s that two lengths may differ by, and are called the same
COUNTED = 4  # beats from which their pace is told

Some = TypeVar("Some", bound=Settings)


def check(settings: Settings, source: Source | None) -> None:
    """Raises what `heard` would, and for --audio, without listening to it all."""
    song(settings)
    wanted, time = _wanted(settings), settings.time
    if "level" in wanted and time.beats == "none":
        raise ScheduleError(HEARD["level"], *wanted["level"])
    if wanted and time.beats == "none" and not time.bpm:
        raise ScheduleError(HEARD["beat"], *wanted["beat"])
    if wanted and time.beats != "none":
        with TemporaryDirectory(prefix="dream-video-") as folder:
            _sound(settings, source, source.clip.name if source else "this", Path(folder))


def heard(settings: Some, source: Source | None, clip: Clip | None = None) -> Some:
    """The settings, whose schedules hear what --beats and --bpm say.

    source: whose sound is the film's own; None: there is none. clip: the film, where that is not the source.
    Raises ScheduleError where a schedule hears and there is nothing to, InputError, UsageError.
    """
    wanted = _wanted(settings)
    time = settings.time
    if time.beats == "none" and not time.bpm and not wanted:
        return settings
    if not wanted:
        told = (
            'Nothing hears the beats: no setting has beat(t) or level(t) in it, as --strength "0.5+beat(t)".'
        )
        return settings.hearing(Pulse(told=(told,)))
    clip = clip or (source.clip if source else None)
    return settings.hearing(_pulse(settings, source, clip, wanted))


def _wanted(settings: Settings) -> dict[str, tuple[str, int]]:
    """What is heard, of `beat` and `level`, each with a text that does and its place."""
    wanted = {name: (one.text, at) for one in settings.schedules for name, at in one.hears.items()}
    if (at := programme.hears(settings.dream.layers)) is not None:
        wanted.setdefault("beat", (settings.dream.layers, at))
    return wanted


def _pulse(
    settings: Settings, source: Source | None, clip: Clip | None, wanted: dict[str, tuple[str, int]]
) -> Pulse:
    time, offset = settings.time, seconds_of(settings.time.offset)
    steady = Steady(time.bpm, offset) if time.bpm else None
    if "level" in wanted and time.beats == "none":
        raise ScheduleError(HEARD["level"], *wanted["level"])
    if time.beats == "none" or (steady and "level" not in wanted):
        if steady is None:
            raise ScheduleError(HEARD["beat"], *wanted["beat"])
        return Pulse(steady)
    with TemporaryDirectory(prefix="dream-video-") as folder:
        path, origin = _sound(settings, source, clip.name if clip else "this", Path(folder))
        stamp = path.stat()
        listened = _listened(path, stamp.st_size, stamp.st_mtime_ns)
        name = clip.name if clip and path.parent == Path(folder) else path.name
    told = tuple(_told(name, listened, origin, clip))
    if steady:
        return Pulse(replace(steady, first=offset + origin), listened.levels, listened.rate, origin)
    return Pulse(Found(listened.onsets), listened.levels, listened.rate, origin - offset, told)


@lru_cache(maxsize=2)
def _listened(path: Path, size: int, changed: int) -> Listened:
    return beats.listen(path)


def _sound(settings: Settings, source: Source | None, film: str, folder: Path) -> tuple[Path, float]:
    """What is listened to, and its own time at the film's first frame."""
    name = settings.time.beats
    if name != "audio":
        return sound_file("--beats", name), 0.0
    if under := song(settings):
        return under, 0.0
    beside = source.beside(folder) if source else None
    if source is None or beside is None or not _has_sound(beside.path):
        raise InputError(f"--beats audio: {film} has no sound. Give --beats SONG, or --bpm 120.")
    first = source.times[0] * source.clip.time_base if isinstance(source, ClipSource) else 0
    return beside.path, float((beside.start or 0) + first)


def _told(name: str, listened: Listened, origin: float, clip: Clip | None) -> Iterator[str]:
    onsets = listened.onsets
    if not onsets:
        yield f"{name}: no beats were heard in it; beat(t) stays 0."
    elif len(onsets) < COUNTED:
        yield f"{name}: {len(onsets)} beat{'s' * (len(onsets) > 1)}."
    else:
        between = sorted(after - before for before, after in pairwise(onsets))
        yield f"{name}: {len(onsets)} beats, about {60 / between[len(between) // 2]:.0f} a minute."
    if listened.broken:
        yield f"{name}: {listened.broken} packets of its sound could not be decoded and were passed over."
    ends, film = listened.seconds - origin, length_of(clip) if clip else None
    if film is not None and ends < film - APART:
        yield f"{name} ends at {ends:.1f} s, the film at {float(film):.1f} s: nothing is heard after that."


def song(settings: Settings) -> Path | None:
    """The file of --audio; None where it is a word. InputError where it is no sound."""
    name = settings.output.audio
    return None if name in ("keep", "none") else sound_file("--audio", name)


def sound_file(flag: str, name: str) -> Path:
    """A file with sound in it. InputError."""
    path = Path(name)
    if name == "-":
        raise UsageError(f"{flag} -: stdin is for the film. Give a file.")
    try:
        there = _has_sound(path)
    except InputError as error:
        if not path.is_file():
            raise InputError(f"{flag} {name}: no such file. Check the name and the folder.") from None
        raise InputError(
            f"{flag} {name}: cannot be read as sound. Expected a song, or a film with one."
        ) from error
    if not there:
        raise InputError(f"{flag} {name}: holds no sound.")
    return path


def _has_sound(path: Path) -> bool:
    with media.open_clip(path) as file:
        return bool(file.streams.audio)


def files(settings: Settings) -> list[Path]:
    """What is read of sound, and so must never be written."""
    named = ((settings.time.beats, ("none", "audio")), (settings.output.audio, ("keep", "none")))
    return [Path(name) for name, words in named if name not in words]


def facts(settings: Settings) -> Facts:
    """What tells the sound that schedules hear from another; of a clip's own the source tells."""
    name = settings.time.beats
    if name == "audio" and settings.output.audio not in ("keep", "none"):
        name = settings.output.audio
    return {} if name in ("none", "audio") else fingerprint([Path(name)])


def under(settings: Settings, clip: Clip) -> tuple[Beside | None, list[str]]:
    """The song of --audio, for a film, and what to tell of their lengths. InputError."""
    path = song(settings)
    if path is None:
        return None, []
    film, own = length_of(clip), length(path)
    notes = []
    if film is not None and own is not None and own < film - APART:
        notes = [
            f"{path.name} ends at {float(own):.1f} s, the film at {float(film):.1f} s: the rest is silent."
        ]
    elif film is not None and own is not None and own > film + APART:
        notes = [
            f"{path.name} is {float(own):.1f} s long, the film {float(film):.1f} s: it ends with the film."
        ]
    return Beside(path, None, film, "sound"), notes


def length(path: Path) -> Fraction | None:
    """How long a file's first sound track is, in seconds; None where it does not say."""
    with media.open_clip(path) as file:
        stream = file.streams.audio[0]
        if stream.duration and stream.time_base:
            return Fraction(stream.duration * stream.time_base)
        return Fraction(file.duration, 1_000_000) if file.duration else None


def length_of(clip: Clip) -> Fraction | None:
    """Seconds, where the number of frames is known."""
    return clip.frames / clip.rate if clip.frames else None
