"""The atlas: every layer on one's own picture, each tile with the command that dreams like it."""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from conftest import texture, tiny_network
from pipeline import looks
from pipeline.atlas import plan, sheet
from pipeline.cli import atlas, video
from pipeline.net import zoo
from pipeline.net.cards import CARDS
from pipeline.settings.atlas import AtlasSettings, channels_of

Command = list[str]


@pytest.fixture
def picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small one in the current folder."""
    monkeypatch.chdir(tmp_path)
    iio.imwrite("photo one.png", texture(48, 64))
    return Path("photo one.png")


def made(*words: str) -> int:
    return atlas.main([*words, "--iterations", "1", "--octaves", "1", "--threads", "1", "--progress", "none"])


def commands(page: Path, kind: str = "here") -> list[Command]:
    """What a click on each tile copies."""
    tiles = re.findall(r'<button class="tile".*?</button>', page.read_text(encoding="utf-8"), re.DOTALL)
    return [shlex.split(unescape(re.search(rf'data-{kind}="(.*?)"', tile)[1])) for tile in tiles]  # type: ignore[index]


def value(command: Command, flag: str) -> str:
    return command[command.index(flag) + 1] if flag in command else ""


def test_every_layer_is_there_at_two_strengths_and_both_objectives() -> None:
    layers, motifs = plan.chapters(zoo.load("builtin"), "", None, 1.5, guided=False)
    for tap, row in zip(CARDS["builtin"].taps, layers.rows, strict=True):
        assert {tile.layers for tile in row.tiles} == {tap}
        ways = {(tile.objective, tile.step) for tile in row.tiles}
        assert ways == {(objective, step) for objective in ("energy", "sparse") for step in (0.5, 1.5)}
    assert [tile.layers for tile in motifs.rows[0].tiles] == [
        f"motif/{name}" for name in CARDS["builtin"].motifs
    ]


def test_a_copied_command_dreams_what_its_tile_shows(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet, "QUALITY", 100)
    words = ["--layers", "mixed3a", "--saturation", "0.5", "--octaves", "2", "--threads", "1"]
    assert atlas.main([str(picture), *words, "-o", "out", "-q"]) == 0
    command = commands(Path("out/builtin.html"))[3]
    assert command[:2] == ["dream-video", "photo one.png"]
    assert [value(command, flag) for flag in ("--objective", "--step")] == ["sparse", "1.5"]
    assert value(commands(Path("out/builtin.html"), "full")[3], "--dream-size") == "full"
    assert video.main([*command[1:], "-o", "again.png", "-q"]) == 0
    tile, again = shown_tile(Path("out/builtin.html"), 3), iio.imread("again.png").astype(float)
    gentle, source = shown_tile(Path("out/builtin.html"), 2), iio.imread(picture).astype(float)
    assert np.abs(tile - again).mean() < 2
    assert min(np.abs(again - other).mean() for other in (gentle, source)) > 6
    assert iio.imread(Path("out/builtin.jpg")).shape[0] > 2 * 200  # the picture, and a line of dreams


def test_what_each_layer_still_knows_comes_first_and_its_command_rebuilds_it(
    picture: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sheet, "QUALITY", 100)
    monkeypatch.setitem(looks.INVERT, "iterations", "25")
    words = ["--invert", "--layers", "strokes, mixed4b:0.5", "--octaves", "1", "--threads", "1", "-o", "out"]
    assert atlas.main([str(picture), *words, "--progress", "plain"]) == 0
    assert capsys.readouterr().err.startswith("10 dreams of 64x48, about ")
    page = Path("out/builtin.html")
    text = page.read_text(encoding="utf-8")
    assert text.index("What each layer still knows") < text.index("<h2>Layers")
    first, second, third = commands(page)[:3]
    assert [value(command, "--layers") for command in (first, second, third)] == [
        "strokes",
        "mixed4b",
        "strokes",
    ]
    assert value(first, "--objective") == value(second, "--objective") == "invert"
    assert value(first, "--step") == ""
    assert video.main([*first[1:], "-o", "again.png", "-q"]) == 0
    tile, again, source = shown_tile(page, 0), iio.imread("again.png").astype(float), iio.imread(picture)
    assert np.abs(tile - again).mean() < 2
    lost = [np.abs(shown_tile(page, number) - source).mean() for number in (0, 1)]
    assert 2 < lost[0] < 0.7 * lost[1]
    assert atlas.main([str(picture), "--invert", "--guide", str(picture), "-o", "out", "-y"]) == 2
    assert "Leave out --guide" in capsys.readouterr().err


def shown_tile(page: Path, number: int) -> np.ndarray:
    data = re.findall(r'class="tile".*?base64,(.*?)"', page.read_text(encoding="utf-8"), re.DOTALL)[number]
    return np.asarray(iio.imread(base64.b64decode(data), extension=".jpg"), float)


def test_channels_of_a_layer_are_shown_one_by_one(picture: Path) -> None:
    assert made(str(picture), "--layers", "strokes", "--channels", "strokes#1-2+9", "-o", "out") == 0
    shown = [value(command, "--layers") for command in commands(Path("out/builtin.html"))]
    assert shown == ["strokes"] * 4 + ["strokes#1", "strokes#2", "strokes#9"]
    pictures = [shown_tile(Path("out/builtin.html"), number) for number in (4, 5)]
    assert np.abs(pictures[0] - pictures[1]).mean() > 0.1


@pytest.mark.parametrize(
    ("text", "expected"),
    [("mixed4a", ("mixed4a", ())), ("inception_4c/output#3+1-2+3", ("inception_4c/output", (3, 1, 2)))],
)
def test_channels_are_a_layer_and_numbers(text: str, expected: tuple[str, tuple[int, ...]]) -> None:
    assert channels_of(text) == expected


def test_the_page_loads_nothing_runs_one_script_and_names_from_strangers_are_text(
    picture: Path, tmp_path: Path
) -> None:
    evil = picture.rename("<img src=x onerror=alert(1)>.png")
    assert made(str(evil), "--layers", "strokes", "-o", "out") == 0
    page = Path("out/builtin.html").read_text(encoding="utf-8")
    assert "<img src=x" not in page
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert page.count("<script") == 1
    assert "default-src &#x27;none&#x27;" in page


def test_of_a_network_on_no_list_some_layers_stand_for_all() -> None:
    tiny = tiny_network()
    many = replace(tiny.card, taps=tuple(f"layer{at}" for at in range(40)), listed=False)
    (layers,) = plan.chapters(replace(tiny, card=many), "", None, 1.5, guided=False)
    assert len(layers.rows) == 16
    assert layers.rows[-1].name == "layer39"
    assert "16 of its 40 layers" in layers.about


def test_a_network_of_ones_own_and_the_middle_of_a_clip(
    make_clip: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small_one.py").write_text(
        "from torch import nn\n"
        "def build():\n    return nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.Conv2d(4, 4, 3, 2, 1))\n"
    )
    assert made(str(make_clip(frames=5)), "--model", "small_one:build", "-o", "out") == 0
    page = Path("out/small_one_build.html")
    assert all(value(command, "--model") == "small_one:build" for command in commands(page))
    assert "frame 2" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "expected an INPUT"),
        (("photo one.png", "--channels", "mixed9"), 2, "no layer 'mixed9'"),
        (("photo one.png", "--channels", "mixed4a#5-2"), 2, "run backwards"),
        (("photo one.png", "--channels", "mixed4a#0-999999"), 2, "more than 96"),
        (("photo one.png", "--channels", "strokes#64"), 2, "no channel 64"),
        (("photo one.png", "--channels", "motif/owl"), 2, "expected a layer"),
        (("photo one.png", "--layers", "cycle(strokes; mixed3a)"), 2, "of one moment"),
        (("photo one.png", "--model", "gogglenet"), 2, "Did you mean googlenet"),
        (("photo one.png", "-o", "photo one.png"), 4, "is a file"),
        (("nothing.png",), 3, "no such file"),
    ],
)
def test_what_cannot_be_shown_is_said_in_a_line(
    picture: Path, words: Command, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert made(*words) == code
    assert said in capsys.readouterr().err
    assert sorted(Path().iterdir()) == [picture]


def test_an_atlas_is_not_overwritten_unasked_and_says_its_time_first(
    picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(picture), "--layers", "strokes", "-o", "out", "--iterations", "1", "--threads", "1"]
    assert atlas.main([*words, "--progress", "plain"]) == 0
    told = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"4 dreams of 64x48, about \d+ s", told[0])
    assert "out/builtin.html" in told[-2].replace("\\", "/")
    assert atlas.main(words) == 4
    assert "Give -y" in capsys.readouterr().err


def test_settings_that_no_single_dream_has_are_not_offered() -> None:
    with pytest.raises(SystemExit):
        atlas.main(["photo.png", "--steadiness", "0.5"])
    assert looks.of(AtlasSettings).dream.step.constant == 1.5
