"""dream-video: a clip, pictures or a still in, dreamed out."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Sequence

from pipeline.cli import options, signals
from pipeline.errors import INTERRUPTED, DreamError, printable

ABOUT = "Dream on a film: DeepDream that holds still while the picture moves."
EXAMPLES = (
    ("dream-video clip.mp4", "writes clip_dream.mp4"),
    ("dream-video clip.mp4 --preview", "one frame of it, in seconds"),
    ("dream-video clip.mp4 -p strokes --strength 0.7", "another look, less of it"),
    ("dream-video clip.mp4 --layers mixed4b --end 5s", "another layer, five seconds"),
    ('dream-video "shot.%04d.png" -o "out.%04d.png"', "numbered pictures in and out"),
    ("dream-video --demo", "a scene this program draws"),
)


def main(argv: Sequence[str] | None = None) -> int:
    return guarded("dream-video", _run, argv)


def guarded(name: str, run: Callable[[Sequence[str]], None], argv: Sequence[str] | None) -> int:
    """Run a door. Gives the exit code; an error is a line or two on stderr, a traceback only with -vv."""
    args = list(sys.argv[1:] if argv is None else argv)
    try:
        with signals.handled():
            run(args)
        sys.stdout.flush()
    except DreamError as error:
        return _tell(name, error, str(error), error.exit_code, args)
    except KeyboardInterrupt as error:
        return _tell(name, error, "interrupted.", INTERRUPTED, args)
    except BrokenPipeError:  # whoever read what was printed has had enough
        _print_to_nobody()
    except OSError as error:
        return _tell(name, error, f"{error.filename or 'a file'}: {error.strerror or error}", 4, args)
    except Exception as error:  # the last door: whatever it is, it leaves as a line
        said = f"this should not have happened: {type(error).__name__}: {error}\n-vv shows where; please report it."
        return _tell(name, error, said, 1, args)
    return 0


def _tell(name: str, error: BaseException, text: str, code: int, args: Sequence[str]) -> int:
    """text: and below it what the error has been given to say besides."""
    try:
        if "-vv" in args or args.count("-v") + args.count("--verbose") > 1:
            traceback.print_exception(error)
        notes = getattr(error, "__notes__", [])
        print(f"{name}: {printable(chr(10).join([text, *notes]))}", file=sys.stderr, flush=True)
    except OSError:
        _print_to_nobody()
    return code


def _print_to_nobody() -> None:
    """Else the interpreter would complain of a closed stdout or stderr when it ends."""
    nobody = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(nobody, stream.fileno())


def _run(args: Sequence[str]) -> None:
    asked = options.read("dream-video", ABOUT, args, examples=EXAMPLES)
    if options.answered(asked):
        return
    if asked.settings.run.ui:
        from pipeline.cli import showing

        showing.show(asked)
    else:
        from pipeline.cli import making  # media libraries, which --help does without

        making.make(asked)


if __name__ == "__main__":
    sys.exit(main())
