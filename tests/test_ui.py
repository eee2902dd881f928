"""The page: a choice made with the eyes is the command it copies, and what is not wanted any more ends."""

from __future__ import annotations

import base64
import shlex
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from threading import Event

import av
import imageio.v3 as iio
import numpy as np
import pytest
from browser import CHROMIUM, Tab, tab
from PIL import Image

from conftest import texture, tiny_network
from pipeline import InputError, looks
from pipeline.atlas.plan import chapters
from pipeline.cli import options, video
from pipeline.clip import Size
from pipeline.ui import page, thumbs
from pipeline.ui.choice import Base
from pipeline.ui.studio import Studio, SupersededError

gradio = pytest.mark.skipif(find_spec("gradio") is None, reason="needs Gradio")
browser = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
SMALL = ["--threads", "1", "--iterations", "2"]


@pytest.fixture(autouse=True)
def _quick_and_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small pictures of layers, kept in a cache of this test's own; photo.png in the current folder."""
    monkeypatch.setattr(thumbs, "SIZE", Size(24, 32))
    monkeypatch.setattr(thumbs, "cache", lambda: tmp_path / "cache")
    monkeypatch.chdir(tmp_path)
    iio.imwrite("photo.png", texture(64, 96))


def base(*words: str) -> Base:
    asked = options.read("dream-video", "", words)
    return Base(asked.settings, asked.origins)


@pytest.fixture
def studio() -> Iterator[Studio]:
    made = Studio(base(*SMALL), "photo.png")
    yield made
    made.close()


def written(command: str) -> np.ndarray:
    """What the command makes."""
    assert video.main([*shlex.split(command)[1:], "-o", "again.png", "-q", "-y"]) == 0
    return iio.imread("again.png")


@pytest.mark.parametrize(
    "words", [(), ("-p", "night"), ("--octaves", "2", "--guide", "photo.png"), ("--demo",)]
)
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"layers": "motif/owl, mixed4a:0.5", "strength": 0.5, "steadiness": 0.5},
        {"model": "googlenet", "layers": "inception4c", "objective": "sparse"},
        {"objective": "invert", "octaves": 7, "dream_size": "full"},
        {"objective": "energy", "octaves": 6, "step": 1.5},
    ],
)
def test_the_command_comes_to_the_settings_of_the_page(
    words: tuple[str, ...], changes: dict[str, object]
) -> None:
    opened = base(*words)
    choice = replace(opened.first(str(changes.get("model", ""))), **changes)
    command = shlex.split(opened.command("a b.png", choice))
    again = options.read("dream-video", "", command[1:])
    ours = opened.settings_of(choice)
    assert again.source == "a b.png"
    assert again.settings.dream.model_dump(mode="json") == ours.dream.model_dump(mode="json")
    assert again.settings.time.model_dump(mode="json") == ours.time.model_dump(mode="json")


def test_what_is_said_is_what_was_chosen_and_no_more() -> None:
    opened = base()
    first = opened.first()
    assert opened.command("photo.png", first) == "dream-video photo.png --dream-size max:320"
    assert opened.command("-p.png", first).startswith("dream-video ./-p.png ")
    other = opened.command("", replace(first, layers="mixed4a", strength=0.5))
    assert other == "dream-video --demo --layers mixed4a --strength 0.5 --dream-size max:320"
    names = [name for _, name in base("--model", "vgg16").models()]
    assert names[0] == "vgg16"
    assert "builtin" in names
    assert "bvlc_googlenet" not in names  # which has no weights


def test_a_dream_ends_between_two_steps_when_another_is_wanted(studio: Studio) -> None:
    slow = Studio(base("--threads", "1", "--iterations", "1000"), "photo.png")
    begun = Event()
    turn = slow.turn("a")
    heed = turn.heed

    def tell() -> None:
        heed()
        begun.set()

    turn.heed = tell  # type: ignore[method-assign]
    going = slow.dream(None, 1, slow.base.first(), turn)
    assert begun.wait(60)
    other = slow.turn("b")  # another page: which waits for its turn
    waiting = slow.dream(None, 1, slow.base.first(), other)
    slow.turn("a")
    with pytest.raises(SupersededError):
        going.result(60)
    assert turn.of > 1000
    assert turn.steps < turn.of
    slow.leave("b")
    with pytest.raises(SupersededError):
        waiting.result(60)
    slow.close()


def test_layers_are_shown_once_for_a_network_and_then_remembered(tmp_path: Path) -> None:
    tiny, own = tiny_network(), looks.of(iterations=1, octaves=1)
    calls: list[int] = []
    made = list(thumbs.thumbs(tiny, own, lambda: calls.append(1)))
    assert [thumb.layers for thumb in made] == ["soft", "mid", "deep"]
    assert len(calls) == 3
    files = sorted((tmp_path / "cache" / "layers").iterdir())
    files[0].write_bytes(b"not a picture")
    again = list(thumbs.thumbs(tiny, own, lambda: calls.append(1)))
    assert len(calls) == 4  # only the damaged one
    assert (
        base("--iterations", "1").own("builtin").dream == looks.of().dream
    )  # whatever the page was opened with
    assert all(np.abs(a.picture.astype(int) - b.picture).mean() < 9 for a, b in zip(made, again, strict=True))


def test_of_a_clip_a_piece_plays(studio: Studio, make_clip: Callable[..., Path], tmp_path: Path) -> None:
    clip = str(make_clip(frames=4))
    subject = studio.subject(clip)
    assert subject.moves
    assert len(subject.frames) == 4
    choice = replace(studio.base.first(), dream_size="max:64")
    film = studio.piece(clip, choice, tmp_path, studio.turn("a")).result(60)
    with av.open(str(film)) as file:
        assert len(list(file.decode(video=0))) == 4
    shown = studio.dream(clip, 2, choice, studio.turn("a")).result(60)
    assert shown.shape == subject.frames[1].picture.shape


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"not a picture", "cannot be read as a picture"),
        ((10_000, 10_000), "10000x10000 is 100 megapixels; this page takes up to 40"),
        ((20_000, 20_000), "far too large"),
    ],
)
def test_what_no_page_can_hold_is_told_in_a_line(studio: Studio, content: object, said: str) -> None:
    path = Path("large.png")
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        Image.new("1", content).save(path)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=said):
        studio.subject(str(path))
    assert studio.subject(None).clip.size == (64, 96)


def test_without_gradio_a_line_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.setitem(sys.modules, "pipeline.ui.studio", None)  # it is said before torch is loaded
    assert video.main(["photo.png", "--ui"]) == 2
    told = capsys.readouterr().err
    assert "pip install 'gradio>=6'" in told
    assert told.count("\n") == 1


def test_a_port_in_use_is_told_or_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind((page.HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Exception, match=f"--port {port}: is in use"):
            page._free(port)
        monkeypatch.setattr(page, "PORTS", range(port, port + 8))
        assert page._free(0) > port


def shown_picture(tab: Tab) -> np.ndarray:
    """The very bytes of the picture on the page."""
    script = """fetch(document.querySelector("#picture img").src).then(r => r.arrayBuffer())
        .then(b => btoa(String.fromCharCode(...new Uint8Array(b))))"""
    return iio.imread(BytesIO(base64.b64decode(tab.run(script))))


def value(part: str) -> str:
    return f'document.querySelector("#{part} textarea").value'


@gradio
@browser
def test_what_is_chosen_in_a_browser_is_what_its_command_dreams(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        thumbs, "chapters", lambda n, _, *rest, **more: chapters(n, "strokes, mixed4a", *rest, **more)
    )
    opened = Studio(base(*SMALL), "photo.png")
    with page.served(opened, 0) as address, tab(tmp_path / "profile") as chrome:
        assert address.startswith("http://127.0.0.1:")
        chrome.open(address)
        chrome.wait('document.querySelector("#picture img")')
        # Only then: of two threads that cut a network at once one would fail, in this process.
        chrome.wait('document.querySelectorAll("#gallery button img").length >= 2')
        before = chrome.run(value("command"))
        first = shown_picture(chrome)
        assert np.array_equal(first, written(before))
        chrome.run(
            '[...document.querySelectorAll("#gallery button")].find(b => b.innerText == "mixed4a").click()'
        )
        chrome.wait(f"{value('command')} != {before!r}")
        command = chrome.run(value("command"))
        assert "--layers mixed4a" in command
        second = shown_picture(chrome)
        assert np.abs(second.astype(int) - first).mean() > 0.2
        assert np.array_equal(second, written(command))

        Image.new("1", (10_000, 10_000)).save("large.png")
        chrome.drop("#file input", Path("large.png"))
        chrome.wait(f'{value("told")}.includes("100 megapixels")')
        chrome.run('document.querySelector("#file button[aria-label]").click()')
        chrome.wait('document.querySelector("#file input")')
        iio.imwrite("photo (1).png", texture(48, 64, 3))
        chrome.drop("#file input", Path("photo (1).png"))
        chrome.wait(f'{value("command")}.includes("photo (1).png")')
        assert np.array_equal(shown_picture(chrome), written(chrome.run(value("command"))))
        assert not [asked for asked in chrome.asked_for if not asked.startswith((address, "data:", "blob:"))]
        assert not chrome.complaints


@gradio
def test_strangers_are_not_let_in(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A name that leads here from elsewhere is not answered; and the door says where the page is."""
    from http.client import HTTPConnection

    said: list[int] = []

    class Waiting:
        def wait(self) -> None:
            address = capsys.readouterr().err.split()[0]
            for host in ("evil.example", "127.0.0.1"):
                asked = HTTPConnection("127.0.0.1", int(address.strip("/").rpartition(":")[2]), timeout=30)
                asked.request("GET", "/config", headers={"Host": host})
                said.append(asked.getresponse().status)
                asked.close()
            raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.cli.showing.Event", Waiting)
    assert video.main(["photo.png", "--ui"]) == 0
    assert said == [400, 200]
