"""The dream holds still at full strength: the gates on small clips whose motion is known, and what they cannot see.

A network that learned nothing dreams in every test; where the test data is there, one that sees does too.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest

from conftest import texture, tiny_network
from pipeline import metrics
from pipeline.clip import Flow, Picture, Size
from pipeline.net import zoo
from pipeline.render import Dreamer, Dreamt
from pipeline.scene import demo_scene

SCRIPTS = Path(__file__).parents[1] / "scripts"
sys.path.insert(0, str(SCRIPTS))

from bench_steady import Result, judged, measure  # noqa: E402  (scripts are no package)
from steady_ways import KNOBS, WAYS, Film, Playing  # noqa: E402

SIZE, FRAMES = Size(120, 160), 16
RATES = {"slow": 8, "fast": 12}  # the front moves by 2 and by 7 to 14 pixels a frame
RANDOM = partial(Dreamer, network=tiny_network(), layers="deep", threads=2, **KNOBS)


@cache
def film(name: str) -> Film:
    return Film(name, demo_scene(SIZE, RATES[name], FRAMES / RATES[name], name), calm=name == "slow")


@cache
def by_chance(name: str, way: str) -> Result:
    """A way of dreaming a film with a network of random weights."""
    return measure(film(name), WAYS[way], RANDOM)


def missed(way: str, results: Callable[[str], Result], of: Film) -> dict[str, float]:
    """The measures that miss their gates."""
    figures = judged(results(way), results("independent").table, of, exact=way.endswith("exact"))
    return {word: figure.value for word, figure in figures.items() if not figure.passes}


@pytest.mark.parametrize("name", ["slow", "fast"])
def test_every_gate_is_met_where_motion_is_known(name: str) -> None:
    assert missed("ours, exact", partial(by_chance, name), film(name)) == {}


def test_measured_motion_holds_as_still() -> None:
    missing = missed("ours", partial(by_chance, "slow"), film("slow"))
    assert missing.pop("G", 1) > 0.9
    assert missing == {}


def test_every_gate_is_met_by_a_network_that_sees(shared_data: Path) -> None:
    network = zoo.load("squeezenet1_0", shared_data / "weights" / "squeezenet1_0_imagenet.safetensors")
    make = partial(Dreamer, network=network, layers="features.9", threads=2, **KNOBS)
    results = {way: measure(film("fast"), WAYS[way], make) for way in ("independent", "ours")}
    assert missed("ours", results.__getitem__, film("fast")) == {}


@pytest.mark.parametrize(("way", "fault"), [("carry 1.0", {"A", "drift", "clip"}), ("blend .5", {"F1", "A"})])
def test_the_peers_ways_miss_the_gates_they_are_known_to_miss(way: str, fault: set[str]) -> None:
    assert missed(way, partial(by_chance, "slow"), film("slow")).keys() > fault


def walk(pictures: list[Picture], **knobs: object) -> list[Dreamt]:
    return list(RANDOM(**knobs).walk(Playing(pictures, Fraction(24))))


def strengths(pictures: list[Picture], **knobs: object) -> np.ndarray:
    return np.array([dreamt.rms for dreamt in walk(pictures, **knobs)])


def moving(frames: int) -> list[Picture]:
    scene = demo_scene(SIZE, 8, frames / 8, "slow")
    return [scene.picture(index) for index in range(frames)]


def test_what_comes_into_view_carries_nothing_of_what_hid_it() -> None:
    clip, ghosts = film("fast"), []
    dreams = [dreamt.dream for dreamt in RANDOM().walk(clip.source(exact=True))]
    for index in range(1, FRAMES):
        flow = clip.flows[index][1]
        behind = (flow.trust == 0) & (clip.scene.covered(index) < 0.01)
        uncovered = Flow(flow.backward, behind.astype(np.float32))
        ghosts.append(metrics.flicker(dreams[index], dreams[index - 1], uncovered))
    assert metrics.mean(ghosts) > 0.6


def test_a_shot_opens_at_full_strength() -> None:
    found = strengths(moving(24))
    assert found[0] == pytest.approx(found[8:].mean(), rel=0.1)


def test_what_stands_still_does_not_brew_up() -> None:
    dreamt = walk([texture(*SIZE)] * 60)
    first, last = (
        metrics.clipped(d.frame.picture / np.float32(255) + d.dream) for d in (dreamt[0], dreamt[-1])
    )
    assert dreamt[-1].rms < 1.2 * dreamt[0].rms
    assert metrics.drift([d.rms for d in dreamt]) < 1.2
    assert last < first + 0.01


def test_a_fade_in_from_black_reaches_its_plateau() -> None:
    lit = moving(36)
    faded = [np.rint(picture * min(1, index / 12)).astype(np.uint8) for index, picture in enumerate(lit)]
    found = strengths(faded)
    assert np.isfinite(found).all()
    assert found[-4:].mean() > 0.85 * strengths(lit)[-4:].mean()


@pytest.mark.parametrize(("start", "end"), [(0.75, 3), (3, 0.75)])
def test_a_scheduled_step_gets_the_strength_it_asks_for(start: float, end: float) -> None:
    pictures = moving(32)
    found = strengths(pictures, step=f"0:({start}), 16:({end})")[-1]
    assert found > 0.9 * strengths(pictures[-1:], step=end)[0]


@pytest.mark.parametrize(
    "knobs",
    [
        {"steadiness": "0:(0.5), 12:(0.95)"},
        {"steadiness": "0:(0.95), 12:(0.5)"},
        {"iterations": "0:(6), 12:(12)"},
        {"iterations": "0:(12), 12:(6)"},
    ],
)
def test_a_schedule_changes_the_dream_without_a_jump(knobs: dict[str, object]) -> None:
    found = strengths(moving(14), **knobs)
    assert np.abs(np.diff(np.log(found))).max() < 0.15


def test_black_dreams_of_something_or_nothing_but_never_of_nan() -> None:
    black = np.zeros((*SIZE, 3), np.uint8)
    dreamt = walk([black] * 3 + [texture(*SIZE)] + [black] * 2)
    assert all(np.isfinite(d.dream).all() for d in dreamt)


def test_the_benchmark_runs_and_says_what_fails(random_weights: Path, tmp_path: Path) -> None:
    command = [
        sys.executable, str(SCRIPTS / "bench_steady.py"), "--model", "squeezenet1_1", "--weights", random_weights,
        "--layers", "features.3", "--clips", "slow", "--size", "64x48", "--frames", "4", "--ways", "carry 1.0;ours",
        "--json", tmp_path / "steady.json", "--sheet", tmp_path / "steady.png",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    numbers = json.loads((tmp_path / "steady.json").read_text(encoding="utf-8"))["slow"]
    rows = {line.split("  ")[0]: line for line in done.stdout.splitlines()}
    assert done.returncode == (1 if rows["ours"].endswith("FAIL") else 0), done.stderr
    assert numbers["independent"]["judged"]["cost"] == {"value": 1.0, "low": 0, "high": 0.2, "passes": False}
    assert "1.000!" in rows["independent"]
    assert set(numbers) == {"independent", "carry 1.0", "ours"}
    assert (tmp_path / "steady.png").stat().st_size > 10_000
