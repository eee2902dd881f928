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
from pathlib import Path
from typing import Any

from pipeline.errors import DeviceError, UsageError

PATIENCE = 15  # seconds until a cluster has answered
KNOCK = 4  # of them for a port to open
STORE = 100_000_000  # bytes
PATIENT = {"RAY_health_check_timeout_ms": "60000", "RAY_raylet_start_wait_time_s": "180"}
TRY = "import sys, ray; ray.init(address=sys.argv[1], log_to_driver=False, logging_level=50)"


def last_line(error: object) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:400] if lines else type(error).__name__


def reach(ray: Any, address: str) -> None:
    """Connect to a cluster; auto: the one on this machine, begun when there is none.

    Within `PATIENCE`, or DeviceError; UsageError where it is no address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    stop = signal.getsignal(signal.SIGTERM)
    try:
        found = _current() if address == "auto" else address
        if not found:
            _begin(ray, quiet)
            return
        match = re.fullmatch(r"(?:ray://)?\[?([^\s/\[\]]+?)\]?:(\d{1,5})", found)
        if not match or not 0 < int(match[2]) < 65536:
            raise UsageError(f"--address {address}: expected auto, host:6379 or ray://host:10001.")
        _knock(found, match[1], int(match[2]))
        _try(found)
        ray.init(address=found, **quiet)
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, stop)  # Ray takes it for itself


def _begin(ray: Any, quiet: dict[str, Any]) -> None:
    """A cluster of this machine alone, which needs little memory, and none of the haste that notices lost ones."""
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


def _try(address: str) -> None:
    """Connect once in a process of its own: Ray's library ends the process that waits for a cluster in vain."""
    try:
        done = subprocess.run(  # noqa: S603  our own interpreter, and no shell
            [sys.executable, "-c", TRY, address],
            capture_output=True,
            text=True,
            timeout=PATIENCE - KNOCK,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise DeviceError(
            f"{address}: something listens there, and has not answered as a Ray cluster for {PATIENCE - KNOCK} s."
        ) from None
    if done.returncode:
        raise DeviceError(f"{address}: Ray refuses. {last_line(done.stderr)}")


def _knock(address: str, host: str, port: int) -> None:
    try:
        socket.create_connection((host, port), timeout=KNOCK).close()
    except OSError as error:
        raise DeviceError(
            f"{address}: nobody answers at port {port} of {host} ({error.strerror or error}).\n"
            "Is the cluster up (`ray status` there), and the port open from here?"
        ) from None
