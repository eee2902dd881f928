"""Address: reaching a Ray cluster, or saying within seconds why not."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from importlib.metadata import version
from pathlib import Path
from time import monotonic
from typing import Any

from pipeline.errors import DeviceError, UsageError

PATIENCE = 13  # seconds until a cluster has answered, so that a command ends within 15
KNOCK = 4  # of them for a port to open
GONE = 30  # seconds without an answer after which a cluster is lost; Ray ends the process after 60
STORE = 100_000_000  # bytes
PATIENT = {
    "RAY_health_check_timeout_ms": "60000", "RAY_raylet_start_wait_time_s": "180", "RAY_worker_niceness": "0",
}  # fmt: skip
INSTEAD = "The cluster's own address, such as head:6379, does without Ray's client server."
TRY = "import sys, ray; ray.init(address=sys.argv[1], log_to_driver=False, logging_level=50)"


def last_line(error: object) -> str:
    """What an error of Ray comes to, in a line: its last, or what it says of versions, which it spreads over some."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    for number, line in enumerate(lines):
        if re.search(r"version mismatch|versions differ|incompatible", line, re.IGNORECASE):
            return " ".join(lines[number:])[:400]
    return lines[-1][:400] if lines else type(error).__name__


def reach(ray: Any, address: str) -> tuple[str, int]:
    """Connect to a cluster; auto: the one on this machine, begun when there is none. Gives its host and port.

    Within `PATIENCE`, or DeviceError; UsageError where it is no address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    stop = signal.getsignal(signal.SIGTERM)
    try:
        found = _current() if address == "auto" else address
        if not found:
            _begin(ray, quiet)
            found = ray.get_runtime_context().gcs_address
            return _parts(found) or ("", 0)
        door = _parts(found)
        if not door:
            raise UsageError(f"--address {address}: expected auto, host:6379 or ray://host:10001.")
        began = monotonic()
        _knock(found, *door)
        _try(found, PATIENCE - (monotonic() - began))
        try:
            ray.init(address=found, **quiet)
        except Exception as error:
            raise DeviceError(f"{found}: Ray refuses. {last_line(error)}") from None
        return door
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, stop)  # Ray takes it for itself


def answers(door: tuple[str, int]) -> bool:
    """Whether somebody listens there."""
    try:
        socket.create_connection(door, timeout=KNOCK).close()
    except OSError:
        return False
    return True


def _parts(address: str) -> tuple[str, int] | None:
    match = re.fullmatch(r"(?:ray://)?\[?([^\s/\[\]]+?)\]?:(\d{1,5})", address)
    return (match[1], int(match[2])) if match and 0 < int(match[2]) < 65536 else None


def _begin(ray: Any, quiet: dict[str, Any]) -> None:
    """A cluster of this machine alone, which needs little memory and is not in haste to notice lost ones."""
    for name, value in PATIENT.items():
        os.environ.setdefault(name, value)
    try:
        ray.init(address="local", dashboard_host="127.0.0.1", object_store_memory=STORE, **quiet)
    except Exception as error:
        raise DeviceError(
            f"Ray does not start on this machine ({last_line(error)}).\n--engine local needs no Ray."
        ) from None


def _current() -> str:
    """The cluster that RAY_ADDRESS names, or that `ray start` began on this machine and that answers; '' for none."""
    if named := os.environ.get("RAY_ADDRESS", ""):
        return "" if named == "local" else named
    told = Path(tempfile.gettempdir(), "ray", "ray_current_cluster")
    try:
        found = told.read_text(encoding="utf-8").strip()
        host, _, port = found.rpartition(":")
        _knock(found, host, int(port))
    except (OSError, ValueError, DeviceError):
        return ""
    return found


def _try(address: str, seconds: float) -> None:
    """Connect once in a process of its own: Ray's library ends the process that waits for a cluster in vain."""
    try:
        done = subprocess.run(  # noqa: S603  our own interpreter, and no shell
            [sys.executable, "-c", TRY, address],
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        token = "" if os.environ.get("RAY_AUTH_MODE") else " If it asks for a token: RAY_AUTH_MODE=token."
        raise DeviceError(
            f"{address}: something listens there, and has not answered as a Ray cluster for {seconds:.0f} s.\n"
            f"Is it one, and of the same Ray as here, {version('ray')}?{token}"
        ) from None
    if done.returncode:
        other = f"\n{INSTEAD}" if address.startswith("ray:") else ""
        raise DeviceError(f"{address}: Ray refuses. {last_line(done.stderr)}{other}")


def _knock(address: str, host: str, port: int) -> None:
    try:
        socket.create_connection((host, port), timeout=KNOCK).close()
    except OSError as error:
        raise DeviceError(
            f"{address}: nobody answers at port {port} of {host} ({error.strerror or error}).\n"
            "Is the cluster up (`ray status` there), and the port open from here?"
        ) from None
