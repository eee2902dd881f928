"""The carry: what is laid on the next frame, what it owes, and what holds it down. Against plain numpy."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torchvision.models import optical_flow

from conftest import texture
from pipeline.clip import Size
from pipeline.errors import ModelError
from pipeline.net.raft import Raft
from pipeline.ops.warp import warp
from pipeline.stages import carry, flow, shots
from pipeline.stages.carry import Carried

CPU = torch.device("cpu")
SIZE = Size(48, 64)


def planes(seed: int, scale: float = 1.0) -> torch.Tensor:
    return scale * torch.rand(1, 3, *SIZE, generator=torch.manual_seed(seed))


def of(dream: torch.Tensor, strength: torch.Tensor, effort: torch.Tensor) -> Carried:
    """What a frame leaves to the next."""
    return Carried(dream, strength, effort)


def still(lanes: int = 1) -> torch.Tensor:
    return torch.zeros(lanes, 2, *SIZE)


def test_the_seed_is_the_source_plus_the_faded_warped_dream() -> None:
    source, dream = planes(0), planes(1, 0.2) - 0.1
    trust = torch.rand(1, 1, *SIZE, generator=torch.manual_seed(2))
    carried = of(dream, torch.ones(1, 1, 1, 1), torch.ones(1, 1, 1, 1))
    seed, owed = carry.lay(source, carried, still(), trust, 0.9, 15, 3)
    assert torch.allclose(seed, (source + 0.9 * trust * dream).clamp(0, 1), atol=1e-5)
    assert torch.allclose(owed, 1 - 0.9 * trust)


def test_a_pixel_without_trust_owes_everything_and_keeps_nothing() -> None:
    source = planes(0)
    carried = of(planes(1) - 0.5, torch.ones(1, 1, 1, 1), torch.ones(1, 1, 1, 1))
    seed, owed = carry.lay(source, carried, still(), torch.zeros(1, 1, *SIZE), 0.9, 15, 3)
    assert torch.equal(seed, source)
    assert torch.all(owed == 1)


def test_a_blend_is_of_whole_pictures_as_they_lie_and_owes_everything() -> None:
    """DeepDreamVideo: the frame's dream starts from a mix of its picture and the dreamed picture before."""
    source, before, after = planes(0), planes(1), planes(2)
    carried = carry.keep(before, after, Carried.nothing(1, SIZE, CPU), torch.zeros(1, 1, *SIZE), 15).on(
        before
    )
    seed, owed = carry.blend(source, carried, torch.ones(1, 1, *SIZE), 0.3)
    assert torch.allclose(seed, 0.7 * source + 0.3 * after, atol=1e-6)
    assert torch.all(owed == 1)
    assert torch.equal(carry.blend(source, carried, torch.zeros(1, 1, *SIZE), 0.3)[0], source)


def test_flow_points_back_to_where_the_pixel_was() -> None:
    dream = torch.zeros(1, 3, *SIZE)
    dream[..., 20, 30] = 0.5
    back = still()
    back[:, 0], back[:, 1] = -7, 4  # was 7 to the left and 4 below: it moved right and up
    moved = warp(dream, back)
    assert torch.nonzero(moved[0, 0] > 0.25).tolist() == [[16, 37]]


def test_warping_is_bicubic_as_cv2_knows_it() -> None:
    field = texture(48, 64).astype(np.float32)
    back = np.stack(np.broadcast_arrays(np.float32(1.37), np.full(SIZE, -0.61, np.float32)), -1)
    x, y = np.meshgrid(np.arange(64, dtype=np.float32), np.arange(48, dtype=np.float32))
    expected = cv2.remap(field, x + back[..., 0], y + back[..., 1], cv2.INTER_CUBIC)
    ours = warp(torch.from_numpy(field).permute(2, 0, 1)[None], torch.from_numpy(back).permute(2, 0, 1)[None])
    difference = np.abs(ours[0].permute(1, 2, 0).numpy() - expected)[4:-4, 4:-4]
    assert difference.max() < 1.0  # cv2 rounds positions to 1/32 of a pixel


def test_the_governor_holds_a_dream_that_outgrew_its_shots_first() -> None:
    first, effort = planes(1) - 0.5, 15.0
    kept = carry.keep(planes(0) * 0, first, Carried.nothing(1, SIZE, CPU), torch.zeros(1, 1, *SIZE), effort)
    assert float(kept.strength) == pytest.approx(float(carry.rms(first)))
    assert float(kept.effort) == effort
    grown = dataclasses.replace(kept, dream=3 * first)
    held = float(carry.rms(carry.governed(grown, effort, 1)))
    assert held == pytest.approx(1.1 * float(carry.rms(first)), rel=1e-4)
    small = dataclasses.replace(kept, dream=0.9 * first)
    assert torch.equal(carry.governed(small, effort, 1), small.dream)


def test_the_governor_follows_a_scheduled_rise_and_fall() -> None:
    first = planes(1) - 0.5
    carried = of(4 * first, carry.rms(first), torch.full((1, 1, 1, 1), 15.0))
    assert torch.equal(carry.governed(carried, 60, 1), carried.dream)
    held = float(carry.rms(carry.governed(carried, 3, 1)))
    assert held == pytest.approx(1.1 * 0.2**0.6 * float(carry.rms(first)), rel=1e-4)


def test_a_fade_from_black_may_reach_what_any_dream_reaches() -> None:
    """Twenty grey levels is what an ImageNet network dreams in ten steps of 1.5 over three octaves."""
    zero = torch.zeros(1, 1, 1, 1)
    lit = (planes(1) - 0.5) * 20 / 255 / float(carry.rms(planes(1) - 0.5))
    assert torch.equal(carry.governed(of(lit, zero, zero), 15, 3), lit)
    burnt = carry.governed(of(2 * lit, zero, zero), 15, 3)
    assert float(carry.rms(burnt)) < 1.2 * float(carry.rms(lit))


def test_nothing_stays_nothing() -> None:
    nothing = Carried.nothing(1, SIZE, CPU)
    assert torch.equal(carry.governed(nothing, 15, 3), nothing.dream)
    assert torch.isfinite(carry.governed(nothing, 0, 3)).all()
    kept = carry.keep(planes(0), planes(0), nothing, torch.zeros(1, 1, *SIZE), 0)
    assert torch.equal(kept.strength, nothing.strength)


def test_only_a_frame_dreamed_anew_is_its_shots_first() -> None:
    half = torch.full((1, 1, 1, 1), 0.5)
    before = of(planes(1), half, half)
    partly = torch.zeros(1, 1, *SIZE)
    partly[..., 0, 0] = 1
    assert float(carry.keep(planes(0), planes(2), before, partly, 15).strength) == 0.5
    anew = carry.keep(planes(0), planes(2), before, 0 * partly, 15)
    assert float(anew.strength) == pytest.approx(float(carry.rms(planes(2) - planes(0))))
    assert float(anew.effort) == 15


def test_lanes_are_held_down_one_by_one() -> None:
    loud, quiet = planes(1), 0.1 * planes(2)
    first = torch.full((2, 1, 1, 1), 0.1)
    held = carry.governed(of(torch.cat((loud, quiet)), first, 150 * first), 15, 3)
    for lane, dream in enumerate((loud, quiet)):
        alone = carry.governed(of(dream, first[:1], 150 * first[:1]), 15, 3)
        assert torch.allclose(held[lane : lane + 1], alone)


def pan(dx: int, size: tuple[int, int] = (120, 160)) -> tuple[np.ndarray, np.ndarray]:
    wide = texture(size[0], size[1] + 40, 3)
    return np.ascontiguousarray(wide[:, 20 + dx : 20 + dx + size[1]]), np.ascontiguousarray(
        wide[:, 20 : 20 + size[1]]
    )


@pytest.mark.parametrize("size", [(120, 160), (360, 480), (720, 960)])
def test_flow_finds_a_pan_and_trusts_all_but_what_came_into_view(size: tuple[int, int]) -> None:
    now, before = pan(6, size)
    found = flow.measure(*(flow.luma(p, Size(*size)) for p in (now, before)))
    inner = found.backward[20:-20, 20:-20]
    assert np.abs(inner[..., 0] - 6).mean() < 0.3
    assert np.abs(inner[..., 1]).mean() < 0.3
    assert found.trust[20:-20, 20:-30].mean() > 0.97
    assert found.trust[:, -4:].max() == 0


@pytest.fixture(scope="module")
def raft(tmp_path_factory: pytest.TempPathFactory) -> Raft:
    """The real network, with weights that have learned nothing."""
    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("weights") / "raft.pth"
    torch.save(optical_flow.raft_small(weights=None).state_dict(), file)
    return Raft("raft", file, CPU)


@pytest.mark.parametrize("size", [(60, 77), (136, 200)])
def test_raft_matches_both_ways_at_any_size(raft: Raft, size: tuple[int, int]) -> None:
    now, before = pan(6, size)
    backward, forward = raft(now, before)
    again, _ = raft(before, now)
    assert backward.shape == forward.shape == (*size, 2)
    assert backward.dtype == np.float32
    assert np.allclose(forward, again, atol=1e-3)
    assert flow.measure(now, before, raft).trust.shape == size


def test_raft_weights_of_something_else_are_refused(random_weights: Path) -> None:
    with pytest.raises(ModelError, match="does not fit raft_small"):
        Raft("raft", random_weights, CPU)


def test_tiny_pictures_have_no_motion() -> None:
    speck = np.zeros((2, 2), np.uint8)
    assert flow.measure(speck, speck).trust.shape == (2, 2)


def test_trust_is_soft_at_its_edge_and_zero_where_most_is_bad() -> None:
    bad = np.zeros((20, 20), bool)
    bad[:, 10:] = True
    trust = flow.trust(bad)
    assert trust[10, 2] == 1
    assert trust[10, 12] == 0
    assert 0 < trust[10, 9] < 1


def test_a_cut_is_one_and_motion_flash_and_black_are_none() -> None:
    a, b = texture(180, 320, 1), texture(180, 320, 2)
    now, before = pan(12, (180, 320))
    flash = np.clip(a.astype(int) + 60, 0, 255).astype(np.uint8)
    black = np.zeros_like(a)
    assert shots.is_cut(shots.thumb(a), shots.thumb(b))
    for pair in ((now, before), (flash, a), (black, black), (a, a)):
        assert not shots.is_cut(*(shots.thumb(p) for p in pair))


def test_a_whip_pan_that_flow_cannot_follow_is_no_cut() -> None:
    """Nearly every pixel fails the check there, so the second half of the test has to say no."""
    wide = cv2.cvtColor(texture(90, 400, 3), cv2.COLOR_RGB2GRAY)
    now, before = np.ascontiguousarray(wide[:, 40:200]), np.ascontiguousarray(wide[:, :160])
    assert not shots.is_cut(now, before)
