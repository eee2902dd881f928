"""A piece of a kept film dreamed again: as it was with its settings, led over to with others, all else as it was."""

from __future__ import annotations

import signal
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import texture, tiny_network
from filming import SMALL, pan, shown, through, write_raw
from pipeline import piece, render
from pipeline.destination import Destination
from pipeline.dreamer import Dreamer
from pipeline.dreamt import Dreamt
from pipeline.errors import OutputError, UsageError
from pipeline.film import Made, make
from pipeline.fixing import redo
from pipeline.piece import Piece
from pipeline.settings import Input
from pipeline.sources import open_source
from pipeline.stages import stills

DREAM = {"iterations": 3, "octaves": 1, "codec": "ffv1", "crf": 4, "keep": True}


@pytest.fixture(autouse=True)
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of four frames."""
    monkeypatch.setattr(render, "SEGMENT", Fraction(4, 24))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Sixteen frames that pan."""
    return lossless(tmp_path / "source.nut", pan(16, 48, 64))


def lossless(path: Path, pictures: np.ndarray) -> Path:
    return write_raw(path, pictures, "-c:v", "ffv1", "-pix_fmt", "bgr0")


def fixed(
    source: Path, out: Path, frames: str, watch: Callable[[Dreamt], None] = lambda _: None, **knobs: object
) -> Made:
    """A piece of what `through` made with DREAM, with these other settings."""
    dreamer = Dreamer(network=tiny_network(), **{**SMALL, **DREAM, "frames": frames, **knobs})
    ranged = open_source(str(source), dreamer.settings.input)
    to = Destination.of(str(out), str(source), ranged)
    asked = piece.asked(to.work_folder(None), ranged, dreamer.settings)
    assert asked is not None
    part, film, settings = asked
    return redo(part, film, Dreamer(settings, network=tiny_network()), to, lambda _: None, watch)


@pytest.mark.parametrize(("ending", "codec"), [(".mp4", "h264"), (".mkv", "ffv1")])
def test_a_piece_with_the_films_own_settings_gives_the_very_same_file(
    tmp_path: Path, source: Path, ending: str, codec: str
) -> None:
    out = tmp_path / f"out{ending}"
    through(source, out, **{**DREAM, "codec": codec})
    before = out.read_bytes()
    (tmp_path / f"{out.name}.dreamwork" / "00000004.mp4").write_bytes(b"damaged meanwhile")
    out.unlink()
    made = fixed(source, out, "5-6", codec=codec)
    assert out.read_bytes() == before
    assert made.frames == 4  # of the segment around it


def test_frames_of_their_own_come_back_as_they_were_and_no_other_is_touched(
    tmp_path: Path, source: Path
) -> None:
    out = tmp_path / "f.%04d.png"
    through(source, out, **DREAM)
    before = {path.name: path.read_bytes() for path in tmp_path.glob("f.*.png")}
    times = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("f.*.png")}
    (tmp_path / "f.0006.png").unlink()
    made = fixed(source, out, "6-7")
    assert {path.name: path.read_bytes() for path in tmp_path.glob("f.*.png")} == before
    now = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("f.*.png")}
    assert {name for name in now if now[name] != times[name]} == {"f.0006.png", "f.0007.png"}
    assert made.frames == 4  # two lead up to it


@pytest.mark.parametrize("ending", ["out.mkv", "f.%04d.png"])
def test_other_settings_are_led_over_to_on_both_sides(tmp_path: Path, source: Path, ending: str) -> None:
    """Without strength the piece is the source itself, so that every share can be told."""
    through(source, tmp_path / ending, **DREAM)
    before = pictures(tmp_path / ending)
    made = fixed(source, tmp_path / ending, "7-8", strength=0, handles=3)
    after, plain = pictures(tmp_path / ending), pan(16, 48, 64)
    for index, share in enumerate([0, 0, 0, 0, 1 / 4, 2 / 4, 3 / 4, 1, 1, 3 / 4, 2 / 4, 1 / 4, 0, 0, 0, 0]):
        meant = before[index] + share * (plain[index] - before[index].astype(float))
        assert np.abs(after[index] - meant).max() <= 0.5, index
    assert not np.array_equal(before[6], plain[6])
    assert "strength 1, now 0" in made.notes[-1]


def pictures(path: Path) -> np.ndarray:
    if not stills.is_pattern(str(path)):
        return shown(path)
    return np.stack([stills.read(file) for _, file in sorted(stills.matching(str(path)).items())])


def test_handles_end_where_the_film_cuts(tmp_path: Path) -> None:
    shots = np.concatenate([np.stack([texture(48, 64, seed)] * 6) for seed in (1, 2, 3)])
    source, out = lossless(tmp_path / "source.nut", shots), tmp_path / "out.mkv"
    through(source, out, **DREAM)
    before = shown(out)
    fixed(source, out, "7-10", strength=0, handles=4)
    after = shown(out)
    assert np.array_equal(after[:6], before[:6])
    assert np.array_equal(after[6:12], shots[6:12])
    assert np.array_equal(after[12:], before[12:])


def test_a_dream_of_something_else_is_dreamed_anew(tmp_path: Path, source: Path) -> None:
    through(source, tmp_path / "out.mkv", **DREAM)
    seen: list[Dreamt] = []
    fixed(source, tmp_path / "out.mkv", "9-10", seen.append, layers="mid", handles=2)
    assert [dreamt.frame.index for dreamt in seen] == list(range(7, 13))
    assert [dreamt.steps for dreamt in seen] == [3, 1, 1, 1, 1, 1]
    seen.clear()
    fixed(source, tmp_path / "out.mkv", "9-10", seen.append, step=2, handles=2)
    assert [dreamt.frame.index for dreamt in seen] == list(range(4, 13))
    assert [dreamt.steps for dreamt in seen] == [1] * 9


@pytest.mark.parametrize(("knob", "value"), [("codec", "h264"), ("compare", "side"), ("crf", 30)])
def test_a_piece_that_would_not_fit_into_its_film_is_refused(
    tmp_path: Path, source: Path, knob: str, value: object
) -> None:
    through(source, tmp_path / "out.mkv", **DREAM)
    before = (tmp_path / "out.mkv").read_bytes()
    with pytest.raises(UsageError, match=f"{value}"):
        fixed(source, tmp_path / "out.mkv", "4-5", **{knob: value})
    assert (tmp_path / "out.mkv").read_bytes() == before


def test_what_interrupts_a_piece_leaves_the_film_as_it_was(tmp_path: Path, source: Path) -> None:
    out = tmp_path / "out.mkv"
    through(source, out, **DREAM)
    before = out.read_bytes()

    def stop(dreamt: Dreamt) -> None:
        raise OutputError("full")

    with pytest.raises(OutputError) as stopped:
        fixed(source, out, "5-9", stop, strength=0)
    assert stopped.value.__notes__ == ["The film is as it was; the same command begins the piece again."]
    assert out.read_bytes() == before
    through(source, out, **DREAM, yes=True)  # which joins what is kept
    assert out.read_bytes() == before


def test_other_frames_of_an_unfinished_film_are_no_piece(tmp_path: Path, source: Path) -> None:
    def stop(dreamt: Dreamt) -> None:
        if dreamt.frame.index == 9:
            signal.raise_signal(signal.SIGINT)

    ranged = open_source(str(source), Input(frames="5-6"))
    to = Destination.of(str(tmp_path / "out.mkv"), str(source), ranged)
    dreamer = Dreamer(network=tiny_network(), **{**SMALL, **DREAM, "frames": "5-6"})
    assert piece.asked(to.work_folder(None), ranged, dreamer.settings) is None
    whole, film = Dreamer(network=tiny_network(), **{**SMALL, **DREAM}), open_source(str(source), Input())
    with pytest.raises(KeyboardInterrupt):
        make(film, whole, to, lambda _: None, stop)
    assert to.work_folder(None).is_dir()
    assert piece.asked(to.work_folder(None), ranged, dreamer.settings) is None


@settings(deadline=None)
@given(
    first=st.integers(0, 40),
    length=st.integers(1, 20),
    handles=st.integers(0, 12),
    cuts=st.sets(st.integers(0, 60)),
)
def test_a_piece_is_new_all_through_and_rises_and_falls_within_its_shots(
    first: int, length: int, handles: int, cuts: set[int]
) -> None:
    frames = 60
    made = Piece.of(first, min(frames, first + length)).handled(handles, frames, cuts | {0, frames})
    shares = [made.share(index) for index in range(-1, frames + 1)][1:-1]
    assert all(share == 1 for share in shares[made.first : made.end])
    assert shares[: made.first] == sorted(shares[: made.first])
    assert shares[made.end :] == sorted(shares[made.end :], reverse=True)
    assert not any(shares[: max(0, made.first - handles)])
    assert not any(shares[made.end + handles :])
