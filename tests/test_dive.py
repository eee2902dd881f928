"""The dive: where the camera looks, which pictures that needs, and that frames of them are sharp, even and whole."""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from conftest import texture, tiny_network
from pipeline import device, looks
from pipeline.camera import Moves, Similarity, closed
from pipeline.camera import Path as Way
from pipeline.clip import Segment, Size
from pipeline.dive import balance, compose, masters
from pipeline.dive.compose import Composer
from pipeline.dive.exact import ExactDive
from pipeline.dive.exposure import Exposure, Reading, Tone, metered
from pipeline.dive.feedback import FeedbackDive, LivingStill
from pipeline.dive.masters import Climb
from pipeline.dive.store import Store
from pipeline.dive.windows import FINER, Windows
from pipeline.dreamer import Dreamer
from pipeline.errors import DeviceError, ScheduleError, UsageError
from pipeline.ops import resample
from pipeline.schedule import Schedule
from pipeline.settings.zoom import ZoomSettings, pair
from pipeline.sources import grounds
from pipeline.sources.zoom import ZoomSource
from pipeline.stages import stills
from pipeline.stages.dream import Look

FRAME = Size(48, 80)
SWAYING = {
    "zoom": "0s:(0.2), 1.3s:(1), 4s:(-0.3)",
    "turn": "20*sin(s)",
    "centre": "0.4, 0.55",
    "pan": "0.05*cos(s); 0",
}


def way(seconds: float = 4, rate: float = 30, loop: bool = False, **asked: str) -> Way:
    knobs = {"zoom": "0.5", "turn": "0", "centre": "0.5, 0.5", "pan": "0, 0"} | asked
    moves = Moves(
        Schedule.parse(knobs["zoom"]), Schedule.parse(knobs["turn"]), pair(knobs["centre"], 0, 1),
        pair(knobs["pan"], -4, 4), rate, round(seconds * rate) - 1, FRAME.height / FRAME.width,
    )  # fmt: skip
    return closed(moves, seconds)[0] if loop else Way.of(moves, seconds)


def close(a: Similarity, b: Similarity, within: float = 1e-9) -> bool:
    return abs(a.scale - b.scale) < within and abs(a.offset - b.offset) < within


class TestCamera:
    def test_a_steady_zoom_is_what_its_formula_says(self) -> None:
        seen = way(zoom="0.5", turn="90", centre="0.75, 0.5").seen_from(0, 2)
        fixed = 0.25 + 0j
        assert seen.scale == pytest.approx(0.5 * cmath.exp(-1j * math.pi), abs=1e-9)
        assert seen(fixed) == pytest.approx(fixed, abs=1e-9)

    @pytest.mark.parametrize("asked", [{}, SWAYING], ids=["steady", "swaying"])
    def test_the_same_views_at_the_same_times_at_any_frame_rate(self, asked: dict[str, str]) -> None:
        ways = [way(rate=rate, **asked) for rate in (24, 30, 60)]
        for time in (0.5, 1.5, 2.5, 3.5):
            first, *others = [each.seen_from(0, time) for each in ways]
            assert all(close(first, other) for other in others)

    def test_speeds_are_integrated_exactly_across_keys(self) -> None:
        ramp = way(zoom="0s:(0), 1.001s:(1), 4s:(0)")
        assert ramp.depth_at(4) == pytest.approx(2, abs=1e-6)

    def test_two_steps_are_one(self) -> None:
        path = way(**SWAYING)
        assert close(path.seen_from(0.2, 1.3) @ path.seen_from(1.3, 3.1), path.seen_from(0.2, 3.1))
        assert close(path.seen_from(3.1, 0.2), path.seen_from(0.2, 3.1).inverse)

    def test_depth_costs_no_precision(self) -> None:
        deep = way(seconds=200, zoom="0.5", turn="3", centre="0.3, 0.6")
        assert close(deep.seen_from(1, 3), deep.seen_from(197, 199), 1e-7)

    def test_pan_moves_the_camera_to_the_right_and_down(self) -> None:
        moved = way(zoom="0", pan="0.1, 0.2").seen_from(0, 1)
        assert moved.offset == pytest.approx(complex(0.1, 0.2 * FRAME.height / FRAME.width))

    def test_a_positive_turn_turns_the_picture_clockwise(self) -> None:
        """What was at the right of the frame is at its bottom a quarter turn later, y pointing down."""
        seen = way(zoom="0", turn="90").seen_from(1, 0)
        assert seen(0.5 + 0j) == pytest.approx(0.5j, abs=1e-9)

    @pytest.mark.parametrize(("zoom", "doublings"), [("0.55", 2), ("-0.55", -2), ("0.05", 1), ("0", 0)])
    def test_a_loop_has_whole_doublings(self, zoom: str, doublings: int) -> None:
        moves = way(zoom=zoom).moves
        path, found = closed(moves, 4)
        assert found == doublings
        assert path.depth[-1] == pytest.approx(doublings, abs=1e-9)

    @pytest.mark.parametrize(
        ("turn", "turns"),
        [("0", 0), ("100", 1), ("-5", -1), ("250", 3), ("20*sin(pi*s/2) + 3", 0), ("0s:(9)", 1)],
    )
    def test_a_loop_has_full_turns(self, turn: str, turns: int) -> None:
        """A steady turn never becomes none; one that sways only loses what is over."""
        path = way(turn=turn, zoom="0.5", loop=True)
        assert path.angle[-1] == pytest.approx(turns * math.tau, abs=1e-9)
        if "sin" in turn:
            assert np.ptp(path.angle) == pytest.approx(np.ptp(way(turn="20*sin(pi*s/2)").angle), rel=0.02)

    def test_a_schedule_without_a_value_says_so(self) -> None:
        with pytest.raises(ScheduleError, match="frame"):
            way(zoom="1/(s-2)")


class TestWindows:
    def test_a_straight_zoom_needs_a_third_more_than_its_frame(self) -> None:
        windows = Windows.of(way(), FRAME)
        assert len(windows.windows) == 3
        wide = windows.windows[1].size.width
        assert wide == pytest.approx(FINER * 4 / 3 * FRAME.width + 8, abs=4)

    @pytest.mark.parametrize(
        "asked",
        [{}, SWAYING, {"zoom": "-0.5"}, {"centre": "0, 1"}, {"zoom": "0", "turn": "40"}, {"pan": "0.3, 0"}],
    )
    def test_no_frame_looks_past_an_edge_or_is_enlarged(self, asked: dict[str, str]) -> None:
        windows = Windows.of(way(**asked), FRAME)
        self.check(windows, 4)

    @pytest.mark.parametrize("zoom", ["0.5", "-0.7"])
    def test_nor_in_a_ring(self, zoom: str) -> None:
        path = way(zoom=zoom, turn="30", centre="0.4, 0.5", loop=True)
        ring = abs(round(path.depth[-1]))
        self.check(Windows.of(path, FRAME, ring=ring, only=(0.0, 2.0, 4.0)), 4, (0.0, 2.0, 4.0))
        windows = Windows.of(path, FRAME, ring=ring)
        self.check(windows, 4)
        first, last = windows.show(0), windows.show(4)
        assert first[0] == last[0]
        assert close(first[1], last[1], 1e-6)

    @pytest.mark.parametrize("asked", [{}, SWAYING, {"zoom": "-0.5"}, {"zoom": "2"}, {"pan": "0.3, 0"}])
    def test_for_some_frames_alone_less_is_dreamed_and_they_see_as_much(self, asked: dict[str, str]) -> None:
        path, only = way(**asked), tuple(np.linspace(0, 4, 5).tolist())
        some, any_ = Windows.of(path, FRAME, only=only), Windows.of(path, FRAME)
        self.check(some, 4, only)
        assert len(some.windows) == len(any_.windows)
        few, all_ = (sum(w.size.height * w.size.width for w in each.windows) for each in (some, any_))
        assert few < 0.75 * all_
        assert all(w.size.width >= FRAME.width for w in some.windows), "what none looks at is dreamed too"
        exposure = metered(some, lambda time, tone: texture(48, 80))
        assert exposure.times == only

    def check(self, windows: Windows, seconds: float, times: tuple[float, ...] = ()) -> None:
        for time in times or np.linspace(0, seconds, 61):
            slot, place = windows.show(float(time))
            size = windows.windows[slot].size
            for corner in (0j, complex(79, 0), complex(0, 47), complex(79, 47)):
                at = place(corner)
                assert 1 <= at.real <= size.width - 2
                assert 1 <= at.imag <= size.height - 2
            assert 0.999 < abs(place.scale) < 2.001

    def test_every_master_lies_in_the_one_above(self) -> None:
        windows = Windows.of(way(**SWAYING), FRAME)
        for level in range(len(windows.windows) - 1):
            size = windows.windows[level + 1].size
            for corner in (0j, complex(size.width - 1, size.height - 1)):
                at = windows.down(level)(corner)
                assert -1 <= at.real <= windows.windows[level].size.width
                assert -1 <= at.imag <= windows.windows[level].size.height

    def test_what_wanders_off_is_refused_in_one_line(self) -> None:
        with pytest.raises(UsageError, match="would need a picture of") as caught:
            Windows.of(way(seconds=4, zoom="0", pan="4, 4"), Size(2160, 3840))
        assert "\n" not in str(caught.value)


def flat_spectrum(side: int) -> np.ndarray:
    """Noise with as much in each octave, around middle grey."""
    random, field = np.random.default_rng(0), np.zeros((side, side), np.float32)
    for octave in range(5):
        noise = random.normal(0, 1, (side >> octave, side >> octave)).astype(np.float32)
        soft = cv2.resize(cv2.resize(noise, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), noise.shape)
        field += cv2.resize(noise - soft, (side, side), interpolation=cv2.INTER_CUBIC)
    return np.repeat((0.5 + 0.05 * field)[..., None], 3, 2)


def detail(picture: np.ndarray) -> float:
    grey = picture.astype(np.float32).mean(-1)[8:-8, 8:-8]
    return float(np.square(cv2.Laplacian(grey, cv2.CV_32F)).mean())


class TestResample:
    def test_what_is_seen_is_as_sharp_at_every_ratio(self) -> None:
        picture = flat_spectrum(512)
        seen = []
        for ratio in (1.03, 1.2, 1.5, 1.98):
            matrix = np.array([[ratio, 0, 3.3], [0, ratio, 2.6]])
            seen.append(detail(resample.look(resample.prepared(picture, ratio), matrix, Size(250, 250))))
        assert max(seen) < 1.18 * min(seen)

    def test_a_master_written_into_the_one_above_shows_the_same(self) -> None:
        below = flat_spectrum(512)
        into = np.array([[2.0, 0, -60.4], [0, 2.0, -60.2]])
        above = resample.look(resample.prepared(below, 2, resample.KEPT), into, Size(300, 300))
        at = np.array([[1.0, 0, 50.3], [0, 1.0, 50.4]])
        once = np.c_[2 * at[:, :2], 2 * at[:, 2:] + into[:, 2:]]
        before = resample.look(resample.prepared(above, 1), at, Size(180, 180))
        after = resample.look(resample.prepared(below, 2), once, Size(180, 180))
        assert np.abs(before - after)[8:-8, 8:-8].std() < 0.05 * after.std()
        assert detail(before) == pytest.approx(detail(after), rel=0.1)


def held(picture: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1))).float()[None]


class TestBalance:
    def test_a_soft_pale_picture_is_brought_back(self) -> None:
        rich = texture(128, 160).astype(np.float32) / 425 + 0.6 * (flat_spectrum(160)[:128] - 0.5) + 0.2
        wanted, soft = held(rich), held(0.85 * cv2.blur(rich, (3, 3)) + 0.15)
        reference = balance.measure(wanted)
        given = balance.measure(balance.hold(soft, reference))
        assert torch.allclose(given.energy[1:4, 0], reference.energy[1:4, 0], rtol=0.15)
        assert abs(float(given.mean[0] - reference.mean[0])) < 0.02
        assert given.fine > 1.5 * balance.measure(soft).fine

    def test_neon_is_toned_down(self) -> None:
        calm = held(texture(96, 128) / 255 * 0.3 + 0.35)
        neon = held(np.where(texture(96, 128, 3) > 120, 1.0, 0.0))
        reference = balance.measure(calm)
        assert balance.measure(neon).chroma > 4 * reference.chroma
        assert balance.measure(balance.hold(neon, reference)).chroma < 0.5 * balance.measure(neon).chroma

    def test_a_stain_of_stripes_is_washed_out_and_the_rest_is_left(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pale = texture(128, 160) / 510
        pale = 0.2 * pale + 0.8 * pale.mean(-1, keepdims=True)
        clean = held(np.clip(pale + 0.5 * flat_spectrum(160)[:128] + 0.1, 0, 1))
        reference, stained = balance.measure(clean), clean.clone()
        stripes = torch.where(torch.arange(40) % 6 < 3, 0.3, -0.3)[:, None]
        stained[:, 0, 40:80, 60:110] += stripes
        stained[:, 2, 40:80, 60:110] -= stripes
        washed = balance.hold(stained.clamp(0, 1), reference)
        monkeypatch.setattr(balance, "STAIN", 1e6)
        monkeypatch.setattr(balance, "TINGE", 1e6)
        unwashed = balance.hold(stained.clamp(0, 1), reference)
        inside, outside = (..., slice(44, 76), slice(64, 106)), (..., slice(0, 28), slice(None))
        left, before = ((p - clean)[inside].std() for p in (washed, unwashed))
        assert left < 0.75 * before
        assert (washed - unwashed)[outside].std() < 0.2 * (washed - unwashed)[inside].std()

    def test_the_octaves_are_the_picture(self) -> None:
        field = held(texture(75, 101) / 255)
        assert torch.allclose(balance._joined(*balance._split(field)), field, atol=1e-5)

    def test_the_reference_follows_colour_and_not_light(self) -> None:
        one, other = (balance.measure(held(texture(64, 64, seed) / 255)) for seed in (1, 2))
        moved = one.followed(other)
        assert torch.equal(moved.mean[:1], one.mean[:1])
        assert torch.equal(moved.energy[:, 0], one.energy[:, 0])
        assert not torch.equal(moved.mean[1:], one.mean[1:])


@pytest.mark.parametrize(("tone", "saturation"), [("keep", 1.0), ("dream", 0.0)])
def test_a_dive_keeps_of_the_dreams_colours_what_was_asked(tone: str, saturation: float) -> None:
    look = Dreamer(network=tiny_network(), octaves=1, jitter=4, threads=1).look
    seed = held(0.3 + 0.4 * texture(40, 64) / 255)
    with torch.no_grad():
        plain = masters.climbed(seed, Climb(look, 2, 1.5), 1.0) - seed
        asked = masters.climbed(seed, Climb(look, 2, 1.5, "full", tone, saturation), 1.0) - seed
    assert float(asked.std(1).max()) < 1e-5 < float(plain.std(1).max())
    assert float(asked.abs().mean()) > 1e-3


def test_at_its_edge_a_picture_does_not_meet_its_other_side() -> None:
    """Half dark and half bright: there is no border but the one in its middle."""
    look = Dreamer(network=tiny_network(), octaves=2, jitter=4, threads=1).look
    halves = torch.full((1, 3, 60, 96), 0.3)
    halves[..., 48:] = 0.7
    with torch.no_grad():
        met, held = (
            (masters.climbed(halves, Climb(look, 4, 1.5), 1.0, around) - halves).mean((0, 1, 2))
            for around in (0, masters.BEYOND)
        )
    edge, within = slice(-4, None), slice(60, 88)
    assert met[edge].mean() > 3 * met[within].mean()
    assert held[edge].mean() == pytest.approx(float(held[within].mean()), rel=0.3)


def settings(**knobs: object) -> ZoomSettings:
    short = {
        "octaves": 2,
        "iterations": 3,
        "jitter": 4,
        "threads": 1,
        "seconds": "4",
        "fps": "10",
        "size": "80x48",
    }
    made = looks.of(ZoomSettings, model="builtin", layers="deep", **{**short, **knobs})
    assert isinstance(made, ZoomSettings)
    return made.model_copy(update={"dream": made.dream.model_copy(update={"model": "tiny"})})


@pytest.fixture
def photo(tmp_path: Path) -> str:
    detailed = texture(96, 160) + 160 * (flat_spectrum(160)[:96] - 0.5)
    stills.write(tmp_path / "photo.png", np.clip(detailed, 0, 255).astype(np.uint8))
    return str(tmp_path / "photo.png")


def dive(name: str, folder: Path, **knobs: object) -> ExactDive:
    asked = settings(**knobs)
    return ExactDive(asked, ZoomSource.of(name, asked), folder / "masters", network=tiny_network())


class TestExposure:
    def test_what_grows_dark_flat_and_rough_is_held_and_the_start_is_left(self) -> None:
        windows, rich = Windows.of(way(), FRAME), flat_spectrum(400)
        pale = 0.42 + 0.8 * (rich - 0.5) + 0.02 * (np.indices((400, 400)).sum(0) % 2)[..., None]
        size = windows.windows[0].size
        first = masters.fitted(rich, size).astype(np.float32)
        after = masters.fitted(pale, max(w.size for w in windows.windows)).astype(np.float32)

        def load(slot: int) -> np.ndarray:
            return after if slot else first

        exposure = metered(windows, Composer(windows, load).toned)
        held = Composer(windows, load, exposure=exposure)
        assert exposure.at(0) == Tone()
        start = Reading.of(held.picture(0))
        for time in np.arange(0.1, 4, 0.2):
            seen = Reading.of(held.picture(float(time)))
            assert seen.mean == pytest.approx(start.mean, rel=0.015)
            assert seen.contrast == pytest.approx(start.contrast, rel=0.035)
            assert seen.detail == pytest.approx(start.detail, rel=0.045)

    def test_between_two_readings_it_runs_straight_and_beyond_them_it_stays(self) -> None:
        exposure = Exposure((1.0, 3.0, 3.5), (Tone(), Tone(1.2, -0.1, 0.8), Tone(1.0, 0.0, 2.0)))
        assert exposure.at(2.0) == pytest.approx((1.1, -0.05, 0.9))
        assert exposure.at(0.0) == Tone()
        assert exposure.at(3.25) == pytest.approx((1.1, -0.05, 1.4))
        assert exposure.at(9.0) == pytest.approx((1.0, 0.0, 2.0))
        assert Exposure().at(5.0) == Tone()

    def test_nothing_is_blown_up_out_of_a_flat_picture(self) -> None:
        windows = Windows.of(way(seconds=1), FRAME)
        grey = np.full((*windows.windows[0].size, 3), 0.3, np.float32)
        exposure = metered(windows, Composer(windows, lambda slot: grey).toned)
        assert set(exposure.tones) == {Tone()}


class TestExact:
    def test_it_is_sharp_and_even_at_every_depth(self, photo: str, tmp_path: Path) -> None:
        diving = dive(photo, tmp_path, zoom=0.75)
        frames = [dreamt.picture for dreamt in diving.walk(diving.source)]
        assert len(frames) == 40
        assert all(frame.shape == (48, 80, 3) and frame.dtype == np.uint8 for frame in frames)
        sharp = np.array([detail(frame) for frame in frames])
        assert sharp.min() > 0.8 * sharp[0]
        assert sharp.max() < 1.5 * sharp[0]
        for measure in (np.mean, np.std):
            held = np.array([measure(frame) for frame in frames])
            assert np.abs(held / held[0] - 1).max() < 0.03

    def test_frames_flow_as_the_camera_moves_across_hand_overs_too(self, photo: str, tmp_path: Path) -> None:
        diving = dive(photo, tmp_path, zoom=0.7, turn=20, fps="20")
        dreamt = list(diving.walk(diving.source))
        wrong = []
        for before, now in pairwise(dreamt):
            step = diving.source.step(now.frame, FRAME).matrix
            moved = resample.look(before.picture.astype(np.float32), step, FRAME)[6:-6, 6:-6]
            seen = now.picture.astype(np.float32)[6:-6, 6:-6]
            wrong.append(np.square(moved - seen).mean() / (np.square(seen - seen.mean()).mean() * 2))
        assert np.mean(wrong) < 0.02
        assert max(wrong) < 0.05

    def test_frames_do_not_depend_on_each_other(self, photo: str, tmp_path: Path) -> None:
        diving = dive(photo, tmp_path, turn=10)
        all_of_them = [dreamt.picture for dreamt in diving.walk(diving.source)]
        backwards = list(diving.source.frames())[::-7]
        for dreamt in diving.frames(iter(backwards)):
            assert np.array_equal(dreamt.picture, all_of_them[dreamt.frame.index])

    @pytest.mark.parametrize("zoom", [0.5, -0.5])
    def test_a_loop_closes(self, photo: str, tmp_path: Path, zoom: float) -> None:
        diving = dive(photo, tmp_path, loop=True, zoom=zoom, turn=15)
        assert diving.source.doublings == round(4 * zoom)
        frames = [dreamt.picture.astype(int) for dreamt in diving.walk(diving.source)]
        steps = [np.abs(a - b).mean() for a, b in pairwise(frames)]
        assert np.abs(frames[-1] - frames[0]).mean() <= 1.1 * max(steps)
        assert np.abs(frames[20] - frames[0]).mean() > 1.2 * max(steps)

    def test_an_interrupted_dive_goes_on_and_ends_the_same(self, photo: str, tmp_path: Path) -> None:
        whole = dive(photo, tmp_path / "a")
        pictures = [dreamt.picture for dreamt in whole.walk(whole.source)]

        def interrupt(done: int, of: int) -> None:
            if done == 1:
                raise KeyboardInterrupt

        asked = settings()
        source = ZoomSource.of(photo, asked)
        stopped = ExactDive(asked, source, tmp_path / "b" / "masters", interrupt, tiny_network())
        with pytest.raises(KeyboardInterrupt) as caught:
            stopped.dreamt()
        assert "1 of 3" in "".join(caught.value.__notes__)
        told: list[int] = []
        again = ExactDive(
            asked, source, tmp_path / "b" / "masters", lambda done, of: told.append(done), tiny_network()
        )
        assert all(np.array_equal(d.picture, p) for d, p in zip(again.walk(source), pictures, strict=True))
        assert told[0] == 1

    def test_where_memory_is_short_pictures_are_dreamed_in_smaller_tiles(
        self, photo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tiles, dream = [], masters.dream

        def scarce(look: Look, *what: object) -> object:
            tiles.append(look.tile)
            if look.tile > 256:
                raise torch.OutOfMemoryError("no room")
            return dream(look, *what)

        monkeypatch.setattr(masters, "dream", scarce)
        diving = dive(photo, tmp_path, seconds="1")
        diving.dreamt()
        assert tiles[:3] == [1024, 512, 256]
        assert set(tiles[2:]) == {256}  # for good
        assert diving.notes[-1] == "The memory was too small: pictures were dreamed in tiles of 256 pixels."
        monkeypatch.setattr(masters, "dream", lambda *what: scarce(replace(what[0], tile=512), *what[1:]))
        with pytest.raises(DeviceError, match="Out of memory dreaming a picture of"):
            dive(photo, tmp_path / "again", seconds="1").dreamt()

    def test_what_the_memory_is_too_small_for_is_refused_before_it_is_dreamed(
        self, photo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """In 4K a master of 7697x4333 took 5.7 GB."""
        container = tmp_path / "memory.max"
        monkeypatch.setattr(device, "LIMITS", (str(tmp_path / "no such"), str(container)))
        for allowed, knobs, less in (
            (str(6 << 30), {}, "--dream-size max:1920"),
            (str(6 << 30), {"dream_size": "max:1920"}, ""),
            (str(4 << 30), {"dream_size": "max:1920"}, r"Give a smaller --size\.$"),
        ):
            container.write_text(f"{allowed}\n")
            with pytest.raises(DeviceError, match=less) if less else nullcontext():
                dive(photo, tmp_path, size="3840x2160", **knobs)
        container.write_text("max\n")
        assert device._memory() > 1 << 28

    def test_while_a_picture_is_dreamed_the_one_above_is_not_in_memory(
        self, photo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        held, deepened = [], masters.deepened
        diving = dive(photo, tmp_path, seconds="2")

        def told(*what: Any) -> object:
            held.append(len(stores[0]._at_hand))
            return deepened(*what)

        stores: list[Store] = []
        opened = Store.open
        monkeypatch.setattr(Store, "open", lambda *a, **k: (stores.append(opened(*a, **k)), stores[0])[1])
        monkeypatch.setattr(masters, "deepened", told)
        diving.dreamt()
        assert set(held) == {0}

    def test_large_pictures_are_looked_into_one_by_one(self, photo: str, tmp_path: Path) -> None:
        plain = dive(photo, tmp_path)
        ground = masters.fitted(plain.source.ground, plain.windows.windows[0].size)
        roomy, tight = (Composer(plain.windows, lambda slot: ground) for _ in range(2))
        for seconds in (0.0, 0.4, 0.8):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(compose, "MEMORY", 1)
                seen = tight.picture(seconds)
            assert np.array_equal(seen, roomy.picture(seconds))
        assert (len(roomy._ready), len(tight._ready)) == (3, 1)

    def test_in_a_hurry_half_the_steps_go_as_far(self, photo: str, tmp_path: Path) -> None:
        plain = dive(photo, tmp_path)
        quick = ExactDive(plain.settings, plain.source, tmp_path, network=tiny_network(), hurry=2)
        usual, hurried = plain.climb_at(1), quick.climb_at(1)
        assert (usual.iterations, hurried.iterations) == (3, 2)
        assert hurried.iterations * hurried.step == pytest.approx(usual.iterations * usual.step)

    def test_masters_of_another_dive_are_not_taken(self, photo: str, tmp_path: Path) -> None:
        dive(photo, tmp_path).dreamt()
        with pytest.raises(UsageError, match="--fresh"):
            dive(photo, tmp_path, zoom=0.6).dreamt()

    def test_motion_blur_blurs_what_moves_and_supersampling_does_not(
        self, photo: str, tmp_path: Path
    ) -> None:
        plain = dive(photo, tmp_path, zoom=1, turn=90)
        ground = masters.fitted(plain.source.ground, plain.windows.windows[0].size)
        sharp, blurred, fine = (
            Composer(plain.windows, lambda slot: ground, *how).picture(0.3) for how in ((0,), (1,), (0, 2))
        )
        assert detail(blurred) < 0.5 * detail(sharp)
        assert detail(fine) == pytest.approx(detail(sharp), rel=0.4)

    def test_layers_change_through_depth(self, photo: str, tmp_path: Path) -> None:
        asked = settings()
        asked = asked.model_copy(
            update={"dream": asked.dream.model_copy(update={"layers": "0s:(soft), 4s:(deep)"})}
        )
        diving = ExactDive(asked, ZoomSource.of(photo, asked), tmp_path / "m", network=tiny_network())
        seen = [diving.climb_at(at).look for at in (0, 1, 4)]
        assert [[t.layer for t in look.cut.targets] for look in seen] == [
            ["soft"],
            ["soft", "deep"],
            ["deep"],
        ]
        assert seen[1].now.weights is not None
        assert seen[1].now.weights.tolist() == [[0.75, 0.25]]

    def test_a_guide_leads_every_picture_of_a_dive(self, photo: str, tmp_path: Path) -> None:
        stills.write(tmp_path / "guide.png", texture(64, 64, seed=7))
        plain, led, other = (
            dive(photo, tmp_path / str(k), seconds="3", **how)
            for k, how in enumerate(({}, {"guide": (str(tmp_path / "guide.png"),)}, {"guide": (photo,)}))
        )
        assert [look.now.guides != () for look in (plain.climb_at(1).look, led.climb_at(1).look)] == [
            False,
            True,
        ]
        deepest = [one.dreamt().load(1) for one in (plain, led, other)]
        assert min(float(np.abs(a - b).mean()) for a, b in pairwise(deepest)) > 0.5 / 255

    def test_portrait_and_square(self, photo: str, tmp_path: Path) -> None:
        for size in ("48x80", "48x48"):
            diving = dive(photo, tmp_path / size, size=size, seconds="0.3")
            assert next(diving.walk(diving.source)).picture.shape[:2] == Size(
                *map(int, size.split("x")[::-1])
            )


class TestFeedback:
    def test_it_keeps_its_detail_and_its_light(self, photo: str) -> None:
        asked = settings(way="feedback", seconds="3")
        diving = FeedbackDive(asked, ZoomSource.of(photo, asked), network=tiny_network())
        frames = [dreamt.picture for dreamt in diving.walk(diving.source)]
        assert len(frames) == 30
        sharp = [detail(frame) for frame in frames]
        assert min(sharp[5:]) > 0.4 * sharp[0]
        assert abs(frames[-1].mean() / frames[0].mean() - 1) < 0.15

    def test_it_goes_on_from_what_it_carries(self, photo: str) -> None:
        asked = settings(way="feedback", seconds="1")
        diving = FeedbackDive(asked, ZoomSource.of(photo, asked), network=tiny_network())
        whole = list(diving.walk(diving.source))
        rest = list(diving.walk(diving.source, Segment(0, 5, 0, 4), whole[4].carried))
        assert [r.frame.index for r in rest] == [5, 6, 7, 8, 9]
        assert all(np.array_equal(a.picture, b.picture) for a, b in zip(rest, whole[5:], strict=True))

    def test_a_clip_keeps_the_colours_of_its_first_dream_and_its_own_light(
        self, make_clip: Callable[..., Path]
    ) -> None:
        clip = str(make_clip(frames=9, size=(48, 80)))
        asked = settings(way="feedback", step=6, iterations=6, size="full")
        diving = FeedbackDive(asked, ZoomSource.of(clip, asked), network=tiny_network())
        whole = list(diving.walk(diving.source))
        colours = [float(np.ptp(each.picture.astype(int), -1).mean()) for each in whole]
        own = [float(np.ptp(each.picture.astype(int), -1).mean()) for each in diving.source.film.frames()]
        assert colours[0] > 1.3 * own[0]
        assert min(colours) > 0.9 * colours[0]
        other = FeedbackDive(asked, ZoomSource.of(clip, asked), network=tiny_network())
        rest = list(other.walk(other.source, Segment(0, 4, 0, 3), whole[3].carried))
        assert all(np.array_equal(a.picture, b.picture) for a, b in zip(rest, whole[4:], strict=True))

    def test_a_still_lives_while_its_strength_moves(self, photo: str) -> None:
        asked = settings(zoom=0, strength="0.5+0.5*cos(2*pi*s)", seconds="1", turn=10)
        diving = LivingStill(asked, ZoomSource.of(photo, asked), network=tiny_network())
        dreamt = list(diving.walk(diving.source))
        change = [np.abs(d.picture.astype(int) - d.frame.picture).mean() for d in dreamt]
        assert change[5] < 0.1 * change[0]
        assert not dreamt[3].cut
        assert np.abs(dreamt[3].flow.backward).max() > 0.3
        alone = list(diving.frames(diving.source.across(4)))
        assert np.array_equal(alone[0].picture, dreamt[0].picture)
        assert all(found.cut for found in alone)


class TestGrounds:
    def test_noise_colours_and_gradients_need_no_file(self) -> None:
        how = settings().input
        for name in ("noise", "colour:#204060", "gradient:#000,#fff"):
            ground, film, read = grounds.open_ground(name, how)
            assert ground is not None
            assert ground.shape == (48, 80, 3)
            assert (film, read) == (None, [])
            last = ground
        assert last[:8].mean() < 0.15
        assert last[-8:].mean() > 0.85
        blue = grounds.open_ground("colour:#204060", how)[0]
        assert np.abs(blue.mean((0, 1)) * 255 - (32, 64, 96)).max() < 3

    @pytest.mark.parametrize("name", ["colour:red", "gradient:#000", "colour:#12", "gradient:"])
    def test_what_is_no_colour_is_said(self, name: str) -> None:
        with pytest.raises(UsageError, match="gradient:#000,#f80"):
            grounds.open_ground(name, settings().input)

    def test_the_strongest_place_is_found(self) -> None:
        from pipeline.dive.aim import strongest

        dreamer = Dreamer(network=tiny_network(), octaves=2, jitter=4, threads=1)
        ground = np.full((96, 160, 3), 0.5, np.float32)
        ground[30:50, 90:115] += 0.3 * (np.indices((20, 25)).sum(0) % 2)[..., None]
        point = strongest(ground, Size(96, 160), Climb(dreamer.look, 3, 1.5))
        assert abs(point - complex(0.64, 0.42)) < 0.12
