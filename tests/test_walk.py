"""The walk: frames go by, dreamed and steady; through the Python door, with a network of a few weights."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

import pipeline
from conftest import texture, tiny_network
from pipeline.clip import Size
from pipeline.dreamer import Dreamer
from pipeline.errors import InputError, UsageError
from pipeline.lanes import read_ahead
from pipeline.settings import Input
from pipeline.sources import ClipSource, PictureSource, open_source
from pipeline.stages import stills
from pipeline.stages.dream import dream

SMALL = {"octaves": 2, "iterations": 4, "jitter": 4, "threads": 1}


def dreamer(**knobs: object) -> Dreamer:
    return Dreamer(network=tiny_network(), **{**SMALL, **knobs})


def test_a_clip_is_dreamed_frame_by_frame(make_clip: Callable[..., Path]) -> None:
    source = open_source(str(make_clip(frames=6)), Input())
    frames = list(dreamer().walk(source))
    assert [f.frame.index for f in frames] == list(range(6))
    assert [f.pts for f in frames] == [f.frame.pts for f in frames]
    assert frames[0].steps == 4
    assert frames[0].cut
    assert all(f.steps == 1 and not f.cut and f.trust > 0.8 for f in frames[1:])
    for f in frames:
        assert f.picture.shape == (96, 128, 3)
        assert f.dream.shape == (96, 128, 3)
        shown = np.clip(f.frame.picture / 255 + f.dream, 0, 1) * 255
        assert np.abs(shown - f.picture).max() <= 0.51
        assert f.rms > 1


def test_the_dream_holds_still_on_what_moves(make_clip: Callable[..., Path]) -> None:
    """The clip pans by 2 pixels a frame, so the dream of a frame is that of the one before, 2 pixels over."""

    def flicker(steadiness: float) -> float:
        source = open_source(str(make_clip(frames=8)), Input())
        dreams = [f.dream for f in dreamer(steadiness=steadiness, seed=1).walk(source)]
        pairs = [(now[:, 8:-8], before[:, 10:-6]) for before, now in pairwise(dreams)]
        return float(np.mean([((a - b) ** 2).sum() / ((a**2).sum() + (b**2).sum()) for a, b in pairs]))

    assert flicker(0.9) < 0.3 * flicker(0.0)


def test_a_cut_starts_a_whole_new_dream(tmp_path: Path) -> None:
    for index in range(6):
        stills.write(tmp_path / f"f_{index:02d}.png", texture(96, 128, seed=index // 3))
    source = open_source(str(tmp_path), Input())
    assert [f.steps for f in dreamer().walk(source)] == [4, 1, 1, 4, 1, 1]
    assert [f.steps for f in dreamer(cuts="off").walk(source)][3] > 1  # motion explains little: much is owed
    assert [f.steps for f in dreamer(flow="none").walk(source)] == [4] * 6


def test_a_blend_dreams_on_both_pictures_and_takes_every_step(make_clip: Callable[..., Path]) -> None:
    """Whatever has moved, and as a plain loop would: half this frame, half the dreamed one before."""
    blending = dreamer(carry="blend", steadiness=0.5)
    first, second = list(blending.walk(open_source(str(make_clip(frames=2)), Input())))
    now, before = (torch.from_numpy(f.frame.picture).permute(2, 0, 1)[None] / 255 for f in (second, first))
    seed = 0.5 * now + 0.5 * (before + first.carried.dream)
    with torch.no_grad():
        dreamed, *_ = dream(blending.look, seed, torch.ones_like(seed[:, :1]), 4, 1.5)
    assert second.steps == 4
    assert torch.allclose(second.carried.dream, dreamed - now, atol=2e-3)


def test_no_iterations_and_no_strength_give_the_source(make_clip: Callable[..., Path]) -> None:
    source = open_source(str(make_clip(frames=3)), Input())
    for still in (dreamer(iterations=0), dreamer(strength=0)):
        for f in still.walk(source):
            assert np.array_equal(f.picture, f.frame.picture)


def test_strength_is_laid_on_at_the_end_and_never_carried(make_clip: Callable[..., Path]) -> None:
    source = open_source(str(make_clip(frames=4)), Input())
    full = [f.dream for f in dreamer().walk(source)]
    faded = [f.dream for f in dreamer(strength="0:(0), 3:(1)").walk(source)]
    assert all(np.array_equal(a, b) for a, b in zip(full, faded, strict=True))


def test_a_smaller_dream_is_laid_on_the_whole_picture(make_clip: Callable[..., Path]) -> None:
    source = open_source(str(make_clip(frames=2, size=(192, 256))), Input())
    for f in dreamer(dream_size="max:128").walk(source):
        assert f.picture.shape == (192, 256, 3)
        assert f.dream.shape == (96, 128, 3)


def test_the_same_film_comes_twice(make_clip: Callable[..., Path]) -> None:
    source = open_source(str(make_clip(frames=4)), Input())
    first, second = ([f.picture for f in dreamer().walk(source)] for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_schedules_move_through_the_film(make_clip: Callable[..., Path]) -> None:
    source = open_source(str(make_clip(frames=4)), Input())
    steps = [f.steps for f in dreamer(iterations="0:(2), 3:(8)", steadiness=0).walk(source)]
    assert steps == [2, 4, 6, 8]


@pytest.mark.parametrize("picture", [np.zeros((96, 128, 3), np.uint8), np.full((96, 128, 3), 255, np.uint8)])
def test_black_and_white_frames_make_no_nonsense(picture: np.ndarray) -> None:
    live = dreamer()
    for shown in (live.step(picture), live.step(picture), live.step(texture(96, 128)), live.step(picture)):
        assert shown.dtype == np.uint8
    assert torch.isfinite(live._live[1].dream).all()


def test_live_pictures_are_carried_and_a_new_size_starts_anew() -> None:
    live = dreamer()
    picture = texture(96, 128)
    first, second = live.step(picture), live.step(picture)
    assert np.abs(first.astype(int) - second).mean() < np.abs(first.astype(int) - picture).mean() / 2
    assert live.step(texture(64, 80)).shape == (64, 80, 3)


def test_the_readme_example_runs(make_clip: Callable[..., Path], random_weights: Path) -> None:
    knobs = {"model": "squeezenet1_1", "weights": str(random_weights), "layers": "features.5#12", **SMALL}
    for frame in pipeline.dream(make_clip(frames=2), **knobs):
        assert frame.picture.shape == (96, 128, 3)
        assert frame.dream.shape == (96, 128, 3)
        assert frame.pts >= 0

    def my_objective(maps: list[torch.Tensor]) -> torch.Tensor:
        return maps[0][:, 3].flatten(1).mean(1)

    picture = pipeline.dream_still(texture(96, 128), objective=my_objective, **knobs)
    assert picture.shape == (96, 128, 3)


def test_closing_the_iterator_ends_its_threads(make_clip: Callable[..., Path], random_weights: Path) -> None:
    frames = pipeline.dream(
        make_clip(), model="squeezenet1_1", weights=str(random_weights), layers="features.5", **SMALL
    )
    next(frames)
    assert any("read-ahead" in thread.name for thread in threading.enumerate())
    frames.close()
    assert not any("read-ahead" in thread.name for thread in threading.enumerate())


def test_a_render_that_fails_ends_its_threads(make_clip: Callable[..., Path], tmp_path: Path) -> None:
    from contextlib import nullcontext

    from pipeline.render import Film, render
    from pipeline.workdir import Workdir

    def fail(*_: object) -> None:
        raise OSError("disk full")

    source = open_source(str(make_clip()), Input())
    with Workdir.open(tmp_path / "w", {}) as work, pytest.raises(OSError, match="disk full"):
        render(Film(source, dreamer(), work, lambda first: nullcontext(fail), lambda dreamt: None))
    assert not any("read-ahead" in thread.name for thread in threading.enumerate())


def test_live_pictures_that_are_none_are_said() -> None:
    for wrong in (np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3), np.float32)):
        with pytest.raises(InputError, match="Expected a picture"):
            dreamer().step(wrong)


def test_settings_and_knobs_are_not_mixed() -> None:
    with pytest.raises(UsageError, match="not both"):
        Dreamer(pipeline.Settings(), network=tiny_network(), octaves=9)


def test_an_objective_is_a_word_or_a_function() -> None:
    """And both may be the same."""
    by_word = dreamer(objective="mean").step(texture(48, 64))
    by_function = dreamer(objective=lambda maps: maps[0].flatten(1).mean(1)).step(texture(48, 64))
    assert np.array_equal(by_word, by_function)


def test_nothing_is_read_before_it_is_asked_for() -> None:
    pipeline.dream("no such clip.mp4").close()


def test_what_goes_wrong_ahead_is_raised_where_it_is_read() -> None:
    closed = []

    def items() -> Generator[int, None, None]:
        try:
            yield 1
            yield 2
            raise InputError("the third is bad")
        finally:
            closed.append(True)

    ahead = read_ahead(items(), depth=4)
    assert [next(ahead), next(ahead)] == [1, 2]
    with pytest.raises(InputError, match="third"):
        next(ahead)
    assert closed == [True]


def test_settings_of_ones_own_take_the_networks_layers() -> None:
    own = pipeline.Dreamer(pipeline.Settings(), network=tiny_network())
    assert [target.layer for target in own.look.cut.targets] == ["deep"]


def test_python_knobs_are_checked_like_flags() -> None:
    with pytest.raises(UsageError, match="octaves"):
        pipeline.Dreamer(octavs=3)
    with pytest.raises(UsageError, match="outside"):
        pipeline.Dreamer(octaves=300)


class TestSources:
    def test_a_part_of_a_clip_starts_at_nought_and_ends_where_it_should(
        self, make_clip: Callable[..., Path]
    ) -> None:
        path = str(make_clip(frames=20))
        whole = list(open_source(path, Input()).frames())
        for start, end, first, count in (
            ("5", "9", 5, 4),
            ("0.25s", None, 6, 14),
            (None, "00:00:00.5", 0, 12),
        ):
            part = list(open_source(path, Input(start=start, end=end)).frames())
            assert len(part) == count
            assert np.array_equal(part[0].picture, whole[first].picture)
            assert part[0].pts == (0 if start else whole[0].pts)
            assert part[-1].pts - part[0].pts == whole[first + count - 1].pts - whole[first].pts

    def test_every_nth_frame_keeps_its_time(self, make_clip: Callable[..., Path]) -> None:
        path = str(make_clip(frames=10))
        whole = list(open_source(path, Input()).frames())
        some = list(open_source(path, Input(every=3)).frames())
        assert [f.pts for f in some] == [whole[i].pts for i in (0, 3, 6, 9)]
        assert [f.index for f in some] == [0, 1, 2, 3]

    @pytest.mark.parametrize("how", [Input(), Input(start="4", every=2)])
    def test_frames_go_on_after_any_segment(self, make_clip: Callable[..., Path], how: Input) -> None:
        from pipeline.clip import Segment

        source = open_source(str(make_clip(frames=14)), how)
        assert isinstance(source, ClipSource)
        frames = list(source.frames())
        last = Segment(0, 3, frames[0].pts, frames[2].pts)
        rest = list(source.frames(last))
        assert [(f.index, f.pts, f.time) for f in rest] == [(f.index, f.pts, f.time) for f in frames[2:]]
        assert np.array_equal(rest[0].picture, frames[2].picture)

    def test_numbered_pictures_keep_their_numbers(self, tmp_path: Path) -> None:
        for number in (1001, 1002, 1004):
            stills.write(tmp_path / f"shot.{number}.png", texture(40, 60))
        frames = list(open_source(str(tmp_path / "shot.%04d.png"), Input(frames="1002-1004")).frames())
        assert [(f.number, f.pts) for f in frames] == [(1002, 0), (1004, 2)]
        assert [f.number for f in open_source(str(tmp_path), Input()).frames()] == [1001, 1002, 1004]
        with pytest.raises(InputError, match="1001-1004"):
            open_source(str(tmp_path), Input(frames="1-5"))

    def test_pictures_of_other_sizes_are_named(self, tmp_path: Path) -> None:
        stills.write(tmp_path / "a.png", texture(40, 60))
        stills.write(tmp_path / "b.png", texture(50, 60))
        source = open_source(str(tmp_path), Input())
        with pytest.raises(InputError, match=r"b\.png: is 60x50.*--size.*-o DIR/"):
            list(source.frames())
        sized = list(open_source(str(tmp_path), Input(size="30x20")).frames())
        assert {f.size for f in sized} == {Size(20, 30)}

    def test_frames_across_the_film_are_spread_evenly(self, make_clip: Callable[..., Path]) -> None:
        source = open_source(str(make_clip(frames=20)), Input())
        assert [f.index for f in source.across(1)] == [10]
        assert [f.index for f in source.across(4)] == [2, 7, 12, 17]
        assert len(list(source.across(99))) == 20

    def test_the_drawn_scene_is_a_source_like_any_other(self, tmp_path: Path) -> None:
        from pipeline.sources import SceneSource

        source = SceneSource.of(Input(size="96x54", start="2", end="6"))
        frames = list(source.frames())
        assert [f.index for f in frames] == [0, 1, 2, 3]
        assert frames[0].size == Size(54, 96)
        beside = source.beside(tmp_path)
        assert beside is not None
        assert beside.path.is_file()

    def test_a_still_is_one_frame(self, tmp_path: Path) -> None:
        stills.write(tmp_path / "a.png", texture(40, 60))
        source = open_source(str(tmp_path / "a.png"), Input())
        assert isinstance(source, PictureSource)
        assert source.clip.frames == 1
