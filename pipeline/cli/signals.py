"""Signals: a stop that is asked for comes after the frame in hand; asked for twice, it comes at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

STOPS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)
]
"""Ctrl-C, a farm's or a shell's wish, a closed terminal, and Ctrl-Break."""

Handler = Callable[[int, FrameType | None], None]


def at_once(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def handled(handler: Handler = at_once) -> Iterator[None]:
    """Inside, whatever asks for a stop calls `handler`; what was told to be ignored, as by nohup, still is."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in STOPS}
    changed = [number for number, was in before.items() if was not in (signal.SIG_IGN, None)]
    for number in changed:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number in changed:
            signal.signal(number, before[number])


@contextmanager
def patient(*, silent: bool) -> Iterator[Callable[[], None]]:
    """Inside, the first wish to stop is granted where the function this gives is called; a second one at once.

    silent: nothing is said of the wait.
    """
    asked = False

    def handler(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        if not silent:
            with suppress(OSError):  # straight to stderr: what a signal interrupts may be a print
                os.write(2, b"\nstopping after this frame; once more stops at once\n")

    def stop_if_asked() -> None:
        if asked:
            raise KeyboardInterrupt

    with handled(handler):
        yield stop_if_asked
