"""Controls on films: guides, masks, layers that change, colour; what is told of them, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from conftest import texture, tiny_network
from pipeline import looks
from pipeline.cli.video import main
from pipeline.clip import Flow, Frame, Picture, Size, Tick
from pipeline.dreamer import Dreamer
from pipeline.errors import InputError, ScheduleError, UsageError
from pipeline.ops import colour
from pipeline.ops.objectives import best_match
from pipeline.settings import Input
from pipeline.sources import open_source
from pipeline.sources.companion import Companion
from pipeline.stages import stills

Made = Callable[..., Path]
EDGE = 4  # px, that what was dreamed at a coarser octave reaches beyond a mask


def dreamer(**knobs: object) -> Dreamer:
    small = {"octaves": 2, "jitter": 4, "iterations": 2, "threads": 1, "layers": "deep", "precision": "fp32"}
    return Dreamer(network=tiny_network(), **{**small, **knobs})


def frame(picture: Picture, index: int = 0) -> Frame:
    return Frame(index, index, index / Input().every / 24, picture)  # type: ignore[arg-type]


def dreamed(by: Dreamer, picture: Picture, index: int = 0) -> np.ndarray:
    return by.dream(Tick(frame(picture, index), Flow.none(Size(*picture.shape[:2])))).dream


@pytest.fixture
def picture() -> Picture:
    return texture(60, 80)


@pytest.fixture
def save(tmp_path: Path) -> Callable[[str, Picture], str]:
    def write(name: str, picture: Picture) -> str:
        stills.write(tmp_path / name, picture)
        return str(tmp_path / name)

    return write


@pytest.fixture
def film(tmp_path: Path) -> Callable[[str, list[Picture]], str]:
    """Pictures as a film that keeps them as they are."""

    def write(name: str, pictures: list[Picture]) -> str:
        with av.open(str(tmp_path / name), "w") as file:
            stream = file.add_stream("ffv1", rate=24)
            stream.height, stream.width = pictures[0].shape[:2]
            stream.pix_fmt = "bgr0"
            for picture in pictures:
                file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            file.mux(stream.encode(None))
        return str(tmp_path / name)

    return write


def halves(size: tuple[int, int], left: int = 255, right: int = 0) -> Picture:
    mask = np.full((*size, 3), right, np.uint8)
    mask[:, : size[1] // 2] = left
    return mask


# Companions


def test_a_film_beside_goes_with_the_sources_own_frames(film: Callable[[str, list[Picture]], str]) -> None:
    """Whatever --start and --every leave out; in any order; again from its first or held at its last."""
    path = film("mask.mkv", [np.full((16, 16, 3), 10 * k, np.uint8) for k in range(6)])
    source = open_source(path, Input(start="2", every=2))
    places = [frame.place for frame in source.frames()]
    assert places == [2, 4]
    beside = Companion.open(path, "--mask", "hold")
    for place in (2, 3, 0, 5, 5):
        assert int(beside.picture(place).mean()) == 10 * place
    later = Frame(3, 3, 0, texture(8, 8), place=7)  # type: ignore[arg-type]
    assert beside.place(later) == 5
    assert Companion.open(path, "--guide", "again").place(later) == 1
    beside.close()


# Guides


def test_a_guide_is_what_the_dream_comes_to_look_like(
    picture: Picture, save: Callable[[str, Picture], str]
) -> None:
    guides = [texture(60, 80, seed) for seed in (7, 8)]
    by = [dreamer(guide=save(f"{k}.png", guide), iterations=6) for k, guide in enumerate(guides)]
    cut = by[0].look.cut

    def match(layer: np.ndarray, guide: Picture) -> float:
        pair = torch.from_numpy(np.stack([picture / 255 + layer, guide / 255]).astype(np.float32))
        seen, wanted = cut(pair.permute(0, 3, 1, 2))[0].flatten(2)
        return float(best_match(seen[None, ..., None], wanted[None]))

    own, other = (dreamed(each, picture) for each in by)
    assert not np.array_equal(own, other)
    assert match(own, guides[0]) > 1.1 * match(0 * own, guides[0])


def test_a_guide_film_goes_by_frame_by_frame_and_stills_are_looked_at_once(
    picture: Picture, save: Callable[[str, Picture], str], film: Callable[[str, list[Picture]], str]
) -> None:
    guides = [texture(40, 48, seed) for seed in (1, 2)]
    moving = dreamer(guide=film("guide.mkv", guides))
    for index in (0, 1, 2):
        still = dreamer(guide=save(f"{index}.png", guides[index % 2]))
        assert np.array_equal(dreamed(moving, picture, index), dreamed(still, picture, index))
    looks_at = []
    cut = still.look.cut
    cut.register_forward_pre_hook(lambda _, x: looks_at.append(x[0].shape[2]))
    dreamed(still, picture, 3)
    assert 40 not in looks_at


def test_of_several_guides_each_place_takes_the_best_match(
    picture: Picture, save: Callable[[str, Picture], str]
) -> None:
    a, b = (save(f"{seed}.png", texture(40, 48, seed)) for seed in (1, 2))
    both, one, twice = (dreamed(dreamer(guide=names), picture) for names in ([a, b], a, [a, a]))
    assert np.array_equal(one, twice)
    assert not np.array_equal(one, both)


def test_a_guide_too_small_or_missing_is_refused(
    picture: Picture, save: Callable[[str, Picture], str]
) -> None:
    tiny = dreamer(guide=save("tiny.png", texture(1, 1)), layers="deep")
    tiny.look.cut.least = 9
    with pytest.raises(InputError, match=r"tiny.png: is seen at 1x1, .*at least 9 pixels"):
        tiny.controls.check(tiny.look, Size(60, 80))
    with pytest.raises(UsageError, match=r"--objective guide: .*--guide FILE"):
        dreamer(objective="guide")
    with pytest.raises(InputError, match="no such file"):
        dreamer(guide="nowhere.png")
    with pytest.raises(UsageError, match="stdin is for the film"):
        dreamer(mask="-")


# Masks


def test_a_dream_stays_inside_its_mask(picture: Picture, save: Callable[[str, Picture], str]) -> None:
    layer = dreamed(dreamer(mask=save("left.png", halves((60, 80)))), picture)
    assert not layer[:, 40 + EDGE :].any()
    assert np.abs(layer[:, :40]).mean() * 255 > 1


def test_a_mask_film_moves_and_ends_held(picture: Picture, film: Callable[[str, list[Picture]], str]) -> None:
    by = dreamer(mask=film("m.mkv", [halves((60, 80)), halves((60, 80), 0, 255)]))
    assert not dreamed(by, picture, 0)[:, 40 + EDGE :].any()
    assert not by.controls.notes
    for index in (1, 2):
        assert not dreamed(by, picture, index)[:, : 40 - EDGE].any()
    assert by.controls.notes == [
        f"--mask {by.settings.dream.mask[0]}: ends after 2 frames; its last picture is held."
    ]


def test_a_mask_of_another_size_is_scaled_and_that_is_said_once(
    picture: Picture, save: Callable[[str, Picture], str]
) -> None:
    by = dreamer(mask=save("small.png", halves((30, 20))))
    for index in (0, 1):
        assert not dreamed(by, picture, index)[:, 50:].any()
    assert len(by.controls.notes) == 1
    assert "is 20x30, the film 80x60; it is scaled" in by.controls.notes[0]


def test_each_target_has_its_own_mask(picture: Picture, save: Callable[[str, Picture], str]) -> None:
    masks = [save("sky.png", halves((60, 80))), save("ground.png", halves((60, 80), 0, 255))]
    by = dreamer(mask=masks, layers="soft[sky], deep[2]", octaves=1, jitter=0)
    other = dreamer(mask=masks[:1], layers="soft[sky], deep[!sky]", octaves=1, jitter=0)
    assert np.array_equal(dreamed(by, picture), dreamed(other, picture))
    alone = dreamed(dreamer(layers="soft", octaves=1, jitter=0), picture)
    left = dreamed(by, picture)[:, :30]
    assert np.corrcoef(left.ravel(), alone[:, :30].ravel())[0, 1] > 0.8


def test_a_mask_that_nobody_gave_is_named(save: Callable[[str, Picture], str]) -> None:
    with pytest.raises(UsageError, match=r"no --mask is called 'sky'. Give it with --mask FILE"):
        dreamer(layers="deep[sky]")
    with pytest.raises(UsageError, match=r"called 'skye'. There are sky, 1.*Did you mean sky"):
        dreamer(layers="deep[skye]", mask=save("sky.png", halves((8, 8))))


# Layers that change


def test_layers_change_with_the_frames_and_each_frame_is_itself(picture: Picture) -> None:
    """A frame depends on its own number only, so a render that goes on gives what it would have given."""
    moving = dreamer(layers="0:(soft), 4:(deep)")
    for index, layers in ((0, "soft"), (4, "deep"), (2, "soft:0.5, deep:0.5"), (1, "soft:0.75, deep:0.25")):
        assert np.allclose(
            dreamed(moving, picture, index), dreamed(dreamer(layers=layers), picture), atol=2e-3
        )
    cycle = dreamer(layers="cycle(soft; mid; deep)")
    assert np.array_equal(dreamed(cycle, picture, 4), dreamed(dreamer(layers="mid"), picture))


def test_a_layer_to_come_that_needs_a_larger_picture_is_told_before_the_render() -> None:
    from fractions import Fraction

    from pipeline.clip import Clip

    by = dreamer(layers="0:(soft), 4:(deep)")
    by.controls.cut_at((0.0, 1.0))[0].least = 70
    clip = Clip("clip", Size(60, 80), Fraction(1, 24), Fraction(24), 8)
    with pytest.raises(InputError, match="at least 70"):
        by.rehearse(clip)


# Colour


def test_colour_is_the_dreams_or_the_sources() -> None:
    layer = torch.randn(2, 3, 48, 60, generator=torch.manual_seed(0)) + torch.tensor([0.5, 0.0, -0.2]).view(
        3, 1, 1
    )
    kept = colour.shown(layer, "keep", 1)
    assert torch.equal(kept[:, 0], kept[:, 1])
    assert torch.allclose(colour.luma(kept), colour.luma(layer), atol=1e-6)
    assert torch.allclose(colour.shown(layer, "dream", 0), kept, atol=1e-6)
    assert colour.shown(layer, "dream", 1) is layer
    toned = colour.shown(layer, "tone", 1)
    assert float(toned.mean((2, 3)).abs().max()) < 0.05
    assert float(toned.std()) > 0.8 * float(layer.std((2, 3)).mean())
    assert torch.allclose(colour.untoned(layer)[:1], colour.untoned(layer[:1]), atol=1e-6)


# From the command line


def test_a_film_with_a_guide_and_a_mask_resumes_only_with_the_same(
    make_clip: Made, tmp_path: Path, random_weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stills.write(tmp_path / "guide.png", texture(50, 60, 3))
    stills.write(tmp_path / "left.png", halves((48, 64)))
    clip = make_clip(frames=3, size=(96, 128))
    beside = ["--guide", str(tmp_path / "guide.png"), "--mask", str(tmp_path / "left.png")]
    short = ["--octaves", "1", "--iterations", "1", "--threads", "1", "--encoder-preset", "ultrafast"]
    network = ["--model", "squeezenet1_1", "--weights", str(random_weights), "--layers", "features.5"]
    out = tmp_path / "out.mp4"
    assert main([str(clip), "-o", str(out), "--keep", "--progress", "plain", *network, *short, *beside]) == 0
    told = capsys.readouterr().err
    assert told.count("it is scaled to fit") == 1
    stills.write(tmp_path / "left.png", halves((96, 128), 0, 255))
    assert main([str(clip), "-o", str(out), "-y", "--resume", *network, *short, *beside]) == 2
    assert "beside" in capsys.readouterr().err
    recipe = looks.overrides.parse_tables(_recipe(out), "recipe")
    assert recipe["dream"]["objective"] == "guide"
    assert "guide" not in recipe["dream"]


def _recipe(path: Path) -> str:
    with av.open(str(path)) as film:
        return film.metadata["dream_video"]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--layers", "mixd3b"], "Did you mean mixed3"),
        (["--layers", "0:(mixed3b), 30:(mixd3b)"], "Did you mean mixed3"),
        (["--layers", "0:(mixed3b), 30:mixed3b"], "^"),
        (["--layers", "mixed3b#"], "^"),
        (["--layers", "mixed3b#9999"], "no channel 9999"),
        (["--layers", "class/owl"], "Did you mean motif/owl"),
        (["--objective", ""], "expected 'energy'"),
        (["--objective", "guide"], "--guide FILE"),
        (["--iterations", "-1"], "outside 0 to 1000"),
        (["--iterations", "0:(1) eas, 9:(2)"], "Did you mean ease"),
        (["--step", "0:(1), 9:(2"], "^"),
        (["--octave-step", "1,,2"], "expected shares"),
        (["--octave-iterations", "-1"], "expected shares"),
        (["--guide", "nowhere.png"], "nowhere.png: no such file"),
        (["--mask", "nowhere.png"], "nowhere.png: no such file"),
        (["--laplacian", "9"], "outside 0 to 8"),
        (["--saturation", "3"], "outside 0 to 2"),
        (["--colour", "kep"], "keep"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_wrong_is_told_in_a_line_or_two(
    words: list[str], problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stills.write(tmp_path / "in.png", texture(40, 48))
    code = main([str(tmp_path / "in.png"), "-o", str(tmp_path / "out.png"), "--threads", "1", *words])
    told = capsys.readouterr().err
    assert code in (2, 3)
    assert problem in told
    assert "Traceback" not in told
    assert not (tmp_path / "out.png").exists()


def test_a_guide_or_a_mask_is_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stills.write(tmp_path / "in.png", texture(40, 48))
    stills.write(tmp_path / "mask.png", texture(40, 48))
    words = [
        "--mask",
        str(tmp_path / "mask.png"),
        "-o",
        str(tmp_path / "mask.png"),
        "-y",
        "--iterations",
        "0",
    ]
    assert main([str(tmp_path / "in.png"), *words]) == 4
    assert "is a guide, mask or song" in capsys.readouterr().err


def test_keys_mixed_without_a_rate_are_told() -> None:
    with pytest.raises(ScheduleError, match="cannot be mixed"):
        dreamed(dreamer(layers="0:(soft), 2:(mid), 1s:(deep)"), texture(60, 80))
