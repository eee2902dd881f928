"""Objectives: best match, ranks, bands, octaves' shares and masks: what each promises, and nothing crosses lanes."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from conftest import texture, tiny_network
from pipeline.net import tap
from pipeline.net.moment import Moment
from pipeline.net.targets import parse_targets
from pipeline.ops import bands
from pipeline.ops.objectives import OBJECTIVES, best_match, energy, matched, ranked
from pipeline.stages import dream as stage
from pipeline.stages.dream import Look, dream, gradient, waking


def look(layers: str = "deep", **changes: object) -> Look:
    cut = tap.cut(tiny_network(), parse_targets(layers)).double()
    return dataclasses.replace(Look(cut, energy, octaves=2, jitter=8), **changes)


def picture(lanes: int = 1) -> Tensor:
    planes = [torch.from_numpy(texture(48, 64, seed)).permute(2, 0, 1) for seed in range(lanes)]
    return torch.stack(planes).double() / 255


def whole(lanes: int = 1) -> Tensor:
    return torch.ones(lanes, 1, 48, 64, dtype=torch.float64)


def left_half() -> Tensor:
    mask = torch.zeros(1, 1, 48, 64, dtype=torch.float64)
    mask[..., :32] = 1
    return mask


def test_every_place_grows_toward_the_column_it_is_most_like(monkeypatch: pytest.MonkeyPatch) -> None:
    """The notebook's gradient: the best column itself. In pieces or at once, for each lane its own guide."""
    generator = torch.manual_seed(0)
    a = torch.rand(2, 4, 5, 6, generator=generator).requires_grad_()
    guide = torch.rand(2, 4, 7, generator=generator)
    monkeypatch.setattr("pipeline.ops.objectives.PAIRS", 21)
    slope = torch.autograd.grad(best_match(a, guide).sum(), a)[0].flatten(2) * (4 * 30)
    for lane in range(2):
        best = (a[lane].flatten(1).T @ guide[lane]).argmax(1)
        assert torch.allclose(slope[lane], guide[lane][:, best] / 4 * 4)


@pytest.mark.parametrize("name", sorted(OBJECTIVES))
def test_the_slope_of_an_objective_is_the_gradient_of_its_score(name: str) -> None:
    a = torch.randn(2, 4, 5, 6, generator=torch.manual_seed(0), dtype=torch.float64).requires_grad_()
    objective = OBJECTIVES[name]
    (expected,) = torch.autograd.grad(objective(a).sum() * a[0].numel(), a)
    torch.testing.assert_close(objective.slope(a.detach()), expected)
    assert objective(a).shape == (2,)


def test_the_slope_of_the_best_match_is_the_gradient_of_its_score() -> None:
    generator = torch.manual_seed(0)
    a = torch.randn(2, 4, 5, 6, generator=generator, dtype=torch.float64).requires_grad_()
    guide = torch.randn(1, 4, 7, generator=generator, dtype=torch.float64)
    (expected,) = torch.autograd.grad(best_match(a, guide).sum() * a[0].numel(), a)
    torch.testing.assert_close(matched(a.detach(), guide), expected)


@pytest.mark.parametrize("layers", ["deep", "deep, soft:0.5"])
def test_muted_channels_are_as_if_they_were_not_there(layers: str) -> None:
    own, x = look(layers), picture(2)
    first = own.cut.targets[0]
    own.cut.targets = (dataclasses.replace(first, muted=(1, 4)), *own.cut.targets[1:])
    others = "+".join(str(c) for c in range(own.cut.channels[0]) if c not in (1, 4))
    without = look(layers.replace("deep", f"deep#{others}"))
    torch.testing.assert_close(gradient(own, x), gradient(without, x))
    assert not torch.allclose(gradient(own, x), gradient(look(layers), x))


def test_channels_are_ranked_by_how_awake_they_are_each_lane_for_itself() -> None:
    a = torch.zeros(2, 5, 3, 3)
    a[0] = torch.tensor([3.0, 1.0, 0.0, 2.0, 5.0]).view(5, 1, 1)
    a[1] = torch.tensor([1.0, 2.0, 9.0, 8.0, 0.0]).view(5, 1, 1)
    assert ranked(a, "strongest", 2).tolist() == [[4, 0], [2, 3]]
    assert ranked(a, "weakest", 2).tolist() == [[1, 3], [0, 1]]  # one that is silent cannot be climbed
    assert ranked(a, "average", 1).tolist() == [[3], [1]]


def test_a_rank_is_chosen_from_the_source_and_climbed() -> None:
    of, x = look("deep#strongest2"), picture(2)
    picks = waking(of, x)[0]
    assert picks is not None
    assert picks.shape == (2, 2)
    own = dataclasses.replace(of, now=Moment(picks=(picks,)))
    for lane in range(2):
        numbers = "+".join(map(str, picks[lane].tolist()))
        plain = gradient(look(f"deep#{numbers}"), x[lane : lane + 1])
        assert torch.allclose(gradient(own, x)[lane] * 2, plain[0] * 2, atol=1e-12)
    assert torch.equal(dream(of, x, whole(2), 2, 1.5).picture, dream(own, x, whole(2), 2, 1.5).picture)


def test_a_weight_of_each_lane_and_moment_takes_the_place_of_the_targets_own() -> None:
    x = picture(2)
    weights = torch.tensor([[0.25, 0.75], [1.0, 0.0]])
    both = gradient(look("soft, deep", now=Moment(weights=weights)), x)
    assert torch.allclose(both[:1], gradient(look("soft:0.25, deep:0.75"), x[:1]))
    soft = gradient(look("soft"), x[1:])
    assert torch.allclose(both[1:], soft / soft.abs().mean())
    assert not gradient(look("soft, deep", now=Moment(weights=torch.zeros(2, 2))), x).any()


def test_lanes_with_moments_of_their_own_do_not_see_each_other() -> None:
    x, owed = picture(2), whole(2) * torch.tensor([1.0, 0.3]).view(2, 1, 1, 1)
    generator = torch.manual_seed(0)
    now = Moment(
        torch.tensor([[1.0, 0.5], [0.2, 1.0]], dtype=torch.float64),
        (torch.tensor([[1, 2], [3, 4]]), None),
        (None, torch.rand(2, 16, 9, generator=generator, dtype=torch.float64)),
        torch.cat([left_half(), 1 - left_half()]),
        (torch.rand(2, 1, 48, 64, generator=generator, dtype=torch.float64), left_half()),
    )
    of = look("mid#strongest2, deep", now=now)
    together = dream(of, x, owed, 4, 1.5)
    for lane in range(2):
        own = dataclasses.replace(of, now=now.of([lane]))
        alone = dream(own, x[lane : lane + 1], owed[lane : lane + 1], 4, 1.5)
        assert alone.steps == [together.steps[lane]]
        assert float((alone.picture - together.picture[lane : lane + 1]).abs().max()) < 1e-6


def test_under_a_mask_the_dream_is_as_full_as_without_and_outside_nothing_moves() -> None:
    x, mask = picture(), left_half()
    free = dream(look(octaves=1), x, whole(), 3, 1.5)
    held = dream(look(octaves=1, now=Moment(mask=mask)), x, whole(), 3, 1.5)
    assert held.steps == free.steps == [3]
    assert torch.equal(held.picture[..., 32:], x[..., 32:])
    moved, full = ((p.picture - x)[..., :32].square().mean().sqrt() for p in (held, free))
    assert float(moved) == pytest.approx(float(full), rel=0.15)
    soft = dream(look(octaves=1, now=Moment(mask=0.5 * mask)), x, whole(), 1, 1.5).picture - x
    hard = dream(look(octaves=1, now=Moment(mask=mask)), x, whole(), 1, 1.5).picture - x
    inside = (hard.abs() > 0) & (soft.abs() > 0)
    assert float((soft[inside] / hard[inside]).median()) == pytest.approx(0.5, rel=1e-3)


def test_a_mask_of_a_target_keeps_it_in_its_place_at_its_full_step() -> None:
    x, mask = picture(), left_half()
    here = dream(look("soft[a]", octaves=1, now=Moment(masks=(mask,))), x, whole(), 1, 1.5).picture - x
    assert not here[..., 32:].any()
    free = dream(look("soft", octaves=1), x, whole(), 1, 1.5).picture - x
    ratio = here[..., :32].abs().mean() / free[..., :32].abs().mean()
    assert 0.6 < float(ratio) < 1.6
    split = dream(
        look("soft[a], deep[!a]", octaves=1, now=Moment(masks=(mask, 1 - mask))), x, whole(), 1, 1.5
    )
    alike = torch.cosine_similarity((split.picture - x)[..., :32].flatten(), here[..., :32].flatten(), 0)
    assert float(alike) > 0.9


def test_a_mask_of_nothing_leaves_the_picture() -> None:
    x = picture()
    assert torch.equal(dream(look(octaves=1, now=Moment(mask=0 * whole())), x, whole(), 3, 1.5).picture, x)


def test_every_octave_has_its_share_of_steps_and_of_their_length(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, float]] = []
    real = stage._step

    def watched(look: Look, x: Tensor, w: Tensor, roll: tuple[int, int], s: float, step: float):  # type: ignore[no-untyped-def]
        seen.append((x.shape[2], round(step, 3)))
        return real(look, x, w, roll, s, step)

    monkeypatch.setattr(stage, "_step", watched)
    of = look(octaves=3, octave_iterations=(0, 0.5, 2), octave_step=(1, 2))
    dream(of, picture(), whole(), 2, 1.5)
    assert seen == [(34, 3.0)] * 1 + [(48, 3.0)] * 4
    assert look(octaves=4, octave_step=(1, 2, 3)).shares(2) == [(1.0, 3), (1.0, 3)]


def test_bands_bring_every_size_of_detail_to_one_strength() -> None:
    generator = torch.manual_seed(0)
    fine = torch.randn(2, 3, 64, 63, generator=generator)
    coarse = torch.nn.functional.interpolate(
        torch.randn(2, 3, 4, 4, generator=generator), (64, 63), mode="bicubic"
    )
    mixed = fine + 0.05 * coarse
    before, after = (
        torch.cosine_similarity(g.flatten(1), coarse.flatten(1)).mean()
        for g in (mixed, bands.levelled(mixed, 5))
    )
    assert float(after) > 4 * float(before) > 0
    assert bands.levelled(mixed, 0) is mixed
    assert torch.allclose(bands.levelled(mixed, 5)[:1], bands.levelled(mixed[:1], 5))
    assert torch.isfinite(bands.levelled(torch.zeros(1, 3, 20, 20), 8)).all()


def test_a_smoothed_or_levelled_dream_is_a_dream() -> None:
    x = picture()
    made = dream(look(laplacian=4), x, whole(), 3, 1.5).picture
    before, after = (float(energy(look().cut(p)[0])) for p in (x, made))
    assert after > before
