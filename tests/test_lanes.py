"""Lanes: shots side by side are the shots one by one, whatever becomes of them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import KilledError, ShotsSource, killed_after, tiny_network
from pipeline import render
from pipeline.clip import WHOLE, Segment, Shot, Tick
from pipeline.dreamer import Dreamer
from pipeline.dreamt import Dreamt, Due
from pipeline.errors import DeviceError
from pipeline.lanes import Lockstep, begins, done_in_step
from pipeline.motion import shots_of
from pipeline.render import Film, Write
from pipeline.workdir import Workdir

Pictures = dict[int, list[bytes]]


def dreamer(lanes: int, **knobs: object) -> Dreamer:
    usual = {"layers": "soft", "octaves": 2, "iterations": 3, "jitter": 2}
    return Dreamer(network=tiny_network(), lanes=str(lanes), threads=1, **(usual | knobs))


def shots_in(source: ShotsSource, by: Dreamer) -> tuple[Shot, ...]:
    return shots_of(source, by.size, by.motion, lambda frame: None)


def rendered(
    source: ShotsSource,
    by: Dreamer,
    folder: Path,
    film: Pictures,
    shots: Sequence[Shot],
    kill_after: int = 10**9,
) -> list[Segment] | None:
    """What is done when all is; None when it was ended after so many frames, or segments."""
    tick = killed_after(kill_after)

    @contextlib.contextmanager
    def reel(first: int) -> Iterator[Write]:
        pictures: list[bytes] = []
        yield lambda picture, frame: pictures.append(picture.tobytes())
        tick()
        film[first] = pictures

    with Workdir.open(folder, {}) as work:
        try:
            render.render(Film(source, by, work, reel, tick, shots))
        except KilledError:
            return None
        return list(work.segments)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "SEGMENT", Fraction(3, 24))


@pytest.fixture
def lockstep(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU: one batch for all lanes."""
    monkeypatch.setattr(render, "_abreast", render._in_step)


def test_the_shots_found_beforehand_begin_where_cuts_are_found() -> None:
    source, by = ShotsSource([5, 1, 4, 6]), dreamer(1)
    found = shots_in(source, by)
    assert [(shot.first, shot.end) for shot in found] == [(0, 5), (5, 6), (6, 10), (10, 16)]
    assert [d.frame.index for d in by.walk(source) if d.cut] == [shot.first for shot in found]


@pytest.mark.parametrize("lanes", [2, 3, 9])
def test_a_film_in_lanes_is_the_film_in_one_to_the_bit(lanes: int, tmp_path: Path, short: None) -> None:
    source = ShotsSource([5, 1, 4, 6])
    one: Pictures = {}
    many: Pictures = {}
    done = [
        rendered(source, dreamer(1), tmp_path / "one", one, (WHOLE,)),
        rendered(source, dreamer(lanes), tmp_path / "many", many, shots_in(source, dreamer(1))),
    ]
    assert one == many
    assert done[0] == done[1]
    assert [segment.first for segment in done[1] or []] == [0, 3, 5, 6, 9, 10, 13]


def test_lanes_of_a_cpu_use_a_thread_each_and_work_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = threading.Barrier(2, timeout=30)
    by, usual = dreamer(2), Dreamer.together

    def together(self: Dreamer, frames: Sequence[Due]) -> list[Dreamt]:
        if frames[0].carried is None:  # the first frame of a shot: neither lane goes on without the other
            both.wait()
        return usual(self, frames)

    monkeypatch.setattr(Dreamer, "together", together)
    source = ShotsSource([3, 3])
    assert rendered(source, by, tmp_path / "work", {}, shots_in(source, by))


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    shots=st.lists(st.integers(1, 9), min_size=2, max_size=5),
    lanes=st.integers(2, 3),
    kills=st.lists(st.integers(0, 20), min_size=1, max_size=3),
    together=st.booleans(),
)
def test_lanes_that_were_ended_go_on_to_the_same_film(
    shots: list[int], lanes: int, kills: list[int], together: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    source, folder, by = ShotsSource(shots), tmp_path_factory.mktemp("work"), dreamer(lanes, iterations=1)
    found = shots_in(source, by)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(render, "SEGMENT", Fraction(3, 24))
        if together:
            patch.setattr(render, "_abreast", render._in_step)
        undisturbed: Pictures = {}
        assert rendered(source, by, folder / "whole", undisturbed, found)
        film: Pictures = {}
        done = [rendered(source, by, folder / "killed", film, found, kill) for kill in (*kills, 10**9)][-1]
    assert done is not None
    assert [segment.first for segment in done] == [0, *(segment.end for segment in done[:-1])]
    assert film == undisturbed
    assert not any(thread.name.startswith(("lane", "read-ahead")) for thread in threading.enumerate())


@pytest.mark.parametrize("kill", [7, 11, 16, 21])
def test_lanes_in_step_that_were_ended_dream_the_same_batches(
    kill: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lockstep: None, short: None
) -> None:
    """To the last bit a frame depends on the batch it is in, on a GPU."""
    usual, batches = Dreamer.together, []

    def together(self: Dreamer, frames: Sequence[Due]) -> list[Dreamt]:
        batches.append(tuple(due.tick.frame.index for due in frames))
        return usual(self, frames)

    source, by = ShotsSource([9, 2, 5, 7]), dreamer(2, iterations=1)
    found = shots_in(source, by)
    monkeypatch.setattr(Dreamer, "together", together)
    rendered(source, by, tmp_path / "whole", {}, found)
    undisturbed = set(batches)
    rendered(source, by, tmp_path / "killed", {}, found, kill)
    batches.clear()
    assert rendered(source, by, tmp_path / "killed", {}, found)
    assert set(batches) <= undisturbed


def test_in_lockstep_a_lane_dreams_what_it_dreams_alone(tmp_path: Path, short: None, lockstep: None) -> None:
    """A batch may differ in the last bits; one lane that leaked into another would differ in the first."""
    source = ShotsSource([5, 2, 4])
    one: Pictures = {}
    many: Pictures = {}
    rendered(source, dreamer(1), tmp_path / "one", one, (WHOLE,))
    rendered(source, dreamer(3), tmp_path / "many", many, shots_in(source, dreamer(1)))
    joined = [
        np.frombuffer(b"".join(b"".join(film[first]) for first in sorted(film)), np.uint8).astype(float)
        for film in (one, many)
    ]
    assert abs(joined[0] - joined[1]).mean() < 0.02


def test_a_batch_of_frames_is_the_frames() -> None:
    source, by = ShotsSource([3, 3, 3]), dreamer(3)
    walks = [list(by.walk(source, shot=shot)) for shot in shots_in(source, by)]
    frames = [
        [
            Due(Tick(walk[k].frame, walk[k].flow), walk[k - 1].carried if k else None, source.clip)
            for walk in walks
        ]
        for k in (0, 1, 2)
    ]
    for row, alone in zip(frames, zip(*walks, strict=True), strict=True):
        for mine, own in zip(by.together(row), alone, strict=True):
            assert (mine.steps, mine.frame.index) == (own.steps, own.frame.index)
            assert float((mine.carried.dream - own.carried.dream).abs().max()) < 1e-3


def test_an_error_in_one_lane_ends_them_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for way in (render._abreast, render._in_step):
        monkeypatch.setattr(render, "_abreast", way)
        source, by = ShotsSource([9, 9, 9]), dreamer(3)

        @contextlib.contextmanager
        def reel(first: int) -> Iterator[Write]:
            if first == 9:
                raise OSError("disk full")
            yield lambda picture, frame: None

        with Workdir.open(tmp_path / way.__name__, {}) as work, pytest.raises(OSError, match="disk full"):
            render.render(Film(source, by, work, reel, lambda dreamt: None, shots_in(source, by)))
        assert not any(thread.name.startswith(("lane", "read-ahead")) for thread in threading.enumerate())


def test_lanes_that_memory_cannot_hold_are_halved_and_no_frame_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lockstep: None, short: None
) -> None:
    source, by = ShotsSource([4, 4, 4, 4]), dreamer(4)
    usual: Callable[[Dreamer, Sequence[Due]], list[Dreamt]] = Dreamer._batch
    sizes = []

    def batch(self: Dreamer, frames: Sequence[Due]) -> list[Dreamt]:
        sizes.append(len(frames))
        if len(frames) > 2:
            raise DeviceError("Out of memory")
        return usual(self, frames)

    monkeypatch.setattr(Dreamer, "_batch", batch)
    film: Pictures = {}
    done = rendered(source, by, tmp_path / "work", film, shots_in(source, by))
    assert sum(segment.end - segment.first for segment in done or []) == 16
    assert sizes[:3] == [4, 2, 2]
    assert max(sizes[1:]) == 2, "it does not try again what failed"
    assert by.notes == ["The memory was too small for 4 lanes: 2 were dreamed at once."]


def test_a_frame_that_memory_cannot_hold_is_dreamed_in_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    usual: Callable[[Dreamer, Sequence[Due]], list[Dreamt]] = Dreamer._batch

    def batch(self: Dreamer, frames: Sequence[Due]) -> list[Dreamt]:
        if self.look.tile != 512:
            raise DeviceError("Out of memory")
        return usual(self, frames)

    monkeypatch.setattr(Dreamer, "_batch", batch)
    by = dreamer(1)
    assert len(list(by.walk(ShotsSource([2])))) == 2
    assert by.notes == ["The memory was too small: pictures were dreamed in tiles of 512 pixels."]


def test_one_frame_that_memory_cannot_hold_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def batch(self: Dreamer, frames: Sequence[Due]) -> list[Dreamt]:
        raise DeviceError("Out of memory")

    monkeypatch.setattr(Dreamer, "_batch", batch)
    with pytest.raises(DeviceError):
        next(dreamer(2).walk(ShotsSource([2])))


def test_a_lane_that_ends_takes_the_next_shot() -> None:
    shots = [Shot(0, 5), Shot(5, 7), Shot(7, 8), Shot(8, 20)]
    assert begins(shots, 2) == [0, 0, 2, 3]
    assert begins(shots, 1) == [0, 5, 7, 8]


def test_lanes_in_step_restart_where_all_had_been() -> None:
    shots, every = [Shot(0, 8), Shot(8, 10), Shot(10, 20)], 4
    begun = begins(shots, 2)  # 0, 0, 2
    first, short_one, second = Segment(0, 4, 0, 3), Segment(8, 10, 8, 9), Segment(10, 12, 10, 11)
    ahead = Segment(4, 8, 4, 7)
    assert done_in_step(shots, begun, [first, short_one, second], every) == [first, short_one, second]
    assert done_in_step(shots, begun, [first, ahead, short_one, second], every) == [first, short_one, second]
    assert done_in_step(shots, begun, [first, ahead, short_one], every) == []
    assert done_in_step(shots, begun, [], every) == []


def test_lockstep_asks_for_all_lanes_at_once_and_in_order_of_their_shots() -> None:
    asked: list[list[str]] = []

    def together(what: Sequence[str]) -> list[str]:
        asked.append(list(what))
        return [word.upper() for word in what]

    step: Lockstep[str, str] = Lockstep(together, 2, 3)
    lengths = {0: 3, 1: 1, 2: 1}

    def chain(order: int) -> None:
        for k in range(lengths[order]):
            assert step.ask(order, f"{order}{k}") == f"{order}{k}"
        step.end()

    lanes = [threading.Thread(target=lambda: chain(0)), threading.Thread(target=lambda: (chain(1), chain(2)))]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join(30)
    assert asked == [["00", "10"], ["01", "20"], ["02"]]
