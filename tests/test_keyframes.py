"""Keyframes: the stretches of a long shot side by side are the shot, and no seam shows between them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import KilledError, ShotsSource, killed_after, texture, tiny_network
from pipeline import device, metrics, render
from pipeline.clip import Clip, Flow, Frame, Shot, Size, Tick
from pipeline.dreamer import Dreamer
from pipeline.dreamt import Dreamt, Due
from pipeline.keyframes import FADES, LEAN, Keyframes
from pipeline.motion import Motion, ticks
from pipeline.render import Write
from pipeline.scene import demo_scene
from pipeline.settings import Settings
from pipeline.stages import flow
from pipeline.stages.carry import Ahead, Carried, lay
from pipeline.workdir import Workdir

CLIP = Clip("memory", Size(4, 4), Fraction(1, 24), Fraction(24), 999)


def dreamer(every: int, lanes: int, **knobs: object) -> Dreamer:
    usual = {"layers": "soft", "octaves": 2, "iterations": 2, "jitter": 2}
    told = {"keyframes": str(every) if every else "off", "lanes": str(lanes), "threads": 1}
    return Dreamer(network=tiny_network(), **(usual | told | knobs))


class Ledger:
    """Stands in for a dreamer, and writes down what each frame is dreamed on."""

    def __init__(self) -> None:
        self.batches: list[list[Due]] = []
        self.on: dict[int, int | None] = {}
        self.to: dict[int, int] = {}

    def __call__(self, frames: Sequence[Due]) -> list[Dreamt]:
        self.batches.append(list(frames))
        given = []
        for due in frames:
            index = due.tick.frame.index
            assert index not in self.on, "dreamed twice"
            self.on[index] = None if due.carried is None else int(due.carried.effort)
            if due.key:
                self.to[index] = int(due.key.carried.effort)
            left = Carried(torch.zeros(1, 3, 4, 4), torch.zeros(1), torch.tensor(float(index)))
            given.append(Dreamt(due.tick.frame, due.tick.frame.picture, left, due.tick.flow, 1, 1, 0))
        return given


def moving(shot: Shot, begin: int) -> Iterator[Tick]:
    """Everything moves by a pixel to the right, in every frame."""
    back, on = (Flow(np.full((4, 4, 2), way, np.float32), np.ones((4, 4), np.float32)) for way in (-1, 1))
    for index in range(begin, shot.end or 0):
        frame = Frame(index, index, Fraction(index, 24), np.zeros((4, 4, 3), np.uint8))
        yield Tick(frame, Flow.none(Size(4, 4)) if index == shot.first else replace(back, onward=on))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    first=st.integers(0, 30),
    length=st.integers(1, 60),
    every=st.integers(2, 9),
    lanes=st.integers(1, 4),
    windows=st.integers(0, 3),
)
def test_every_frame_is_dreamed_once_on_what_the_plan_says(
    first: int, length: int, every: int, lanes: int, windows: int
) -> None:
    shot, keyed, ledger = Shot(first, first + length), Keyframes(every, lanes), Ledger()
    begin, carried = first, None
    if 0 < windows * every * lanes < length:  # as after an interruption
        begin = first + windows * every * lanes + 1
        carried = Carried(torch.zeros(1, 3, 4, 4), torch.zeros(1), torch.tensor(begin - 1.0))
    given = list(keyed.walk(moving(shot, begin), carried, CLIP, shot, ledger))
    assert [dreamt.frame.index for dreamt in given] == list(range(begin, first + length))
    keys = range(first, first + length, every)
    for index, on in ledger.on.items():
        if index == first:
            assert on is None
        elif index in keys:
            assert on == index - every
        else:
            assert on == index - 1
            upcoming = min((key for key in keys if key > index), default=None)
            assert ledger.to.get(index) == upcoming
    for batch in ledger.batches:
        assert len({due.tick.frame.index % every for due in batch}) == 1
        assert all(
            (due.fades == FADES) == (due.tick.frame.index in keys and due.carried is not None)
            for due in batch
        )
    assert all(dreamt.flow.backward.max() <= 0 and dreamt.flow.backward.min() >= -1 for dreamt in given)


def test_the_way_to_a_keyframe_is_made_of_the_ways_between() -> None:
    shot, ledger = Shot(0, 9), Ledger()
    list(Keyframes(8, 2).walk(moving(shot, 0), None, CLIP, shot, ledger))
    dues = {due.tick.frame.index: due for batch in ledger.batches for due in batch}
    assert dues[8].tick.flow.backward[..., 0] == pytest.approx(-8)
    for index in range(1, 8):
        key = dues[index].key
        assert key is not None
        assert key.flow.backward[..., 0] == pytest.approx(8 - index)
        assert key.weight == pytest.approx(LEAN / (8 - index + 1))


def test_a_long_way_is_found_better_by_many_short_ones() -> None:
    scene = demo_scene(Size(120, 160), 8, 9 / 8, "slow")
    views = [flow.luma(scene.picture(index), scene.size) for index in range(9)]
    steps = [flow.measure(now, before, onward=True) for before, now in pairwise(views)]
    back, on = steps[0], steps[-1].onward
    assert on is not None
    for step in steps[1:]:
        back = flow.along(step, back)
    for step in steps[-2::-1]:
        assert step.onward is not None
        on = flow.along(step.onward, on)

    def error(found: Flow, known: Flow) -> float:
        off = np.linalg.norm(found.backward - known.backward, axis=-1)
        return float(off[(known.trust > 0) & (found.trust > 0.5)].mean())

    for found, known, direct in (
        (back, scene.flow(8, 0), flow.measure(views[8], views[0])),
        (on, scene.flow(0, 8), flow.measure(views[0], views[8])),
    ):
        assert error(found, known) < 0.5
        assert error(found, known) < 1.1 * error(direct, known)
        assert found.trust.mean() > 0.5


def test_between_two_keyframes_a_pixel_believes_the_one_it_can_trust() -> None:
    source, still = torch.full((1, 3, 8, 8), 0.5), torch.zeros(1, 2, 8, 8)
    ones = torch.ones(1, 1, 1, 1)
    before, after = (Carried(torch.full((1, 3, 8, 8), value), ones, ones) for value in (0.1, 0.2))
    near, far = torch.ones(1, 1, 8, 8), torch.ones(1, 1, 8, 8)
    near[..., :3], far[..., 5:] = 0, 0
    ahead = Ahead(after, still, far, torch.full((1, 1, 1, 1), 0.25))
    seed, owed = lay(source, before, still, near, 0.8, 255.0, 4, ahead)
    laid = (seed - source)[0, 0, 0] / 0.8
    assert laid[:3].tolist() == pytest.approx([0.2] * 3)
    assert laid[3:5].tolist() == pytest.approx([0.75 * 0.1 + 0.25 * 0.2] * 2)
    assert laid[5:].tolist() == pytest.approx([0.1] * 3)
    assert owed.unique().tolist() == pytest.approx([0.2])


def rendered(
    folder: Path, by: Dreamer, source: ShotsSource, shots: Sequence[Shot], kill: int = 10**9
) -> dict[int, bytes]:
    shown: dict[int, bytes] = {}
    with Workdir.open(folder, {}) as work, contextlib.suppress(KilledError):
        render.render(filmed(work, by, source, shots, shown, kill))
    return shown


def filmed(
    work: Workdir,
    by: Dreamer,
    source: ShotsSource,
    shots: Sequence[Shot],
    shown: dict[int, bytes],
    kill: int = 10**9,
) -> render.Film:
    @contextlib.contextmanager
    def reel(first: int) -> Iterator[Write]:
        yield lambda picture, frame: shown.update({frame.index: picture.tobytes()})

    return render.Film(source, by, work, reel, killed_after(kill), shots)


def test_keyframes_go_ahead_and_whoever_dreams_what_lies_between_makes_the_same_film(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, shots, folder = ShotsSource([3, 28]), [Shot(0, 3), Shot(3, 31)], tmp_path / "shared"
    whole = rendered(tmp_path / "whole", dreamer(3, 2), source, shots)
    by, shown, shot = dreamer(3, 2), dict[int, bytes](), shots[1]
    keyed = by.keyframes
    assert keyed is not None
    windows = keyed.windows(shot)
    assert windows == [Shot(3, 10), Shot(10, 16), Shot(16, 22), Shot(22, 28), Shot(28, 31)]
    Workdir.begin(folder, {}, lambda: shots)

    def go_ahead() -> None:
        with Workdir.shared(folder, {}, windows) as work:
            render.dream_ahead(filmed(work, by, source, [], shown), keyed, shot, windows)

    def states() -> list[int]:
        return sorted(int(path.stem) for path in folder.glob("*.safetensors"))

    dream, kill = by.together, killed_after(5)
    with monkeypatch.context() as patch:
        patch.setattr(by, "together", lambda frames: [kill(), dream(frames)][1])
        with pytest.raises(KilledError):
            go_ahead()
    assert states() == [3, 10], "what stands of a chain that was killed is whole windows"
    dreamed: list[int] = []
    with monkeypatch.context() as patch:
        patch.setattr(
            by, "together", lambda frames: [dreamed.append(frames[0].tick.frame.index), dream(frames)][1]
        )
        go_ahead()
    assert dreamed == [18, 21, 24, 27, 30], "and is not dreamed again"
    assert not shown
    fades: set[int] = set()
    with monkeypatch.context() as patch:
        patch.setattr(by, "together", lambda dues: [fades.update(due.fades for due in dues), dream(dues)][1])
        for one in (windows[4], windows[2], windows[1]):
            with Workdir.shared(folder, {}, [one]) as work:
                render.dream_windows(filmed(work, by, source, [], shown), keyed, shot, [one])
    assert fades == {1}, "keyframes that went ahead are shown, not dreamed"
    assert states() == [3, 16, 22], "what nobody needs any more is gone"
    rest = rendered(folder, dreamer(3, 2), source, shots)
    assert sorted(rest) == [*range(10), *range(22, 28)], "what is done in any order is left alone"
    assert shown | rest == whole
    assert states() == []


@pytest.mark.parametrize("kill", [3, 8, 21])
def test_what_was_ended_goes_on_at_the_window_to_the_same_bytes(kill: int, tmp_path: Path) -> None:
    source, shots = ShotsSource([19, 3]), [Shot(0, 19), Shot(19, 22)]
    whole = rendered(tmp_path / "whole", dreamer(3, 2), source, shots)
    assert sorted(whole) == list(range(22))
    rendered(tmp_path / "killed", dreamer(3, 2), source, shots, kill)
    rest = rendered(tmp_path / "killed", dreamer(3, 2), source, shots)
    kept = max((end for end in (0, 7, 13, 19) if end <= kill), default=0)
    assert sorted(rest) == list(range(kept, 22)), "what stood is not dreamed again, the rest is"
    assert all(whole[index] == picture for index, picture in rest.items())


def test_where_nothing_is_carried_along_the_motion_there_are_no_keyframes() -> None:
    assert dreamer(4, 2).keyframes == Keyframes(4, 2)
    for knobs in ({"carry": "blend"}, {"flow": "none"}, {"iterations": 0}):
        assert dreamer(4, 2, **knobs).keyframes is None
    assert dreamer(0, 2).keyframes is None
    assert device.keyframes("auto", torch.device("cpu")) == 0
    assert device.keyframes("auto", torch.device("cuda")) == 8


def test_motion_measured_in_threads_is_motion_measured_in_turn() -> None:
    scene = demo_scene(Size(48, 64), 8, 9 / 8, "slow")
    source = ShotsSource([1])
    source.pictures = [scene.picture(index) for index in range(9)] + [texture(48, 64)] * 2
    found = [
        list(ticks(source, None, lambda size: size, Motion(Settings().time, threads=threads)))
        for threads in (1, 4)
    ]
    for one, other in zip(*found, strict=True):
        assert one.flow.cut == other.flow.cut
        assert np.array_equal(one.flow.backward, other.flow.backward)
        assert np.array_equal(one.flow.trust, other.flow.trust)
    assert [tick.frame.index for tick in found[0] if tick.flow.cut] == [0, 9]


def test_stretches_hold_as_still_as_frames_in_turn_and_show_no_seam() -> None:
    scene = demo_scene(Size(90, 120), 8, 18 / 8, "slow")
    source = ShotsSource([1])
    source.pictures = [scene.picture(index) for index in range(18)]
    tables, flickers = {}, []
    for every in (0, 8):
        meter = metrics.Meter()
        by = dreamer(every, 2, layers="deep", iterations=10, jitter=16, step=1.5)
        for dreamt in by.walk(source, shot=Shot(0, 18)):
            index = dreamt.frame.index
            known = {lag: scene.flow(index, index - lag) for lag in (1, 8) if lag <= index}
            meter.feed(source.pictures[index] / np.float32(255), dreamt.dream, known, dreamt.steps, 10)
        tables[every], flickers = meter.table(), [row.f1 for row in meter.rows]
    keyed, in_turn = tables[8], tables[0]
    assert keyed.f1 < 0.05
    assert keyed.f8 < 0.27
    assert keyed.amplitude == pytest.approx(in_turn.amplitude, rel=0.15)
    assert keyed.sharpness > 0.7 * in_turn.sharpness
    assert metrics.seam(flickers[1:], [7, 8, 15, 16]) < 1.7, "at a keyframe, and after it"


def test_enough_shots_need_no_keyframes_unless_they_were_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "keyframes", lambda told, on: 4)  # as on a GPU
    for told, shots, kept in (("auto", 2, False), ("auto", 1, True), ("4", 2, True)):
        by = dreamer(4, 2, keyframes=told)
        by.suit([Shot(9 * k, 9 * k + 9) for k in range(shots)])
        assert (by.keyframes is not None) == kept
