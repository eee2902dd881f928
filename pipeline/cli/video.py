"""dream-video: a clip, pictures or a still in, dreamed out."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from pipeline import looks
from pipeline.cli import options
from pipeline.cli.progress import Progress, duration
from pipeline.destination import Destination, stem
from pipeline.errors import INTERRUPTED, DreamError, OutputError, UsageError
from pipeline.net.cards import card
from pipeline.net.targets import parse_targets, resolve
from pipeline.sources import PictureSource, SceneSource, Source, open_source
from pipeline.stages import stills

if TYPE_CHECKING:
    from pipeline.render import Dreamer

ABOUT = "Dream on a film: DeepDream that holds still while the picture moves."


def main(argv: Sequence[str] | None = None) -> int:
    """Run the door. Gives the exit code; an error is a line or two on stderr, a traceback only with -vv."""
    args = list(sys.argv[1:] if argv is None else argv)
    try:
        _run(args)
    except DreamError as error:
        return _tell(error, str(error), error.exit_code, args)
    except KeyboardInterrupt as error:
        return _tell(error, "interrupted. What is done is kept; the same command goes on.", INTERRUPTED, args)
    except Exception as error:  # the last door: whatever it is, it leaves as a line
        said = f"this should not have happened: {type(error).__name__}: {error}\n-vv shows where; please report it."
        return _tell(error, said, 1, args)
    return 0


def _tell(error: BaseException, text: str, code: int, args: Sequence[str]) -> int:
    if "-vv" in args or args.count("-v") + args.count("--verbose") > 1:
        traceback.print_exception(error)
    print(f"dream-video: {text}", file=sys.stderr)
    return code


def _run(args: Sequence[str]) -> None:
    asked = options.read("dream-video", ABOUT, args)
    settings = asked.settings
    if settings.run.presets:
        for name, path in looks.presets().items():
            print(f"{name:16} {looks.headline(path)}")
        return
    if settings.run.explain:
        print(options.explain(asked), end="")
        return
    _check_targets(settings.dream.model, settings.dream.layers)
    name = _name(asked)
    if (photographs := _photographs(name, settings.output.out)) is not None:
        _dream_photographs(photographs, Path(str(settings.output.out)), asked)
        return
    source: Source
    if settings.run.demo:
        source = SceneSource.of(settings.input)
    else:
        source = open_source(name, settings.input, strict=settings.run.strict)
    if settings.output.preview:
        _preview(source, name, asked)
    else:
        _film(source, Destination.of(settings.output.out, name, source), asked)


def _name(asked: options.Asked) -> str:
    if asked.settings.run.demo:
        if asked.source is not None:
            raise UsageError(f"--demo draws its own scene; leave out {asked.source}, or leave out --demo.")
        return "demo"
    if asked.source is None:
        raise UsageError(
            "expected an INPUT: a clip, a picture or a folder. --demo needs none; --help says more."
        )
    return asked.source


def _check_targets(model: str, layers: str) -> None:
    """What can be known of the layers before torch is loaded, which takes seconds."""
    for target in parse_targets(layers):
        resolve(target, card(model))


def _film(source: Source, destination: Destination, asked: options.Asked) -> None:
    settings = asked.settings
    if not settings.output.yes:
        destination.refuse_overwriting(source, settings.run.workdir)
    started = monotonic()
    dreamer, progress = _ready(source, asked)
    from pipeline.film import make

    try:
        made = make(source, dreamer, destination, progress.start, progress)
    finally:
        progress.close()
    for note in made.notes:
        progress.note(note)
    progress.note(f"{made.path}: {made.frames} frames in {duration(monotonic() - started)}")
    progress.note(f"network {settings.dream.model}: {dreamer.network.licence}")


def _preview(source: Source, name: str, asked: options.Asked) -> None:
    output = asked.settings.output
    path = Path(output.out or f"{stem(name)}_preview.png")
    _check_still(path, overwrite=output.yes)
    dreamer, progress = _ready(source, asked)
    from pipeline.film import preview, recipe

    progress.total = min(output.preview, source.clip.frames or output.preview)
    progress.start(0)
    try:
        picture = preview(source, dreamer, output.preview, progress)
    finally:
        progress.close()
    stills.write(path, picture, recipe(dreamer))
    progress.note(f"{path}: {progress.done} of the film's frames, as they will be dreamed")


def _photographs(name: str, out: str | None) -> list[Path] | None:
    """The pictures of a folder that are to become a still each; None when the input is anything else."""
    folder = Path(name)
    if not folder.is_dir() or out is None or not (out.endswith(("/", os.sep)) or Path(out).is_dir()):
        return None
    paths = stills.in_folder(folder)
    return None if stills.is_numbered(paths) else list(paths.values())


def _dream_photographs(paths: list[Path], folder: Path, asked: options.Asked) -> None:
    settings = asked.settings
    outs = [folder / f"{path.stem}_dream.png" for path in paths]
    if len(set(outs)) < len(outs):
        raise UsageError(f"{paths[0].parent}: holds pictures that differ only in their ending. Rename them.")
    for out in outs:
        _check_still(out, overwrite=settings.output.yes, folder_may_be_made=True)
    sources = [PictureSource.of(str(path), {0: path}, settings.input) for path in paths]
    dreamer, progress = _ready(sources[0], asked)
    from pipeline.film import preview, recipe

    folder.mkdir(exist_ok=True)
    progress.total = len(paths)
    progress.start(0)
    try:
        for source, out in zip(sources, outs, strict=True):
            stills.write(out, preview(source, dreamer, 1, progress), recipe(dreamer))
    finally:
        progress.close()
    progress.note(f"{folder}: {len(outs)} pictures, a still each")


def _check_still(path: Path, *, overwrite: bool, folder_may_be_made: bool = False) -> None:
    if path.suffix.lower() not in stills.SUFFIXES:
        raise UsageError(f"{path}: expected a picture's ending, such as .png.")
    if path.exists() and not overwrite:
        raise OutputError(f"{path}: is there already. Give -y to overwrite it, or another name with -o.")
    if not path.parent.is_dir() and not (folder_may_be_made and path.parent.parent.is_dir()):
        raise OutputError(f"{path}: the folder {path.parent} does not exist. Make it first, or give another.")


def _ready(source: Source, asked: options.Asked) -> tuple[Dreamer, Progress]:
    """The network, loaded, and the progress that will be told. Here torch is imported, which takes seconds."""
    from pipeline.render import Dreamer

    settings = asked.settings
    dreamer = Dreamer(settings)
    size = dreamer.size(source.clip.size)
    octaves = len(dreamer.look.sizes(size))
    style = "none" if settings.run.quiet else settings.run.progress
    progress = Progress(style, source.clip.frames, size, octaves)
    if octaves < settings.dream.octaves:
        progress.note(f"{octaves} of {settings.dream.octaves} octaves fit a dream of {size}.")
    return dreamer, progress


if __name__ == "__main__":
    sys.exit(main())
