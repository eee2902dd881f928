"""The measures: each knows what it is for, is blind to what it should be, and the meter only adds them up."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from conftest import texture
from pipeline import metrics
from pipeline.clip import Flow, Plane, Size
from pipeline.metrics import Meter

SIZE = Size(64, 96)


def layer(seed: int = 0, size: Size = SIZE, scale: float = 0.2) -> Plane:
    """A dream layer with detail at several sizes, about as strong as dreams are."""
    return scale * (texture(*size, seed).astype(np.float32) / 127.5 - 1)


def noise(seed: int) -> Plane:
    return np.random.default_rng(seed).standard_normal((*SIZE, 3)).astype(np.float32)


def pan(dx: float, dy: float = 0, trust: Plane | None = None) -> Flow:
    """Back to where everything was, dx to the right and dy below."""
    backward = np.broadcast_to(np.float32((dx, dy)), (*SIZE, 2)).copy()
    return Flow(backward, np.ones(SIZE, np.float32) if trust is None else trust)


def shifted(dx: int) -> tuple[Plane, Plane]:
    """Now and before of a layer that came from dx pixels to the right."""
    wide = layer(size=Size(SIZE.height, SIZE.width + 20))
    return wide[:, 10 + dx : 10 + dx + SIZE.width], wide[:, 10 : 10 + SIZE.width]


def test_a_layer_that_rides_along_the_motion_does_not_flicker() -> None:
    now, before = shifted(7)
    seen = np.ones(SIZE, np.float32)
    seen[:, -7:] = 0
    assert metrics.flicker(now, before, pan(7, trust=seen)) < 1e-9
    assert metrics.flicker(now, before, pan(-7, trust=seen)) > 0.3
    assert metrics.flicker(now, before, pan(0)) > 0.2


def test_flicker_is_one_for_unrelated_layers_two_for_inverted_ones_and_blind_to_strength() -> None:
    a, b = noise(1), noise(2)
    assert metrics.flicker(a, b, pan(0)) == pytest.approx(1, abs=0.03)
    assert metrics.flicker(a, -a, pan(0)) == pytest.approx(2)
    assert metrics.flicker(0.01 * a, 0.01 * b, pan(0)) == pytest.approx(
        metrics.flicker(a, b, pan(0)), rel=1e-3
    )


def test_washing_out_is_flicker_too() -> None:
    a = noise(1)
    assert metrics.flicker(0.5 * a, a, pan(0)) == pytest.approx(0.2, rel=1e-4)


def test_what_is_not_seen_in_both_frames_is_not_judged() -> None:
    now, before = layer(), layer()
    now[:, :20] = 1
    seen = np.ones(SIZE, np.float32)
    seen[:, :20] = 0
    assert metrics.flicker(now, before, pan(0, trust=seen)) == 0
    assert math.isnan(metrics.flicker(now, before, pan(0, trust=0 * seen)))


def test_motion_is_judged_two_pixels_off_its_edges() -> None:
    seen = np.ones(SIZE, np.float32)
    seen[30, 40] = 0
    hidden = ~metrics.visible(pan(0, trust=seen))
    assert hidden[28:33, 38:43].all()
    assert hidden.sum() == 25
    flow = pan(0)
    flow.backward[:, 50:, 0] = 4
    hidden = np.flatnonzero(~metrics.visible(flow)[10])
    assert {47, 48, 49, 50, 51, 52} >= set(hidden) >= {48, 49, 50, 51}


def test_a_slow_turn_or_zoom_has_no_edges() -> None:
    y, x = np.mgrid[: SIZE.height, : SIZE.width].astype(np.float32)
    turning = Flow(np.stack((0.1 * x - 0.2 * y, 0.2 * x + 0.1 * y), -1), np.ones(SIZE, np.float32))
    assert metrics.visible(turning).all()


def test_half_a_pixel_of_motion_is_fetched_without_blur() -> None:
    x = np.mgrid[: SIZE.height, : SIZE.width][1].astype(np.float32)
    wave = np.repeat(np.sin(x)[..., None], 3, 2)
    expected = np.repeat(np.sin(x + 0.5)[..., None], 3, 2)
    inner = (slice(None), slice(4, -4))
    error = np.abs(metrics.fetched(wave, pan(0.5)) - expected)[inner].max()
    bilinear = np.abs((wave[:, 4:-4] + wave[:, 5:-3]) / 2 - expected[inner]).max()
    assert error < 0.5 * bilinear


def test_strength_counts_doublings_over_all_octaves() -> None:
    def energy(picture: torch.Tensor) -> float:
        return float(picture.square().mean())

    source = layer() ** 2
    sizes = (Size(32, 48), SIZE)
    assert metrics.strength(2 * source, source, energy, sizes) == pytest.approx(2, abs=0.01)
    assert metrics.strength(source, source, energy, sizes) == 0
    assert metrics.strength(source, 0 * source, energy, sizes) < 50  # black does not divide by nothing


def test_amplitude_is_in_grey_levels() -> None:
    assert metrics.amplitude(np.full((*SIZE, 3), -0.1, np.float32)) == pytest.approx(25.5)


def test_sharpness_falls_with_every_blur_and_not_with_a_tint() -> None:
    import cv2

    fine = 0.1 * noise(0)
    soft = cv2.GaussianBlur(fine, (0, 0), 0.7)
    assert metrics.sharpness(soft) < 0.5 * metrics.sharpness(fine)
    assert metrics.sharpness(fine + 0.3) == pytest.approx(metrics.sharpness(fine), rel=1e-3)
    assert metrics.sharpness(2 * fine) == pytest.approx(4 * metrics.sharpness(fine), rel=1e-3)


def test_clipped_counts_both_ends() -> None:
    values = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)[..., None]
    assert metrics.clipped(values) == pytest.approx(4 / 256)


def test_tof_is_the_mean_length_of_the_difference() -> None:
    assert metrics.tof(pan(3, 4).backward, pan(0).backward) == pytest.approx(5)
    assert metrics.tof(pan(3, 4).backward, pan(3, 4).backward) == 0


def test_drift_compares_the_last_third_with_the_first_and_leaves_frame_0_out() -> None:
    assert metrics.drift([99, 10, 10, 10, 15, 15, 15, 20, 20, 20]) == 2
    assert all(math.isnan(metrics.drift(nothing)) for nothing in ([99, 10, 10], [0] * 12))


def test_cost_is_a_share_of_a_full_dream() -> None:
    assert metrics.cost(1, 10) == 0.1
    assert metrics.cost(0, 0) == 0


def test_a_seam_is_flicker_above_that_of_the_frames_between() -> None:
    flickers = [math.nan, 0.1, 0.1, 0.3, 0.1, 0.1, 0.5]
    assert metrics.seam(flickers, [3, 6]) == pytest.approx(4)
    assert metrics.seam([math.nan, 0.1, 0.1], [2]) == pytest.approx(1)
    assert math.isnan(metrics.seam([math.nan, 0.1], []))


def fed(frames: int, **parts: object) -> Meter:
    """Noise over a grey ground, every frame new."""
    meter = Meter(**parts)
    for index in range(frames):
        flows = {lag: pan(0) for lag in (1, 8) if lag <= index}
        meter.feed(np.full((*SIZE, 3), 0.5, np.float32), 0.1 * noise(index), flows, 2, 10)
    return meter


def test_the_meter_adds_up_what_the_measures_say() -> None:
    meter = fed(10)
    assert math.isnan(meter.rows[0].f1)
    assert math.isnan(meter.rows[7].f8)
    assert meter.rows[8].f8 == metrics.flicker(0.1 * noise(8), 0.1 * noise(0), pan(0))
    assert meter.rows[9].f1 == metrics.flicker(0.1 * noise(9), 0.1 * noise(8), pan(0))
    table = meter.table()
    assert table.f1 == pytest.approx(sum(row.f1 for row in meter.rows[1:]) / 9)
    assert table.f8 == pytest.approx((meter.rows[8].f8 + meter.rows[9].f8) / 2)
    assert table.amplitude == pytest.approx(25.5, rel=0.02)
    assert table.drift == pytest.approx(1, abs=0.03)
    assert table.cost == pytest.approx(0.2)
    assert math.isnan(table.strength)
    assert math.isnan(table.tof)


def test_the_meter_knows_the_dream_from_the_source_it_lies_on() -> None:
    sizes: list[Size] = []

    def score(picture: torch.Tensor) -> float:
        sizes.append(Size(*picture.shape[-2:]))
        return float(picture.mean())

    def estimate(now: np.ndarray, before: np.ndarray) -> Plane:
        return pan(float(np.ptp(now.astype(int) - before) > 0)).backward

    meter = fed(3, score=score, sizes=(Size(32, 48), SIZE), estimate=estimate)
    assert set(sizes) == {Size(32, 48), SIZE}
    assert meter.table().strength == pytest.approx(0, abs=0.01)
    assert math.isnan(meter.rows[0].tof)
    assert meter.table().tof == 1  # the dream seems to move, the ground does not


def test_a_cut_is_not_judged_and_a_long_film_is_not_held() -> None:
    meter = fed(20)
    assert len(meter._dreams) == metrics.LONG
    before = meter.table().f1
    row = meter.feed(layer(), layer(), {1: Flow.none(SIZE)}, 10, 10)
    assert math.isnan(row.f1)
    assert meter.table().f1 == before


def test_a_film_of_one_frame_has_a_table() -> None:
    table = fed(1).table()
    assert table.cost == pytest.approx(0.2)
    assert math.isnan(table.f1)
    assert math.isnan(table.drift)
