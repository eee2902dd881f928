"""The report: its numbers are the measures, its page is whole, harmless and loads nothing, and it survives a kill."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import math
import re
import shutil
import subprocess
from collections.abc import Callable
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from conftest import texture, tiny_network
from pipeline import metrics, render
from pipeline.cli import video
from pipeline.clip import Clip, Flow, Size
from pipeline.destination import Destination
from pipeline.dreamer import Dreamer
from pipeline.dreamt import Dreamt
from pipeline.film import Made, make
from pipeline.metrics import LONG, Meter
from pipeline.ops import motion
from pipeline.report import curves, page, strips, tables, tiles
from pipeline.report.about import About
from pipeline.report.curves import Axis, Curve
from pipeline.report.measure import Row, Trail, stride_of
from pipeline.report.record import Record
from pipeline.settings import Input
from pipeline.sources import Source, open_source
from pipeline.stages import stills

CUT, FRAMES = 10, 20
SMALL = {"octaves": 2, "iterations": 4, "jitter": 4, "layers": "deep", "threads": 1}
EVIL = "<img src=x onerror=alert(1)>\"'&amp;</script></title>.mp4"
VOID = {"meta", "link", "img", "br", "path"}  # path ends itself


def dreamer(**knobs: object) -> Dreamer:
    return Dreamer(network=tiny_network(), **{**SMALL, **knobs})


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """Two shots, each a pan of two pixels a frame."""
    folder = tmp_path_factory.mktemp("frames")
    for shot in (0, 1):
        wide = texture(96, 128 + 2 * CUT, seed=shot)
        for index in range(CUT):
            number = shot * CUT + index
            stills.write(folder / f"f_{number:02d}.png", wide[:, 2 * index : 2 * index + 128])
    return open_source(str(folder), Input())


def rendered(
    source: Source, folder: Path, watch: Callable[[Dreamt], None] = lambda _: None, **knobs: object
) -> Made:
    to = Destination.of(str(folder / "out.mp4"), "clip", source)
    return make(source, dreamer(**knobs), to, lambda _: None, watch, "dream-video clip")


@pytest.fixture(scope="module")
def report(clip: Source, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a whole render; CSV and JSON are beside it."""
    folder = tmp_path_factory.mktemp("report")
    rendered(clip, folder, report=str(folder / "r.html"))
    return folder / "r.html"


def numbers(path: Path) -> list[dict[str, float | None]]:
    def refused(word: str) -> float:
        raise AssertionError(f"{word} is no JSON")

    kept = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"), parse_constant=refused)
    return [dict(zip([c["name"] for c in kept["columns"]], row, strict=True)) for row in kept["frames"]]


class Seen(HTMLParser):
    """Every tag with its attributes; complains of one that is not closed in its turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def assert_harmless(text: str) -> Seen:
    seen = Seen(text)
    for _, attributes in seen.tags:
        assert not any(name.startswith("on") for name in attributes)
        assert (attributes.get("src") or "data:").startswith("data:")
    assert not re.search(r"(src|href|url|import|fetch)\W{1,3}(https?:)?//", text)
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert len(scripts) == 1
    assert any(f"script-src 'sha256-{digest}'" in str(meta.get("content")) for meta in seen.all("meta"))
    return seen


def test_the_page_is_whole_and_loads_nothing(report: Path) -> None:
    seen = assert_harmless(report.read_text(encoding="utf-8"))
    tiles_of = [tile["data-row"] for tile in seen.all("button") if tile.get("class") == "tile"]
    assert tiles_of.count("source") == tiles_of.count("dream") == tiles_of.count("layer") == 10
    assert tiles_of.count("flow") == tiles_of.count("trust") == 10 - 2  # two of them begin a shot
    assert {link["href"] for link in seen.all("a")} == {"r.csv", "r.json"}
    assert report.stat().st_size < 3_000_000
    assert "dream-video clip" in "".join(seen.words)


def test_the_numbers_are_the_measures(clip: Source, report: Path) -> None:
    meter = Meter()
    for dreamt, row in zip(dreamer().walk(clip), numbers(report), strict=True):
        source, shown = (p.astype(np.float32) / 255 for p in (dreamt.frame.picture, dreamt.picture))
        want = meter.feed(source, dreamt.dream, {1: dreamt.flow}, dreamt.steps, 4)
        assert row["f1"] == pytest.approx(want.f1, rel=1e-4) if want.f1 == want.f1 else row["f1"] is None
        assert row["strength"] == pytest.approx(want.amplitude, rel=1e-4)
        assert row["sharpness"] == pytest.approx(want.sharpness, rel=1e-4)
        assert row["clipped"] == pytest.approx(metrics.clipped(shown))
        assert row["source_clipped"] == pytest.approx(metrics.clipped(source))
        assert row["cost"] == want.cost
        assert row["cut"] == (row["frame"] in (0, CUT))
        assert row["trust"] == (None if row["cut"] else pytest.approx(dreamt.trust))
        assert float(row["time"] or 0) == pytest.approx(float(dreamt.frame.time))
    assert [row["f1"] is None for row in numbers(report)] == [n in (0, CUT) for n in range(FRAMES)]
    assert [row["frame"] for row in numbers(report) if row["f8"] is not None] == [8, CUT + 8]


def test_flicker_over_eight_frames_is_measured_along_the_whole_way(clip: Source, report: Path) -> None:
    frames = list(dreamer().walk(clip))
    far = frames[1].flow
    for dreamt in frames[2 : LONG + 1]:
        there = motion.follow(dreamt.flow.backward)
        trust = np.minimum(dreamt.flow.trust, motion.sample(far.trust, there))
        far = Flow(dreamt.flow.backward + motion.sample(far.backward, there), trust)
    want = metrics.flicker(frames[LONG].dream, frames[0].dream, far)
    assert numbers(report)[LONG]["f8"] == pytest.approx(want, rel=1e-4)
    assert np.median(far.backward[..., 0]) == pytest.approx(2 * LONG, abs=0.5)


@pytest.mark.parametrize("size", [Size(120, 160), Size(240, 420)])
def test_motion_is_added_up_along_the_way(size: Size) -> None:
    """A zoom by 2 % a frame, at full and at half size."""
    across, down = np.meshgrid(*(np.arange(n, dtype=np.float32) - n / 2 for n in (size.width, size.height)))
    centred = np.stack([across, down], -1)
    step = Flow(-0.02 * centred, np.ones(size, np.float32))
    trail = Trail(np.zeros((*size, 3), np.float32))
    for _ in range(LONG):
        trail.go_on(step)
    assert np.allclose(trail.flow().backward, (0.98**LONG - 1) * centred, atol=0.15)


def test_csv_holds_the_same_numbers_and_their_units(report: Path) -> None:
    with report.with_suffix(".csv").open(encoding="utf-8", newline="") as file:
        head, *lines = list(csv.reader(file))
    assert {"time [s]", "f1 [0 to 2]", "strength [grey levels rms]", "seconds [s]"} < set(head)
    for line, row in zip(lines, numbers(report), strict=True):
        for text, value in zip(line, row.values(), strict=True):
            assert (text == "") if value is None else (float(text) == pytest.approx(float(value), rel=1e-4))


def test_every_curve_has_a_point_for_every_frame_that_was_measured(report: Path) -> None:
    text = report.read_text(encoding="utf-8")
    charts = re.findall(
        r'<figure class="chart" data-curve="(\w+)" data-top="([\d.e+-]+)">(.*?)</figure>', text
    )
    assert [name for name, _, _ in charts] == [
        "f1", "f8", "strength", "sharpness", "clipped", "trust", "cost", "seconds",
    ]  # fmt: skip
    for name, top, body in charts:
        values = [row[name] for row in numbers(report) if row[name] is not None]
        line = re.search(r'class="line" d="([^"]*)"', body)
        assert line
        drawn = [float(y) for y in re.findall(r"[ML][\d.]+ (-?[\d.]+)", line[1])]
        scale = 100 if name in ("clipped", "trust", "cost") else 1
        wanted = [100 * (1 - scale * float(value or 0) / float(top)) for value in values]
        assert drawn == pytest.approx(wanted, abs=0.02)
        assert line[1].count("M") == (2 if name in ("f1", "f8", "trust") else 1)  # they break at the cut
        assert body.count('class="cut"') == 1


@pytest.fixture
def short(clip: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments of four frames."""
    monkeypatch.setattr(render, "SEGMENT", 4 / clip.clip.rate)


def interrupted(clip: Source, folder: Path, at: int, **knobs: object) -> Path:
    """A render that ended after this frame. Gives what is kept for the report."""

    def stop(dreamt: Dreamt) -> None:
        if dreamt.frame.index == at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rendered(clip, folder, stop, **knobs)
    return next(folder.glob("*.dreamwork")) / "report.jsonl"


def timeless(path: Path) -> list[dict[str, float | None]]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in numbers(path)]


@pytest.mark.parametrize(("lanes", "together"), [("1", False), ("2", False), ("2", True)])
def test_a_render_that_was_interrupted_reports_all_its_frames(
    lanes: str, together: bool, clip: Source, report: Path, tmp_path: Path, short: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """In the middle of a shot, so that the first frame after it is compared with a layer that was kept."""
    if together:  # as on a GPU: one batch, whose lanes go back to where all of them stood
        monkeypatch.setattr(render, "_abreast", render._in_step)
    wanted = {"report": str(tmp_path / "r.html"), "lanes": lanes}
    with interrupted(clip, tmp_path, CUT + 7, **wanted).open("a", encoding="utf-8") as kept:
        kept.write('{"row": {"frame": 1')  # as a kill leaves it
    assert rendered(clip, tmp_path, **wanted).frames < FRAMES
    told, found = timeless(report), timeless(tmp_path / "r.html")
    for row in (*told, *found):
        del row["f8"]  # what eight frames ago looked like is not kept
    if together:  # a batch of two is not a batch of one, to the bit
        rows = ([(row["frame"], row["cut"], row["f1"] is None) for row in rows] for rows in (told, found))
        assert next(rows) == next(rows)
        assert max(row["f1"] or 0 for row in found) < 2 * max(row["f1"] or 0 for row in told)
    else:
        assert found == told
    assert "earlier run" not in (tmp_path / "r.html").read_text(encoding="utf-8")
    assert not list(tmp_path.glob("*.dreamwork"))


def test_shots_side_by_side_are_measured_as_if_one_by_one(clip: Source, report: Path, tmp_path: Path) -> None:
    rendered(clip, tmp_path, report=str(tmp_path / "r.html"), lanes="2")
    assert timeless(tmp_path / "r.html") == timeless(report)


def test_frames_of_a_run_without_a_report_are_said_to_be_missing(clip: Source, tmp_path: Path) -> None:
    interrupted(clip, tmp_path, CUT + 2)
    rendered(clip, tmp_path, report=str(tmp_path / "r.html"))
    assert [row["frame"] for row in numbers(tmp_path / "r.html")] == [*range(CUT, FRAMES)]
    assert f"{CUT} frames from 0 to {CUT - 1}" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_names_and_settings_of_strangers_are_words_on_the_page(clip: Source, tmp_path: Path) -> None:
    record = Record(clip.clip, tmp_path / "a.jsonl")
    for dreamt in list(dreamer().walk(clip))[:2]:
        record(dreamt)
    size = clip.clip.size
    about = About(
        EVIL, EVIL, size, size, 24, EVIL, EVIL, EVIL, EVIL, {"dream": {"layers": EVIL}}, EVIL,
        [(EVIL, EVIL, EVIL)], EVIL, [EVIL],
    )  # fmt: skip
    file = tmp_path / "a<b>&'\".html"
    page.write(file, record, about)
    text = file.read_text(encoding="utf-8")
    seen = assert_harmless(text)
    assert "".join(seen.words).count(EVIL) == 12
    assert not any(tag.get("src") == "x" for tag in seen.all("img"))
    assert numbers(file)


def test_a_still_has_a_page_without_curves(tmp_path: Path) -> None:
    stills.write(tmp_path / "one.png", texture(96, 128))
    source = open_source(str(tmp_path / "one.png"), Input())
    to = Destination.of(str(tmp_path / "two.png"), "one.png", source)
    make(source, dreamer(report=str(tmp_path / "r.html")), to, lambda _: None, lambda _: None)
    seen = assert_harmless((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert [t["data-row"] for t in seen.all("button") if t.get("class") == "tile"] == [
        "source",
        "dream",
        "layer",
    ]
    assert seen.all("svg") == []
    assert len(numbers(tmp_path / "r.html")) == 1


def test_without_motion_no_flicker_is_claimed_and_no_cuts_are_drawn(clip: Source, tmp_path: Path) -> None:
    rendered(clip, tmp_path, report=str(tmp_path / "r.html"), flow="none", iterations=1)
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert 'class="cut"' not in text
    assert "No motion was looked for" in text
    assert all(row["f1"] is None for row in numbers(tmp_path / "r.html"))


def test_pictures_of_a_film_of_unknown_length_stay_few_and_even(tmp_path: Path) -> None:
    endless = Clip("pipe", Size(4, 4), Fraction(1, 24), Fraction(24), None)
    for count in (1, 11, 12, 13, 24, 25, 26, 500):
        record = Record(endless, tmp_path / "a.jsonl")
        for frame in range(count):
            row = Row(frame, frame, frame / 24, False, *[0.0] * 7, 1, 0.1, 0.1)
            record._keep(row, {"dream": b""} if frame % record._every == 0 else {}, 1, 0.0)
        kept = list(record.pictured())
        assert min(count, 6) <= len(kept) <= 12
        assert len(set(np.diff(kept))) <= 1


def test_every_cut_of_a_film_of_many_shots_is_marked(clip: Source, tmp_path: Path) -> None:
    starts = [0, 7, 18, 19, 21, 22, 23, 24]
    record = Record(clip.clip, tmp_path / "a.jsonl")
    for frame in range(30):
        row = Row(frame, frame + 100, frame / 24, frame in starts, *[0.1] * 7, 1, 0.1, 0.1)
        record._keep(row, {"source": b""} if frame % 3 == 0 else {}, 1, 0.0)
    size = clip.clip.size
    about = About("a", "b", size, size, 24, "net", "layer", "free", "dis", {}, "")
    text = page.page(tmp_path / "r.html", record, about)
    heads = re.findall(r"frame (\d+)(?: <em>(.*?)</em>)?</div>", text)
    assert {int(frame): said for frame, said in heads if said} == {
        109: "cut at 107", 118: "new shot", 121: "cut at 119 and 121", 124: "3 cuts",
    }  # fmt: skip
    marks = re.findall(r'class="cut" d="M([\d.]+) ', text)
    assert marks[: len(starts) - 1] == [f"{1000 * start / 29:.1f}" for start in starts[1:]]
    assert len(marks) == 8 * (len(starts) - 1)
    assert text.count("<tr><td>") == len(starts)


def test_a_long_film_keeps_a_small_page_and_shows_how_far_its_numbers_reach() -> None:
    values = [math.sin(n / 50) + 1 for n in range(5000)]
    drawn = curves.chart(Curve("f1", "F", "u", "r", values), Axis([n / 24 for n in range(5000)]), "said")
    line = re.search(r'class="line" d="([^"]*)"', drawn)
    assert line
    assert 500 < line[1].count("L") <= curves.MOST
    assert drawn.count('class="band"') == line[1].count("L") + 1
    assert len(drawn) < 100_000


@pytest.mark.parametrize("high", [1e-6, 0.0231, 0.9, 1, 7, 99, 12345])
def test_levels_are_round_and_reach_past_the_largest_value(high: float) -> None:
    ticks = curves.nice(0, high, 3)
    assert ticks[0] == 0
    assert ticks[-1] >= high * (1 - 1e-6)
    assert 2 <= len(ticks) <= 5


def test_a_sample_of_the_pixels_tells_what_all_of_them_tell() -> None:
    size = Size(288, 512)
    now = texture(*size).astype(np.float32) / 255 - 0.5
    before = now + 0.2 * (texture(*size, seed=5).astype(np.float32) / 255 - 0.5)
    flow = Flow(np.full((*size, 2), 0.3, np.float32), np.ones(size, np.float32))
    assert stride_of(size) == 3
    assert stride_of(Size(96, 128)) == 1
    assert metrics.flicker(now, before, flow, 3) == pytest.approx(
        metrics.flicker(now, before, flow), rel=0.03
    )
    assert metrics.sharpness(now, 2) == pytest.approx(metrics.sharpness(now), rel=0.15)


def test_shots_have_numbers_of_their_own() -> None:
    def row(frame: int, strength: float) -> Row:
        return Row(frame, frame, frame / 24, frame in (0, 8), 0.1, math.nan, strength, 1, 0, 0, 1, 1, 0.1, 1)

    rows = [row(n, 10 + n) for n in range(8)] + [row(n, 40) for n in range(8, 12)]
    first, second = tables.shots(rows)
    assert (first.first, first.end, second.first, second.end) == (0, 8, 8, 12)
    assert first.drift == pytest.approx(metrics.drift([10 + n for n in range(8)]))
    assert second.drift == 1
    assert len(tables.shots(rows, cuts=False)) == 1


def test_motion_is_coloured_by_where_it_goes() -> None:
    light = np.ones((2, 2), np.float32)
    right, left = (tiles.colours(np.full((2, 2, 2), (dx, 0), np.float32), light, 5) for dx in (5, -5))
    assert right[0, 0].argmax() == 0
    assert left[0, 0].argmin() == 0
    assert (tiles.colours(np.zeros((2, 2, 2), np.float32), light, 5) == 255).all()
    assert tiles.gain_of(np.full((9, 9, 3), 0.05, np.float32)) == 2
    assert strips.clock(75) == "1:15 min"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--report", "nowhere/r.html"], "nowhere does not exist"),
        (["--report", "r.txt"], "expected a name ending in .html"),
        (["--report", "there.html"], "there.html: is there already"),
        (["--report", "csv.html"], "csv.csv: is there already"),
        (["--report", "r.html", "--preview"], "--preview"),
        (["--report", "r.html", "-o", "stills/"], "--report: is of one film; there are 2 inputs"),
    ],
)
def test_a_report_that_cannot_be_made_is_one_line_before_the_network_is_loaded(
    words: list[str],
    said: str,
    make_clip: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = make_clip(frames=2)
    monkeypatch.chdir(path.parent)
    monkeypatch.setattr("pipeline.cli.making._ready", lambda *_: pytest.fail("the network was loaded"))
    (path.parent / "pictures").mkdir()
    for name in ("a", "b"):
        stills.write(path.parent / "pictures" / f"{name}.png", texture(40, 40))
    for name in ("there.html", "csv.csv"):
        (path.parent / name).write_text("mine", encoding="utf-8")
    (path.parent / "stills").mkdir()
    code = video.main(["pictures" if "-o" in words else str(path), *words])
    lines = capsys.readouterr().err.strip().splitlines()
    assert code in (2, 4)
    assert len(lines) == 1
    assert said in lines[0]
    assert (path.parent / "there.html").read_text(encoding="utf-8") == "mine"


BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.mark.skipif(BROWSER is None, reason="needs Chromium")
def test_a_browser_reads_the_page_without_a_complaint(report: Path, tmp_path: Path) -> None:
    assert BROWSER
    quiet = [
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--enable-logging=stderr", "--dump-dom",
    ]  # fmt: skip
    done = subprocess.run(
        [BROWSER, *quiet, f"--user-data-dir={tmp_path}", report.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert done.stdout.count("<figure") == 8
    assert "CONSOLE" not in done.stderr, done.stderr
