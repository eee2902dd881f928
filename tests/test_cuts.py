"""Cuts: found, told by a file, or left alone; and nothing of an old scene is left eight frames after its end."""

from __future__ import annotations

import sys
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from conftest import texture, tiny_network
from pipeline.cli import video
from pipeline.clip import Segment, Size, Tick
from pipeline.dreamer import Dreamer
from pipeline.errors import InputError
from pipeline.motion import Motion, ticks
from pipeline.settings import Input, Settings
from pipeline.sources import SceneSource, open_source
from pipeline.stages import memory, shots, stills

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from spliced import (
    Piece,
    Stock,
    Take,
    crossed,
    dissolved,
    faded,
    flashed,
    flat,
    framed,
    graded,
    joined,
    shaken,
    stepped,
    swish,
    zoomed,
)  # fmt: skip
from steady_ways import Playing

SIZE = Size(90, 160)
STOCK = Stock(SIZE, seeds=2)


@cache
def lake(start: int = 0, frames: int = 12) -> Take:
    return STOCK.demo(0, start, frames=frames)


@cache
def noise(seed: int = 3, frames: int = 12) -> Take:
    return STOCK.texture(seed, frames=frames)


def photograph() -> Take:
    """The lake upside down and closer: another place to any detector."""
    return [zoomed(p[::-1], 1.5) for p in STOCK.demo(1, 30, frames=12)]


CUTS: dict[str, Callable[[], Piece]] = {
    "plain": lambda: joined("", lake(), noise(), photograph()),
    "dark": lambda: joined("", graded(lake(), 0.12, 3, 1), graded(noise(), 0.12, 3, 1)),
    "bright": lambda: joined("", graded(lake(), 0.3, 180), graded(photograph(), 0.3, 180)),
    "fog": lambda: joined("", flat(lake(), 0.1), flat(noise(), 0.1)),
    "dark to bright": lambda: joined("", graded(noise(), 0.2), graded(lake(), 0.6, 90)),
    "into fast motion": lambda: joined("", noise(), swish(STOCK.panorama(0), 50, SIZE)[22:30]),
    "wide bars": lambda: joined("", framed(lake(), 1, 0.74), framed(noise(), 1, 0.74)),
    "phone": lambda: joined("", framed(lake(), 0.32, 1), framed(noise(), 0.32, 1)),
    "shots of 3 frames": lambda: joined("", lake()[:3], noise()[:3], photograph()[:3]),
}
BLANK = np.zeros((*SIZE, 3), np.uint8)
NO_CUTS: dict[str, Callable[[], Take]] = {
    **{f"flash, {how}, {n}": lambda how=how, n=n: flashed(lake(), n, how)
       for how in ("lamp", "spot", "white") for n in (1, 3)},
    **{f"dissolve, {n}": lambda n=n: dissolved(lake(0, n + 4), noise(3, n + 4), n) for n in (6, 24)},
    "fade to black and back": lambda: faded(lake(0, 24), 8, 4),
    "whip pan": lambda: swish(STOCK.panorama(0), 53, SIZE, 12)[14:34],
    "whip pan, sharp": lambda: swish(STOCK.panorama(1), 32, SIZE, 12, 0)[14:34],
    "zoom step": lambda: stepped(lake(), lambda p: zoomed(p, 1.1)),
    "noise": lambda: graded(lake(), noise=15),
    "static": lambda: lake()[:1] * 4,
    "shake": lambda: shaken(lake(), 0.05),
    "brightness step": lambda: stepped(lake(), lambda p: graded([p], 0.45)[0]),
    "crossing": lambda: crossed(lake(), noise()[0], 0.5, 0.12),
    "black": lambda: [BLANK] * 3,
}  # fmt: skip


@pytest.mark.parametrize("name", CUTS)
def test_a_cut_is_found_where_it_is(name: str) -> None:
    piece = CUTS[name]()
    assert list(shots.found(piece.pictures)) == [first for first, _ in piece.cuts]


@pytest.mark.parametrize("name", NO_CUTS)
def test_what_is_no_cut_is_not_taken_for_one(name: str) -> None:
    assert list(shots.found(NO_CUTS[name]())) == []


@pytest.mark.parametrize("blank", [0, 255])
def test_a_cut_behind_black_or_white_is_found_when_the_new_shot_shows(blank: int) -> None:
    hidden = [np.full_like(BLANK, blank)] * 2
    assert list(shots.found([*lake()[:4], *hidden, *noise()[:4]])) == [6]
    assert list(shots.found([*lake()[:4], *hidden, *lake()[6:10]])) == []


# ---- no smear of the old scene ------------------------------------------------------------------------------------


def dreams(pictures: Take, **knobs: object) -> list[np.ndarray]:
    """The dream layer of every frame, dreamed one after the other as they come."""
    dreamer = Dreamer(network=tiny_network(), octaves=2, iterations=6, jitter=4, threads=1, **knobs)
    layers = []
    for picture in pictures:
        dreamer.step(picture)
        assert dreamer._live is not None
        layers.append(dreamer._live[1].dream[0].numpy().copy())
    return layers


def mixed(a: np.ndarray, b: np.ndarray, share: float) -> np.ndarray:
    return np.rint((1 - share) * a + share * b).astype(np.uint8)


def likeness(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def mixing(a: np.ndarray, b: np.ndarray, frames: int) -> Take:
    return [mixed(a, b, k / (frames + 1)) for k in range(1, frames + 1)]


@pytest.mark.parametrize("how", ["cut", "white flash", "dissolve", "slow dissolve"])
def test_eight_frames_on_nothing_is_left_of_the_old_scene(how: str) -> None:
    """The dream after two different old scenes is as alike as if neither had been: what is left is the new one's."""
    still = [lake()[0]] * 16
    olds = [[texture(*SIZE, seed)] * 10 for seed in (11, 12)]
    ends, last = [], []
    for old in olds:
        joins = {
            "cut": old[:4] + still[:9],
            "dissolve": old[:4] + mixing(old[0], still[0], 6) + still[:9],
            "slow dissolve": old[:4] + mixing(old[0], still[0], 18) + still[:9],
            "white flash": old[:4] + [np.full_like(BLANK, 255)] * 2 + still[:9],
        }
        layers = dreams(joins[how])
        last.append(layers[3])
        ends.append(layers[-1])
    alone = dreams(still[:9])[-1]
    for old, end in zip(last, ends, strict=True):
        assert abs(likeness(old, end)) < abs(likeness(old, alone)) + 0.08
        assert likeness(end, alone) > 0.8


def motions(pictures: Take, last: Segment | None = None, past: np.ndarray | None = None) -> list[Tick]:
    source = Playing(pictures, Fraction(24))
    return list(ticks(source, last, lambda size: size, Motion(Settings().time), past))


LASTING: dict[str, Callable[[], Take]] = {
    "motion": lambda: STOCK.demo(1, 0, "fast", 24),
    "zoom": lambda: [zoomed(p, 1.01**k) for k, p in enumerate(lake(0, 24))],
    "noise": lambda: graded(lake(0, 24), noise=15),
    "brightness": lambda: [graded([p], 1 - 0.5 * (k % 2))[0] for k, p in enumerate(lake(0, 24))],
}


@pytest.mark.parametrize("name", LASTING)
def test_what_stays_in_view_stays_trusted(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = LASTING[name]()
    found = np.mean([tick.flow.trust.mean() for tick in motions(pictures)])
    monkeypatch.setattr(memory, "recalled", lambda flow, now, remembered: (flow, remembered))
    assert found > 0.985 * np.mean([tick.flow.trust.mean() for tick in motions(pictures)])


def through_black() -> Take:
    return [*lake()[:4], *[BLANK] * 4, *lake()[4:8]]


@pytest.mark.parametrize(
    "pictures", [lambda: dissolved(lake(), noise(), 6), through_black], ids=["dissolve", "black"]
)
def test_a_walk_that_goes_on_knows_what_was_seen_before(pictures: Callable[[], Take]) -> None:
    shown = pictures()
    straight = motions(shown)
    for done in (5, 7, 9):
        left = motions(shown, Segment(0, done, 0, done - 1), straight[done - 1].past)
        assert [tick.frame.index for tick in left] == list(range(done, len(shown)))
        for tick, other in zip(left, straight[done:], strict=True):
            assert tick.flow.cut == other.flow.cut
            assert np.array_equal(tick.flow.trust, other.flow.trust)


# ---- cuts told by a file ------------------------------------------------------------------------------------------


SCENES = """Timecode List:,00:00:00.208,00:00:00.417
Scene Number,Start Frame,Start Timecode,Start Time (seconds),End Frame,End Timecode
1,1,00:00:00.000,0.000,5,00:00:00.208
2,6,00:00:00.208,0.208,10,00:00:00.417
3,11,00:00:00.417,0.417,16,00:00:00.667
"""


@pytest.mark.parametrize(
    "text",
    ["5\n10\n", "5, 10", "# of the edit\n0 5 10 # all", "\ufeff10;5\r\n", SCENES, SCENES.partition("\n")[2]],
)
def test_a_list_of_cuts_is_read_in_every_form(tmp_path: Path, text: str) -> None:
    path = tmp_path / "cuts"
    path.write_text(text, encoding="utf-8")
    assert shots.listed(path) == (5, 10)


def test_pyscenedetects_own_list_is_read(tmp_path: Path) -> None:
    scenedetect = pytest.importorskip("scenedetect")
    from scenedetect.output import write_scene_list

    at = [scenedetect.FrameTimecode(frame, 24.0) for frame in (0, 5, 10, 16)]
    for listed in (True, False):
        path = tmp_path / f"{listed}.csv"
        with path.open("w", newline="") as file:
            write_scene_list(file, [(at[i], at[i + 1]) for i in range(3)], include_cut_list=listed)
        assert shots.listed(path) == (5, 10)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("5\nten\n", r"line 2: 'ten' is no frame number; expected"),
        ("-5", r"line 1: '-5' is no"),
        ("3.5", r"line 1: '3\.5' is no"),
        ("", "lists no cut"),
        ("# nothing", "lists no cut"),
        (SCENES.replace("2,6,", "2,0,"), "line 4: '0' is no Start Frame"),
        (SCENES.replace("2,6,", "2,x,"), "line 4: 'x' is no Start Frame"),
        (SCENES + "4\n", "line 6: '' is no Start Frame"),
        ("The Start Frames:\n5", "line 1: no column is called Start Frame"),
    ],
)
def test_what_is_wrong_with_a_list_is_said_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "cuts.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=rf"cuts\.txt.*{said}") as error:
        shots.listed(path)
    assert "\n" not in str(error.value)


def test_a_file_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"aut: no such file.*Did you mean auto\?"):
        shots.listed(Path("aut"))
    with pytest.raises(InputError, match="cannot be read"):
        shots.listed(tmp_path)
    (tmp_path / "clip.mp4").write_bytes(b"\x00\xff\xfe\x80")
    with pytest.raises(InputError, match=r"clip\.mp4: is no text"):
        shots.listed(tmp_path / "clip.mp4")


def test_a_wrong_list_is_said_before_anything_is_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cuts.txt").write_text("five")
    code = video.main(["--demo", "--cuts", str(tmp_path / "cuts.txt"), "-o", str(tmp_path / "a.mp4")])
    assert code == 3
    assert "line 1: 'five' is no frame number" in capsys.readouterr().err


def cut_at(how: Input, cuts: str) -> list[int]:
    source = SceneSource.of(how)
    dreamer = Dreamer(network=tiny_network(), octaves=1, iterations=1, threads=1, cuts=cuts)
    return [dreamt.frame.index for dreamt in dreamer.walk(source) if dreamt.cut]


def test_a_list_counts_in_the_sources_own_frames(tmp_path: Path) -> None:
    """A cut that falls on a frame that is left out is at the next one that is not."""
    path = tmp_path / "cuts.txt"
    path.write_text("2 5 9 80")
    assert cut_at(Input(size="64x36", end="12"), str(path)) == [0, 2, 5, 9]
    assert cut_at(Input(size="64x36", start="4", end="12"), str(path)) == [0, 1, 5]
    assert cut_at(Input(size="64x36", end="12", every=3), str(path)) == [0, 1, 2, 3]


def test_clips_and_pictures_count_their_own_frames(make_clip: Callable[..., Path], tmp_path: Path) -> None:
    clip = open_source(str(make_clip(frames=10)), Input(start="4", every=2))
    assert list(clip.counted()) == [4, 6, 8]
    for number in (1001, 1002, 1004, 1005):
        stills.write(tmp_path / "p" / f"f.{number}.png", texture(24, 32))
    pictures = open_source(str(tmp_path / "p" / "f.%04d.png"), Input(frames="1002-1005", every=2))
    assert list(pictures.counted()) == [1, 3]


def test_cuts_outside_the_film_are_said(
    tmp_path: Path, random_weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cuts.txt").write_text("1 2 300")
    flags = ["--model", "squeezenet1_1", "--weights", str(random_weights), "--layers", "features.5"]
    size = [
        "--demo",
        "--size",
        "64x36",
        "--end",
        "3",
        "--octaves",
        "1",
        "--iterations",
        "1",
        "--progress",
        "plain",
        "--cuts",
    ]
    assert video.main([*flags, *size, str(tmp_path / "cuts.txt"), "-o", str(tmp_path / "a.mp4")]) == 0
    assert "300 of 3 cuts lie outside frames 0 to 2" in capsys.readouterr().err


def test_off_finds_none_and_a_list_is_no_part_of_a_look(tmp_path: Path) -> None:
    pictures = [*lake()[:3], *noise()[:3]]
    assert np.mean([d.any() for d in dreams(pictures, cuts="off")]) == 1
    assert Settings().recipe()["time"]["cuts"] == "auto"
    told = Settings.model_validate({"time": {"cuts": str(tmp_path / "cuts.txt")}})
    assert "cuts" not in told.recipe()["time"]
