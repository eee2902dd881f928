"""Showing: what --ui sets going: the page on which a look is chosen, served until it is interrupted."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from threading import Event

from pipeline.cli import options
from pipeline.errors import UsageError, bring


def show(asked: options.Asked) -> None:
    """Raises what cannot be opened; UsageError without Gradio, and for a port that is in use."""
    settings = asked.settings
    if settings.run.demo and asked.source is not None:
        raise UsageError(f"--demo draws its own scene; leave out {asked.source}, or leave out --demo.")
    if asked.more:
        raise UsageError(f"--ui: shows one input; leave out {', '.join(asked.more)}.")
    if find_spec("gradio") is None:  # before torch is loaded for it
        raise UsageError(f"--ui: needs Gradio, which is not installed: {bring('ui')}")
    from pipeline.ui.choice import Base
    from pipeline.ui.page import served
    from pipeline.ui.studio import Studio

    studio = Studio(Base(settings, asked.origins), asked.source)
    if asked.source is not None:
        studio.subject(None)
    with served(studio, settings.run.port) as address:
        if not settings.silent:
            print(
                f"{address} is the page, for this machine alone. Ctrl-C ends it.", file=sys.stderr, flush=True
            )
        try:
            Event().wait()
        except KeyboardInterrupt:  # how it is meant to end
            return
