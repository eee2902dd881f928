"""The dream: each step against a plain one, the climb each lane owes, and nothing crossing lanes."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from conftest import texture, tiny_network
from pipeline import device
from pipeline.clip import Size
from pipeline.errors import InputError
from pipeline.net import tap
from pipeline.net.targets import parse_targets
from pipeline.ops import ascent
from pipeline.ops.look import LEAST_OCTAVE
from pipeline.ops.objectives import OBJECTIVES, energy
from pipeline.ops.tiles import GRID, tiles
from pipeline.stages import dream as stage
from pipeline.stages.dream import Look, dream, gradient


def look(layers: str = "deep", dtype: torch.dtype = torch.float32, **changes: object) -> Look:
    cut = tap.cut(tiny_network(), parse_targets(layers)).to(dtype)
    return dataclasses.replace(Look(cut, energy, octaves=3, jitter=8), **changes)


def picture(lanes: int = 1, height: int = 72, width: int = 96, dtype: torch.dtype = torch.float32) -> Tensor:
    planes = [torch.from_numpy(texture(height, width, seed)).permute(2, 0, 1) for seed in range(lanes)]
    return torch.stack(planes).to(dtype) / 255


def psnr(a: Tensor, b: Tensor) -> float:
    return float(-10 * torch.log10((a - b).square().mean().clamp_min(1e-20)))


def plain_dream(net: torch.nn.Module, seed: Tensor, iterations: int, step: float, of: Look) -> Tensor:
    """The notebook's loop, as plainly as it can be written: one lane, whole climb, one target."""
    size = Size(*seed.shape[-2:])
    detail, x = None, seed
    for octave in range(3):
        scale = 1.4 ** (2 - octave)
        shape = (round(size.height / scale), round(size.width / scale))
        base = (
            torch.nn.functional.interpolate(seed, shape, mode="bicubic", antialias=True)
            if octave < 2
            else seed
        )
        grown = 0 if detail is None else torch.nn.functional.interpolate(detail, shape, mode="bicubic")
        x = (base + grown).clamp(0, 1) if octave else base
        for remaining in range(iterations, 0, -1):
            dy, dx = ascent.shift(of.seed, octave, remaining, of.jitter)
            rolled = torch.roll(x, (dy, dx), (2, 3)).requires_grad_()
            net(rolled).square().mean().backward()
            g = torch.roll(rolled.grad, (-dy, -dx), (2, 3))
            x = (x + step / 255 * g / g.abs().mean()).clamp(0, 1).detach()
        detail = x - base
    return x


def test_a_dream_is_the_plain_dream() -> None:
    of, seed = look(), picture()
    network = tiny_network()
    mean, std = torch.tensor(network.card.mean).view(3, 1, 1), torch.tensor(network.card.std).view(3, 1, 1)
    expected = plain_dream(lambda x: network.module((x - mean) / std), seed, 1, 1.5, of)
    dreamed, steps, _ = dream(of, seed, torch.ones_like(seed[:, :1]), 1, 1.5)
    assert steps == [1]
    assert psnr(dreamed, expected) >= 70


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("objective", sorted(OBJECTIVES))
def test_a_step_in_half_precision_is_the_step(precision: torch.dtype, objective: str) -> None:
    of, seed = look(objective=OBJECTIVES[objective], octaves=1), picture()
    half = dataclasses.replace(of, cut=look().cut.on(torch.device("cpu"), precision))
    plain, halved = (dream(each, seed, torch.ones_like(seed[:, :1]), 1, 1.5).picture for each in (of, half))
    assert float((halved - seed).abs().mean()) > 0.9 * float((plain - seed).abs().mean())
    assert psnr(halved, plain) >= 45
    assert half.cut.mean.dtype == torch.float32, "the picture is normalised as finely as it is"


def test_half_precision_is_for_hardware_that_computes_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    for told, expected in (({"avx512_bf16": True}, torch.bfloat16), ({"avx2": True}, torch.float32)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda told=told: told, raising=False)
        assert device.precision("auto", cpu) is expected
    assert device.precision("fp16", cpu) is torch.float16


@pytest.mark.parametrize("layers", ["deep", "soft:0.3, deep:-0.7"])
def test_in_tiles_the_gradient_is_the_gradient(layers: str) -> None:
    x = picture(2, 350, 700)
    whole, tiled = gradient(look(layers), x), gradient(look(layers, tile=256), x)
    assert len(tiles(Size(350, 700), 256)) == 6
    torch.testing.assert_close(tiled, whole, rtol=1e-3, atol=1e-4 * float(whole.abs().mean()))


def test_between_two_tiles_it_can_be_stopped() -> None:
    heard: list[None] = []
    seen = look(tile=64, heed=lambda: heard.append(None))
    gradient(seen, picture(96, 128))
    assert len(heard) == len(tiles(Size(96, 128), 64)) == 4


def test_tiles_keep_every_pixel_once_and_see_around_it() -> None:
    for size, side in ((Size(2160, 3840), 1024), (Size(257, 255), 256), (Size(16, 3000), 300)):
        kept = torch.zeros(size)
        for tile in tiles(size, side):
            kept[tile.kept] += 1
            seen = torch.arange(size.height * size.width).view(size)
            assert torch.equal(seen[tile.seen][tile.own], seen[tile.kept])
            assert all(part.start % GRID == 0 for part in tile.seen), "networks see cells, not pixels"
        assert torch.equal(kept, torch.ones(size))


def test_a_step_moves_the_average_pixel_by_its_grey_levels() -> None:
    x, g = torch.full((1, 3, 32, 32), 0.5), torch.randn(1, 3, 32, 32, generator=torch.manual_seed(0))
    moved, _ = ascent.ascend(x, g, 1.5, torch.ones(1, 1, 32, 32))
    assert float((moved - x).abs().mean()) * 255 == pytest.approx(1.5, rel=1e-4)


def test_the_mean_is_over_the_unweighted_gradient() -> None:
    x, g = torch.full((1, 3, 8, 8), 0.5), torch.ones(1, 3, 8, 8)
    weight = torch.zeros(1, 1, 8, 8)
    weight[..., :4] = 1
    moved = ascent.ascend(x, g, 2.0, weight)[0] - x
    assert torch.all(moved[..., 4:] == 0)
    assert float(moved[..., :4].mean()) * 255 == pytest.approx(2.0, rel=1e-4)


def test_a_zero_gradient_moves_nothing_and_nothing_leaves_the_range() -> None:
    x = picture()
    assert torch.equal(ascent.ascend(x, torch.zeros_like(x), 1.5, torch.ones(1, 1, 1, 1))[0], x)
    far, _ = ascent.ascend(x, torch.randn_like(x), 200, torch.ones(1, 1, 1, 1))
    assert float(far.min()) >= 0
    assert float(far.max()) <= 1


def test_residual_octaves_keep_every_detail_of_the_source() -> None:
    seed = picture()
    kept, *_ = dream(
        look(callback=lambda maps: 0 * maps[0].flatten(1).sum(1)), seed, torch.ones(1, 1, 72, 96), 3, 1.5
    )
    assert psnr(kept, seed) >= 90


def test_a_lane_does_not_depend_on_its_neighbours() -> None:
    of, seeds = look(dtype=torch.float64), picture(3, dtype=torch.float64)
    owed = torch.stack([torch.full((1, 72, 96), share, dtype=torch.float64) for share in (1.0, 0.1, 0.45)])
    together, steps, _ = dream(of, seeds, owed, 4, 1.5)
    assert steps == [4, 1, 2]
    for lane in range(3):
        alone, own, _ = dream(of, seeds[lane : lane + 1], owed[lane : lane + 1], 4, 1.5)
        assert own == [steps[lane]]
        assert float((alone - together[lane : lane + 1]).abs().max()) < 1e-6


def test_a_shorter_climb_takes_the_last_steps_of_the_sequence(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []
    real = ascent.shift

    def watched(seed: int, octave: int, remaining: int, jitter: int) -> tuple[int, int]:
        seen.append((octave, remaining))
        return real(seed, octave, remaining, jitter)

    monkeypatch.setattr(ascent, "shift", watched)
    dream(look(), picture(), torch.full((1, 1, 72, 96), 0.2), 10, 1.5)
    assert seen == [(octave, remaining) for octave in range(3) for remaining in (2, 1)]


def test_pixels_that_owe_more_step_further_and_none_beyond_three() -> None:
    owed = torch.full((1, 1, 72, 96), 0.1)
    owed[..., :12] = 1.0
    seen: list[Tensor] = []
    of = look(octaves=1)
    real = ascent.ascend

    def watched(x: Tensor, g: Tensor, s: float, w: Tensor) -> Tensor:
        seen.append(w)
        return real(x, g, s, w)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage.ascent, "ascend", watched)
        _, steps, _ = dream(of, picture(), owed, 10, 1.5)
    assert steps == [2]  # mean climb 2.125
    assert float(seen[0][..., 60:].mean()) == pytest.approx(0.5)
    assert float(seen[0].max()) == 3.0


def test_jitter_is_the_same_for_every_frame_and_differs_from_step_to_step() -> None:
    draws = [ascent.shift(0, octave, step, 32) for octave in range(4) for step in range(10)]
    assert draws == [ascent.shift(0, octave, step, 32) for octave in range(4) for step in range(10)]
    assert len(set(draws)) > 30
    assert all(abs(v) <= 32 for draw in draws for v in draw)
    assert draws[0] != ascent.shift(1, 0, 0, 32)


def test_octaves_too_many_are_left_out() -> None:
    of = look(octaves=12)
    sizes = of.sizes(Size(72, 96))
    assert sizes[-1] == Size(72, 96)
    assert 1 < len(sizes) < 12
    assert min(sizes[0]) >= LEAST_OCTAVE
    with pytest.raises(InputError, match="at least"):
        dataclasses.replace(of, cut=Needy()).sizes(Size(40, 60))


class Needy:
    least = 50


def test_weights_of_targets_mean_what_they_say() -> None:
    x = picture()
    g = [gradient(look(layers), x) for layers in ("soft", "deep")]
    unit = [part / part.abs().mean() for part in g]
    both = gradient(look("soft:0.25, deep:0.75"), x)
    assert psnr(both, 0.25 * unit[0] + 0.75 * unit[1]) >= 70
    assert torch.equal(gradient(look("deep:-1"), x), -g[1])


@pytest.mark.parametrize("name", sorted(OBJECTIVES))
def test_every_objective_grows(name: str) -> None:
    of, x = look(objective=OBJECTIVES[name]), picture()
    dreamed, *_ = dream(of, x, torch.ones_like(x[:, :1]), 5, 1.5)
    assert float(OBJECTIVES[name](of.cut(dreamed)[0])) > 1.05 * float(OBJECTIVES[name](of.cut(x)[0]))


def test_channels_and_places_take_only_their_part_of_the_picture() -> None:
    g = gradient(look("soft@25x50"), picture())
    touched = g.abs().sum((0, 1)) > 0
    rows, columns = torch.nonzero(touched, as_tuple=True)
    assert 0 < int(touched.sum()) <= 25
    assert abs(float(rows.float().mean()) - 36) < 4
    assert abs(float(columns.float().mean()) - 24) < 4


def test_a_callable_takes_the_objectives_place() -> None:
    x = picture()
    own = gradient(look("soft, deep", callback=lambda maps: maps[1].square().flatten(1).mean(1)), x)
    assert (
        psnr(own / own.abs().mean(), gradient(look("deep"), x) / gradient(look("deep"), x).abs().mean()) >= 70
    )


@pytest.mark.parametrize("sigma", [0.5, 1.5, 9.0])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_cpu_smooths_as_any_device_does(sigma: float, layout: torch.memory_format) -> None:
    noise = torch.randn(2, 3, 40, 30, generator=torch.Generator().manual_seed(1)).to(memory_format=layout)
    torch.testing.assert_close(
        ascent._blur_on_cpu(noise, sigma), ascent._blur(noise, sigma), atol=2e-6, rtol=0
    )


def test_smoothing_takes_the_fine_detail_and_leaves_the_mean() -> None:
    noise = torch.randn(1, 3, 64, 64, generator=torch.manual_seed(0))
    soft = ascent.smooth(noise, 1.0)
    assert float(soft.std()) < 0.4 * float(noise.std())
    assert float(ascent.smooth(torch.ones(1, 3, 64, 64), 1.0).mean()) == pytest.approx(1.75)
    assert ascent.smooth(noise, 0) is noise


def test_a_lane_whose_gradient_is_no_number_stays_and_is_counted() -> None:
    """As of a network that overflows in half precision: never a black picture, and its neighbour dreams on."""

    def spoilt(activations: list[Tensor]) -> Tensor:
        grown = energy(activations[0])
        return grown * torch.tensor([torch.nan, 1.0])[: len(grown)]

    of, seeds = dataclasses.replace(look(), callback=spoilt), picture(2)
    dreamed = dream(of, seeds, torch.ones_like(seeds[:, :1]), 2, 1.5)
    assert dreamed.lost.tolist() == [2 * 3, 0]
    assert torch.equal(dreamed.picture[0], seeds[0])
    alone = dream(look(), seeds[1:], torch.ones_like(seeds[1:, :1]), 2, 1.5)
    assert psnr(dreamed.picture[1:], alone.picture) > 60
