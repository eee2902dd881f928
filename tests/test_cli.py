"""The door: what it makes, what it says when something is wrong, and what it goes on with."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import imageio.v3 as iio
import numpy as np
import pytest

from conftest import texture
from pipeline.cli import farm, zoom
from pipeline.cli.progress import Progress
from pipeline.cli.video import main
from pipeline.clip import Flow, Frame, Size
from pipeline.dreamt import Dreamt
from pipeline.sources import open_source
from pipeline.stages import stills
from pipeline.stages.decode import Decoder


@pytest.fixture
def flags(random_weights: Path) -> list[str]:
    """A network that has learned nothing and a dream as short as can be."""
    network = ["--model", "squeezenet1_1", "--weights", str(random_weights), "--layers", "features.5"]
    return [*network, "--octaves", "2", "--iterations", "2", "--threads", "1", "--encoder-preset", "veryfast"]


def packets(path: Path, kind: str = "video") -> list[tuple[int | None, bytes]]:
    with av.open(str(path)) as file:
        return [(p.pts, bytes(p)) for p in file.demux(**{kind: 0}) if p.size]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_clip_in_a_clip_out(
    make_clip: Callable[..., Path], flags: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    clip = make_clip(frames=10, sound=True)
    monkeypatch.chdir(tmp_path)
    assert main([str(clip), *flags]) == 0
    out = tmp_path / "clip_dream.mp4"
    assert Decoder.open(out).times == Decoder.open(clip).times
    assert packets(out, "audio") == packets(clip, "audio")
    assert names(tmp_path) == {"clip.mp4", "clip_dream.mp4"}


def test_what_was_there_is_not_overwritten(
    make_clip: Callable[..., Path], flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip, out = make_clip(frames=2), tmp_path / "out.mp4"
    out.write_text("precious")
    assert main([str(clip), *flags, "-o", str(out)]) == 4
    assert out.read_text() == "precious"
    assert "-y" in capsys.readouterr().err
    assert main([str(clip), *flags, "-o", str(out), "-y"]) == 0
    assert len(packets(out)) == 2


def test_pictures_in_pictures_out_with_their_numbers(flags: list[str], tmp_path: Path) -> None:
    for number in (8, 9, 10, 11):
        stills.write(tmp_path / f"in.{number:04d}.png", texture(48, 64))
    pattern = str(tmp_path / "in.%04d.png")
    assert main([pattern, *flags, "--frames", "9-10", "-o", str(tmp_path / "out_%05d.png")]) == 0
    assert {"out_00009.png", "out_00010.png"} == {n for n in names(tmp_path) if n.startswith("out")}
    assert main([pattern, *flags, "-o", str(tmp_path / "film.mp4"), "--fps", "12"]) == 0
    film = Decoder.open(tmp_path / "film.mp4")
    assert len(film.times) == 4
    assert film.clip.rate == 12
    assert main([str(tmp_path / "in.*.png"), *flags, "-o", f"{tmp_path}/again/"]) == 0
    assert {f"in.{n:04d}.png" for n in (8, 9, 10, 11)} <= names(tmp_path / "again")


def test_a_still_gives_a_still(flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stills.write(tmp_path / "photo.png", texture(48, 64))
    monkeypatch.chdir(tmp_path)
    assert main(["photo.png", *flags]) == 0
    assert iio.imread(tmp_path / "photo_dream.png").shape == (48, 64, 3)


def test_photographs_give_a_still_each(flags: list[str], tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    stills.write(tmp_path / "in" / "sky.png", texture(48, 64))
    stills.write(tmp_path / "in" / "lion.jpg", texture(70, 50))
    assert main([str(tmp_path / "in"), *flags, "-o", f"{tmp_path}/out/"]) == 0
    assert iio.imread(tmp_path / "out" / "sky_dream.png").shape == (48, 64, 3)
    assert iio.imread(tmp_path / "out" / "lion_dream.png").shape == (70, 50, 3)


def test_a_preview_is_a_picture_and_leaves_nothing_else(
    make_clip: Callable[..., Path], flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = make_clip(frames=8)
    monkeypatch.chdir(tmp_path)
    assert main([str(clip), *flags, "--preview"]) == 0
    assert iio.imread("clip_preview.png").shape == (96, 128, 3)
    assert main([str(clip), *flags, "--preview", "3", "-y"]) == 0
    assert iio.imread("clip_preview.png").shape == (192, 256, 3)
    assert names(tmp_path) == {"clip.mp4", "clip_preview.png"}


def test_the_demo_needs_no_clip_and_has_sound(flags: list[str], tmp_path: Path) -> None:
    out = tmp_path / "demo.mp4"
    assert main(["--demo", *flags, "--size", "128x72", "--end", "6", "-o", str(out)]) == 0
    assert len(packets(out)) == 6
    assert packets(out, "audio")


def test_odd_sizes_are_kept_and_said(
    make_clip: Callable[..., Path], flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = make_clip(frames=2, size=(61, 83))
    assert main([str(clip), *flags, "-o", str(tmp_path / "out.mp4")]) == 0
    assert Decoder.open(tmp_path / "out.mp4").clip.size == (61, 83)
    assert capsys.readouterr().err.count("yuv444p") == 1


def test_one_frame_is_a_film_too(make_clip: Callable[..., Path], flags: list[str], tmp_path: Path) -> None:
    assert main([str(make_clip(frames=1)), *flags, "-o", str(tmp_path / "out.mp4")]) == 0
    assert len(packets(tmp_path / "out.mp4")) == 1


def test_octaves_that_do_not_fit_are_left_out_and_said(
    make_clip: Callable[..., Path], flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(make_clip(frames=2)), *flags, "--octaves", "20", "-o", str(tmp_path / "out.mp4")]) == 0
    assert "of 20 octaves fit" in capsys.readouterr().err


def test_progress_as_json_is_one_object_a_line(
    make_clip: Callable[..., Path], flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(make_clip(frames=5)), *flags, "-o", str(tmp_path / "o.mp4"), "--progress", "json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    frames = [event for event in events if event["event"] == "frame"]
    assert [event["frame"] for event in frames] == [0, 1, 2, 3, 4]
    assert all(event["of"] == 5 for event in frames)


def bad_inputs(tmp: Path) -> dict[str, tuple[list[str], int, str]]:
    (tmp / "text.mp4").write_text("not a film")
    (tmp / "empty").mkdir()
    (tmp / "no.pth").write_text("not weights")
    stills.write(tmp / "ok.png", texture(48, 64))
    with av.open(str(tmp / "sound.mp4"), "w") as file:
        stream = file.add_stream("aac", rate=48000, layout="mono")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        silence.sample_rate = 48000
        file.mux(stream.encode(silence))
        file.mux(stream.encode(None))
    clip, ok = str(tmp / "clip.mp4"), str(tmp / "ok.png")
    return {
        "missing file": (["gone.mp4"], 3, "gone.mp4: no such file"),
        "missing still": (["gone.png"], 3, "gone.png: no such file"),
        "text renamed": ([str(tmp / "text.mp4")], 3, "cannot be read as a clip"),
        "empty folder": ([str(tmp / "empty")], 3, "no pictures there"),
        "no such numbers": ([str(tmp / "f.%04d.png")], 3, "no file matches"),
        "no video": ([str(tmp / "sound.mp4")], 3, "has no video"),
        "no input": ([], 2, "expected an INPUT"),
        "input and demo": (["--demo", clip], 2, "leave out"),
        "unknown layer": ([clip, "--layers", "fire99"], 2, "fire99"),
        "unknown network": ([clip, "--model", "squeezenet1_9"], 2, "squeezenet1_"),
        "weights of another network": (
            [clip, "--model", "alexnet", "--layers", "features.3"],
            5,
            "does not fit",
        ),
        "weights that are none": ([clip, "--weights", str(tmp / "no.pth")], 5, "no.pth"),
        "bad target": ([clip, "--layers", "features.5#x"], 2, "#"),
        "bad number": ([clip, "--octaves", "many"], 2, "--octaves many: expected a whole number."),
        "out of range": ([clip, "--octaves", "99"], 2, "outside 1 to 32"),
        "bad schedule": ([clip, "--step", "0:(1), 5:(foo)"], 2, "foo"),
        "bad set": ([clip, "--set", "dream.octavs=3"], 2, "dream.octaves"),
        "bad preset": ([clip, "-p", "drafty"], 2, "draft"),
        "bad size": ([clip, "--size", "large"], 2, "--size large: 'large' is no size"),
        "bad start": ([clip, "--start", "soon"], 2, "--start soon"),
        "nothing left": ([clip, "--start", "50"], 3, "no frames between"),
        "output ending": ([clip, "-o", str(tmp / "out.xyz")], 2, ".xyz"),
        "output folder gone": ([clip, "-o", str(tmp / "no" / "out.mp4")], 4, "does not exist"),
        "one picture for a film": ([clip, "-o", str(tmp / "out.png")], 2, "%04d"),
        "a folder for a film": ([clip, "-o", str(tmp / "empty")], 2, "is a folder"),
        "a folder not there": ([ok, "-o", str(tmp / "no" / "such") + "/"], 4, "does not exist"),
        "odd encoder word": ([clip, "--encoder-preset", "foo"], 2, "--encoder-preset foo"),
        "odd pixels": ([clip, "--pixel-format", "pal8"], 2, "pal8"),
        "bad dream size": ([clip, "--dream-size", "large"], 2, "--dream-size large: 'large' is no size"),
        "bad rate": ([ok, "--fps", "1e-400"], 2, "--fps"),
        "demo with numbers": (["--demo", "--frames", "1-2"], 2, "--start"),
        "odd device": ([clip, "--device", "gpu"], 2, "expected auto, cuda, cuda:1, mps or cpu."),
        "the source itself": ([clip, "-o", clip, "-y"], 4, "is what is to be dreamed"),
        "no such device": ([ok, "--device", "cuda:7"], 5, "not on this machine"),
        "no recipe": ([clip, "--like", str(tmp / "ok.png")], 3, "holds no recipe"),
        "missing config": ([clip, "-c", str(tmp / "gone.toml")], 2, "gone.toml"),
        "protocol": (["concat:a|b"], 3, "no such file"),
    }


NAMES = [
    "missing file", "missing still", "text renamed", "empty folder", "no such numbers", "no video", "no input",
    "input and demo", "unknown layer", "unknown network", "weights of another network", "weights that are none",
    "bad target", "bad number", "out of range", "bad schedule", "bad set", "bad preset", "bad size", "bad start",
    "nothing left", "output ending", "output folder gone", "one picture for a film", "a folder for a film",
    "a folder not there", "odd encoder word", "odd pixels", "bad dream size", "bad rate", "demo with numbers",
    "odd device", "the source itself", "no such device", "no recipe", "missing config", "protocol",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_bad_input_is_a_line_or_two_and_leaves_nothing(
    name: str,
    make_clip: Callable[..., Path],
    flags: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_clip(frames=4)
    table = bad_inputs(tmp_path)
    assert list(table) == NAMES
    words, code, said = table[name]
    monkeypatch.chdir(tmp_path)
    before = names(tmp_path)
    assert main([*flags, *words]) == code
    err = capsys.readouterr().err
    assert said in err
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) <= 4
    assert names(tmp_path) == before


def test_help_breaks_no_line_before_a_default_and_can_be_searched(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for door, words in ((main, ["--help"]), (farm.main, ["run", "--help"]), (zoom.main, ["--help"])):
        with pytest.raises(SystemExit):
            door(words)
        told = capsys.readouterr().out
        assert "default: " in told
        assert "default: False" not in told
        assert not re.search(r"default:\s*│?\n|\xa0", told)


def test_a_number_of_a_list_that_is_none_is_said_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        farm.main(["run", "jobs.yaml", "--workers", "two"])
    assert "expected a whole number, found 'two'" in capsys.readouterr().err


def test_the_first_frame_is_no_measure_of_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    told = Progress("plain", 3, Size(24, 32), 1)
    told.start(0)
    frame = Frame(0, 0, Fraction(0), texture(24, 32))
    for _ in range(3):
        told(Dreamt(frame, frame.picture, None, Flow.none(frame.size), steps=1, iterations=1, lost=0))
    first, *_, last = capsys.readouterr().err.splitlines()
    assert first.startswith("frame 1 of 3 after")
    assert "left" not in first + last


def test_a_work_folder_that_cannot_be_made_is_said(
    make_clip: Callable[..., Path], flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    words = ["-o", str(tmp_path / "out.mp4"), "--workdir", str(tmp_path / "file")]
    assert main([str(make_clip(frames=2)), *flags, *words]) == 4
    err = capsys.readouterr().err
    assert "file" in err
    assert "should not have happened" not in err


def test_names_with_brackets_are_files_before_they_are_patterns(
    make_clip: Callable[..., Path], flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_clip("Title #1 [abc].mp4", frames=2)
    monkeypatch.chdir(tmp_path)
    assert main(["Title #1 [abc].mp4", *flags]) == 0
    assert (tmp_path / "Title #1 [abc]_dream.mp4").is_file()


def test_camera_photographs_of_other_sizes_are_stills(flags: list[str], tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    stills.write(tmp_path / "in" / "DSC_0001.png", texture(48, 64))
    stills.write(tmp_path / "in" / "DSC_0002.png", texture(64, 48))
    assert main([str(tmp_path / "in"), *flags, "-o", f"{tmp_path}/out/"]) == 0
    assert names(tmp_path / "out") == {"DSC_0001_dream.png", "DSC_0002_dream.png"}


def test_one_frame_of_many_keeps_the_name_it_has_among_them(flags: list[str], tmp_path: Path) -> None:
    for number in (1, 2, 3):
        stills.write(tmp_path / "in" / f"shot.{number:04d}.png", texture(48, 64))
    assert main([str(tmp_path / "in"), *flags, "--frames", "2-2", "-o", f"{tmp_path}/out/"]) == 0
    assert names(tmp_path / "out") == {"shot.0002.png"}
    assert main([str(tmp_path / "in" / "shot.0003.png"), *flags, "-o", f"{tmp_path}/out/"]) == 0
    assert names(tmp_path / "out") == {"shot.0002.png", "shot.0003_dream.png"}


def test_a_strangers_recipe_gives_no_path_and_no_permission(
    make_clip: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = '[output]\nout = "victim.mp4"\nyes = true\n[speed]\nthreads = 9\n[dream]\noctaves = 5\nweights = "x"\n'
    (tmp_path / "bad.recipe.toml").write_text(recipe)
    assert main(["clip.mp4", "--like", str(tmp_path / "bad.recipe.toml"), "--explain"]) == 0
    settings = tomllib.loads(capsys.readouterr().out)
    assert settings["dream"]["octaves"] == 5
    assert "out" not in settings["output"]
    assert "weights" not in settings["dream"]
    assert settings["output"]["yes"] is False
    assert settings["speed"]["threads"] == 0


def test_a_recipe_beside_pictures_is_found_and_a_films_own_replaces_the_sources(
    make_clip: Callable[..., Path], flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip, first, second = make_clip(frames=2), tmp_path / "first.mp4", tmp_path / "second.mp4"
    assert main([str(clip), *flags, "-q", "--step", "2", "-o", str(first)]) == 0
    assert main([str(first), *flags, "-q", "--step", "3", "-o", str(second)]) == 0
    assert main([str(clip), *flags, "-q", "--step", "4", "-o", str(tmp_path / "f.%04d.jpg")]) == 0
    for name, step in (("first.mp4", 2), ("second.mp4", 3), ("f.0001.jpg", 4), ("f.recipe.toml", 4)):
        capsys.readouterr()
        assert main(["clip.mp4", "--like", str(tmp_path / name), "--explain"]) == 0
        assert tomllib.loads(capsys.readouterr().out)["dream"]["step"] == step
    assert main(["clip.mp4", "-c", str(tmp_path / "f.recipe.toml"), "--explain"]) == 0


def test_what_a_terminal_would_obey_is_not_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["\x1b]0;owned\x07.mp4"]) == 3
    assert "\x1b" not in capsys.readouterr().err


def test_a_failed_start_does_not_pin_its_settings(flags: list[str], tmp_path: Path) -> None:
    stills.write(tmp_path / "in" / "a_1.png", texture(48, 64))
    stills.write(tmp_path / "in" / "a_2.png", texture(64, 48))
    out = ["-o", str(tmp_path / "out.mp4")]
    assert main([str(tmp_path / "in"), *flags, *out]) == 3
    assert names(tmp_path) == {"in"}
    assert main([str(tmp_path / "in"), *flags, *out, "--size", "64x48"]) == 0


def test_a_contact_sheet_overwrites_nothing_and_is_checked_before_the_dream(
    make_clip: Callable[..., Path], flags: list[str], tmp_path: Path
) -> None:
    clip, sheet = make_clip(frames=2), tmp_path / "mine.png"
    sheet.write_bytes(b"mine")
    words = [str(clip), *flags, "-o", str(tmp_path / "out.mp4"), "--contact-sheet", str(sheet)]
    assert main(words) == 4
    assert main([*words, "-y", "--compare", "side"]) == 2
    assert sheet.read_bytes() == b"mine"
    assert names(tmp_path) == {"clip.mp4", "mine.png"}


def test_a_file_made_meanwhile_is_not_overwritten_by_going_on(
    make_clip: Callable[..., Path], flags: list[str], tmp_path: Path
) -> None:
    clip, out = make_clip(frames=4), tmp_path / "out.mp4"
    assert main([str(clip), *flags, "-o", str(out), "--keep"]) == 0
    out.write_text("precious")
    assert main([str(clip), *flags, "-o", str(out)]) == 4
    assert out.read_text() == "precious"


def test_the_end_says_where_it_is_and_how_there_is_more_or_less_of_it(
    flags: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stills.write(tmp_path / "a.png", texture(48, 64))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DREAM_TYPED", "scripts/dream-video")
    assert main(["a.png", *flags, "--strength", "1.5"]) == 0
    said = capsys.readouterr().err
    assert said.startswith("a.png: 1 frame of 64x48, dreamed by squeezenet1_1 features.5, to a_dream.png\n")
    offered = {line.partition(": ")[0]: line.partition(": ")[2] for line in said.splitlines()}
    assert offered["stronger"].startswith("scripts/dream-video a.png --model squeezenet1_1 ")
    assert offered["stronger"].endswith(" --strength 2 -y")
    assert offered["stronger"].count("--strength") == 1
    assert main(shlex.split(offered["calmer"])[1:]) == 0
    again = capsys.readouterr().err
    assert "--strength 0.375" in again
    assert "-y -y" not in again


def test_an_interrupted_render_says_so_and_keeps_what_is_done(
    make_clip: Callable[..., Path], flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    import pipeline.cli.progress

    def interrupt(self: object, dreamt: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline.cli.progress.Progress, "__call__", interrupt)
    assert main([str(make_clip()), *flags, "-o", str(tmp_path / "out.mp4")]) == 130
    assert "interrupted.\nNothing is kept yet" in capsys.readouterr().err
    assert names(tmp_path) == {"clip.mp4"}  # no segment was done yet


class TestSettings:
    """Precedence: defaults < network < preset < config < environment < flags < --set."""

    def explained(self, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[dict, str]:
        assert main([*words, "clip.mp4", "--explain"]) == 0
        text = capsys.readouterr().out
        return tomllib.loads(text), text

    def test_each_layer_is_above_the_one_before(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        config = tmp_path / "mine.toml"
        config.write_text("[dream]\noctaves = 5\nstep = 2.5\n")
        words: list[str] = []
        assert self.explained(capsys, "--model", "vgg16")[0]["dream"]["octaves"] == 4
        assert self.explained(capsys, *words)[0]["dream"]["octaves"] == 3  # the network's own
        words += ["-p", "wild"]
        assert self.explained(capsys, *words)[0]["dream"]["octaves"] == 6
        words += ["-c", str(config)]
        assert self.explained(capsys, *words)[0]["dream"]["octaves"] == 5
        monkeypatch.setenv("DREAM_OCTAVES", "7")
        assert self.explained(capsys, *words)[0]["dream"]["octaves"] == 7
        words += ["--octaves", "8"]
        assert self.explained(capsys, *words)[0]["dream"]["octaves"] == 8
        words += ["--set", "dream.octaves=9"]
        settings, text = self.explained(capsys, *words)
        assert settings["dream"]["octaves"] == 9
        assert settings["dream"]["step"] == 2.5
        for line, origin in (
            ("octaves =", "--set"),
            ("step =", "mine.toml"),
            ("iterations =", "preset wild"),
        ):
            assert any(row.startswith(line) and origin in row for row in text.splitlines())

    def test_what_is_explained_can_be_given_back(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        words = ["--step", "0:(1), 48:(3)", "--model", "vgg16", "--steadiness", "0.8"]
        settings, text = self.explained(capsys, *words)
        (tmp_path / "same.toml").write_text(text)
        again, _ = self.explained(capsys, "-c", str(tmp_path / "same.toml"))
        assert again == settings

    def test_a_network_brings_its_own_layers(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.explained(capsys, "--model", "googlenet")[0]["dream"]["layers"] == "inception4c"
        assert self.explained(capsys, "--model", "vgg16")[0]["dream"]["layers"] != "inception4c"

    def test_every_preset_can_be_chosen(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["--presets"]) == 0
        listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
        assert {"draft", "google-2015", "gordic", "gentle", "wild"} <= set(listed)
        for preset in listed:
            self.explained(capsys, "-p", preset)

    def test_a_film_gives_its_recipe_back(
        self,
        make_clip: Callable[..., Path],
        flags: list[str],
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        clip, out = make_clip(frames=2), tmp_path / "out.mp4"
        assert main([str(clip), *flags, "--step", "2.25", "-o", str(out), "-q"]) == 0
        settings, _ = self.explained(capsys, "--like", str(out))
        assert settings["dream"]["step"] == 2.25
        assert settings["dream"]["model"] == "squeezenet1_1"
        assert set(settings["made"]) == {"dream_video", "torch", "python", "weights_sha256"}
        stills.write(tmp_path / "photo.png", texture(48, 64))
        assert (
            main([str(tmp_path / "photo.png"), *flags, "--step", "2.5", "-o", str(tmp_path / "d.png"), "-q"])
            == 0
        )
        assert self.explained(capsys, "--like", str(tmp_path / "d.png"))[0]["dream"]["step"] == 2.5

    def test_yaml_is_read_too_and_unknown_keys_are_named(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        (tmp_path / "mine.yaml").write_text("dream:\n  octaves: 5\n")
        assert self.explained(capsys, "-c", str(tmp_path / "mine.yaml"))[0]["dream"]["octaves"] == 5
        (tmp_path / "typo.yaml").write_text("dream:\n  octavs: 5\n")
        assert main(["-c", str(tmp_path / "typo.yaml"), "--explain"]) == 2
        assert "dream.octaves" in capsys.readouterr().err


def test_the_walk_on_a_real_clip_with_a_real_network(
    shared_data: Path, squeezenet: list[str], tmp_path: Path
) -> None:
    clip = shared_data / "clips" / "plants_handheld.mp4"
    short = ["--octaves", "2", "--iterations", "4", "--size", "160x120"]
    assert main([str(clip), *squeezenet, *short, "-o", str(tmp_path / "out.mp4")]) == 0
    assert packets(tmp_path / "out.mp4", "audio") == packets(clip, "audio")
    assert Decoder.open(tmp_path / "out.mp4").times == Decoder.open(clip).times
    assert open_source(str(clip), __import__("pipeline.settings").settings.Input()).clip.frames == 36
