"""Farming: what the farm door sets going: a run, a plan, a look at what is done, an export, one task."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from pipeline.cli import options
from pipeline.cli.progress import duration
from pipeline.cli.telling import Telling
from pipeline.errors import DreamError, OutputError, UsageError
from pipeline.farm import openjd, shell, summary
from pipeline.farm.check import Ready, check, done_of
from pipeline.farm.drive import Drive, Result, failed_of
from pipeline.farm.engine import Engine
from pipeline.farm.estimate import Stopwatch, estimates
from pipeline.farm.jobs import KINDS, Job, read
from pipeline.farm.local import Local
from pipeline.farm.tasks import Task
from pipeline.files import whole
from pipeline.locks import alone_in

if TYPE_CHECKING:
    from pipeline.cli import farm as door


def run(asked: door.Run) -> None:
    """Everything is checked; then it runs. DreamError, with the table, when a job failed."""
    if asked.results and not asked.results.parent.is_dir():
        raise OutputError(f"--results {asked.results}: the folder does not exist. Make it first.")
    jobs, folder = _checked(asked)
    results = _results(jobs, asked.cpus_per_task, asked.task_frames)
    if asked.fresh:
        _forget(jobs)
    style = "none" if asked.quiet else asked.progress
    telling = Telling(style, sum(r.total for r in results if r.state == "waiting"))
    began = monotonic()
    drive = None
    try:
        if any(result.state == "waiting" for result in results):
            folder.mkdir(parents=True, exist_ok=True)
            engine = _engine(asked, folder)
            telling.note(f"{_counted(results)}; {engine.about}")
            drive = Drive(results, engine, asked.retries, telling)
            telling.start()
            # What Ray prints is of no use to most, and long.
            with Path(os.devnull).open("w") as away, redirect_stdout(sys.stderr if asked.verbose else away):
                drive.run()
    except KeyboardInterrupt as stop:
        stop.add_note("What is done is kept: the same command goes on.")
        raise
    finally:
        telling.close()
        if drive or not any(result.state == "waiting" for result in results):
            if asked.results:
                summary.write(asked.results, results, monotonic() - began)
            telling.finish(results, monotonic() - began)
    if failed := failed_of(results):
        names = ", ".join(result.name for result in failed[:5]) + ", ..." * (len(failed) > 5)
        raise DreamError(
            f"{len(failed)} of {len(results)} jobs failed: {names}. The same command tries them again."
        )


def plan(asked: door.Plan) -> None:
    """Print what would run. Raises what reading the list raises."""
    with Stopwatch(threads=1) as stopwatch:
        asks = asked.estimate == "measure"
        jobs, _ = _checked(asked, seen=stopwatch.expect if asks else None)
        told = estimates(jobs, stopwatch if asks else None)
    if asked.json:
        for one, e in zip(jobs, told, strict=True):
            facts = {
                "job": one.job.name, "kind": one.job.kind, "input": one.job.input, "output": str(one.output),
                "size": str(one.clip.size), "frames": e.frames, "done": e.done, "state": done_of(one)[0],
                "seconds": None if e.seconds is None else round(e.seconds, 1), "bytes": e.size,
            }  # fmt: skip
            print(json.dumps(facts))
        return
    rows: list[Sequence[object]] = [
        (one.job.name, one.job.kind, str(one.clip.size), e.frames, e.done,
         "?" if e.seconds is None else duration(e.seconds), _bytes(e.size), done_of(one)[0])
        for one, e in zip(jobs, told, strict=True)
    ]  # fmt: skip
    print(summary.table(("job", "kind", "size", "frames", "done", "time", "bytes", "state"), rows))
    times, size = [e.seconds for e in told], sum(e.size for e in told)
    left = sum(e.frames - e.done for e in told)
    takes = f"about {duration(sum(filter(None, times)))} of one worker on one core like these"
    print(
        f"{len(jobs)} jobs, {left} frames to dream: {'how long was not measured' if None in times else takes},\n"
        f"about {_bytes(size)} when done and twice that meanwhile."
    )


def status(asked: door.Status) -> None:
    """Print what is done of a list. Raises what reading the list raises."""
    jobs, _ = _checked(asked, overwrite=True)
    rows = []
    for one in jobs:
        state, frames = done_of(one)
        if asked.json:
            facts = {"job": one.job.name, "state": state, "done": frames, "of": one.clip.frames}
            print(json.dumps(facts | {"output": str(one.output)}))
        rows.append((one.job.name, frames, one.clip.frames or "?", "done" if state == "there" else state))
    if not asked.json:
        print(summary.table(("job", "done", "frames", "state"), rows))


def export(asked: door.Export) -> None:
    """Write what a farm manager reads. UsageError where no form was asked for, and what reading the list raises."""
    if (asked.openjd is None) == (asked.shell is None):
        raise UsageError("Give --openjd DIR or --shell FILE.")
    jobs, _ = _checked(asked)
    jobs = [one for one in jobs if not one.there]
    for one in jobs:
        one.output.parent.mkdir(parents=True, exist_ok=True)
    if asked.shell is not None:
        text = "".join(line + "\n" for line in shell.lines(jobs, asked.cpus_per_task))
        _write(asked.shell, text, overwrite=asked.yes)
        print(f"{asked.shell}: {len(jobs)} commands, one per line", file=sys.stderr)
        return
    assert asked.openjd is not None
    from pipeline.farm.work import scanned

    exported = []
    for one in jobs:
        task = Task.of(one, threads=asked.cpus_per_task, frames=asked.task_frames)
        exported.append(scanned(task))
    asked.openjd.mkdir(parents=True, exist_ok=True)
    home = asked.jobs.resolve().parent
    text = openjd.template(
        asked.jobs.stem,
        home,
        exported,
        cpus=asked.cpus_per_task,
        gpus=asked.gpus_per_task,
    )
    path = asked.openjd / "template.yaml"
    _write(path, text, overwrite=asked.yes)
    groups = sum(max(1, len(job.groups) + len(job.chains)) for job in exported)
    print(f"{path}: {len(jobs)} jobs in {groups} tasks", file=sys.stderr)


def task(asked: door.Task) -> None:
    """One task of an exported list; how far it is, as Open Job Description reads it from stdout."""
    one = openjd.read(asked.file, asked.step, asked.group, asked.folder, asked.path_mapping)
    from pipeline.farm.work import run as work

    total = sum(end - first for first, end in one.group)
    print(f"openjd_status: {one.label}", flush=True)

    def tell(frames: int) -> None:
        if total:
            print(f"openjd_progress: {min(100.0, 100 * frames / total):.1f}", flush=True)

    try:
        outcome = work(one, tell)
    except DreamError as error:
        print(f"openjd_fail: {' '.join(str(error).split())}", flush=True)
        raise
    print("openjd_progress: 100", flush=True)
    print(f"openjd_status: {one.label}: {outcome.frames} frames in {duration(outcome.seconds)}", flush=True)
    for note in outcome.notes:
        print(note, file=sys.stderr)


def _checked(
    asked: door.Where, *, overwrite: bool = False, seen: Callable[[Sequence[Job]], None] | None = None
) -> tuple[list[Ready], Path]:
    """Every job of the list, and the folder of outputs. UsageError with all that is wrong.

    seen: told of what is asked for, before the disk is looked at.
    """
    folder = (asked.output_folder or asked.jobs.resolve().parent).resolve()
    if asked.output_folder and not folder.is_dir():
        raise OutputError(f"--output-folder {asked.output_folder}: does not exist. Make it first.")
    below = {kind: options.environment(model) for kind, model in KINDS.items()}
    jobs, problems = read(asked.jobs, folder, below)
    if seen:
        seen(jobs)
    ready = check(jobs, folder, problems, overwrite=overwrite or asked.yes, fresh=asked.fresh)
    problems.raise_any(asked.jobs.name)
    return ready, folder


def _results(jobs: Sequence[Ready], threads: int, frames: int) -> list[Result]:
    results = []
    for one in jobs:
        result = Result(Task.of(one, threads=threads, frames=frames), total=one.clip.frames or 0)
        if one.there:
            result.state = "there"
        results.append(result)
    return results


def _forget(jobs: Sequence[Ready]) -> None:
    """Discard what is unfinished, and that it was done."""
    for one in jobs:
        one.mark.unlink(missing_ok=True)
        for folder in (one.folder, one.folder.with_suffix(".masters")):
            if (folder / "plan.json").is_file():
                with alone_in(folder, "plan.json"):
                    pass
                shutil.rmtree(folder)


def _engine(asked: door.Run, folder: Path) -> Engine:
    if asked.engine == "ray":
        from pipeline.farm.cluster import Cluster

        return Cluster.connect(
            asked.address, folder, cpus=asked.cpus_per_task, gpus=asked.gpus_per_task, most=asked.workers
        )
    if asked.gpus_per_task:
        gpus = _gpus()
        if not gpus:
            raise UsageError("--gpus-per-task: this machine has no NVIDIA GPU that PyTorch can use.")
    else:
        gpus = _gpus() if asked.gpus_per_task is None and shutil.which("nvidia-smi") else 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Local(asked.workers or gpus or max(1, cores // asked.cpus_per_task), tuple(range(gpus)))


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()


def _counted(results: Sequence[Result]) -> str:
    there = sum(result.state == "there" for result in results)
    return f"{len(results) - there} jobs" + (f", {there} done before" if there else "")


def _write(path: Path, text: str, *, overwrite: bool) -> None:
    if path.exists() and not overwrite:
        raise OutputError(f"{path}: is there already. Give -y to overwrite it, or another name.")
    with whole(path) as part:
        part.write_text(text, encoding="utf-8")


def _bytes(size: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
