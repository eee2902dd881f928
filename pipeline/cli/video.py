"""dream-video: a clip, pictures or a still in, dreamed out."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pipeline.cli import options
from pipeline.cli.guard import guarded

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


def _run(args: Sequence[str]) -> None:
    asked = options.read("dream-video", ABOUT, args, several=True, examples=EXAMPLES)
    if options.answered(asked):
        return
    run = asked.settings.run
    if run.ui:
        from pipeline.cli import showing

        showing.show(asked)
        return
    if not run.watch:
        options.check_input(asked, "a clip, a picture or a folder")
    from pipeline.cli import making  # media libraries, which --help does without

    making.make(asked)


if __name__ == "__main__":
    sys.exit(main())
