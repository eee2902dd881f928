"""dream-zoom: a picture in, a dive out; what it says when something is wrong, and what it goes on with."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import av
import imageio.v3 as iio
import numpy as np
import pytest

from conftest import texture
from pipeline import looks
from pipeline.cli import video, zoom
from pipeline.cli.zoom import main
from pipeline.settings.zoom import ZoomSettings
from pipeline.stages import sound, stills
from pipeline.stages.decode import Decoder


@pytest.fixture
def flags(random_weights: Path) -> list[str]:
    """A network that has learned nothing, and a dive as small and short as can be."""
    network = ["--model", "squeezenet1_1", "--weights", str(random_weights), "--layers", "features.5"]
    short = ["--size", "64x40", "--seconds", "1", "--fps", "12", "--octaves", "1", "--iterations", "2"]
    return [*network, *short, "--threads", "1", "--encoder-preset", "veryfast"]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    stills.write(tmp_path / "photo.png", texture(60, 96))
    return tmp_path / "photo.png"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def packets(path: Path, kind: str = "video") -> list[tuple[int | None, bytes]]:
    with av.open(str(path)) as file:
        return [(p.pts, bytes(p)) for p in file.demux(**{kind: 0}) if p.size]


def test_a_picture_in_a_dive_out(
    photo: Path, flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["photo.png", *flags]) == 0
    film = Decoder.open(tmp_path / "photo_dive.mp4")
    assert len(film.times) == 12
    assert film.clip.rate == 12
    assert (film.clip.size.width, film.clip.size.height) == (64, 40)
    assert names(tmp_path) == {"photo.png", "photo_dive.mp4"}
    assert main(["photo.png", *flags]) == 4
    assert main(["photo.png", *flags, "-y"]) == 0


def test_the_size_is_the_pictures_own_when_none_is_asked_for(
    photo: Path, flags: list[str], tmp_path: Path
) -> None:
    at = flags.index("--size")
    own = [*flags[:at], *flags[at + 2 :], "--zoom", "0.1", "--seconds", "0.2"]
    assert main([str(photo), *own, "-o", str(tmp_path / "own.mp4")]) == 0
    assert str(Decoder.open(tmp_path / "own.mp4").clip.size) == "96x60"


def test_a_song_lies_under_it_and_says_how_long_it_is(photo: Path, flags: list[str], tmp_path: Path) -> None:
    tone = 0.2 * np.sin(np.arange(36_000) / 20)[:, None].astype(np.float32)
    sound.write(tmp_path / "song.m4a", tone)
    song = ["--audio", str(tmp_path / "song.m4a"), "--seconds", "audio"]
    assert main([str(photo), *flags, *song, "-o", str(tmp_path / "out.mp4")]) == 0
    assert abs(len(Decoder.open(tmp_path / "out.mp4").times) - 9) <= 1
    assert packets(tmp_path / "out.mp4", "audio")[:10] == packets(tmp_path / "song.m4a", "audio")[:10]


def test_a_clip_plays_while_it_is_dived_into(
    make_clip: Callable[..., Path], flags: list[str], tmp_path: Path
) -> None:
    clip, at = make_clip(frames=5, size=(40, 64), sound=True), flags.index("--size")
    words = [*flags[:at], *flags[at + 2 :]]
    assert main([str(clip), *words, "-o", str(tmp_path / "out.mp4")]) == 0
    assert Decoder.open(tmp_path / "out.mp4").times == Decoder.open(clip).times
    assert packets(tmp_path / "out.mp4", "audio")


def test_noise_a_loop_and_numbered_pictures(
    flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    words = ["--loop", "--zoom", "1", "-o", str(tmp_path / "out" / "f.%03d.png")]
    assert main(["noise", *flags, *words]) == 0
    assert "1 doublings and 0 full turns" in capsys.readouterr().err
    assert {f"f.{n:03d}.png" for n in range(12)} == names(tmp_path / "out")
    frames = [iio.imread(tmp_path / "out" / f"f.{n:03d}.png").astype(int) for n in (0, 1, 6, 11)]
    first, next_, far, last = frames
    assert np.abs(last - first).mean() <= 1.3 * np.abs(next_ - first).mean()
    assert np.abs(far - first).mean() > np.abs(last - first).mean()


def test_a_preview_is_one_picture_of_twelve_and_says_how_it_differs(
    photo: Path, flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(zoom, "SMALL", "max:64")
    large = ["--size", "160x100", "--preview", "-o", str(tmp_path / "sheet.png")]
    assert main([str(photo), *flags, *large]) == 0
    assert iio.imread(tmp_path / "sheet.png").shape == (3 * 40, 4 * 64, 3)
    said = "a preview at 64x40: in the film, 160x100, what is dreamed is 3.8 times smaller"
    assert said in capsys.readouterr().err
    assert names(tmp_path) == {"photo.png", "sheet.png"}


@pytest.mark.parametrize("words", [["--way", "feedback"], ["--zoom", "0", "--turn", "9"]])
def test_a_preview_of_what_needs_all_frames_before_it_shows_the_beginning(
    photo: Path, flags: list[str], tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    import pipeline.cli.diving
    from pipeline.stages import dream

    steps: list[int] = []
    climb = dream._climb
    monkeypatch.setattr(dream, "_climb", lambda *args: (steps.append(1), climb(*args))[1])
    monkeypatch.setattr(pipeline.cli.diving, "BEGUN", 4)
    out = tmp_path / "sheet.png"
    assert main([str(photo), *flags, *words, "--seconds", "9", "--preview", "4", "-o", str(out)]) == 0
    assert iio.imread(out).shape == (2 * 40, 2 * 64, 3)
    assert len(steps) == 4 + (words[0] == "--way")
    assert ("the first 0.3 s alone" in capsys.readouterr().err) is (words[0] == "--way")


@pytest.mark.parametrize("words", [["--way", "feedback"], ["--zoom", "0", "--turn", "9"]])
def test_the_other_ways(photo: Path, flags: list[str], tmp_path: Path, words: list[str]) -> None:
    assert main([str(photo), *flags, *words, "-o", str(tmp_path / "out.mp4")]) == 0
    assert len(packets(tmp_path / "out.mp4")) == 12


def test_where_the_dream_is_strongest(photo: Path, flags: list[str], tmp_path: Path) -> None:
    words = ["--centre", "auto", "--zoom", "-0.5", "--shutter", "0.5", "-o", str(tmp_path / "out.mp4")]
    assert main([str(photo), *flags, *words]) == 0


def test_a_dive_gives_its_recipe_back(
    photo: Path, flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.mp4"
    assert main([str(photo), *flags, "--turn", "0s:(3), 1s:(9)", "-o", str(out), "-q"]) == 0
    capsys.readouterr()
    assert main(["x.png", "--like", str(out), "--explain"]) == 0
    told = tomllib.loads(capsys.readouterr().out)
    assert told["zoom"]["turn"] == "0s:(3), 1s:(9)"
    assert told["dream"]["iterations"] == 2


def test_unfinished_masters_are_gone_on_with(
    photo: Path, flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    import pipeline.cli.diving

    out = ["-o", str(tmp_path / "out.mp4"), "--zoom", "3"]
    assert main([str(photo), *flags, "-o", str(tmp_path / "whole.mp4"), "--zoom", "3"]) == 0
    told = pipeline.cli.diving._Told.__call__

    def stop(self: object, done: int, of: int) -> None:
        if done == 2:
            raise KeyboardInterrupt
        told(self, done, of)

    with monkeypatch.context() as patch:
        patch.setattr(pipeline.cli.diving._Told, "__call__", stop)
        assert main([str(photo), *flags, *out]) == 130
    told_at_once = capsys.readouterr().err
    assert "2 of 4 pictures are kept" in told_at_once
    assert "but not the one in hand" in told_at_once
    assert names(tmp_path) == {"photo.png", "whole.mp4", "out.mp4.masters"}
    assert main([str(photo), *flags, *out, "--turn", "5"]) == 2
    assert main([str(photo), *flags, *out]) == 0
    assert "picture 3 of 4" in capsys.readouterr().err
    assert packets(tmp_path / "out.mp4") == packets(tmp_path / "whole.mp4")
    assert names(tmp_path) == {"photo.png", "whole.mp4", "out.mp4"}


def test_a_stop_among_the_frames_says_that_no_picture_is_lost(
    photo: Path, flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    from pipeline.cli.progress import Progress

    def stop(self: object, dreamt: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Progress, "__call__", stop)
    assert main([str(photo), *flags, "-o", str(tmp_path / "out.mp4")]) == 130
    assert f"are kept in {tmp_path / 'out.mp4'}.masters" in capsys.readouterr().err


def test_a_stop_does_not_wait_for_a_picture_to_be_dreamed(
    photo: Path,
    flags: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from pipeline.stages import dream

    step, steps = dream._step, []

    def asked_in_the_third(*what: object) -> object:
        steps.append(1)
        if len(steps) == 3:
            signal.raise_signal(signal.SIGINT)
        return step(*what)

    monkeypatch.setattr(dream, "_step", asked_in_the_third)
    assert (
        main([str(photo), *flags, "--zoom", "3", "--iterations", "5", "-o", str(tmp_path / "out.mp4")]) == 130
    )
    assert len(steps) == 3
    assert re.search(r"0 of \d+ pictures are kept", capsys.readouterr().err)


BAD = {
    "no input": ([], 2, "expected an INPUT"),
    "missing": (["gone.png"], 3, "no such file"),
    "absurd speed": (["photo.png", "--zoom", "99"], 2, "outside -8 to 8"),
    "absurd turn": (["photo.png", "--turn", "9e9"], 2, "--turn"),
    "centre outside": (["photo.png", "--centre", "1.5, 0.5"], 2, "outside 0 to 1"),
    "pan auto": (["photo.png", "--pan", "auto"], 2, "two values"),
    "half a centre": (["photo.png", "--centre", "0.5"], 2, "two values"),
    "bad schedule": (["photo.png", "--zoom", "0s:(0.5), 2s:(foo)"], 2, "foo"),
    "bad pan": (["photo.png", "--pan", "0.1, sin(q)"], 2, "^"),
    "bad layers": (["photo.png", "--layers", "0s:(features.5), 2s features.3"], 2, "^"),
    "unknown layer": (["photo.png", "--layers", "0s:(features.5), 2s:(feature.3)"], 2, "Its layers"),
    "bad seconds": (["photo.png", "--seconds", "soon"], 2, "--seconds soon"),
    "no song": (["photo.png", "--seconds", "audio"], 2, "--audio FILE"),
    "song gone": (["photo.png", "--audio", "gone.mp3"], 3, "gone.mp3"),
    "song is a picture": (["photo.png", "--audio", "photo.png"], 3, "photo.png"),
    "noise without end": (["noise", "--size", "90000x90000"], 2, "cannot be made as large"),
    "too small": (["photo.png", "--size", "4x4"], 3, "too small"),
    "too large": (["photo.png", "--size", "60000x40000"], 2, "would need a picture"),
    "nothing moves": (["photo.png", "--zoom", "0"], 2, "Nothing moves"),
    "loop of a still": (["photo.png", "--zoom", "0", "--turn", "9", "--loop"], 2, "--loop"),
    "no colour": (["colour:blue"], 2, "colour:#203040"),
    "bad rate": (["photo.png", "--fps", "0"], 2, "--fps"),
    "bad size": (["photo.png", "--size", "large"], 2, "is no size"),
    "ending": (["photo.png", "-o", "out.xyz"], 2, ".xyz"),
    "itself": (["photo.png", "-o", "photo.png", "-y"], 2, "photo"),
    "preset of the other door": (["photo.png", "-p", "draft"], 2, "No preset"),
    "report": (["photo.png", "--report", "r.html"], 2, "--report"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_a_line_or_two_and_leaves_nothing(
    name: str, photo: Path, flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    words, code, said = BAD[name]
    monkeypatch.chdir(tmp_path)
    before = names(tmp_path)
    assert main([*flags, *words]) == code
    err = capsys.readouterr().err
    assert said in err
    assert "Traceback" not in err
    assert "should not have happened" not in err
    assert len(err.strip().splitlines()) <= 4
    assert names(tmp_path) == before


class TestSettings:
    def test_presets_are_each_for_their_own_door(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["--presets"]) == 0
        zooms = {line.split()[0] for line in capsys.readouterr().out.splitlines()}
        assert video.main(["--presets"]) == 0
        films = {line.split()[0] for line in capsys.readouterr().out.splitlines()}
        assert len(zooms) >= 6
        assert not zooms & films
        assert not any("zoom" in name for name in films)

    @pytest.mark.parametrize("name", sorted(looks.presets(ZoomSettings)))
    def test_every_preset_can_be_chosen_and_given_back(
        self, name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        assert main(["x.png", "-p", name, "--explain"]) == 0
        text = capsys.readouterr().out
        (tmp_path / "same.toml").write_text(text)
        assert main(["x.png", "-c", str(tmp_path / "same.toml"), "--explain"]) == 0
        assert tomllib.loads(capsys.readouterr().out) == tomllib.loads(text)
        assert tomllib.loads(text)["zoom"]

    def test_the_zooms_words_are_not_the_films(self, capsys: pytest.CaptureFixture[str]) -> None:
        for door, there in ((main, True), (video.main, False)):
            with pytest.raises(SystemExit):
                door(["--help"])
            assert ("--centre" in capsys.readouterr().out) is there

    def test_environment_and_set_reach_the_zoom(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DREAM_TURN", "7")
        assert main(["x.png", "--set", "zoom.zoom=0.25", "--explain"]) == 0
        told = tomllib.loads(capsys.readouterr().out)["zoom"]
        assert (told["turn"], told["zoom"]) == (7, 0.25)


@pytest.mark.parametrize(
    "words", [["--help"], ["--explain", "x.png"], ["--presets"], ["gone.png"], ["noise", "--zoom", "0"]]
)
def test_the_door_answers_without_loading_torch(words: list[str]) -> None:
    code = f"""
import sys
from pipeline.cli import zoom
try:
    zoom.main({words!r})
except SystemExit:
    pass
sys.exit("torch" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-500:]
