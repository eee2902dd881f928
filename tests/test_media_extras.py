"""What people expect beside the film: comparisons, sheets, short pieces, stems, pipes, and scene-linear pictures."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from conftest import texture
from filming import pan, psnr, shown, stamps, through, write_raw
from pipeline import exr, spaces
from pipeline.clip import Deep, Flow
from pipeline.destination import Destination
from pipeline.errors import InputError, OutputError, UsageError
from pipeline.settings import Input, Settings
from pipeline.sources import ClipSource, middle, open_source
from pipeline.stages import stems, stills

DREAM = {"iterations": 3, "octaves": 1}
needs_exr = pytest.mark.skipif(not exr.is_there(), reason="needs OpenEXR")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_raw(tmp_path / "source.mkv", pan(8), "-c:v", "ffv1", "-pix_fmt", "bgr0")


def test_side_by_side_has_the_source_left_and_the_dream_right(tmp_path: Path, source: Path) -> None:
    through(source, tmp_path / "dream.mkv", codec="ffv1", **DREAM)
    through(source, tmp_path / "both.mkv", codec="ffv1", compare="side", **DREAM)
    both = shown(tmp_path / "both.mkv")
    assert both.shape == (8, 96, 256, 3)
    assert np.array_equal(both[:, :, :128], pan(8))
    assert np.array_equal(both[:, :, 128:], shown(tmp_path / "dream.mkv"))
    assert not np.array_equal(both[:, :, 128:], pan(8))


def test_a_difference_is_what_was_added_about_grey(tmp_path: Path, source: Path) -> None:
    through(source, tmp_path / "none.mkv", codec="ffv1", compare="diff")
    assert (shown(tmp_path / "none.mkv") == 128).all()
    through(source, tmp_path / "diff.mkv", codec="ffv1", compare="diff", **DREAM)
    through(source, tmp_path / "dream.mkv", codec="ffv1", **DREAM)
    added = shown(tmp_path / "dream.mkv").astype(int) - pan(8) + 128
    assert np.array_equal(shown(tmp_path / "diff.mkv"), np.clip(added, 0, 255))


def test_a_wipe_goes_from_the_source_to_the_dream(tmp_path: Path) -> None:
    from pipeline.stages.compare import compared

    black, white = np.zeros((4, 100, 3), np.uint8), np.full((4, 100, 3), 200, np.uint8)
    shares = [float((compared(black, white, "wipe", seconds) == 200).mean()) for seconds in (0, 1, 2, 3, 4)]
    assert shares == pytest.approx([0, 0.5, 0.98, 0.5, 0], abs=0.03)


def test_a_contact_sheet_has_source_above_dream(tmp_path: Path, source: Path) -> None:
    through(source, tmp_path / "out.mkv", codec="ffv1", contact_sheet=str(tmp_path / "sheet.png"), **DREAM)
    sheet = stills.read(tmp_path / "sheet.png")
    assert sheet.shape == (3 * 192, 3 * 128, 3)
    assert np.array_equal(sheet[:96, :128], pan(8)[0])
    assert np.array_equal(sheet[96:192, :128], shown(tmp_path / "out.mkv")[0])


def test_a_piece_is_the_middle_of_the_film(source: Path) -> None:
    opened = ClipSource.of(source, Input())
    settings = Settings.model_validate({"output": {"preview_seconds": 0.125}})
    how = middle(opened, settings)
    assert (how.start, how.end) == ("2", "5")
    piece = ClipSource.of(source, how)
    assert [np.array_equal(frame.picture, pan(8)[2 + frame.index]) for frame in piece.frames()] == [True] * 3


def test_stems_are_layers_of_one_file(tmp_path: Path, source: Path) -> None:
    OpenEXR = pytest.importorskip("OpenEXR")
    through(source, tmp_path / "out.mkv", codec="ffv1", stems=str(tmp_path / "stems"), **DREAM)
    assert len(list((tmp_path / "stems").iterdir())) == 8
    channels = OpenEXR.File(str(tmp_path / "stems" / "stems.0003.exr"), separate_channels=True).channels()
    assert set(channels) == {"dream.R", "dream.G", "dream.B", "trust.A", "backward.u", "backward.v"}
    layer = np.stack([channels[f"dream.{name}"].pixels.astype(float) for name in "RGB"], -1)
    rebuilt = np.clip(np.round(pan(8)[3] + 255 * layer), 0, 255)
    assert np.abs(rebuilt - shown(tmp_path / "out.mkv")[3]).max() <= 1
    assert abs(np.median(channels["backward.u"].pixels) - 2) < 0.3


def test_stems_overwrite_nothing_of_somebodys(tmp_path: Path, source: Path) -> None:
    film, folder = open_source(str(source), Input()), tmp_path / "stems"
    to = Destination.of(str(tmp_path / "out.mkv"), str(source), film)
    to.check_stems(str(folder), film, overwrite=False, going_on=False)
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    (folder / stems.names(8)[0]).write_text("of another film, which has more frames")
    to.check_stems(str(folder), film, overwrite=False, going_on=False)
    (folder / stems.names(7)[0]).write_text("mine")
    with pytest.raises(OutputError, match="-y"):
        to.check_stems(str(folder), film, overwrite=False, going_on=False)
    to.check_stems(str(folder), film, overwrite=True, going_on=False)
    frames = Destination("frames", folder / stems.names(0)[0].replace("0000", "%04d"))
    with pytest.raises(OutputError, match="part of this render"):
        frames.check_stems(str(folder), film, overwrite=True, going_on=True)
    with pytest.raises(OutputError, match="does not exist"):
        to.check_stems(str(tmp_path / "none" / "stems"), film, overwrite=True, going_on=True)


def test_stems_without_openexr_are_pictures_and_flow_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exr, "is_there", lambda: False)
    dream = np.linspace(-1, 1, 6 * 8 * 3, dtype=np.float32).reshape(6, 8, 3)
    flow = Flow(np.full((6, 8, 2), (2, -1), np.float32), np.full((6, 8), 0.5, np.float32))
    stems.write(tmp_path, 7, dream, flow)
    read = cv2.imread(str(tmp_path / "dream.0007.png"), cv2.IMREAD_UNCHANGED)[..., ::-1].astype(float)
    assert np.abs((read - 32768) / 32767 - dream).max() < 1e-4
    raw = (tmp_path / "backward.0007.flo").read_bytes()
    assert struct.unpack("<fii", raw[:12]) == (pytest.approx(202021.25), 8, 6)
    assert np.array_equal(cv2.readOpticalFlow(str(tmp_path / "backward.0007.flo")), flow.backward)


@needs_exr
@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_linear_pictures_come_back_bit_for_bit_with_their_header(tmp_path: Path, kind: type) -> None:
    import OpenEXR

    values = (texture(48, 64) / 255).astype(kind)
    values[0, 0], values[5, 5] = 50, -0.1
    header = {"owner": "somebody", "chromaticities": (0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3127, 0.329)}
    alpha = np.ones((48, 64), kind)
    channels = {
        "R": values[..., 0].copy(),
        "G": values[..., 1].copy(),
        "B": values[..., 2].copy(),
        "A": alpha,
    }
    OpenEXR.File(dict(header), dict(channels)).write(str(tmp_path / "in.exr"))
    made = through(tmp_path / "in.exr", tmp_path / "out.exr", octaves=1)
    assert len([note for note in made.notes if "linear" in note]) == 1
    file = OpenEXR.File(str(tmp_path / "out.exr"), separate_channels=True)
    for name in "RGBA":
        assert file.channels()[name].pixels.dtype == kind
        assert np.array_equal(file.channels()[name].pixels, channels[name])
    assert file.header()["owner"] == "somebody"
    assert file.header()["compression"] == OpenEXR.ZIP_COMPRESSION
    assert np.allclose(file.header()["chromaticities"], header["chromaticities"])
    through(tmp_path / "in.exr", tmp_path / "dreamed.exr", **DREAM)
    dreamed = exr.read(tmp_path / "dreamed.exr").values
    assert np.abs(dreamed - values.astype(np.float32)).mean() > 1e-3
    assert dreamed[0, 0].max() > 40


def test_what_values_stand_for_can_be_said(tmp_path: Path) -> None:
    grey = np.full((32, 32, 3), 0.2, np.float32)
    cv2.imwrite(str(tmp_path / "in.tif"), grey)
    for space, shown_as in (("auto", 124), ("linear", 124), ("srgb", 51)):
        through(tmp_path / "in.tif", tmp_path / f"{space}.jpg", octaves=1, input_space=space)
        assert abs(int(stills.read(tmp_path / f"{space}.jpg").mean()) - shown_as) <= 2


@needs_exr
@pytest.mark.parametrize("space", ["acescg", "ACES2065-1"])
def test_scene_light_of_other_primaries_is_dreamed_on_and_keeps_what_is_outside(
    tmp_path: Path, space: str
) -> None:
    if space != "acescg":
        pytest.importorskip("PyOpenColorIO")
    values = (texture(24, 32) / 255).astype(np.float32)
    values[0, 0], values[5, 5] = 50, -0.1
    exr.write(tmp_path / "in.exr", exr.picture(Deep(values)), {exr.FLOAT: True})
    through(tmp_path / "in.exr", tmp_path / "out.exr", octaves=1, input_space=space)
    assert np.array_equal(exr.read(tmp_path / "out.exr").values, values)
    through(tmp_path / "in.exr", tmp_path / "dreamed.exr", input_space=space, **DREAM)
    dreamed = exr.read(tmp_path / "dreamed.exr").values
    assert np.abs(dreamed - values).mean() > 1e-3
    assert dreamed[0, 0].min() > 40
    assert np.abs(dreamed[5, 5] + 0.1).max() < 0.2


def test_a_picture_in_a_log_space_is_seen_as_light_and_written_in_its_own(tmp_path: Path) -> None:
    grey = np.full((24, 32, 3), round(0.4135884 * 65535), np.uint16)  # 18 % grey, by ACES S-2016-001
    cv2.imwrite(str(tmp_path / "in.png"), grey)
    through(tmp_path / "in.png", tmp_path / "out.jpg", octaves=1, input_space="acescct")
    assert abs(int(stills.read(tmp_path / "out.jpg").mean()) - 118) <= 1
    through(tmp_path / "in.png", tmp_path / "out.png", octaves=1, input_space="acescct")
    assert np.array_equal(cv2.imread(str(tmp_path / "out.png"), cv2.IMREAD_UNCHANGED), grey)


def test_our_own_spaces_are_those_of_opencolorio() -> None:
    pytest.importorskip("PyOpenColorIO")
    light = np.array([[[0.18, 0.18, 0.18], [50, 1, -0.1], [0.001, -0.1, 0.5]]], np.float32)
    for ours, theirs in (("linear", spaces.REC709), ("acescg", "ACEScg"), ("acescct", "ACEScct")):
        stored = spaces.space(ours).from_light(light)
        assert np.allclose(stored, spaces.space(theirs).from_light(light), atol=1e-5)
        assert np.allclose(spaces.space(ours).to_light(stored), light, atol=1e-4)


def test_spaces_are_named_by_the_configuration_of_the_house(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ocio = pytest.importorskip("PyOpenColorIO")
    config = ocio.Config.CreateFromFile(spaces.BUILTIN)
    double = ocio.MatrixTransform([2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1])
    config.addColorSpace(ocio.ColorSpace(name="house", toReference=double))
    (tmp_path / "house.ocio").write_text(config.serialize())
    spaces.space.cache_clear()
    with pytest.raises(UsageError, match=r"house: there is none of that name in ocio://default"):
        spaces.space("house")
    monkeypatch.setenv("OCIO", str(tmp_path / "house.ocio"))
    light = np.full((1, 1, 3), 0.18, np.float32)
    twice = spaces.space("house").to_light(light) / spaces.space("ACES2065-1").to_light(light)
    assert np.allclose(twice, 2, atol=1e-4)
    with pytest.raises(UsageError, match="Did you mean house"):
        spaces.space("hous")
    other = spaces.identity("ACEScc")
    monkeypatch.delenv("OCIO")
    assert (
        len({spaces.identity("ACEScc"), other, spaces.identity("linear")}) == 3
    )  # two films, and one without
    monkeypatch.setenv("OCIO", str(tmp_path / "none.ocio"))
    with pytest.raises(UsageError, match=r"none\.ocio"):
        spaces.space("ACEScc")
    spaces.space.cache_clear()


def test_without_opencolorio_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PyOpenColorIO", None)
    with pytest.raises(UsageError, match="opencolorio"):
        spaces.space("a space of somebody's")


def test_a_clip_says_itself_what_its_values_stand_for(source: Path) -> None:
    with pytest.raises(UsageError, match=r"--input-space acescct is of pictures"):
        open_source(str(source), Input(input_space="acescct"))


@needs_exr
def test_a_damaged_exr_is_an_error_with_a_name(tmp_path: Path) -> None:
    (tmp_path / "bad.exr").write_bytes(b"v/1\x01" + bytes(60))
    with pytest.raises(InputError, match=r"bad\.exr"):
        exr.read(tmp_path / "bad.exr")


def test_a_film_on_stdin_is_a_film(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Pipe:
        buffer = io.BytesIO(source.read_bytes())

    monkeypatch.setattr(sys, "stdin", Pipe)
    first = open_source("-", Input())
    assert first.clip.frames == 8
    Pipe.buffer = io.BytesIO(source.read_bytes())
    assert open_source("-", Input()).fingerprint() == first.fingerprint()
    Pipe.buffer = io.BytesIO()
    with pytest.raises(InputError, match="nothing came on stdin"):
        open_source("-", Input())


def test_a_full_disk_is_named_before_it_is_full(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Pipe:
        buffer = io.BytesIO(source.read_bytes())

    monkeypatch.setattr(sys, "stdin", Pipe)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=1 << 20))
    with pytest.raises(OutputError, match=r"-: what comes on stdin is stored in .* and that is full"):
        open_source("-", Input())


def test_a_film_goes_to_stdout_whole(tmp_path: Path, make_clip: Callable[..., Path]) -> None:
    code = "import sys; from pipeline.cli import video; sys.exit(video.main(sys.argv[1:]))"
    with make_clip(frames=5).open("rb") as film:
        command = [sys.executable, "-c", code, "-", "-o", "-", "--iterations", "0"]
        done = subprocess.run(command, stdin=film, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()[-500:]
    (tmp_path / "piped.mkv").write_bytes(done.stdout)
    assert len(stamps(tmp_path / "piped.mkv")) == 5
    assert psnr(shown(tmp_path / "piped.mkv")[0], shown(tmp_path / "clip.mp4")[0]) > 36


def test_previews_of_pieces_are_for_clips(tmp_path: Path) -> None:
    stills.write(tmp_path / "still.png", texture(32, 32))
    settings = Settings.model_validate({"output": {"preview_seconds": 1}})
    with pytest.raises(UsageError, match="is for clips"):
        middle(open_source(str(tmp_path / "still.png"), Input()), settings)
