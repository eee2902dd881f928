"""Several inputs: each becomes what it would alone, and what is wrong with one keeps no other from being made."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from conftest import KilledError, killed_after, texture, tiny_network
from filming import SMALL, shown
from pipeline import film, several
from pipeline.cli import many, options
from pipeline.cli.video import main
from pipeline.clip import Frame
from pipeline.destination import Destination
from pipeline.dreamer import Dreamer
from pipeline.dreamt import Dreamt, Due
from pipeline.errors import DreamError, InputError
from pipeline.settings import Input
from pipeline.several import Audience, Wanted, make_all
from pipeline.sources import open_source
from pipeline.stages import stills

LENGTHS = {"a.mp4": 5, "b.mp4": 9, "c.mp4": 3, "d.mp4": 6}


@pytest.fixture
def clips(make_clip: Callable[..., Path], tmp_path: Path) -> Path:
    for name, frames in LENGTHS.items():
        make_clip(name, frames=frames, size=(24, 32))
    return tmp_path


def dreamer(lanes: int, **knobs: object) -> Dreamer:
    return Dreamer(
        network=tiny_network(), lanes=str(lanes), **(SMALL | {"layers": "soft", "iterations": 2} | knobs)
    )


def wanted(folder: Path, out: str, names: Sequence[str] = tuple(LENGTHS)) -> list[Wanted]:
    (folder / out).mkdir(exist_ok=True)
    sources = [open_source(str(folder / name), Input()) for name in names]
    return [Wanted(s, Destination.among_others(folder / out, s.clip.name, s)) for s in sources]


def made(
    ones: Sequence[Wanted], by: Dreamer, watch: Callable[[Dreamt], None] = lambda dreamt: None
) -> dict[str, film.Made | DreamError]:
    """What was told of each, and no frame was forgotten."""
    told: dict[str, film.Made | DreamError] = {}
    audience = Audience(
        lambda done: None,
        watch,
        lambda frame: None,
        lambda one, what: told.update({one.destination.path.name: what}),
    )
    make_all(ones, by, audience)
    return told


def films(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def lockstep(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU: one batch for all lanes."""
    monkeypatch.setattr(several, "in_step", lambda dreamer: True)


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """The films whose frames were dreamed together, batch by batch."""
    seen, usual = [], Dreamer._batch

    def batch(self: Dreamer, frames: Sequence[Due]) -> list[Dreamt]:
        seen.append({Path(due.clip.name).name for due in frames if due.clip})
        return usual(self, frames)

    monkeypatch.setattr(Dreamer, "_batch", batch)
    return seen


def test_films_side_by_side_are_the_films_one_by_one_to_the_byte(clips: Path) -> None:
    told = [made(wanted(clips, f"in{lanes}"), dreamer(lanes)) for lanes in (1, 2, 4)]
    assert [[one.frames for _, one in sorted(t.items())] for t in told] == [[5, 9, 3, 6]] * 3
    alone = films(clips / "in1")
    assert set(alone) == {f"{name[0]}_dream.mp4" for name in LENGTHS}, "and no work folder is left"
    assert films(clips / "in2") == alone
    assert films(clips / "in4") == alone


def test_fewer_films_than_lanes_go_one_after_the_other(
    clips: Path, lockstep: None, batches: list[set[str]]
) -> None:
    made(wanted(clips, "out", ["a.mp4", "b.mp4"]), dreamer(4))
    assert all(len(batch) == 1 for batch in batches)


def test_in_lockstep_frames_of_several_films_are_one_batch(
    clips: Path, lockstep: None, batches: list[set[str]]
) -> None:
    made(wanted(clips, "out"), dreamer(3))
    assert batches[:6] == [
        *[{"a.mp4", "b.mp4", "c.mp4"}] * 3,
        *[{"a.mp4", "b.mp4", "d.mp4"}] * 2,
        {"b.mp4", "d.mp4"},
    ]
    made(wanted(clips, "alone"), dreamer(1))
    for name in LENGTHS:
        mine, own = (
            shown(clips / folder / f"{name[0]}_dream.mp4").astype(float) for folder in ("out", "alone")
        )
        assert abs(mine - own).mean() < 0.05, "no film leaks into another"


def test_films_that_hear_different_songs_are_no_batch(
    clips: Path, lockstep: None, batches: list[set[str]]
) -> None:
    own = several.hearing.heard
    by = dreamer(2, bpm=120, strength="0.5+beat(t)")
    faster = by.settings.model_copy(update={"time": by.settings.time.model_copy(update={"bpm": 90.0})})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            several.hearing,
            "heard",
            lambda settings, source: own(faster if "b.mp4" in source.clip.name else settings, source),
        )
        made(wanted(clips, "out", ["a.mp4", "b.mp4"]), by)
    assert all(len(batch) == 1 for batch in batches)
    assert {"b.mp4"} in batches


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("lanes", [1, 2])
def test_a_film_that_turns_out_damaged_fails_alone(
    clips: Path, lanes: int, together: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(several, "in_step", lambda dreamer: together)
    ones = wanted(clips, "out")
    frames = type(ones[1].source).frames

    readings = []

    def damaged(self: object, last: object = None) -> Iterator[Frame]:
        """As it is read to be dreamed; with lanes it was read before that, for its cuts."""
        if self is ones[1].source:
            readings.append(1)
        for frame in frames(self, last):
            if self is ones[1].source and frame.index == 4 and len(readings) == lanes:
                raise InputError("b.mp4: is damaged at frame 4.")
            yield frame

    monkeypatch.setattr(type(ones[1].source), "frames", damaged)
    told = made(ones, dreamer(lanes))
    assert str(told.pop("b_dream.mp4")) == "b.mp4: is damaged at frame 4."
    assert sorted(told) == ["a_dream.mp4", "c_dream.mp4", "d_dream.mp4"]
    assert set(told) <= set(films_only(clips / "out"))


def films_only(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.is_file()]


@pytest.mark.parametrize("kill", [0, 7, 16])
def test_films_that_were_ended_go_on_to_the_same_bytes(
    clips: Path, kill: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(wanted(clips, "whole"), dreamer(2))
    with pytest.raises(KilledError):
        made(wanted(clips, "out"), dreamer(2), killed_after(kill))
    done = {Path(p).name for p in films_only(clips / "out")}
    made([one for one in wanted(clips, "out") if one.destination.path.name not in done], dreamer(2))
    assert films(clips / "out") == films(clips / "whole")


def test_a_disk_that_is_full_ends_them_all(clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(making: film.Making) -> film.Made:
        raise OSError("No space left on device")

    monkeypatch.setattr(film.Making, "finish", full)
    with pytest.raises(OSError, match="No space") as raised:
        made(wanted(clips, "out"), dreamer(2))
    assert "the same command goes on" in raised.value.__notes__[0]


# The door


def inputs(*words: str) -> list[str]:
    return [Path(name).name for name in many.inputs(options.read("dream-video", "", words, several=True))]


def test_what_is_several_inputs(clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(clips)
    (clips / "notes.txt").touch()
    (clips / "frames").mkdir()
    for number in (1, 2):
        stills.write(clips / "frames" / f"frame{number}.png", texture(24, 24))
    assert inputs("a.mp4") == []
    assert inputs("a.mp4", "b.mp4", "a.mp4") == ["a.mp4", "b.mp4"]
    assert inputs("*.mp4") == sorted(LENGTHS)
    assert inputs(".") == sorted(LENGTHS), "a folder of clips"
    assert inputs("frames") == inputs("frames", "-o", "out/") == [], "pictures that are one film"
    stills.write(clips / "frames" / "wide.png", texture(24, 30))
    assert inputs("frames", "-o", "out/") == ["frame1.png", "frame2.png", "wide.png"]
    assert inputs("[ab].mp4") == ["a.mp4", "b.mp4"]


def test_clips_and_pictures_of_one_command(
    clips: Path, flags: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(clips)
    stills.write(clips / "photo.jpg", texture(48, 64))
    (clips / "broken.mp4").write_bytes(b"no film")
    words = ["a.mp4", "photo.jpg", "broken.mp4", "c.mp4", *flags, "-o", "out/"]
    assert main(words) == 3
    told = capsys.readouterr().err
    assert "broken.mp4: cannot be read" in told
    assert "1 could not be made; 3 made in" in told
    assert sorted(films_only(clips / "out")) == ["a_dream.mp4", "c_dream.mp4", "photo_dream.png"]
    before = films(clips / "out")
    assert main(["a.mp4", "photo.jpg", *flags, "-o", "out/"]) == 0
    assert "0 made in 0 s, 2 were there already" in capsys.readouterr().err
    assert films(clips / "out") == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a.mp4", "b.mp4", "-o", "film.mp4"], "is one film, and there are 2 inputs"),
        (["my", "clip.mp4"], "my: no such file. A name with spaces in it needs quotes."),
        (["a.mp4", "more/a.mov"], "would both become a_dream.mp4"),
        (["a.mp4", "b.mp4", "--report", "r.html"], "--report: is of one film; there are 2 inputs"),
        (["a.mp4", "b.mp4", "--preview"], "--preview: is of one film"),
        (["a.mp4", "b.mp4", "-o", "-"], "is one film"),
        (["a.mp4", "b.mp4", "-o", "no/folder/"], "the folder no does not exist"),
        (["a.mp4", "b.mp4", "--demo"], "--demo draws its own scene"),
        (["a.mp4", "b.mp4", "--watch", "-o", "out/"], "takes two folders"),
        (["a.mp4", "b.mp4", "--ui"], "--ui: shows one input"),
    ],
)
def test_what_several_inputs_cannot_be(
    clips: Path,
    words: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(clips)
    (clips / "more").mkdir()
    os.link(clips / "b.mp4", clips / "more" / "a.mov")
    before = sorted(clips.rglob("*"))
    assert main(words) in (2, 3, 4)
    assert said in capsys.readouterr().err
    assert sorted(clips.rglob("*")) == before, "nothing was begun"
