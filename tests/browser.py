"""A browser for tests: headless Chromium, spoken to over its DevTools pipe; needs no driver and no library."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--remote-debugging-pipe",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--hide-scrollbars",
]  # fmt: skip
PATIENCE = 60  # seconds


class Tab:
    """One page. asked_for: every address it has requested; complaints: what went wrong on it."""

    def __init__(self, read: int, write: int) -> None:
        self._read, self._write, self._left, self._number = read, write, b"", 0
        self.asked_for: list[str] = []
        self.complaints: list[str] = []
        target = self.tell("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.tell("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log", "DOM"):
            self.tell(f"{domain}.enable")

    _session: str | None = None

    def tell(self, method: str, **words: Any) -> Any:
        """One command of the DevTools protocol, and its result."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": words}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next(PATIENCE)
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def open(self, address: str, width: int = 1280, height: int = 900) -> None:
        self.tell(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        self.tell("Page.navigate", url=address)

    def run(self, script: str) -> Any:
        """The value of an expression on the page; a promise is waited for."""
        done = self.tell("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def wait(self, script: str, seconds: float = PATIENCE) -> Any:
        """Until the expression is true on the page; gives its value."""
        end = time.monotonic() + seconds
        while not (value := self.run(f"{{ let it = {script}; it instanceof Node ? true : it }}")):
            assert time.monotonic() < end, f"never came: {script}\n{self.run('document.body.innerText')}"
            self._pass(0.1)
        return value

    def drop(self, selector: str, path: Path) -> None:
        """A file on a part of the page that takes one."""
        root = self.tell("DOM.getDocument")["root"]["nodeId"]
        node = self.tell("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.tell("DOM.setFileInputFiles", nodeId=node, files=[str(path.resolve())])

    def screenshot(self, path: Path) -> None:
        kind = "png" if path.suffix == ".png" else "jpeg"
        path.write_bytes(
            base64.b64decode(self.tell("Page.captureScreenshot", format=kind, quality=70)["data"])
        )

    def _pass(self, seconds: float) -> None:
        if self._left.count(b"\0") or select.select([self._read], [], [], seconds)[0]:
            self._next(seconds)

    def _next(self, seconds: float) -> Any:
        while b"\0" not in self._left:
            assert select.select([self._read], [], [], seconds)[0], "the browser says nothing"
            self._left += os.read(self._read, 1 << 20)
        message, _, self._left = self._left.partition(b"\0")
        told = json.loads(message)
        match told.get("method"):
            case "Network.requestWillBeSent":
                self.asked_for.append(told["params"]["request"]["url"])
            case "Runtime.exceptionThrown":
                self.complaints.append(str(told["params"]["exceptionDetails"]))
            case "Log.entryAdded" if told["params"]["entry"]["level"] == "error":
                self.complaints.append(str(told["params"]["entry"]))
        return told


@contextmanager
def tab(profile: Path) -> Iterator[Tab]:
    """A page in a browser of its own, which is gone after the block."""
    assert CHROMIUM
    (their_in, write), (read, their_out) = os.pipe(), os.pipe()

    def as_three_and_four() -> None:
        spare = os.dup(their_out)
        os.dup2(their_in, 3)
        os.dup2(spare, 4)

    browser = subprocess.Popen(
        [CHROMIUM, *FLAGS, f"--user-data-dir={profile}"],
        pass_fds=(3, 4), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        preexec_fn=as_three_and_four,  # noqa: PLW1509  two system calls, no lock
    )  # fmt: skip
    os.close(their_in)
    os.close(their_out)
    try:
        yield Tab(read, write)
    finally:
        browser.terminate()
        browser.wait(30)
        os.close(read)
        os.close(write)
