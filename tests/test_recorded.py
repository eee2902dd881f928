"""Recorded: a stand-in for CUDA graphs, which no CPU has: it plays into the same tensors each time, as they do."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from conftest import texture, tiny_network
from pipeline.net import tap
from pipeline.net.moment import Moment
from pipeline.net.targets import parse_targets
from pipeline.ops import recorded
from pipeline.ops.objectives import energy
from pipeline.ops.recorded import Compute, Recorder, _Recording
from pipeline.stages.dream import Look, dream


def look(layers: str = "soft, deep:0.5", **changes: object) -> Look:
    return replace(
        Look(tap.cut(tiny_network(), parse_targets(layers)), energy, octaves=3, jitter=8), **changes
    )


def pictures(lanes: int = 2) -> Tensor:
    return torch.stack([torch.from_numpy(texture(72, 96, k)).permute(2, 0, 1) for k in range(lanes)]) / 255


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The shapes that were played."""
    shapes: list[tuple[int, ...]] = []

    def stand_in(compute: Compute, picture: Tensor) -> _Recording:
        given = torch.full_like(picture, torch.nan)
        made = {number: torch.empty_like(tensor) for number, tensor in compute(picture).items()}

        def play() -> None:
            shapes.append(tuple(given.shape))
            for number, tensor in compute(given).items():
                made[number].copy_(tensor)

        given.copy_(picture)
        return _Recording(given, made, play)

    monkeypatch.setattr(recorded, "recorded", stand_in)
    return shapes


def owed(lanes: int = 2) -> Tensor:
    return torch.ones(lanes, 1, 72, 96) * torch.tensor([1.0, 0.4])[:lanes].view(-1, 1, 1, 1)


@pytest.mark.parametrize("tile", [0, 24])
@pytest.mark.parametrize("layers", ["deep", "soft, deep:0.5"])
def test_a_dream_that_is_played_is_the_dream(layers: str, tile: int, played: list[tuple[int, ...]]) -> None:
    said: list[str] = []
    own = look(layers, tile=tile)
    plain = dream(own, pictures(), owed(), 4, 1.5)
    again = dream(replace(own, record=Recorder(said.append)), pictures(), owed(), 4, 1.5)
    assert torch.equal(plain.picture, again.picture)
    assert len(played) > len(set(played)) >= 3, "one record for each shape, played over and over"
    assert said == []


@pytest.mark.parametrize(
    "changes",
    [
        {"now": Moment(weights=torch.tensor([[1.0, 0.5]]))},
        {"now": Moment(guides=(torch.rand(1, 16, 5), None))},
        {"callback": lambda maps: maps[0].flatten(1).mean(1)},
    ],
)
def test_what_changes_from_frame_to_frame_is_not_recorded(
    changes: dict[str, object], played: list[tuple[int, ...]]
) -> None:
    own = look("mid, deep", record=Recorder(print), **changes)
    dream(own, pictures(1), owed(1), 2, 1.5)
    assert played == []


def test_what_is_at_a_place_or_of_a_rank_is_not_recorded(played: list[tuple[int, ...]]) -> None:
    for layers in ("deep@50x50", "deep#strongest2"):
        dream(look(layers, record=Recorder(print)), pictures(1), owed(1), 2, 1.5)
    assert played == []


def test_what_plays_something_else_is_computed(
    monkeypatch: pytest.MonkeyPatch, played: list[tuple[int, ...]]
) -> None:
    usual, said = recorded.recorded, list[str]()

    def wrong(compute: Compute, picture: Tensor) -> _Recording:
        recording = usual(compute, picture)

        def play() -> None:
            recording.play()
            recording.made[0] *= 1.1

        return replace(recording, play=play)

    monkeypatch.setattr(recorded, "recorded", wrong)
    own = look()
    plain = dream(own, pictures(), owed(), 3, 1.5)
    again = dream(replace(own, record=Recorder(said.append)), pictures(), owed(), 3, 1.5)
    assert torch.equal(plain.picture, again.picture)
    assert len(said) == 1
    assert "played something else than was computed" in said[0]


@pytest.mark.skipif(torch.cuda.is_available(), reason="here it can be")
def test_where_nothing_can_be_recorded_all_is_computed() -> None:
    """Really so here: without a GPU there is no stream to record."""
    said: list[str] = []
    own = look()
    again = dream(replace(own, record=Recorder(said.append)), pictures(), owed(), 3, 1.5)
    assert torch.equal(dream(own, pictures(), owed(), 3, 1.5).picture, again.picture)
    assert len(said) == 1
    assert "could not be recorded" in said[0]


def test_records_that_are_too_many_are_let_go(
    played: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorded, "MOST", 2)
    recorder = Recorder(print)
    for side in (4, 5, 6, 4):
        x = torch.rand(1, 3, side, side)
        assert torch.equal(recorder("double", lambda given: {0: 2 * given}, x)[0], 2 * x)
    assert len(recorder._recordings) == 2


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_plays_what_it_computed() -> None:
    said: list[str] = []
    own = look()
    own = replace(own, cut=own.cut.on(torch.device("cuda"), torch.float32))
    x, climb = pictures().cuda(), owed().cuda()
    plain = dream(own, x, climb, 4, 1.5)
    again = dream(replace(own, record=Recorder(said.append)), x, climb, 4, 1.5)
    assert said == []
    assert float((plain.picture - again.picture).abs().mean()) < 1e-3
