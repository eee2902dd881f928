"""Scenes with known motion: the flow is the truth, the trust is honest, and the picture is the same every time."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import cache

import cv2
import numpy as np
import pytest

from pipeline.clip import Flow, Picture, Plane, Size
from pipeline.errors import InputError, UsageError
from pipeline.scene import MOTIONS, Scene, demo_scene, photo_scene, tone

SIZE = Size(180, 320)
SMALL = Size(90, 160)
CLEAN = ["demo", "slow", "fast"]


@cache
def drawn(difficulty: str = "demo", size: Size = SIZE, seed: int = 0) -> Scene:
    return demo_scene(size, difficulty=difficulty, seed=seed)


def photograph(seed: int, height: int, width: int) -> Picture:
    """Noise with detail at every scale, standing in for a photograph."""
    rng = np.random.default_rng(seed)
    layers = [
        cv2.resize(rng.uniform(-1, 1, (n, n, 3)), (width, height), interpolation=2) for n in (3, 12, 48)
    ]
    return (128 + 40 * np.sum(layers, axis=0)).clip(0, 255).astype(np.uint8)


@cache
def photographed(difficulty: str) -> Scene:
    return photo_scene(photograph(1, 300, 500), photograph(2, 200, 150), SIZE, difficulty=difficulty)


def ended(flow: Flow) -> tuple[Plane, Plane]:
    """Where each pixel was: x and y, [H, W] each."""
    y, x = np.indices(flow.trust.shape, np.float32)
    return x + flow.backward[..., 0], y + flow.backward[..., 1]


def sampled(field: np.ndarray, flow: Flow, how: int = cv2.INTER_CUBIC) -> np.ndarray:
    return cv2.remap(field.astype(np.float32), *ended(flow), how, borderMode=cv2.BORDER_REPLICATE)


def mistaken(scene: Scene, index: int, before: int) -> tuple[np.ndarray, np.ndarray]:
    """How far the frame before, warped by the flow, is from the frame: where trusted, and where not."""
    flow = scene.flow(index, before)
    error = np.abs(scene.picture(index) - sampled(scene.picture(before), flow)).mean(axis=-1)
    return error[flow.trust == 1], error[flow.trust == 0]


class TestFlow:
    @pytest.mark.parametrize("make", [drawn, photographed])
    @pytest.mark.parametrize("difficulty", CLEAN)
    @pytest.mark.parametrize("apart", [1, 8, -3])
    def test_it_leads_every_trusted_pixel_to_its_own_colour(
        self, make: type, difficulty: str, apart: int
    ) -> None:
        """What is left is the bicubic warp itself, which rounds off detail near the limit of the picture."""
        trusted, untrusted = mistaken(make(difficulty), 40, 40 - apart)
        assert trusted.mean() < 1.2
        assert np.percentile(trusted, 99) < 8
        assert trusted.max() < 35  # one pixel of uncovered background under the front is off by more
        assert untrusted.mean() > 5 * trusted.mean()

    @pytest.mark.parametrize("difficulty", CLEAN)
    def test_two_steps_back_make_one_longer_step(self, difficulty: str) -> None:
        """A similarity's flow is linear, so bilinear samples of it are exact away from the front's rim."""
        scene = drawn(difficulty)
        near, far, on = scene.flow(30), scene.flow(30, before=28), scene.flow(29)
        composed = near.backward + sampled(on.backward, near, cv2.INTER_LINEAR)
        inner = cv2.erode(near.trust * far.trust, np.ones((9, 9))) * sampled(on.trust, near, cv2.INTER_LINEAR)
        assert (inner == 1).mean() > 0.7
        assert np.abs(composed - far.backward)[inner == 1].max() < 2e-3

    def test_the_front_object_and_the_background_move_apart(self) -> None:
        scene = drawn()
        flow, front = scene.flow(48), scene.covered(48) > 0.999
        behind = scene.covered(48) == 0
        assert flow.backward[front][:, 0].mean() < -1  # it drifts right, so it was further left
        assert flow.backward[behind][:, 0].mean() > 0.3

    @pytest.mark.parametrize("size", [SIZE, SMALL])
    def test_in_the_fast_scene_the_front_moves_about_16_pixels_a_frame_at_360_lines(self, size: Size) -> None:
        scene = drawn("fast", size)
        speeds = []
        for index in range(1, 92, 6):
            front = scene.covered(index) > 0.5
            speeds.append(np.hypot(*scene.flow(index).backward[front].T).mean())
        assert np.mean(speeds) == pytest.approx(16 * size.height / 360, rel=0.1)

    def test_the_first_frame_has_none_unless_asked_for_a_later_one(self) -> None:
        assert drawn().flow(0).cut
        assert not drawn().flow(0).trust.any()
        ahead = drawn().flow(0, before=3)
        assert not ahead.cut
        assert ahead.trust.mean() > 0.8

    def test_a_frame_to_itself_has_not_moved(self) -> None:
        flow = drawn().flow(7, before=7)
        assert np.abs(flow.backward).max() < 1e-5

    def test_it_is_float32_and_trust_is_all_or_nothing(self) -> None:
        flow = drawn().flow(1)
        assert flow.backward.shape == (*SIZE, 2)
        assert flow.backward.dtype == flow.trust.dtype == np.float32
        assert set(np.unique(flow.trust)) == {0, 1}


class TestTrust:
    @pytest.mark.parametrize("difficulty", CLEAN)
    def test_nothing_that_was_behind_the_front_object_is_trusted(self, difficulty: str) -> None:
        scene = drawn(difficulty)
        flow = scene.flow(40, before=36)
        uncovered = (scene.covered(40) < 0.01) & (sampled(scene.covered(36), flow, cv2.INTER_LINEAR) > 0.1)
        assert uncovered.sum() > 50
        assert not flow.trust[uncovered].any()

    def test_nothing_that_was_outside_the_picture_is_trusted(self) -> None:
        flow = drawn("fast").flow(40, before=32)
        x, y = ended(flow)
        outside = (x < 0) | (x > SIZE.width - 1) | (y < 0) | (y > SIZE.height - 1)
        assert outside.sum() > 500
        assert not flow.trust[outside].any()

    def test_a_pixel_that_mixes_front_and_background_is_not_trusted(self) -> None:
        covered = drawn().covered(20)
        mixed = (covered > 0.01) & (covered < 0.99)
        assert mixed.sum() > 100
        assert not drawn().flow(20).trust[mixed].any()

    @pytest.mark.parametrize("difficulty", CLEAN)
    def test_whatever_is_left_is_trusted(self, difficulty: str) -> None:
        scene = drawn(difficulty)
        flow = scene.flow(40)
        x, y = ended(flow)
        inside = (x >= 0) & (x <= SIZE.width - 1) & (y >= 0) & (y <= SIZE.height - 1)
        nearby = cv2.dilate(sampled(scene.covered(39), flow, cv2.INTER_LINEAR), np.ones((5, 5)))
        background = inside & (cv2.dilate(scene.covered(40), np.ones((5, 5))) == 0) & (nearby == 0)
        front = inside & (cv2.erode(scene.covered(40), np.ones((5, 5))) > 0.999)
        assert (background | front).mean() > 0.75
        assert flow.trust[background | front].all()


class TestPicture:
    def test_the_same_seed_gives_the_same_bytes_in_any_order_and_another_seed_does_not(self) -> None:
        first, again, other = drawn(size=SMALL), demo_scene(SMALL), drawn(size=SMALL, seed=1)
        later = again.picture(50)
        for index in (3, 50):
            assert np.array_equal(again.picture(index), first.picture(index))
        assert np.array_equal(later, again.picture(50))
        assert np.abs(other.picture(3).astype(int) - first.picture(3)).mean() > 5

    def test_the_global_random_state_is_neither_read_nor_written(self) -> None:
        np.random.seed(5)
        before = np.random.get_state()[1].copy()
        first = demo_scene(Size(48, 64), difficulty="noisy").picture(0)
        assert np.array_equal(np.random.get_state()[1], before)
        np.random.seed(6)
        assert np.array_equal(demo_scene(Size(48, 64), difficulty="noisy").picture(0), first)

    def test_a_larger_picture_is_the_same_one_in_more_detail(self) -> None:
        large = drawn(size=Size(270, 480)).picture(30)
        small = cv2.resize(large, SIZE[::-1], interpolation=cv2.INTER_AREA).astype(np.float32)
        ours = drawn().picture(30).astype(np.float32)
        assert np.abs(cv2.blur(small, (5, 5)) - cv2.blur(ours, (5, 5))).mean() < 4
        assert cv2.Laplacian(large[:135], cv2.CV_32F).std() > 4

    @pytest.mark.parametrize("size", [(48, 64), (101, 97), (64, 400), (333, 75), (16, 16)])
    def test_any_size_and_shape_will_do(self, size: tuple[int, int]) -> None:
        scene = demo_scene(Size(*size), seconds=1)
        picture = scene.picture(23)
        assert picture.shape == (*size, 3)
        assert picture.dtype == np.uint8
        assert scene.flow(23).backward.shape == (*size, 2)
        assert 0.03 < scene.covered(12).mean() < 0.3

    @pytest.mark.parametrize("seed", range(3))
    def test_it_leaves_a_dream_room_at_both_ends(self, seed: int) -> None:
        picture = drawn(size=SMALL, seed=seed).picture(0)
        low, middle, high = np.percentile(picture, [0.5, 50, 99.5])
        assert low > 20
        assert 90 < middle < 160
        assert high < 245

    def test_the_front_object_is_large_and_stays_in_view(self) -> None:
        whole = (drawn().front.coverage.sum()) * (drawn().front.pitch * drawn().unit) ** 2 / (180 * 320)
        for index in range(0, 96, 5):
            covered = drawn().covered(index).mean()
            assert 0.10 < covered < 0.20
            assert covered == pytest.approx(whole, rel=0.15)  # zoom changes it; a cut off side would show

    @pytest.mark.parametrize("difficulty", MOTIONS)
    @pytest.mark.parametrize("size", [SMALL, Size(100, 45)])
    def test_the_border_of_the_plate_never_comes_into_view_however_long_it_runs(
        self, difficulty: str, size: Size
    ) -> None:
        scene = replace(drawn(difficulty, size), frames=5000)
        height, width = scene.background.pixels.shape[:2]
        for index in range(0, 5000, 31):
            behind, _ = scene._from_view(index)
            columns, rows = scene.background.columns_rows(behind, size)
            assert columns.min() >= 1
            assert columns.max() <= width - 2
            assert rows.min() >= 1
            assert rows.max() <= height - 2

    @pytest.mark.parametrize("seed", range(4))
    def test_every_pixel_of_the_background_is_painted(self, seed: int) -> None:
        assert drawn("fast", SMALL, seed).background.pixels.min() > 8

    def test_sensor_noise_is_new_in_each_frame_and_leaves_the_flow_clean(self) -> None:
        noisy, clean = drawn("noisy", SMALL), drawn("slow", SMALL)
        first, second = (noisy.picture(i).astype(float) - clean.picture(i) for i in (10, 11))
        assert first.std() == pytest.approx(4, rel=0.05)
        assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.02
        assert np.array_equal(noisy.picture(10), demo_scene(SMALL, difficulty="noisy").picture(10))
        assert np.array_equal(noisy.flow(10).backward, clean.flow(10).backward)
        assert np.array_equal(noisy.flow(10).trust, clean.flow(10).trust)

    def test_rate_and_length_choose_instants_of_the_same_motion(self) -> None:
        half = demo_scene(SMALL, rate=Fraction(12), seconds=2.5)
        assert half.frames == 30
        assert np.array_equal(half.picture(7), drawn(size=SMALL).picture(14))


class TestPhotographs:
    def test_fill_the_view_whatever_their_shape(self) -> None:
        narrow = np.full((40, 10, 3), (10, 200, 90), np.uint8)
        scene = photo_scene(narrow, np.full((9, 70, 3), 250, np.uint8), SIZE)
        picture = scene.picture(20)
        around = np.ones((9, 9))
        covered = scene.covered(20)
        behind, front = (cv2.erode(part, around) > 0.999 for part in (1 - covered, covered))
        assert np.array_equal(np.unique(picture[behind], axis=0), [[10, 200, 90]])
        assert np.array_equal(np.unique(picture[front]), [250])
        assert 0.10 < scene.covered(20).mean() < 0.20

    @pytest.mark.parametrize(
        "wrong", [np.zeros((9, 9), np.uint8), np.zeros((9, 9, 4), np.uint8), np.zeros((9, 9, 3), np.float32)]
    )
    def test_must_be_rgb_of_8_bits(self, wrong: np.ndarray) -> None:
        right = np.zeros((9, 9, 3), np.uint8)
        with pytest.raises(InputError, match="front"):
            photo_scene(right, wrong, SIZE)
        with pytest.raises(InputError, match="background"):
            photo_scene(wrong, right, SIZE)


class TestErrors:
    def test_a_difficulty_there_is_not_is_named_with_the_closest_there_is(self) -> None:
        with pytest.raises(UsageError, match=r"fats.*Did you mean fast"):
            demo_scene(SIZE, difficulty="fats")

    @pytest.mark.parametrize(
        ("size", "rate", "seconds"), [(Size(8, 99), 24, 4.0), (SIZE, 0, 4.0), (SIZE, 24, -1.0)]
    )
    def test_a_scene_of_nothing_is_refused(self, size: Size, rate: int, seconds: float) -> None:
        with pytest.raises(UsageError):
            demo_scene(size, rate, seconds)

    @pytest.mark.parametrize("index", [-1, 96])
    def test_a_frame_outside_the_scene_is_refused(self, index: int) -> None:
        for ask in (drawn().picture, drawn().flow, drawn().covered, lambda i: drawn().flow(5, before=i)):
            with pytest.raises(UsageError, match=f"frame {index} .*0 to 95"):
                ask(index)


class TestTone:
    @pytest.mark.parametrize(("seconds", "rate"), [(4.0, 48000), (0.5, 44100), (1 / 24, 8000)])
    def test_it_is_quiet_and_silent_at_both_ends(self, seconds: float, rate: int) -> None:
        sound = tone(seconds, rate)
        assert sound.shape == (round(seconds * rate), 1)
        assert sound.dtype == np.float32
        assert 0.1 < np.abs(sound).max() < 0.3
        assert np.abs(sound[[0, -1]]).max() < 1e-3
        assert np.array_equal(sound, tone(seconds, rate))
