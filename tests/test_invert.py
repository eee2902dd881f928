"""Inversion: a picture rebuilt from its features alone; what is shallow knows it well, what is deep less and less."""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import torch
from torch import Tensor

from conftest import texture, tiny_network
from pipeline import Dreamer, UsageError, looks
from pipeline.cli import video, zoom
from pipeline.clip import Size
from pipeline.inversion import whole
from pipeline.net import tap, zoo
from pipeline.net.targets import parse_targets
from pipeline.scene import demo_scene
from pipeline.stages.invert import Rebuilt, invert, variation


def scene() -> Tensor:
    """What the demo shows, small: [1, 3, 64, 96]."""
    return torch.from_numpy(demo_scene(Size(64, 96)).picture(0).transpose(2, 0, 1).copy())[None] / 255


def rebuilt(layers: str, source: Tensor, iterations: int, seed: int = 0) -> Rebuilt:
    cut = tap.cut(tiny_network(), parse_targets(layers))
    return invert(cut, source, [1.0] * len(cut.targets), iterations, seed)


def pictures(lanes: int) -> Tensor:
    return torch.stack([torch.from_numpy(texture(32, 40, s)).permute(2, 0, 1) for s in range(lanes)]) / 255


def test_the_deeper_a_layer_the_less_of_the_picture_it_still_knows() -> None:
    """As in figure 6 of the paper: near the picture it is all there, then colours go, then places."""
    source, network = scene(), zoo.load("builtin")
    wrong = []
    for layer in ("strokes", "mixed3b", "mixed4c"):
        done = invert(tap.cut(network, parse_targets(layer)), source, [1.0], 60, 0)
        assert done.missed < 0.1  # to the network it is the same picture
        wrong.append(float((done.picture - source).square().mean().sqrt()) * 255)
    grey = float((source - source.mean((2, 3), keepdim=True)).square().mean().sqrt()) * 255
    assert wrong[0] < 0.4 * grey
    assert wrong[1] > 1.3 * wrong[0]
    assert wrong[2] > 1.3 * wrong[1]


def test_it_is_rebuilt_from_features_and_from_nothing_else() -> None:
    """Of what the features do not tell, nothing comes back: not even where it would cost nothing."""
    source = pictures(1)

    def blind(picture: Tensor) -> list[Tensor]:
        return [picture[:, :, :, :20]]  # sees the left half

    done = invert(blind, source, [1.0], 80, 0).picture
    wrong = (done - source).abs().mean((0, 1, 2))
    assert wrong[:18].mean() < 0.6 * wrong[24:].mean()
    assert variation(done[..., 24:]) < 0.1 * variation(source)


def test_lanes_are_rebuilt_apart_and_no_number_moves_nothing() -> None:
    source = pictures(2)
    both, one = rebuilt("mid", source, 12), rebuilt("mid", source[1:], 12)
    torch.testing.assert_close(both.picture[1:], one.picture, atol=2e-3, rtol=0)
    assert not torch.equal(rebuilt("mid", source, 2, seed=1).picture, rebuilt("mid", source, 2).picture)
    cut = tap.cut(tiny_network(), parse_targets("mid"))

    def broken(picture: Tensor) -> list[Tensor]:
        return [cut(picture)[0] * torch.tensor([1.0, torch.nan]).view(2, 1, 1, 1)]

    done = invert(broken, source, [1.0], 12, 0)
    assert done.lost.tolist() == [0, 12]
    torch.testing.assert_close(done.picture[:1], both.picture[:1], atol=2e-3, rtol=0)


def test_nothing_of_the_sources_own_detail_is_laid_under_what_was_rebuilt_small() -> None:
    """A checkerboard of single pixels is grey at half the size, and so it has to be in the result."""
    board = np.indices((48, 64)).sum(0) % 2 * 200 + 20
    source = np.repeat(board[..., None], 3, 2).astype(np.uint8)
    knobs = {"objective": "invert", "iterations": "20", "dream_size": "0.5x", "layers": "soft"}
    done = Dreamer(looks.of(**knobs), network=tiny_network()).step(source)
    assert np.abs(np.diff(source.astype(int), axis=1)).mean() == 200
    assert np.abs(np.diff(done.astype(int), axis=1)).mean() < 20
    half = Dreamer(looks.of(**knobs, strength="0.5"), network=tiny_network()).step(source)
    assert 80 < np.abs(np.diff(half.astype(int), axis=1)).mean() < 120


def test_it_has_its_own_iterations_below_all_that_is_asked_for() -> None:
    own = looks.of(objective="invert").dream
    assert (own.iterations.constant, own.octaves, own.dream_size) == (200, 1, "max:480")
    asked = looks.of(objective="invert", iterations=7, preset="draft").dream
    assert (asked.iterations.constant, asked.dream_size) == (7, "max:480")
    assert looks.of(preset="draft").dream.iterations.constant == 6


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("clip.mp4",), "is of one picture"),
        (("photo.png", "--layers", "mixed3b@50x50"), "Leave out @50x50"),
        (("photo.png", "--mask", "photo.png"), "Leave out --mask"),
    ],
)
def test_what_cannot_be_rebuilt_is_said_in_a_line(
    words: tuple[str, ...],
    said: str,
    make_clip: object,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    iio.imwrite("photo.png", texture(48, 64))
    if words[0] == "clip.mp4":
        make_clip(frames=2).rename("clip.mp4")  # type: ignore[operator]
    assert video.main([*words, "--objective", "invert", "--iterations", "1"]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") <= 2
    assert not list(tmp_path.glob("*_dream*"))


def test_a_dive_is_not_rebuilt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert zoom.main(["noise", "--objective", "invert", "-o", str(tmp_path / "dive.mp4")]) == 2
    assert "dream-video does that" in capsys.readouterr().err


def test_all_channels_count_those_too_that_a_dream_leaves_out() -> None:
    (target,) = tap.cut(zoo.load("builtin"), parse_targets("mixed3b")).targets
    assert target.muted
    assert not whole(target).muted
    for odd, part in {
        "mixed3b[sky]": r"\[sky\]",
        "mixed3b#strongest2": "#strongest",
        "strokes:-1": ":-1",
    }.items():
        with pytest.raises(UsageError, match=f"whole layers.*Leave out {part}"):
            whole(parse_targets(odd)[0])
