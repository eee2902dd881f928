"""dream-video: a clip, pictures or a still in, dreamed out."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence

from pipeline import looks
from pipeline.cli import options
from pipeline.errors import INTERRUPTED, DreamError, printable

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
    except OSError as error:
        return _tell(error, f"{error.filename or 'a file'}: {error.strerror or error}", 4, args)
    except Exception as error:  # the last door: whatever it is, it leaves as a line
        said = f"this should not have happened: {type(error).__name__}: {error}\n-vv shows where; please report it."
        return _tell(error, said, 1, args)
    return 0


def _tell(error: BaseException, text: str, code: int, args: Sequence[str]) -> int:
    if "-vv" in args or args.count("-v") + args.count("--verbose") > 1:
        traceback.print_exception(error)
    print(f"dream-video: {printable(text)}", file=sys.stderr)
    return code


def _run(args: Sequence[str]) -> None:
    asked = options.read("dream-video", ABOUT, args)
    if asked.settings.run.presets:
        for name, path in looks.presets().items():
            print(f"{name:16} {looks.headline(path)}")
    elif asked.settings.run.explain:
        print(options.explain(asked), end="")
    else:
        from pipeline.cli import making  # media libraries, which --help does without

        making.make(asked)


if __name__ == "__main__":
    sys.exit(main())
