"""Targets and programmes: what is dreamed, as text: classes, ranks, masks, keys and cycles, and what is wrong."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from conftest import tiny_network
from pipeline.clip import Size
from pipeline.errors import ScheduleError, TargetError
from pipeline.net import tap, zoo
from pipeline.net.cards import CARDS, Card
from pipeline.net.programme import Programme
from pipeline.net.tap import Network
from pipeline.net.targets import parse_targets, resolve


def test_a_target_says_rank_class_and_mask() -> None:
    first, second, third = parse_targets("a#strongest3[!sky]:-.5, b#Weakest, class/Egyptian cat:0.4")
    assert (first.rank, first.count, first.mask, first.beyond, first.weight) == (
        "strongest",
        3,
        "sky",
        True,
        -0.5,
    )
    assert (second.rank, second.count, second.channels) == ("weakest", 1, ())
    assert (third.classes, third.weight) == ("Egyptian cat", 0.4)


@pytest.mark.parametrize(
    ("text", "at", "expected"),
    [
        ("a#strongets2", 2, "Did you mean strongest"),
        ("a#strongest0", 2, "channel numbers"),
        ("b, a[]", 5, "name of a --mask"),
        ("a[!]", 2, "name of a --mask"),
        ("a[sky", 0, "a target is"),
        ("a[sky]#3", 0, "a target is"),
        ("class/lion#3", 11, "a class has no channels"),
        ("motif/owl#3", 10, "a motif has no channels"),
    ],
)
def test_a_target_that_cannot_be_read_is_pointed_at(text: str, at: int, expected: str) -> None:
    with pytest.raises(TargetError) as refused:
        parse_targets(text)
    problem, shown, caret = str(refused.value).split("\n")
    assert expected in problem
    assert shown == f"  {text}"
    assert caret.index("^") == at + 2


# Classes


def test_a_class_is_a_row_of_the_networks_scores() -> None:
    cut = tap.cut(tiny_network(), parse_targets("class/3, deep"))
    assert cut.targets[0].channels == (3,)
    assert [maps.shape[1] for maps in cut(torch.rand(1, 3, 40, 52))] == [16, 16]


@pytest.mark.parametrize("name", ["squeezenet1_1", "resnet18"])
def test_a_class_is_known_by_name_at_any_size_whatever_the_classifier(name: str) -> None:
    """One ends in a map of scores, whose mean they are, the other in scores."""
    torch.manual_seed(0)
    module = zoo.build(name)
    network = Network(CARDS.get(name, Card(name, "", 0, 0, 1)), module, "", "")
    cut = tap.cut(network, parse_targets("class/Egyptian-cat"))
    assert cut.targets[0].channels == (285,)
    picture = torch.rand(2, 3, 72, 100)
    mean, std = torch.tensor(network.card.mean).view(3, 1, 1), torch.tensor(network.card.std).view(3, 1, 1)
    scores = module((picture - mean) / std)
    if name == "squeezenet1_1":  # its ReLU, which would stop a climb from nothing, is left out
        module.classifier[2] = nn.Identity()
        scores = module((picture - mean) / std)
    assert torch.allclose(cut(picture)[0].mean((2, 3)), scores, atol=1e-4)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("class/lionn", "Did you mean lion"),
        ("class/cat", "There are .*tiger cat"),
        ("class/1000", "knows 1000 classes, 0 to 999"),
        ("class/!", "expected a layer"),
    ],
)
def test_a_class_that_is_not_there_is_told_with_close_names(text: str, problem: str) -> None:
    torch.manual_seed(0)
    network = Network(CARDS["squeezenet1_1"], zoo.build("squeezenet1_1"), "", "")
    with pytest.raises(TargetError, match=problem):
        tap.cut(network, parse_targets(text))


def test_other_classes_than_imagenets_go_by_number_and_the_box_has_motifs() -> None:
    with pytest.raises(TargetError, match=r"names of these 16 classes .*class/0 to class/15"):
        tap.cut(tiny_network(), parse_targets("class/lion"))
    with pytest.raises(TargetError, match="Did you mean motif/owl"):
        resolve(parse_targets("class/owl")[0], CARDS["builtin"])


def test_more_of_a_rank_than_there_are_channels_are_refused() -> None:
    with pytest.raises(TargetError, match="16 channels: there are no 17 strongest"):
        tap.cut(tiny_network(), parse_targets("deep#strongest17"))


# Programmes


def at(text: str, frame: float, rate: float | None = 24) -> dict[str, float]:
    programme = Programme.parse(text)
    weights = programme.at(frame, frame / 24, rate)
    return {t.layer: w for t, w in zip(programme.targets, weights, strict=True) if w}


def test_layers_are_mixed_from_key_to_key() -> None:
    text = "0:(a), 10:(b:0.5, a:0.2)"
    assert at(text, 0) == {"a": 1.0}
    assert at(text, 5) == pytest.approx({"a": 0.6, "b": 0.25})
    assert at(text, 99) == {"a": 0.2, "b": 0.5}


def test_keys_are_at_frames_or_seconds_and_leave_as_their_word_says() -> None:
    assert at("0s:(a), 1s:(b)", 12) == pytest.approx({"a": 0.5, "b": 0.5})
    assert at("0:(a), 1s:(b), 48:(c)", 36) == pytest.approx({"b": 0.5, "c": 0.5})
    assert at("0:(a) hold, 10:(b)", 9) == {"a": 1.0}
    assert at("0:(a) ease-in, 10:(b)", 5) == pytest.approx({"a": 0.75, "b": 0.25})
    with pytest.raises(ScheduleError, match="frame rate is not known"):
        at("0:(a), 1s:(b), 48:(c)", 36, None)


def test_a_cycle_takes_another_layer_every_frame_and_starts_again() -> None:
    assert [next(iter(at("cycle(a; b; c:0.5)", frame))) for frame in range(7)] == list("abcabca")
    assert [next(iter(at("cycle 2(a; b)", frame))) for frame in range(6)] == list("aabbaa")
    assert [next(iter(at("cycle 0.25s(a; b)", frame))) for frame in (0, 5, 6, 12)] == list("aaba")


@pytest.mark.parametrize(
    ("marked", "problem"),
    [
        ("0:(a), ^60(b)", "Expected a key"),
        ("0:(a), ^60:b", "Expected a key"),
        ("0:(a) ^slow, 60:(b)", "how it is left.*ease"),
        ("0:(a) ^ease-inn, 60:(b)", "Did you mean ease-in"),
        ("0:(a), ^0:(b)", "already"),
        ("^cycle a; b", "Expected a cycle"),
        ("cycle ^0(a; b)", "longer than nothing"),
    ],
)
def test_a_programme_that_cannot_be_read_is_pointed_at(marked: str, problem: str) -> None:
    place = marked.index("^")
    with pytest.raises(ScheduleError, match=problem) as refused:
        Programme.parse(marked.replace("^", ""))
    assert refused.value.at == place


@given(st.text(alphabet=st.sampled_from("ab01.:;,()#[]!s cyle-"), max_size=30))
def test_no_text_ends_in_anything_but_a_programme_or_an_error_of_ours(text: str) -> None:
    for written in (text, f"cycle {text}", f"0:(a){text}"):
        try:
            programme = Programme.parse(written)
        except (TargetError, ScheduleError):
            continue
        for frame in (0, 3, 1e6):
            assert all(math.isfinite(weight) for weight in programme.at(frame, frame / 24, 24))


def test_real_weights_dream_a_class_that_they_then_see(shared_data: Path) -> None:
    from pipeline.dreamer import Dreamer
    from pipeline.stages import stills

    weights = shared_data / "weights" / "squeezenet1_0_imagenet.safetensors"
    sky = stills.resized(stills.read(shared_data / "stills" / "sky1024px.jpg"), Size(160, 200))
    dreamer = Dreamer(
        model="squeezenet1_0", weights=str(weights), layers="class/lion", octaves=2, iterations=8, threads=1
    )
    network = zoo.load("squeezenet1_0", weights)
    whole = tap.cut(network, parse_targets("class/lion"))
    before, after = (
        float(whole(torch.from_numpy(p.copy()).permute(2, 0, 1)[None] / 255)[0][0, 291].mean())
        for p in (sky, dreamer.step(sky))
    )
    assert after > before + 10
