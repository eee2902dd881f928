"""Check: jobs against the disk: what they read, where they write, what is done already. Nothing is written."""

from __future__ import annotations

import hashlib
import json
import os
import unicodedata
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pipeline import hearing
from pipeline.clip import Clip, Size, fit
from pipeline.destination import Destination, check_folder, report_files
from pipeline.errors import DreamError, OutputError
from pipeline.farm.jobs import Job, Problems
from pipeline.net.cards import card
from pipeline.net.programme import Programme
from pipeline.settings.zoom import ZoomSettings
from pipeline.sources import Source, open_source
from pipeline.sources.base import fingerprint
from pipeline.sources.zoom import ZoomSource

MARKS = ".dream-farm"
"""In the folder of outputs: a file for each job that is done, with what it was made from."""


@dataclass(frozen=True)
class Ready:
    """A job that can run. clip: the facts of its source. folder: of its unfinished work. digest: all that makes it.

    mark: the file that says it is done. there: it is.
    """

    job: Job
    clip: Clip
    output: Path
    folder: Path
    digest: str
    mark: Path
    there: bool

    @property
    def dreamed_at(self) -> Size:
        """The size it is dreamed at."""
        return fit(self.clip.size, self.job.settings.dream.dream_size)


def check(
    jobs: Sequence[Job], folder: Path, problems: Problems, *, overwrite: bool = False, fresh: bool = False
) -> list[Ready]:
    """Every job that can run; what keeps the others from it goes to `problems`.

    folder: of outputs. overwrite: what is there and was not made by this very job. fresh: what was, too.
    """
    ready: list[Ready] = []
    written: dict[str, Job] = {}
    read: dict[str, Job] = {}
    outputs: list[tuple[Job, list[Path]]] = []
    with ThreadPoolExecutor(8, thread_name_prefix="check") as pool:  # films open beside one another
        looked = pool.map(lambda job: _looked_at(job, folder, overwrite=overwrite, fresh=fresh), jobs)
        told = list(zip(jobs, looked, strict=True))
    for job, found in told:
        if isinstance(found, str):
            problems.add(job.where, found)
            continue
        one, files, sources = found
        for file in files:
            other = written.setdefault(_same(file), job)
            if other is not job:
                problems.add(
                    job.where,
                    f"{file}: is written by the job at {other.where} too. "
                    "Give another output, such as out/{stem}_{number}.mp4.",
                )
                break
        read |= {_same(file): job for file in sources}
        outputs.append((job, files))
        ready.append(one)
    for job, files in outputs:
        if taken := next((file for file in files if _same(file) in read), None):
            reader = read[_same(taken)]
            if reader is not job:
                problems.add(
                    job.where, f"{taken}: is read by the job at {reader.where}. Give another output."
                )
    return ready


def _looked_at(
    job: Job, folder: Path, *, overwrite: bool, fresh: bool
) -> tuple[Ready, list[Path], list[Path]] | str:
    """A job, what it writes and what it reads; or why it cannot run."""
    try:
        source, destination = _opened(job)
        one = _ready(job, source, destination, folder, fresh=fresh)
        if not one.there:
            going_on = one.folder.exists() and not fresh
            destination.check(source, overwrite=overwrite or fresh, going_on=going_on)
        return one, list(_files(job, source, destination, one.folder)), source.files()
    except DreamError as error:
        return str(error)
    except OSError as error:
        return f"{error.filename or job.input}: {error.strerror or error}"


def _opened(job: Job) -> tuple[Source, Destination]:
    settings = job.settings
    fit(Size(360, 640), settings.dream.dream_size)
    source: Source
    if isinstance(settings, ZoomSettings):
        source = ZoomSource.of(job.input, settings)
    else:
        Programme.of(settings.dream.layers, card(settings.dream.model))
        source = open_source(job.input, settings.input, strict=settings.run.strict)
        hearing.check(settings, source)
    return source, _destination(job, source)


def _destination(job: Job, source: Source) -> Destination:
    """As it will be once the folders it needs are made. OutputError where they cannot be."""
    out, folder = Path(job.output), job.output.endswith(("/", os.sep))
    parent = out if folder else out.parent
    there = parent
    while not there.exists():
        there = there.parent
    check_folder(there, job.output)
    if there == parent:
        return Destination.of(job.output, job.input, source)
    destination = Destination.of(str(there) + os.sep if folder else str(there / out.name), job.input, source)
    return replace(destination, path=parent / destination.path.name)


def _ready(job: Job, source: Source, destination: Destination, folder: Path, *, fresh: bool) -> Ready:
    told = job.settings.model_dump(mode="json", exclude={"run", "speed"})
    sounds = [fingerprint([path]) for path in hearing.files(job.settings)]
    made_from = [job.kind, source.fingerprint(), *sounds, told, str(destination.path)]
    digest = hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()
    name = hashlib.sha256(os.fsencode(destination.path)).hexdigest()[:24]
    mark = folder / MARKS / f"{name}.json"
    there = not fresh and is_done(mark, digest, next(destination.files(source), destination.path))
    work = destination.work_folder(job.settings.run.workdir)
    return Ready(job, source.clip, destination.path, work, digest, mark, there)


def is_done(mark: Path, digest: str, output: Path) -> bool:
    """Whether this very job was done, and what it made is still there as it was."""
    try:
        told = json.loads(mark.read_text(encoding="utf-8"))
        return bool(told["digest"] == digest and told["size"] == output.stat().st_size)
    except (OSError, ValueError, TypeError, KeyError):
        return False


def _files(job: Job, source: Source, destination: Destination, work: Path) -> Iterator[Path]:
    """What the job writes, folders of its own among it. UsageError, OutputError."""
    output = job.settings.output
    yield from destination.files(source)
    yield work
    if output.report:
        report = Path(output.report)
        if report.suffix.lower() not in (".html", ".htm"):
            raise OutputError(f"report {report}: expected a name ending in .html.")
        yield from report_files(report)
    for name in (output.stems, output.contact_sheet):
        if name:
            yield Path(name)


def _same(path: Path) -> str:
    """The same for names that some disk takes for one."""
    return unicodedata.normalize("NFC", str(path.parent.resolve() / path.name)).casefold()


State = Literal["there", "begun", "new"]


def done_of(one: Ready) -> tuple[State, int]:
    """Whether a job is done, begun or new, and how many of its frames are done."""
    if one.there:
        return "there", one.clip.frames or 0
    frames = 0
    for record in one.folder.glob("[0-9]*.json"):
        try:
            told = json.loads(record.read_text(encoding="utf-8"))
            frames += int(told["end"]) - int(told["first"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return ("begun" if frames or (one.folder / "plan.json").is_file() else "new"), frames
