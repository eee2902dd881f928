"""Guard: what stands around a door. Whatever goes wrong behind it leaves as a line or two and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from pipeline.cli import signals
from pipeline.errors import INTERRUPTED, DreamError, printable


def guarded(name: str, run: Callable[[Sequence[str]], None], argv: Sequence[str] | None) -> int:
    """Run a door. Gives the exit code; an error is a line or two on stderr, a traceback only with -vv."""
    args = list(sys.argv[1:] if argv is None else argv)
    try:
        with signals.handled():
            _run(run, args)
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


def _run(run: Callable[[Sequence[str]], None], args: Sequence[str]) -> None:
    """With all that was printed handed on, also where --help ended it, so that a closed pipe is met in here."""
    try:
        run(args)
    except SystemExit:
        sys.stdout.flush()
        raise
    sys.stdout.flush()


def _tell(name: str, error: BaseException, text: str, code: int, args: Sequence[str]) -> int:
    """text: and below it what the error has been given to say besides."""
    try:
        if "-vv" in args or args.count("-v") + args.count("--verbose") > 1:
            import traceback

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
