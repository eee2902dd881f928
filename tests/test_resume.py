"""Nothing is lost: whatever ends a render, what was done is kept, and going on ends in the same bytes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from filelock import FileLock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import KilledError, ShotsSource, killed_after, tiny_network
from pipeline import render
from pipeline.cli.progress import Progress
from pipeline.cli.video import main
from pipeline.clip import Flow, Frame, Segment, Shot, Size, Tick
from pipeline.dreamer import Dreamer
from pipeline.dreamt import Dreamt
from pipeline.motion import Motion
from pipeline.render import Write
from pipeline.stages.carry import Carried
from pipeline.workdir import LOCKS, Workdir

COMMAND = [sys.executable, "-m", "pipeline.cli.video"]


@pytest.fixture
def film(
    make_clip: Callable[..., Path], flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Film]:
    """Twelve frames in segments of four, and what an undisturbed render makes of them."""
    monkeypatch.setattr(render, "SEGMENT", Fraction(4, 24))
    made = Film(make_clip(frames=12, size=(48, 64)), flags, tmp_path / "out.mp4")
    whole = Film(made.clip, flags, tmp_path / "whole.mp4")
    assert whole.make() == 0
    made.expected = packets(whole.out)
    return made


class Film:
    expected: list[tuple[int | None, bytes]]

    def __init__(self, clip: Path, flags: list[str], out: Path) -> None:
        self.clip, self.flags, self.out = clip, flags, out
        self.work = out.with_name(f"{out.name}.dreamwork")

    def make(self, *words: str) -> int:
        return main([str(self.clip), *self.flags, "-o", str(self.out), *words])

    def goes_on_to_the_same_film(self, *words: str) -> None:
        assert self.make(*words) == 0
        assert packets(self.out) == self.expected
        assert not self.work.exists()
        assert not list(self.out.parent.glob(".*"))


def packets(path: Path) -> list[tuple[int | None, bytes]]:
    with av.open(str(path)) as file:
        return [(packet.pts, bytes(packet)) for packet in file.demux(video=0) if packet.size]


def after_frame(number: int, happens: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have something happen when a frame has been dreamed, once; gives the frames that were, as they are."""
    usual, seen = Progress.__call__, list[int]()

    def watched(self: Progress, dreamt: Dreamt) -> None:
        usual(self, dreamt)
        seen.append(dreamt.frame.index)
        if dreamt.frame.index == number:
            monkeypatch.setattr(Progress, "__call__", usual)
            happens()

    monkeypatch.setattr(Progress, "__call__", watched)
    return seen


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_wish_to_stop_is_granted_after_the_frame_and_the_work_goes_on(
    name: str, film: Film, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    if not hasattr(signal, name):
        pytest.skip(f"there is no {name} here")
    seen = after_frame(6, lambda: signal.raise_signal(getattr(signal, name)), monkeypatch)
    before = signal.getsignal(signal.SIGTERM)
    assert film.make() == 130
    assert seen == list(range(7))
    said = capfd.readouterr().err
    assert "stopping after this frame" in said
    assert said.splitlines()[-1] == f"4 frames are kept in {film.work}; the same command goes on."
    assert signal.getsignal(signal.SIGTERM) == before
    film.goes_on_to_the_same_film("--resume")


def test_a_second_wish_stops_at_once(film: Film, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = []

    def twice() -> None:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        stopped.append(True)
        raise KeyboardInterrupt

    after_frame(5, twice, monkeypatch)
    assert film.make() == 130
    assert stopped
    film.goes_on_to_the_same_film()


def test_what_is_told_to_be_ignored_is_ignored(film: Film, monkeypatch: pytest.MonkeyPatch) -> None:
    """As SIGHUP is under nohup."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        after_frame(5, lambda: signal.raise_signal(signal.SIGTERM), monkeypatch)
        film.goes_on_to_the_same_film()
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_killed_render_dreams_at_most_one_segment_again(film: Film) -> None:
    """SIGKILL, to a process of its own."""
    patched = (
        f"from pipeline import render; render.SEGMENT = {4 / 24}; from pipeline.cli.video import main; main()"
    )
    words = [str(film.clip), *film.flags, "-o", str(film.out), "--progress", "json"]
    with subprocess.Popen(
        [sys.executable, "-c", patched, *words], stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        for line in running.stdout:
            if json.loads(line).get("frame") == 6:
                os.kill(running.pid, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    assert not film.out.exists()
    assert sorted(path.name for path in film.work.glob("*.json"))[0] == "00000000.json"
    film.goes_on_to_the_same_film()


def test_whoever_stops_listening_does_not_stop_the_film(film: Film) -> None:
    words = [*COMMAND, str(film.clip), *film.flags, "-o", str(film.out), "--progress", "json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.readline()
        running.stdout.close()
        said = running.stderr.read()
    assert (running.returncode, said) == (0, "")
    assert len(packets(film.out)) == len(film.expected)


def test_one_folder_is_worked_in_by_one_process(film: Film, capsys: pytest.CaptureFixture[str]) -> None:
    with Workdir.open(film.work, {"other": 1}) as theirs:
        assert film.make() == 4
        said = capsys.readouterr().err
        assert f"is in use by process {os.getpid()} on " in said
        assert theirs.folder.exists()
        assert film.make("--fresh") == 4
    film.goes_on_to_the_same_film()


def test_a_lock_whose_owner_died_is_taken_over(film: Film) -> None:
    code = f"""
import os
from pathlib import Path
from pipeline.workdir import Workdir
held = Workdir.open(Path({str(film.work)!r}), {{}})
held.__enter__()
os._exit(9)  # as a kill: nothing is cleaned up
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    assert (film.work / LOCKS[0]).exists()
    film.goes_on_to_the_same_film()


def test_an_owner_who_left_no_name_still_owns(
    tmp_path: Path, film: Film, capsys: pytest.CaptureFixture[str]
) -> None:
    film.work.mkdir()
    with FileLock(film.work / LOCKS[0]):
        assert film.make() == 4
    assert "in use by another process" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="file sizes cannot be limited there")
@pytest.mark.parametrize("kilobytes", [1, 12, 60])
def test_a_full_disk_is_named_and_nothing_is_lost(
    kilobytes: int, film: Film, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From frame 5 on no file may grow beyond so much: the film of a segment, or what it leaves to the next."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    full = (kilobytes * 1024, before[1])
    after_frame(5, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, full), monkeypatch)
    try:
        code = film.make()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    said = capsys.readouterr().err
    assert code == 4, said
    assert "cannot be written (File too large)" in said
    assert "4 frames are kept" in said
    assert "Traceback" not in said
    film.goes_on_to_the_same_film()


def test_a_source_that_changes_meanwhile_is_no_longer_the_same(
    film: Film, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def grow() -> None:
        with film.clip.open("ab") as file:
            file.write(b"\0" * 64)

    after_frame(6, grow, monkeypatch)
    assert film.make() == 3
    assert "was changed while it was dreamed" in capsys.readouterr().err
    assert film.make() == 2  # and what was made of the old one is not gone on with
    assert film.make("--fresh") == 0


def test_a_clock_that_jumps_changes_nothing(film: Film, monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(range(10**9, 0, -1000))
    monkeypatch.setattr(time, "time", lambda: float(next(now)))
    film.goes_on_to_the_same_film()


def test_there_must_be_something_to_resume(film: Film, capsys: pytest.CaptureFixture[str]) -> None:
    assert film.make("--resume") == 2
    assert "nothing to go on with" in capsys.readouterr().err
    assert not film.work.exists()


def test_other_settings_do_not_go_on_with_unfinished_work(
    film: Film, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    after_frame(6, lambda: signal.raise_signal(signal.SIGINT), monkeypatch)
    assert film.make() == 130
    assert film.make("--step", "3") == 2
    assert "step 1.5, now 3" in capsys.readouterr().err
    film.goes_on_to_the_same_film()


def test_what_lies_in_a_folder_that_is_not_ours_stays(film: Film) -> None:
    film.work.mkdir()
    (film.work / "notes.txt").write_text("mine")
    assert film.make() == 4
    assert film.make("--fresh") == 4
    assert (film.work / "notes.txt").read_text() == "mine"


def test_frames_of_a_kept_film_are_dreamed_again_from_the_state_before_them(
    film: Film, capsys: pytest.CaptureFixture[str]
) -> None:
    assert film.make("--keep") == 0
    assert film.make("--frames", "5-6") == 4  # it is there already
    capsys.readouterr()
    assert film.make("--frames", "5-6", "-y") == 0
    said = capsys.readouterr().err
    assert "Frames 4 to 7 were dreamed again, with the settings of the film." in said
    assert f"{film.out}: 4 frames in" in said
    assert packets(film.out) == film.expected
    assert film.make("--frames", "5-6", "-y", "--fresh") == 0  # a film of these only
    assert len(packets(film.out)) == 2


@pytest.mark.parametrize(("carry", "planes"), [("flow", 1), ("blend", 2)])
def test_two_states_at_most_ever_stand_and_hold_no_more_than_is_carried(
    carry: str, planes: int, tmp_path: Path
) -> None:
    size, carried = (96, 160), list[int]()
    by = Dreamer(network=tiny_network(), layers="soft", octaves=1, iterations=1, threads=1, carry=carry)
    picture = np.zeros((*size, 3), np.uint8)
    dreamt = by.dream(Tick(Frame(0, 0, Fraction(0), picture), Flow.none(Size(*size))))
    shot = Shot(0, 8)
    with Workdir.open(tmp_path / "work", {}) as work:
        work.generations = 2
        for first in range(0, 8, 2):
            work.finish(Segment(first, first + 2, first, first + 1), dreamt.carried, shot)
            states = sorted(work.folder.glob("*.safetensors"))
            carried.append(len(states))
            for state in states:
                assert state.stat().st_size < planes * 12 * size[0] * size[1] + 1000
        assert carried == [1, 2, 2, 1]  # nothing goes on from a shot's end


def test_the_state_that_lanes_restart_from_outlives_the_shot_after_it(tmp_path: Path) -> None:
    """The second shot may be done with its first tick's segment before another lane is."""
    carried = Carried.nothing(1, Size(8, 8), torch.device("cpu"))
    one, two = Shot(0, 7), Shot(7, 20)
    with Workdir.open(tmp_path / "work", {}) as work:
        work.generations = 2
        work.finish(Segment(0, 5, 0, 4), carried, one)
        work.finish(Segment(5, 7, 5, 6), carried, one)
        work.finish(Segment(7, 10, 7, 9), carried, two)
        assert work.left_by(Segment(0, 5, 0, 4), torch.device("cpu")) is not None


def test_where_nothing_is_dreamed_nothing_is_kept_and_nobody_looks_for_motion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Motion, "view", lambda *_: pytest.fail("looked"))
    by = Dreamer(network=tiny_network(), layers="soft", iterations=0, threads=1)
    source = ShotsSource([3, 4])
    with Workdir.open(tmp_path / "work", {}, keep=True) as work:
        walk = list(by.walk(source))
        work.finish(Segment(0, 4, 0, 3), walk[3].carried)
        assert work.left_by(work.segments[0], by.device) is None
    assert [path.stat().st_size < 100 for path in (tmp_path / "work").glob("*.safetensors")] == [True]
    assert [d.frame.index for d in by.walk(source, Segment(0, 4, 0, 3))] == [4, 5, 6]
    assert all(np.array_equal(d.picture, d.frame.picture) and not d.dream.any() for d in walk)


def test_what_a_kill_leaves_of_a_work_folder_that_was_being_cleared_is_of_no_use(
    film: Film, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = Path.unlink

    def killed(self: Path, missing_ok: bool = False) -> None:
        if film.out.exists() and self.parent == film.work and self.name not in (*LOCKS, "00000000.json"):
            raise KilledError
        usual(self, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", killed)
        assert film.make() == 1
    assert packets(film.out) == film.expected
    (film.work / "00000000.json").unlink(missing_ok=True)
    film.goes_on_to_the_same_film("-y")


DREAMER = Dreamer(network=tiny_network(), layers="soft", octaves=1, iterations=1, jitter=2, threads=1)


def rendered(
    source: ShotsSource, folder: Path, film: dict[int, list[bytes]], kill_after: int
) -> list[Segment] | None:
    """What is done when all is; None when the process died after writing so many frames, or segments' ends."""
    tick = killed_after(kill_after)

    @contextlib.contextmanager
    def reel(first: int) -> Iterator[Write]:
        pictures: list[bytes] = []
        yield lambda picture, frame: pictures.append(picture.tobytes())
        tick()
        film[first] = pictures
        tick()

    try:
        with Workdir.open(folder, {}, keep=True) as work:
            render.render(render.Film(source, DREAMER, work, reel, tick))
            return work.segments
    except KilledError:
        return None


@settings(max_examples=14, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    shots=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    length=st.integers(1, 6),
    kills=st.lists(st.integers(0, 14), max_size=4),
)
def test_every_frame_is_there_once_in_order_and_as_if_nothing_had_happened(
    shots: list[int], length: int, kills: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    source, folder = ShotsSource(shots), tmp_path_factory.mktemp("work")
    usual, render.SEGMENT = render.SEGMENT, Fraction(length, 24)
    try:
        undisturbed: dict[int, list[bytes]] = {}
        assert rendered(source, folder / "whole", undisturbed, 10**9)
        film: dict[int, list[bytes]] = {}
        done = [rendered(source, folder / "killed", film, kill) for kill in (*kills, 10**9)][-1]
    finally:
        render.SEGMENT = usual
    assert done is not None
    assert [segment.first for segment in done] == [0, *(segment.end for segment in done[:-1])]
    assert done[-1].end == len(source.pictures)
    assert all(segment.end - segment.first <= length for segment in done)
    assert film == undisturbed
    for segment in done:
        states = [
            (folder / kind / f"{segment.first:08d}.safetensors").read_bytes() for kind in ("whole", "killed")
        ]
        assert states[0] == states[1]
