"""A watched folder: what arrives is dreamed once it is whole, one line each, and nothing that stands is lost."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import imageio.v3 as iio
import pytest

from conftest import texture
from filming import stamps
from pipeline import dreamer as dreamers
from pipeline.arrivals import PATIENT, SETTLED, Arrivals
from pipeline.cli import video, watching, zoom
from pipeline.sources import open_source
from pipeline.stages import stills

QUICK = ["--octaves", "1", "--iterations", "0", "--threads", "1", "--lanes", "1"]


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which IN/ is, to be watched from."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "IN").mkdir()
    return tmp_path


def watch(
    monkeypatch: pytest.MonkeyPatch, *happens: Callable[[], object], words: tuple[str, ...] = ()
) -> int:
    """Watch IN/. Between two looks one thing happens after the other; after the last comes Ctrl-C."""
    events = iter([*happens, *[lambda: None] * SETTLED])

    def pause(seconds: float) -> None:
        event = next(events, None)
        if event is None:
            raise KeyboardInterrupt
        event()

    monkeypatch.setattr(watching, "sleep", pause)
    return video.main(["IN/", "-o", "OUT/", "--watch", *QUICK, *words])


def nothing() -> None:
    pass


def still(path: Path, seed: int = 0) -> Path:
    stills.write(path, texture(32, 48, seed))
    return path


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_stills_and_clips_that_arrive_are_dreamed_a_line_each(
    there: Path,
    make_clip: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    clip = make_clip("clip.mp4", 3, (32, 48))
    still(there / "IN" / "first.png")
    loaded: list[object] = []
    load = dreamers.zoo.load
    monkeypatch.setattr(dreamers.zoo, "load", lambda *a, **k: loaded.append(1) or load(*a, **k))
    arrive = lambda: clip.rename(there / "IN" / "clip.mp4")  # noqa: E731
    dreamed = ("--iterations", "1")
    assert watch(monkeypatch, nothing, nothing, nothing, arrive, words=dreamed) == 0
    told = capsys.readouterr().err.splitlines()
    assert len(loaded) == 1
    assert names(there / "OUT") == {"first_dream.png", "clip_dream.mp4"}
    assert told[0].startswith("watching IN; what is dreamed goes to OUT.")
    assert told[1].startswith("first.png: first_dream.png, ")
    assert told[2].startswith("clip.mp4: clip_dream.mp4, 3 frames in ")
    assert told[3] == "2 dreamed, 0 could not be, 0 were there already"
    assert len(told) == 4
    alone = ["IN/first.png", "-o", "alone.png", "-q", *QUICK, *dreamed]
    assert video.main(alone) == 0
    assert (iio.imread("alone.png") == iio.imread("OUT/first_dream.png")).all()


def test_what_stands_is_not_dreamed_again_nor_written_over(
    there: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = still(there / "IN" / "a.png")
    assert watch(monkeypatch) == 0
    first = (there / "OUT" / "a_dream.png").read_bytes()
    assert watch(monkeypatch) == 0
    assert "0 dreamed, 0 could not be, 1 were there already" in capsys.readouterr().err
    still(picture, seed=1)
    later = (there / "OUT" / "a_dream.png").stat().st_mtime_ns + 10**9
    os.utime(picture, ns=(later, later))
    assert watch(monkeypatch) == 0
    assert "a.png: is newer than a_dream.png, which stays. -y has" in capsys.readouterr().err
    assert (there / "OUT" / "a_dream.png").read_bytes() == first
    assert watch(monkeypatch, words=("-y",)) == 0
    assert (there / "OUT" / "a_dream.png").read_bytes() != first


def test_half_a_file_is_waited_for(
    there: Path,
    make_clip: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole = make_clip("clip.mp4", 3, (32, 48)).read_bytes()
    path = there / "IN" / "clip.mp4"

    def grow(share: float) -> Callable[[], object]:
        return lambda: path.write_bytes(whole[: round(share * len(whole))])

    slow = [grow(0), grow(0.2), nothing, grow(0.5), *[nothing] * (SETTLED + 2), grow(0.8), nothing, grow(1)]
    assert watch(monkeypatch, *slow) == 0
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 3
    assert told[1].startswith("clip.mp4: clip_dream.mp4, 3 frames")


def test_what_cannot_be_read_is_told_once_and_tried_again_when_it_changes(
    there: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (there / "IN" / "bad.png").write_bytes(b"\x89PNG nothing of the kind")
    (there / "IN" / "bad.mp4").write_bytes(b"no film" * 99)
    (there / "IN" / "notes.txt").write_text("no picture")
    (there / "IN" / ".hidden.png").write_text("no picture")
    (there / "IN" / "on its way.mp4.part").write_text("no picture")
    (there / "IN" / "folder.mp4").mkdir()
    (there / "IN" / "empty.jpg").touch()
    mend = lambda: still(there / "IN" / "bad.png")  # noqa: E731
    assert watch(monkeypatch, *[nothing] * (PATIENT + 4), mend) == 0
    told = capsys.readouterr().err.splitlines()
    assert [line for line in told if line.startswith("bad.mp4: cannot be read as a clip")] == [told[-3]]
    assert sum(line.startswith("bad.png: ") for line in told) == 2
    assert told[1] == "notes.txt: is neither picture nor clip, and left alone."
    assert told[-2].startswith("bad.png: bad_dream.png, ")
    assert told[-1] == "1 dreamed, 2 could not be, 0 were there already"
    assert len(told) == 6
    assert names(there / "OUT") == {"bad_dream.png"}


def test_two_files_of_one_name_do_not_take_one_anothers_place(
    there: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    still(there / "IN" / "a.png")
    late = lambda: still(there / "IN" / "a.bmp", seed=1)  # noqa: E731
    assert watch(monkeypatch, *[nothing] * SETTLED, late) == 0
    assert "a.bmp: is left alone, for a.png becomes a_dream.png too. Rename it." in capsys.readouterr().err


def test_a_film_that_was_stopped_is_gone_on_with(
    there: Path,
    make_clip: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make_clip("clip.mp4", 60, (32, 48)).rename(there / "IN" / "clip.mp4")
    assert video.main(["IN/clip.mp4", "-o", "alone.mp4", "-q", *QUICK]) == 0
    step = dreamers.Dreamer.together

    def stop(self: dreamers.Dreamer, due: list[dreamers.Due]) -> object:
        if due[0].tick.frame.index == 55:
            raise KeyboardInterrupt
        return step(self, due)

    with monkeypatch.context() as patch:
        patch.setattr(dreamers.Dreamer, "together", stop)
        assert watch(monkeypatch) == 130
    assert "48 frames are kept" in capsys.readouterr().err
    assert names(there / "OUT") == {"clip_dream.mp4.dreamwork"}
    assert watch(monkeypatch) == 0
    assert "clip.mp4: clip_dream.mp4, 12 frames in " in capsys.readouterr().err
    assert stamps(Path("OUT/clip_dream.mp4")) == stamps(Path("alone.mp4"))


def test_work_that_was_begun_on_another_file_is_begun_anew(
    there: Path,
    make_clip: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make_clip("clip.mp4", 3, (32, 48)).rename(there / "IN" / "clip.mp4")
    assert watch(monkeypatch, words=("--keep",)) == 0
    make_clip("clip.mp4", 4, (32, 48)).rename(there / "IN" / "clip.mp4")
    (there / "OUT" / "clip_dream.mp4").unlink()
    assert watch(monkeypatch) == 0
    assert "4 frames in" in capsys.readouterr().err
    assert len(list(open_source("OUT/clip_dream.mp4", open_settings()).frames())) == 4


def open_settings() -> object:
    from pipeline.settings import Input

    return Input()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["IN/", "--watch"], 2, "IN/ -o OUT/ --watch"),
        (["IN/", "-o", "IN/", "--watch"], 2, "lie in one another"),
        (["IN/", "-o", "IN/OUT/", "--watch"], 2, "lie in one another"),
        (["IN/", "-o", ".", "--watch"], 2, "lie in one another"),
        (["gone/", "-o", "OUT/", "--watch"], 3, "gone: is no folder"),
        (["IN/", "-o", "no/where/", "--watch"], 4, "does not exist"),
        (["IN/", "-o", "file", "--watch"], 4, "file: is no folder"),
        (["IN/", "-o", "OUT/", "--watch", "--report", "r.html"], 2, "--report: is of one film"),
        (["IN/", "-o", "OUT/", "--watch", "--layers", "mixed9z"], 2, "mixed9z"),
    ],
)
def test_what_cannot_be_watched_is_said_before_anything_is_made(
    words: list[str], code: int, said: str, there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (there / "file").touch()
    assert video.main(words) == code
    assert said in capsys.readouterr().err
    assert names(there) == {"IN", "file"}


def test_a_dive_watches_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert zoom.main(["IN/", "--watch"]) == 2
    assert "--watch is of dream-video" in capsys.readouterr().err


def test_folders_that_go_away(
    there: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def away() -> None:
        (there / "IN").rename(there / "unplugged")

    def back() -> None:
        (there / "unplugged").rename(there / "IN")

    still(there / "IN" / "a.png")
    assert watch(monkeypatch, *[nothing] * SETTLED, away, nothing, nothing, back) == 0
    told = capsys.readouterr().err.splitlines()
    assert told[2] == "IN: cannot be looked into (No such file or directory); waiting for it."
    assert told[3] == "1 dreamed, 0 could not be, 0 were there already"
    (there / "OUT" / "a_dream.png").unlink()
    assert watch(monkeypatch, (there / "OUT").rmdir) == 4
    assert "OUT: the folder is gone" in capsys.readouterr().err


def test_arrivals_come_oldest_first_and_what_is_gone_is_forgotten(tmp_path: Path) -> None:
    said: list[str] = []
    arrivals = Arrivals(tmp_path, said.append)
    for age, name in enumerate(("c.png", "a.png", "b.mp4")):
        (tmp_path / name).write_text("x")
        os.utime(tmp_path / name, (1000 + age, 1000 + age))
    looks: Iterator[list[Path]] = (arrivals.look() for _ in range(99))
    assert [next(looks) for _ in range(SETTLED - 1)] == [[]] * (SETTLED - 1)
    ready = next(looks)
    assert [path.name for path in ready] == ["c.png", "a.png", "b.mp4"]
    for path in ready:
        arrivals.deal(path)
    assert next(looks) == []
    (tmp_path / "a.png").unlink()
    assert next(looks) == []
    assert set(arrivals.dealt) == set(arrivals.seen) == {"b.mp4", "c.png"}
    assert not said


def test_a_file_that_still_changes_has_not_arrived(tmp_path: Path) -> None:
    arrivals = Arrivals(tmp_path, lambda told: None)
    for look in range(3 * SETTLED):
        with (tmp_path / "a.png").open("ab") as file:
            file.write(b"x" * (look % 2))
            os.utime(tmp_path / "a.png", (1000 + look, 1000 + look))
        assert arrivals.look() == []
