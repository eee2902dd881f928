"""Address: reaching a Ray cluster, or saying within seconds why not."""

from __future__ import annotations

import os
import re
import socket
import threading
from collections.abc import Callable
from typing import Any

from pipeline.errors import DeviceError, UsageError

PATIENCE = 15  # seconds until a cluster has answered
STARTING = 120  # seconds until one has begun on this machine
KNOCK = 5  # seconds for a port to open


def last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__


def reach(ray: Any, address: str) -> None:
    """Connect to a cluster; auto: the one on this machine, begun when there is none.

    Within `PATIENCE`, or DeviceError; UsageError where it is no address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    how = {"log_to_driver": False, "logging_level": "ERROR", "dashboard_host": "127.0.0.1"}
    if address == "auto":
        if os.environ.get("RAY_ADDRESS"):
            reach(ray, os.environ["RAY_ADDRESS"])
            return
        try:
            _within(PATIENCE, lambda: ray.init(address="auto", **how), "the cluster on this machine")
        except ConnectionError:
            _within(STARTING, lambda: ray.init(address="local", **how), "a cluster of this machine alone")
        return
    match = re.fullmatch(r"(?:ray://)?\[?([^\s/\[\]]+?)\]?:(\d{1,5})", address)
    if not match or not 0 < int(match[2]) < 65536:
        raise UsageError(f"--address {address}: expected auto, host:6379 or ray://host:10001.")
    _knock(address, match[1], int(match[2]))
    if address.startswith("ray://"):
        how = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        _within(PATIENCE - KNOCK, lambda: ray.init(address=address, **how), address)
    except ConnectionError as error:
        raise DeviceError(f"{address}: is no Ray cluster that answers ({last_line(error)}).") from None


def _knock(address: str, host: str, port: int) -> None:
    try:
        socket.create_connection((host, port), timeout=KNOCK).close()
    except OSError as error:
        raise DeviceError(
            f"{address}: nobody answers at port {port} of {host} ({error.strerror or error}).\n"
            "Is the cluster up (`ray status` there), and the port open from here?"
        ) from None


def _within(seconds: float, do: Callable[[], object], what: str) -> None:
    """Do it in a thread, since a cluster that has gone quiet would be waited for for ever. Raises what it raises."""
    errors: list[BaseException] = []

    def attempt() -> None:
        try:
            do()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise DeviceError(f"{what}: has not answered for {seconds:g} s. Is that a Ray cluster, and is it up?")
    for error in errors:
        if isinstance(error, ConnectionError | KeyboardInterrupt):
            raise error
        if isinstance(error, ImportError):
            raise UsageError(
                f'ray:// needs Ray\'s client ({error}). `pip install "dream-video[farm]"` brings it.'
            )
        said = " ".join(str(error).split())
        raise DeviceError(f"{what}: Ray refuses ({said[:400]}).")
