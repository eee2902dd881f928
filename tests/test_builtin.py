"""The network in the box: it can be cut and climbed, it is small, and its training learns."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import fx, nn

from pipeline.errors import ModelError, TargetError
from pipeline.net import builtin, tap, zoo
from pipeline.net.cards import CARDS
from pipeline.net.targets import parse_targets, resolve
from pipeline.ops.objectives import energy
from pipeline.stages.dream import Look, dream

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import train_builtin
from drawing import FAMILIES, SPECIES, canvas, draw
from drawing.compose import NAMES

WEIGHTS = Path(builtin.__file__).with_suffix(".safetensors")
shipped = pytest.mark.skipif(not WEIGHTS.exists(), reason="no weights are trained yet")


def with_lively_norms(families: int = 5) -> builtin.Builtin:
    """In training form, with batch norms that do something."""
    torch.manual_seed(0)
    network = builtin.Builtin(families, norm=True).eval()
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.normal_(part.bias, 0, 0.2)
            nn.init.normal_(part.running_mean, 0, 0.2)
            nn.init.uniform_(part.running_var, 0.5, 2)
    return network


def test_scores_are_a_map_of_the_motifs_and_the_background() -> None:
    assert builtin.build(7)(torch.zeros(2, 3, 64, 96)).shape == (2, 8, 4, 6)


def test_folding_changes_nothing() -> None:
    network, x = with_lively_norms(), torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(builtin.fold(network)(x), network(x), atol=1e-4)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in builtin.fold(network).modules())


def test_it_can_be_traced_whatever_the_size() -> None:
    network = builtin.build(5)
    traced = fx.symbolic_trace(network)
    for size in ((48, 48), (64, 112)):
        x = torch.randn(1, 3, *size)
        assert torch.equal(traced(x), network(x))


def test_nothing_in_it_takes_a_maximum() -> None:
    """Max pooling sends all of a gradient to one pixel of each window: dreams through it are coarse."""
    assert not any(isinstance(part, nn.MaxPool2d) for part in builtin.build().modules())


def test_a_shifted_picture_gives_a_shifted_map() -> None:
    network, x = builtin.build(5), torch.randn(1, 3, 256, 256)
    one, other = network(x), network(torch.roll(x, 16, 3))
    inner = slice(6, 10)
    assert torch.allclose(one[..., inner, inner], other[..., inner, 7:11], atol=1e-3)


@shipped
def test_the_shipped_weights_fit_and_are_small() -> None:
    weights = load_file(WEIGHTS)
    assert WEIGHTS.stat().st_size <= 8 * 2**20
    assert all(part.dtype == torch.float16 for part in weights.values())
    builtin.build().load_state_dict({name: part.float() for name, part in weights.items()})


@shipped
def test_the_record_names_the_motifs_in_the_order_they_were_drawn() -> None:
    record = json.loads(WEIGHTS.with_suffix(".json").read_text())
    assert record["motifs"] == [*FAMILIES, "background"]
    assert len(FAMILIES) == builtin.FAMILIES


@shipped
def test_the_shipped_weights_know_their_motifs() -> None:
    """Large, upright, on grey, never seen: most are named right."""
    network = builtin.build()
    network.load_state_dict({name: part.float() for name, part in load_file(WEIGHTS).items()})
    pictures = []
    for name in FAMILIES:
        rgba = draw(name, 1, 2_000_000).astype(np.float32) / 255
        pictures.append(rgba[..., :3] * rgba[..., 3:] + 0.5 * (1 - rgba[..., 3:]))
    x = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
    x = nn.functional.interpolate(x, (80, 80), mode="area")
    with torch.no_grad():
        scores = network(train_builtin.normalised(x))[:, :-1, 1:-1, 1:-1].mean((2, 3))
    right = (scores.argmax(1) == torch.arange(len(FAMILIES))).float().mean()
    assert right > 0.6


@pytest.fixture
def options(tmp_path: Path) -> argparse.Namespace:
    """A training too short to learn much, on a bank of one individual per family."""
    shape = (len(NAMES), SPECIES, 1, canvas.SIZE, canvas.SIZE, 4)
    for file in ("bank.npy", "held_out.npy"):
        sprites = np.lib.format.open_memmap(tmp_path / file, "w+", np.uint8, shape)
        for family, name in enumerate(NAMES):
            sprites[family] = draw(name, 0, 0)
    short = (
        "--steps 40 --plain 28 --large 36 --batch 8 --size 48 --lr 0.02"
        " --every 7 --workers 0 --judge 64 --device cpu"
    )
    return train_builtin.parsed(
        [*short.split(), "--work", str(tmp_path), "--out", str(tmp_path / "box.safetensors")]
    )


def test_a_short_training_learns_resumes_and_exports(options: argparse.Namespace, tmp_path: Path) -> None:
    options.steps = 28
    train_builtin.train(options)
    options.steps = 40
    train_builtin.train(options)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [7, 14, 21, 28, 40]
    assert lines[3]["loss"] < lines[0]["loss"] - 1
    train_builtin.export(options)
    record = json.loads((tmp_path / "box.json").read_text())
    assert record["steps_done"] == 40
    assert 0 <= record["accuracy_held_out_fgsm"] <= 1
    builtin.build().load_state_dict(
        {k: v.float() for k, v in load_file(tmp_path / "box.safetensors").items()}
    )


def test_a_push_stays_within_reach_and_climbs() -> None:
    generator = torch.Generator().manual_seed(0)
    x, reach = torch.rand(4, 3, 16, 16), torch.tensor([0.0, 0.5, 1.0, 2.0]).view(-1, 1, 1, 1)
    delta = train_builtin.random_start(x, reach, generator)
    gradient = torch.randn(x.shape, generator=generator)
    for _ in range(3):
        before = (delta * gradient).sum((1, 2, 3))
        delta = train_builtin.climbed(delta, gradient, reach)
        assert (train_builtin.length(delta) <= reach + 1e-5).all()
        assert ((delta * gradient).sum((1, 2, 3)) >= before - 1e-4).all()


def test_a_stopped_training_goes_on_with_the_batch_it_had_come_to() -> None:
    options = train_builtin.parsed(["--plain", "10", "--replays", "3"])
    assert [train_builtin.step_of(n, options) for n in (0, 9, 10, 11)] == [0, 9, 10, 13]
    assert all(train_builtin.number_of(train_builtin.step_of(n, options), options) == n for n in range(30))


def test_motifs_are_offered_by_the_names_they_were_trained_by() -> None:
    trained = json.loads(WEIGHTS.with_suffix(".json").read_text())["motifs"]
    offered = CARDS["builtin"].motifs
    assert offered
    assert {name: trained.index(name) for name in offered} == offered


def test_a_motif_grows_by_its_score() -> None:
    net = zoo.load("builtin")
    (owl,) = tap.cut(net, parse_targets("motif/owl")).targets
    (pair,) = tap.cut(net, parse_targets("motif/Owl+spiral@50x50:0.5")).targets
    assert (owl.layer, owl.channels, owl.motif) == ("motif", (trained_as("owl"),), True)
    assert (pair.channels, pair.at, pair.weight) == ((trained_as("owl"), trained_as("spiral")), (50, 50), 0.5)
    look = Look(tap.cut(net, parse_targets("motif/owl")), energy, octaves=2, jitter=0)
    grey = torch.full((1, 3, 96, 96), 0.5) + 0.02 * torch.randn(1, 3, 96, 96, generator=torch.manual_seed(0))
    grown = dream(look, grey, torch.ones(1, 1, 96, 96), 6, 1.5).picture
    before, after = (float(look.cut(x)[0][:, owl.channels[0]].mean()) for x in (grey, grown))
    assert after > before + 1


def trained_as(name: str) -> int:
    return CARDS["builtin"].motifs[name]


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ("motif/owls", "Did you mean owl"),
        ("motif/owl+", "no motif ''"),
        ("motif/owl#3", "has no channels"),
    ],
)
def test_motifs_that_are_not_there_are_named(layers: str, said: str) -> None:
    with pytest.raises(TargetError, match=said):
        resolve(parse_targets(layers)[0], CARDS["builtin"])
    with pytest.raises(TargetError, match="vgg16 knows no motifs"):
        resolve(parse_targets("motif/owl")[0], CARDS["vgg16"])


def test_damaged_weights_are_told_by_their_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (WEIGHTS, WEIGHTS.with_suffix(".json")):
        (tmp_path / name.name).write_bytes(name.read_bytes())
    file = tmp_path / WEIGHTS.name
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    monkeypatch.setattr(zoo, "SHIPPED", file)
    with pytest.raises(ModelError, match=r"builtin\.safetensors is damaged: its hash"):
        zoo.load("builtin")
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ModelError, match=r"builtin\.safetensors is damaged: its hash"):
        zoo.load("builtin")
