"""A farm: lists are checked whole, tasks share a film, what dies is begun again, and the films are the same."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from conftest import KilledError, killed_after
from pipeline.cli.farm import main
from pipeline.cli.video import main as dream_video
from pipeline.clip import Shot
from pipeline.errors import DeviceError, OutputError, UsageError
from pipeline.farm import address, estimate, openjd
from pipeline.farm.check import check
from pipeline.farm.cluster import Cluster
from pipeline.farm.drive import Drive, Result
from pipeline.farm.engine import Done, Event, Failed, Told
from pipeline.farm.estimate import Pace, Stopwatch, estimates
from pipeline.farm.jobs import read
from pipeline.farm.local import Local
from pipeline.farm.shell import lines
from pipeline.farm.tasks import Outcome, Task, groups_of
from pipeline.settings import Settings
from pipeline.workdir import Workdir

FLAGS = {"octaves": 1, "iterations": 1, "encoder_preset": "ultrafast", "threads": 1}


@pytest.fixture
def listed(tmp_path: Path) -> Callable[..., Path]:
    """Writes a list of jobs, as it is given or of mappings."""

    def write(text: object, name: str = "jobs.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text if isinstance(text, str) else yaml.safe_dump(text), encoding="utf-8")
        return path

    return write


def problems(path: Path) -> str:
    jobs, found = read(path)
    check(jobs, path.parent, found)
    with pytest.raises(UsageError) as told:
        found.raise_any(path.name)
    return str(told.value)


def test_every_problem_of_a_list_is_told_at_once_with_its_line(
    listed: Callable[..., Path], make_clip: Callable[..., Path]
) -> None:
    make_clip("a.mp4", frames=2)
    told = problems(
        listed(
            "defaults:\n  octavs: 3\njobs:\n- input: a.mp4\n  output: o.mp4\n  kind: zom\n"
            "- input: b.mp4\n  output: p.mp4\n  preset: nigth\n- input: a.mp4\n  output: ../up.mp4\n  crf: 99\n"
            "- {input: a.mp4, output: q.mp4, preview: 3}\nmore: 1\n"
        )
    )
    for line, words in (
        (2, "Did you mean octaves"), (6, "Did you mean zoom"), (9, "Did you mean night"), (13, "preview: is not for"),
        (14, "'more' is no part"),
    ):  # fmt: skip
        assert any(f"jobs.yaml:{line}:" in one and words in one for one in told.splitlines()), (line, told)
    told = problems(
        listed(
            "jobs:\n- input: a.mp4\n  output: ../up.mp4\n- {input: a.mp4, output: o.mp4, crf: 99}\n"
            "- {input: b.mp4, output: p.mp4}\n"
        )
    )
    assert "leaves the folder of outputs" in told
    assert "jobs.yaml:4: crf 99: 99 is outside 0 to 51" in told
    assert "jobs.yaml:5: input b.mp4: no such file. Did you mean a.mp4?" in told


def test_toml_lists_have_lines_too(listed: Callable[..., Path]) -> None:
    path = listed('[defaults]\noctaves = 2\n\n[[jobs]]\ninput = "x.mp4"\noutput = "o.mp4"\n', "jobs.toml")
    assert "jobs.toml:5: input x.mp4: no such file" in problems(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("jobs: &a [*a]\n", "holds itself"), ("jobs: {\n", "no well-formed list"), ("- 1\n", "expected `defaults:`"),
        ("jobs:\n- input: a\n  input: b\n", "is there twice"), ("jobs: " + "[" * 3000, "no well-formed|too deeply"),
    ],
)  # fmt: skip
def test_what_is_no_list_is_refused_in_a_line(listed: Callable[..., Path], text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read(listed(text))


def test_outputs_that_collide_or_overwrite_what_others_read_are_refused(
    listed: Callable[..., Path], make_clip: Callable[..., Path]
) -> None:
    for name in ("a.mp4", "b.mp4"):
        make_clip(name, frames=2)
    told = problems(listed({"jobs": [{"input": "?.mp4", "output": "same.mp4"}]}))
    assert "is written by the job at jobs.yaml:2 too" in told
    told = problems(listed({"defaults": {"yes": True}, "jobs": [{"input": "a.mp4", "output": "o.mp4"}]}))
    assert "yes: is not for a list" in told
    jobs = [{"input": "a.mp4", "output": "b.mp4"}, {"input": "b.mp4", "output": "O.mp4"}]
    assert "is there already" in problems(listed({"jobs": jobs}))
    found, whole = read(listed({"jobs": jobs}))
    check(found, whole_folder(found), whole, overwrite=True)
    assert "is read by the job at" in whole.found[0]


def whole_folder(jobs: list) -> Path:
    return Path(jobs[0].output).parent


def test_a_job_cannot_read_what_another_makes(listed: Callable[..., Path]) -> None:
    jobs = [{"input": "y.mp4", "output": "x.mp4"}, {"input": "x.mp4", "output": "y.mp4"}]
    assert problems(listed({"jobs": jobs})).count("is made from itself") == 2
    jobs[0]["input"] = "gone.mp4"
    assert "is what the job at" in problems(listed({"jobs": jobs}))


def test_values_are_what_is_written_not_what_yaml_makes_of_it(
    listed: Callable[..., Path], make_clip: Callable[..., Path]
) -> None:
    make_clip("a.mp4", frames=2)
    text = "jobs:\n- {input: a.mp4, output: '{stem}_{number}.mp4', cuts: off, end: 1:30, keep: yes, preset: draft}\n"
    (job,), found = read(listed(text))
    assert not found.found
    assert job.settings.time.cuts == "off"
    assert job.settings.input.end == "1:30"
    assert job.settings.run.keep is True
    assert Path(job.output).name == "a_0001.mp4"


def test_shots_are_handed_out_in_groups_of_about_so_many_frames() -> None:
    shots = [Shot(0, 30), Shot(30, 50), Shot(50, 300), Shot(300, 310)]
    assert groups_of(shots, 40) == (((0, 30), (30, 50)), ((50, 300),), ((300, 310),))


class Scripted:
    """An engine whose tasks end as told: by step, what comes of it, one after the other."""

    about = "scripted"

    def __init__(self, script: dict[tuple[str, str], list[str]]) -> None:
        self.script, self.waiting, self.closed = script, list[Event](), False

    def free(self, wanted: int) -> int:
        return 1

    def submit(self, key: int, task: Task) -> None:
        ends = self.script.get((task.name, task.step), [])
        end = ends.pop(0) if ends else "ok"
        groups = (((0, 5),), ((5, 10),)) if task.step == "begin" else ()
        if end == "ok":
            frames = 0 if task.step != "dream" else 5
            outcome = Outcome(frames, 10 if task.step != "dream" else 5, 1, task.step == "join", groups)
            self.waiting.append(Done(key, outcome, "w"))
        else:
            self.waiting += [
                Told(key, 4),
                Failed(key, end, 3 if end == "input" else 1, "w", lost=end == "lost"),
            ]

    def events(self, seconds: float) -> list[Event]:
        told, self.waiting = self.waiting, []
        return told

    def close(self) -> None:
        self.closed = True


def test_what_is_lost_is_begun_again_and_what_fails_fails_its_own_job_only() -> None:
    tasks = [Task("film", name, "i", "o", {}) for name in ("a", "b", "c")]
    results = [Result(task) for task in tasks]
    engine = Scripted(
        {("a", "dream"): ["lost", "lost"], ("b", "begin"): ["input"], ("c", "join"): ["lost"] * 9}
    )
    Drive(results, engine, 3, lambda drive, event: None).run()
    a, b, c = results
    assert (a.state, a.retries, a.frames, a.again) == ("done", 2, 10, 8)
    assert (b.state, b.retries, b.error) == ("failed", 0, "input")
    assert (c.state, c.retries) == ("failed", 3)
    assert engine.closed


def test_a_killed_worker_costs_its_open_segment_and_the_film_is_the_same_to_the_byte(
    listed: Callable[..., Path],
    three_shots: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = listed({"defaults": FLAGS, "jobs": [{"input": three_shots.name, "output": "out/film.mp4"}]})
    (job,), found = read(path)
    (ready,) = check([job], tmp_path, found)
    results = [Result(Task.of(ready, threads=1, frames=20))]
    engine = Local(1)

    def kill_once(drive: Drive, event: Event) -> None:
        if isinstance(event, Told) and not results[0].retries:
            (process,) = (worker.process for worker in engine._pool)
            process.kill()
            process.join()

    Drive(results, engine, 3, kill_once).run()
    assert results[0].state == "done", results[0].error
    assert results[0].retries == 1
    assert results[0].shots == 3
    single = tmp_path / "single.mp4"
    words = [f"--{name.replace('_', '-')}={value}" for name, value in FLAGS.items()]
    assert dream_video([str(three_shots), "-o", str(single), *words, "--progress", "none"]) == 0
    assert (tmp_path / "out" / "film.mp4").read_bytes() == single.read_bytes()
    assert not (tmp_path / "out" / "film.mp4.dreamwork").exists()
    (again,) = check([job], tmp_path, found)
    assert again.there
    told = tmp_path / "told.json"
    capsys.readouterr()
    assert main(["run", str(path), "--progress", "json", "--results", str(told)]) == 0
    suite = json.loads(told.read_text(encoding="utf-8"))
    assert (suite["tests"], suite["skipped"], suite["failures"]) == (1, 1, 0), "what is done is left alone"
    assert suite["testcases"][0]["state"] == "there"
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["event"] == "end"
    assert main(["status", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "job": "out/film.mp4", "state": "there", "done": 60, "of": 60, "output": str(tmp_path / "out/film.mp4"),
    }  # fmt: skip


@pytest.fixture
def three_shots(tmp_path: Path, make_clip: Callable[..., Path]) -> Path:
    """Sixty frames, with a cut after each twenty."""
    import av
    import numpy as np

    from conftest import texture

    path = tmp_path / "shots.mp4"
    with av.open(str(path), "w") as file:
        video = file.add_stream("libx264", rate=24)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for shot in range(3):
            wide = texture(48, 104, seed=shot)
            for index in range(20):
                picture = np.ascontiguousarray(wide[:, 2 * index : 2 * index + 64])
                file.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(video.encode(None))
    return path


KEYED = FLAGS | {"keyframes": "4", "lanes": "1"}


@pytest.fixture
def long_shot(
    listed: Callable[..., Path], make_clip: Callable[..., Path], tmp_path: Path
) -> tuple[Task, bytes, Callable[[], bytes]]:
    """A film of one shot as a task, its bytes as dream-video makes them, and what has it make or finish the film."""
    clip = make_clip(frames=22, size=(48, 64))
    (job,), found = read(listed({"defaults": KEYED, "jobs": [{"input": clip.name, "output": "film.mp4"}]}))
    (ready,) = check([job], tmp_path, found)
    words = [f"--{name.replace('_', '-')}={value}" for name, value in KEYED.items()]

    def alone(out: str = "film.mp4") -> bytes:
        assert dream_video([str(clip), "-o", str(tmp_path / out), *words, "--progress", "none"]) == 0
        return (tmp_path / out).read_bytes()

    return Task.of(ready, threads=1, frames=12), alone("single.mp4"), alone


class KillsChain(Local):
    """Loses the worker of the first chain once another has begun."""

    killed = 0

    def submit(self, key: int, task: Task) -> None:
        super().submit(key, task)
        if task.step == "chain" and not self.killed:
            self.killed = next(worker.process.pid for worker in self._pool if worker.key == key)
            os.kill(self.killed, signal.SIGKILL)


def test_workers_share_one_long_shot_that_a_killed_render_began_and_it_is_the_same_to_the_byte(
    long_shot: tuple[Task, bytes, Callable[[], bytes]], tmp_path: Path
) -> None:
    from pipeline.farm.work import Opened
    from pipeline.film import make

    task, single, _ = long_shot
    opened = Opened.of(task)
    with pytest.raises(KilledError):
        make(opened.source, opened.dreamer, opened.destination, lambda done: None, killed_after(7))
    (result,), engine = [Result(task)], KillsChain(2)
    Drive([result], engine, 3, lambda drive, event: None).run()
    assert result.state == "done", result.error
    assert (result.frames, result.retries, bool(engine.killed)) == (17, 1, True), "five frames were done"
    assert (tmp_path / "film.mp4").read_bytes() == single
    assert not (tmp_path / "film.mp4.dreamwork").exists()


def test_what_a_farm_leaves_of_a_long_shot_dream_video_finishes_and_an_exported_list_cuts_it_alike(
    long_shot: tuple[Task, bytes, Callable[[], bytes]], tmp_path: Path
) -> None:
    from pipeline.farm import work

    task, single, alone = long_shot
    begun = work.run(task, lambda frames: None)
    assert not begun.groups
    (chain,) = begun.chains
    ready = work.run(replace(task, step="chain", group=chain), lambda frames: None)
    done = work.run(replace(task, step="dream", group=ready.groups[1]), lambda frames: None)
    assert done.frames == sum(end - first for first, end in ready.groups[1])
    exported = work.scanned(task)
    assert exported.chains[0][: len(chain)] == chain
    assert exported.groups[0] == chain, "what lies between is handed out in larger groups"
    assert exported.chains[0][-1][1] == exported.groups[-1][-1][1] == 22
    told = yaml.safe_load(openjd.template("l", tmp_path, [exported], cpus=1, gpus=0))
    assert [step.get("dependencies", [{}])[0].get("dependsOn", "")[5:10] for step in told["steps"]] == [
        "",
        "chain",
        "dream",
    ]
    assert alone() == single
    assert not (tmp_path / "film.mp4.dreamwork").exists()


def test_processes_share_a_film_shot_by_shot_or_have_it_alone(tmp_path: Path) -> None:
    plan, shots = {"settings": 1}, [Shot(0, 5), Shot(5, 9)]
    folder = tmp_path / "film.dreamwork"
    assert Workdir.begin(folder, plan, lambda: shots) == tuple(shots)
    with Workdir.shared(folder, plan, shots[:1]), Workdir.shared(folder, plan, shots[1:]):
        with pytest.raises(OutputError, match="in use"), Workdir.shared(folder, plan, shots[:1]):
            pass
        with pytest.raises(OutputError, match="in use"), Workdir.open(folder, plan):
            pass
    with pytest.raises(OutputError, match="other settings"), Workdir.shared(folder, {"settings": 2}, shots):
        pass


def exported(path: Path, folder: Path, *words: str) -> dict:
    assert main(["export", str(path), "--openjd", str(folder), *words]) == 0
    return yaml.safe_load((folder / "template.yaml").read_text(encoding="utf-8"))


def test_a_template_of_open_job_description_is_valid_and_its_tasks_find_their_files_elsewhere(
    listed: Callable[..., Path], three_shots: Path, tmp_path: Path
) -> None:
    jobs = [{"input": three_shots.name, "output": "out/film.mp4"}]
    path = listed({"defaults": FLAGS, "jobs": jobs})
    told = exported(path, tmp_path / "jd", "--task-frames", "20")
    dream, join = told["steps"]
    assert dream["parameterSpace"]["taskParameterDefinitions"][0]["range"] == "0-2"
    assert join["dependencies"] == [{"dependsOn": dream["name"]}]
    model = pytest.importorskip("openjd.model")
    model.decode_job_template(template=told)
    data = tmp_path / "job.json"
    data.write_text(dream["script"]["embeddedFiles"][0]["data"], encoding="utf-8")
    rules = [{"source_path_format": "POSIX", "source_path": str(tmp_path), "destination_path": "/mnt/films"}]
    mapping = tmp_path / "rules.json"
    mapping.write_text(
        json.dumps({"version": "pathmapping-1.0", "path_mapping_rules": rules}), encoding="utf-8"
    )
    task = openjd.read(data, "dream", 1, "", mapping)
    assert (task.input, task.output) == ("/mnt/films/shots.mp4", "/mnt/films/out/film.mp4")
    assert task.group == ((20, 40),)
    assert openjd.read(data, "join", 0, "/mnt", None).output == "/mnt/out/film.mp4"
    with pytest.raises(UsageError, match="--group 7"):
        openjd.read(data, "dream", 7, "", None)


def test_an_exported_list_runs_with_openjd_run(
    listed: Callable[..., Path], make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    pytest.importorskip("openjd.cli")
    clip = make_clip(frames=3, size=(48, 64))
    exported(
        listed({"defaults": FLAGS, "jobs": [{"input": clip.name, "output": "film.mp4"}]}), tmp_path / "jd"
    )
    door = tmp_path / "dream-farm"
    door.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m pipeline.cli.farm "$@"\n', encoding="utf-8")
    door.chmod(0o755)
    command = [sys.executable, "-m", "openjd", "run", str(tmp_path / "jd" / "template.yaml"), "-p"]
    done = subprocess.run(
        [*command, f"DreamFarm={door}"], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert "openjd_progress: 100" in done.stdout
    assert (tmp_path / "film.mp4").stat().st_size


def test_a_step_that_fails_holds_up_no_other_film(
    listed: Callable[..., Path], make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    for name in ("a.mp4", "b.mp4"):
        make_clip(name, frames=2)
    told = exported(
        listed({"defaults": FLAGS, "jobs": [{"input": "?.mp4", "output": "{stem}_o.mp4"}]}), tmp_path / "jd"
    )
    assert len(told["steps"]) == 2
    assert not any("dependencies" in step for step in told["steps"])


def test_looks_are_measured_once_whatever_does_not_cost_time(
    listed: Callable[..., Path], make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    clip = make_clip(frames=3, size=(48, 64))
    jobs = [{"input": clip.name, "output": f"{n}.mp4", "seed": n, "strength": n / 3} for n in range(3)]
    found, whole = read(listed({"jobs": [*jobs, {"input": clip.name, "output": "4.mp4", "octaves": 2}]}))
    ready = check(found, tmp_path, whole)
    measured = []

    class Counting:
        def pace(self, kind: str, settings: Settings) -> Pace:
            measured.append(settings.dream.octaves)
            return Pace(first=2e-3, later=1e-3)

    told = estimates(ready, Counting())
    assert measured == [ready[0].job.settings.dream.octaves, 2]
    assert told[0].seconds == pytest.approx(48 * 64 * (2e-3 + 2 * 1e-3), rel=0.01)


def test_a_look_that_was_measured_is_known_from_then_on_and_what_takes_too_long_is_not_waited_for(
    listed: Callable[..., Path],
    make_clip: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clip, kept = make_clip(frames=2, size=(48, 64)), tmp_path / "cache" / "paces.json"
    jobs = [{"input": clip.name, "output": f"{n}.mp4", "octaves": n} for n in (1, 2)]
    found, _ = read(listed({"jobs": jobs}))
    ours, theirs = multiprocessing.Pipe()
    first, second = (job.settings for job in found)
    stopwatch = Stopwatch(1, kept)
    stopwatch._running = multiprocessing.Process(), ours
    theirs.send(Pace(2.0, 1.0))
    assert stopwatch.pace("film", first) == Pace(2.0, 1.0)
    monkeypatch.setattr(estimate, "monotonic", lambda: 1e9)  # its time is over
    assert stopwatch.pace("film", second) is None
    theirs.send(Pace(9.0, 9.0))
    assert stopwatch.pace("film", second) is None, "an answer that comes late is nobody's"
    again = Stopwatch(1, kept)
    again.expect(found[:1])
    assert again._running is None
    assert again.pace("film", first) == Pace(2.0, 1.0)
    assert again.pace("film", second) is None
    kept.write_text("{]")
    assert Stopwatch(1, kept).pace("film", first) is None


def test_a_preset_that_is_missing_is_told_once_for_all_jobs_that_take_it(
    listed: Callable[..., Path], make_clip: Callable[..., Path]
) -> None:
    make_clip("a.mp4", frames=2)
    jobs = [{"input": "a.mp4", "output": f"{n}.mp4", "kind": "zoom"} for n in range(3)]
    told = problems(listed({"defaults": {"preset": "gentle"}, "jobs": jobs}))
    assert told.count("No preset is called 'gentle'") == 1
    assert "kind: zoom" in told


def test_a_list_as_commands_makes_the_same_films(
    listed: Callable[..., Path], make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    clip = make_clip(frames=2, size=(48, 64))
    job = {"input": clip.name, "output": "o.mp4", "guide": clip.name, "keep": True, "strength": "0:(0.5)"}
    jobs, found = read(listed({"jobs": [job]}))
    (line,) = lines(check(jobs, tmp_path, found), threads=2)
    assert line.startswith(f"dream-video {clip} -o {tmp_path / 'o.mp4'} --threads 2")
    assert f"--guide {clip} --keep --strength '0:(0.5)'" in line or f"--guide {clip}" in line


def test_ray_that_is_not_there_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="expected auto"):
        address.reach(None, "over there")
    with pytest.raises(DeviceError, match="nobody answers at port 1 "):
        address.reach(None, "ray://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"pip install .ray\[client\]"):
        Cluster.connect("auto", tmp_path, cpus=1)


def test_a_worker_does_not_outlive_the_list(tmp_path: Path) -> None:
    code = (
        "from pipeline.farm import local; local.LOADED.clear(); engine = local.Local(1);"
        "print(engine._hire().process.pid, flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    ) as driver:
        assert driver.stdout is not None
        worker = int(driver.stdout.readline())
        fd = os.pidfd_open(worker) if hasattr(os, "pidfd_open") else None
        driver.send_signal(signal.SIGKILL)
    if fd is None:
        pytest.skip("needs pidfd_open")
    import select

    assert select.select([fd], [], [], 60)[0]
    os.close(fd)


def test_a_task_that_names_code_does_not_run_it(tmp_path: Path) -> None:
    from pipeline.farm.work import Opened

    task = Task("film", "a", "clip.mp4", str(tmp_path / "out.mp4"), {"dream": {"model": "evil:build"}})
    with pytest.raises(UsageError, match="not with code"):
        Opened.of(task)
    assert not list(tmp_path.iterdir())
