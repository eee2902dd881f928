"""Writing: how a film is written: its encoding, the plan its bytes depend on, its segments, and what joins them."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING

from pipeline import codecs, hearing, overrides, spaces
from pipeline.clip import Clip, Deep, Frame, Picture, Pixels
from pipeline.destination import Destination
from pipeline.errors import InputError
from pipeline.files import whole
from pipeline.plan import Plan
from pipeline.render import Reel, Write
from pipeline.settings import Settings
from pipeline.sources import ClipSource, PictureSource, Source
from pipeline.stages import compare, encode, gif, join, shots, stills
from pipeline.tracks import Beside
from pipeline.workdir import Workdir

if TYPE_CHECKING:
    from pipeline.dreamer import Dreamer


@dataclass(frozen=True)
class Writing:
    """Where a source goes, and how. recipe: the look, as it goes into the film. song: to put in place of its sound.
    deep: frames bring the full depth of their source. notes: what to tell of it all."""

    source: Source
    destination: Destination
    encoding: encode.Encoding
    recipe: str
    plan: Plan
    how: compare.How
    keep_sound: bool
    song: Beside | None
    deep: bool
    notes: list[str]

    @staticmethod
    def of(source: Source, dreamer: Dreamer, destination: Destination) -> Writing:
        """As the settings of `dreamer` say. Has the source bring what depth can be written. UsageError."""
        output = dreamer.settings.output
        encoding, notes = _encoding(source, dreamer, destination)
        deep = output.compare == "none" and _is_deep(source, destination, encoding, output.hdr)
        if isinstance(source, ClipSource | PictureSource):
            source.deep = deep
        song, lengths = _song(source, dreamer.settings, destination)
        return Writing(
            source,
            destination,
            encoding,
            recipe(dreamer),
            _plan(source, dreamer, encoding),
            output.compare,
            output.audio == "keep",
            song,
            deep,
            notes + lengths + _cuts_outside(source, dreamer.settings),
        )

    @property
    def clip(self) -> Clip:
        """The facts of what is written."""
        return compare.shape(self.source.clip, self.how)

    def reel(self, work: Workdir) -> Callable[[int], Reel]:
        """Where the pictures of a segment go, given its first frame. InputError when the source was changed."""

        @contextmanager
        def reel(first: int) -> Iterator[Write]:
            if self.destination.kind == "film":
                out = encode.film(work.film(first), self.clip, self.encoding)
            else:
                out = stills.roll(self.destination.path, self.recipe)
            with out as write:
                yield lambda picture, frame: write(self.shown(picture, frame), frame)
            self.check_source()

        return reel

    def shown(self, picture: Picture | Deep, frame: Frame) -> Picture | Deep:
        """A dreamed picture as the film shows it: as it is, or compared with its source."""
        if self.how == "none":
            return picture
        assert not isinstance(picture, Deep)
        return compare.compared(frame.picture, picture, self.how, float(frame.time))

    def check_source(self) -> None:
        """InputError when the source is not what it was when this began."""
        if self.source.fingerprint() != self.plan["source"]:
            raise InputError(
                f"{self.source.clip.name}: was changed while it was dreamed. --fresh starts over."
            )

    def finish(self, work: Workdir) -> list[str]:
        """Join what is done into the film, with what goes beside its picture. Gives what to tell of that."""
        out = self.destination.path
        if self.destination.kind != "film":
            if self.destination.recipe_file:
                with whole(self.destination.recipe_file) as part:
                    part.write_text(self.recipe, encoding="utf-8")
            return []
        pieces = [(segment, work.film(segment.first)) for segment in work.segments]
        beside = self.source.beside(work.folder)
        if beside is not None and not self.keep_sound:
            beside = replace(beside, takes="rest")
        with whole(out) as part:
            if out.suffix.lower() == ".gif":
                gif.write(pieces, part, self.clip, self.recipe)
                return ["A gif holds no sound."] if (beside and self.keep_sound) or self.song else []
            return join.join(pieces, part, self.clip, beside, self.recipe, self.song)


def recipe(dreamer: Dreamer) -> str:
    """The look as TOML, with what made it: versions and the weights' hash."""
    made = {
        "dream_video": version("dream-video"), "torch": version("torch"), "python": platform.python_version(),
        "weights_sha256": dreamer.network.sha256,
    }  # fmt: skip
    return overrides.to_toml({**dreamer.settings.recipe(), "made": made})


def _plan(source: Source, dreamer: Dreamer, encoding: encode.Encoding) -> Plan:
    """All that the bytes of the film depend on. frames: which, counted from 0 in the source."""
    settings, counted = dreamer.settings, source.counted()
    return {
        "source": source.fingerprint(),
        "settings": settings.recipe() | {"input": settings.input.model_dump(mode="json")},
        "frames": {"from": counted[0], "to": counted[-1] + 1, "count": len(counted)} if counted else {},
        "space": spaces.identity(settings.input.input_space),
        "weights": dreamer.network.sha256,
        "beside": dreamer.controls.fingerprints(),
        "beats": hearing.facts(settings),
        "cuts": list(_listed(settings)),
        "encoding": encoding.__dict__,
        "compare": settings.output.compare,
        "device": str(dreamer.device),
        "precision": str(dreamer.precision),
        "keyframes": asdict(dreamer.keyframes) if dreamer.keyframes else {},
        "versions": {
            name: version(name) for name in ("dream-video", "torch", "av", "opencv-python-headless")
        },
    }


def _encoding(
    source: Source, dreamer: Dreamer, destination: Destination
) -> tuple[encode.Encoding, list[str]]:
    """How it is written, and what to tell of that."""
    notes = list(source.clip.notes)
    if destination.kind != "film":
        pixels, ending = source.clip.pixels, destination.path.suffix.lower()
        if (
            pixels.hdr
            and dreamer.settings.output.hdr == "keep"
            and not stills.holds_depth(destination.path, pixels)
        ):
            notes.append(f"{ending} pictures hold no HDR: mapped to SDR. .exr keeps its light.")
        return encode.Encoding("pictures", 0, "", "rgb24", dreamer.threads), notes
    output = dreamer.settings.output
    clip, ending = compare.shape(source.clip, output.compare), destination.path.suffix.lower()
    encoding, said = encode.choose(clip, ending, output, dreamer.threads)
    return encoding, notes + said


def _song(source: Source, settings: Settings, destination: Destination) -> tuple[Beside | None, list[str]]:
    """What to put under the film, and what to tell of that."""
    song, notes = hearing.under(settings, source.clip)
    if song is not None and destination.kind != "film":
        return None, [f"--audio {song.path}: pictures hold no sound."]
    return song, notes


def _is_deep(source: Source, destination: Destination, encoding: encode.Encoding, hdr: str) -> bool:
    """Whether frames are to bring the full depth of their source: what is written can hold it."""
    pixels = source.clip.pixels
    if destination.kind != "film":
        holds = stills.holds_depth(destination.path, pixels) and (hdr == "keep" or not pixels.hdr)
        return pixels != Pixels() and holds
    return codecs.is_deep(encoding.pixel_format) or (pixels.alpha and codecs.has_alpha(encoding.pixel_format))


def _listed(settings: Settings) -> tuple[int, ...]:
    told = shots.file_of(settings.time.cuts)
    return shots.listed(told) if told else ()


def _cuts_outside(source: Source, settings: Settings) -> list[str]:
    cuts = _listed(settings)
    counted = source.counted() if cuts else []
    _, outside = shots.starts(cuts, counted)
    if not outside:
        return []
    some = ", ".join(map(str, outside[:5])) + ", ..." * (len(outside) > 5)
    return [f"--cuts: {some} of {len(cuts)} cuts lie outside frames {counted[0]} to {counted[-1]}."]
