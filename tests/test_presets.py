"""Presets: each is whole, for a network that has its layers, and says why of every value."""

from __future__ import annotations

import re
import tomllib
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from conftest import texture, tiny_network
from pipeline import looks
from pipeline.cli.video import main
from pipeline.clip import Flow, Frame, Picture, Size, Tick
from pipeline.dreamer import Dreamer
from pipeline.errors import UsageError
from pipeline.net import tap
from pipeline.net.cards import CARDS, card
from pipeline.net.programme import Programme
from pipeline.ops import ascent
from pipeline.settings import Settings
from pipeline.stages import stills

PEERS = {"google-2015", "google-guided", "ddv", "gordic", "tf-tutorial", "keras"}
OURS = {"gentle", "strong", "creatures", "architecture", "strokes", "still-water", "night", "portrait"}
NAMES = sorted(looks.presets())


def test_the_peers_looks_and_our_own_are_there() -> None:
    assert set(NAMES) >= PEERS | OURS


@pytest.mark.parametrize("name", NAMES)
def test_every_preset_is_whole_and_says_why(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = looks.presets()[name]
    settings = looks.of(preset=name, **({"guide": "x.png"} if name == "google-guided" else {}))
    model = settings.dream.model
    assert model in CARDS
    Programme.of(settings.dream.layers, card(model))
    headline, _, body = path.read_text(encoding="utf-8").partition("\n")
    assert re.fullmatch(r"# .{20,110}\.", headline)
    assert "classic" not in headline.lower()
    if name in PEERS:
        assert "after" in headline.lower()
    for line in body.splitlines():
        assert not line or line.startswith(("[", "#")) or re.search(r"\S\s{2,}# .{4,}", line), line
    tables = tomllib.loads(body)
    given = settings.model_dump(mode="json")
    for group, table in tables.items():
        for knob, value in table.items():
            assert given[group][knob] == value


def test_the_values_of_the_peers_are_theirs() -> None:
    """As read in their own code."""
    ddv = looks.of(preset="ddv")
    assert (ddv.dream.octave_scale, ddv.dream.iterations.constant, ddv.time.carry) == (1.5, 5, "blend")
    programme = Programme.parse(ddv.dream.layers)
    shown = [programme.targets[w.index(1.0)].layer[-2:] for w in (programme.at(f, 0) for f in range(10))]
    assert shown == ["4d", "4e", "5a", "5b", "5a", "4e", "4d", "4c", "4c", "4d"]
    raw = [1 - ddv.time.steadiness.at(frame, 0) for frame in range(1, 12)]
    assert raw == pytest.approx([0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 0.9, 0.8, 0.7, 0.6, 0.5])
    keras = looks.of(preset="keras").dream
    assert [t.weight for t in Programme.parse(keras.layers).targets] == [1, 1.5, 2, 2.5]
    assert (keras.octaves, keras.iterations.constant, keras.jitter) == (3, 20, 0)


def test_presets_are_listed_with_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--presets"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == NAMES
    assert all(len(line) <= 130 for line in listed)


def test_a_guided_preset_without_a_guide_asks_for_one() -> None:
    with pytest.raises(UsageError, match="--guide FILE"):
        Dreamer(looks.of(preset="google-guided"), network=tiny_network())


@pytest.mark.parametrize("name", ["gentle", "metamorphosis"])
def test_a_preset_dreams(name: str, tmp_path: Path) -> None:
    picture = texture(40, 48)
    shown = Dreamer(preset=name, iterations=1, octaves=1, threads=1).step(picture)
    assert shown.shape == picture.shape
    assert (shown != picture).any()


def test_google_2015_is_the_notebooks_loop(shared_data: Path) -> None:
    """Beside a loop written from the notebook's description, with real weights: strength, amplitude, sharpness.

    One small dream is chaotic, and its figures with it: those of four are compared.
    """
    sky = stills.resized(stills.read(shared_data / "stills" / "sky1024px.jpg"), Size(144, 256))
    weights = str(shared_data / "weights" / "squeezenet1_0_imagenet.safetensors")
    figures = [
        [statistics(*pair) for pair in both_ways(sky, weights, octaves=3, iterations=6, seed=seed)]
        for seed in range(4)
    ]
    ours, theirs = np.mean(figures, axis=0)
    assert ours == pytest.approx(theirs, rel=0.05)


def both_ways(
    picture: Picture, weights: str, **short: int
) -> tuple[tuple[tap.Cut, torch.Tensor, torch.Tensor], tuple[tap.Cut, torch.Tensor, torch.Tensor]]:
    """(the network, the source, its dream) of the preset and of the notebook's loop; pictures [1, 3, H, W]."""
    settings = looks.of(
        preset="google-2015",
        model="squeezenet1_0",
        weights=weights,
        layers="fire8",
        threads=1,
        precision="fp32",
        **short,
    )
    dreamer = Dreamer(settings)
    cut, source = dreamer.look.cut, torch.from_numpy(picture.transpose(2, 0, 1).copy())[None] / 255
    tick = Tick(Frame(0, 0, Fraction(0), picture), Flow.none(Size(*picture.shape[:2])))
    ours = source + torch.from_numpy(dreamer.dream(tick).dream).permute(2, 0, 1)[None]
    return (cut, source, ours), (cut, source, notebook(cut, source, settings))


def notebook(cut: tap.Cut, source: torch.Tensor, how: Settings) -> torch.Tensor:
    """deepdream() and make_step(): each octave shrunk linearly from the one above, the detail carried up."""
    octaves = [source]
    for _ in range(how.dream.octaves - 1):
        octaves.append(F.interpolate(octaves[-1], scale_factor=1 / how.dream.octave_scale, mode="bilinear"))
    detail = torch.zeros_like(octaves[-1])
    for octave, base in enumerate(reversed(octaves)):
        x = base + F.interpolate(detail, base.shape[2:], mode="bilinear")
        for remaining in range(int(how.dream.iterations.constant or 0), 0, -1):
            roll = ascent.shift(
                how.dream.seed, octave, remaining, how.dream.jitter
            )  # any will do: this, to compare
            rolled = torch.roll(x, roll, (2, 3)).requires_grad_()
            cut(rolled)[0].square().sum().div(2).backward()
            slope = torch.roll(rolled.grad, (-roll[0], -roll[1]), (2, 3))
            x = (x + (how.dream.step.constant or 0) / 255 * slope / slope.abs().mean()).clamp(0, 1).detach()
        detail = x - base
    return x


def statistics(cut: tap.Cut, source: torch.Tensor, dreamed: torch.Tensor) -> list[float]:
    """Strength (log2 of the objective's growth), amplitude (rms of the dream), sharpness (of its finest detail)."""
    before, after = (float(cut(x)[0].square().mean()) for x in (source, dreamed))
    layer = dreamed - source
    fine = layer - ascent.smooth(layer, 1.5) / 1.75
    return [np.log2(after / before), *(float(x.square().mean().sqrt()) for x in (layer, fine))]
