"""The pictures of the README and the docs, all from the scene this program draws: names (default: all) -> docs/*.jpg.

    scripts/gallery [NAME ...] [--out docs] [--threads N]

demo: three moments of the film, as it comes and with -p strong. presets: one moment as every preset of the network in
the box dreams it. dive: twelve frames of -p droste, from its first to the one that meets it again. strength, layers:
a row of one moment. still: what goes from one frame to the next. beats: a drum loop and what it drives. inversion:
what layers know. watch: what arrived in a folder, and what became of it. The picture of the page takes a browser:
scripts/shoot_page.py.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np
import sheet_beats
import sheet_inversion
import sheet_presets
import sheet_still

from pipeline import looks  # isort: skip  (before torch: it has threads sleep while they wait)

from pipeline.cli import options, watching
from pipeline.clip import Picture, Size
from pipeline.dive import opening
from pipeline.dive.exact import ExactDive
from pipeline.dreamer import Dreamer
from pipeline.extras import sheet
from pipeline.settings import Input
from pipeline.settings.zoom import ZoomSettings
from pipeline.sources import SceneSource
from pipeline.sources.zoom import ZoomSource
from pipeline.stages import stills

MOMENTS = (0, 24, 48)  # of a film that begins at FIRST, two seconds on at last
FIRST, STILL = 24, 40  # frames of the scene
WIDE = 1280  # px, of each sheet, about
LARGEST = 200_000  # bytes of a picture in the docs


def demo(threads: int) -> Picture:
    """A row of moments as it comes, and one with -p strong."""
    rows = []
    for preset in ((), ("strong",)):
        knobs = {"preset": preset[0]} if preset else {}
        dreamer = Dreamer(looks.of(threads=threads, quiet=True, **knobs))
        source = SceneSource.of(Input(size="480x270", start=str(FIRST), end=str(FIRST + MOMENTS[-1] + 1)))
        film = (dreamt for dreamt in dreamer.walk(source) if dreamt.frame.index in MOMENTS)
        rows.append(np.concatenate([dreamt.picture for dreamt in film], 1))
    whole = np.concatenate(rows)
    return stills.resized(whole, Size(round(whole.shape[0] * WIDE / whole.shape[1]), WIDE))


def presets(threads: int) -> Picture:
    """The scene as it is, as it is dreamed without a preset, and with each."""
    return sheet_presets.all_of(SceneSource.of(Input(size="480x270")), STILL, WIDE // 4, threads=threads)


def dive(threads: int) -> Picture:
    """Frames along a ring, the first and the last alike."""
    settings = looks.of(ZoomSettings, preset="droste", size="400x225", threads=threads, quiet=True)
    assert isinstance(settings, ZoomSettings)
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "scene.png"
        scene = SceneSource.of(Input(size="1280x720", start=str(STILL), end=str(STILL + 1)))
        stills.write(photo, next(scene.frames()).picture)
        source = ZoomSource.of(str(photo), settings)
        way = opening.way(source, settings, Path(folder) / "masters", lambda done, of: None)
        assert isinstance(way, ExactDive)
        return sheet(
            stills.resized(dreamt.picture, Size(WIDE * 9 // 64, WIDE // 4))
            for dreamt in way.frames(source.across(12))
        )


def moment(threads: int, **knobs: object) -> Picture:
    """One frame, dreamed by itself."""
    source = SceneSource.of(Input(size="480x270", start=str(STILL), end=str(STILL + 1)))
    (dreamt,) = Dreamer(looks.of(threads=threads, quiet=True, **knobs)).walk(source)
    return dreamt.picture


def strength(threads: int) -> Picture:
    """The same dream, laid on more and more."""
    rising = {
        f"--strength {value}": moment(threads, strength=value) for value in ("0.25", "0.5", "1", "1.5", "2")
    }
    return row(rising)


def layers(threads: int) -> Picture:
    """From strokes to creatures."""
    names = ("strokes", "mixed3a", "mixed3b", "mixed4b", "mixed4c")
    return row({f"--layers {name} --step 1": moment(threads, layers=name, step="1") for name in names})


def watch(threads: int) -> Picture:
    """What arrives in a folder, and below it what --watch made of it."""
    source = SceneSource.of(Input(size="480x270"))
    with tempfile.TemporaryDirectory() as name:
        came, made = Path(name) / "IN", Path(name) / "OUT"
        came.mkdir()
        for frame in source.across(5):
            stills.write(came / f"{frame.index:03d}.png", frame.picture)
        words = [str(came), "-o", str(made), "--watch", "-q", "--threads", str(threads), "-p", "strong"]
        asked, looks_left = options.read("dream-video", "", words), iter(range(5))

        def pause() -> None:
            if next(looks_left, None) is None:
                raise KeyboardInterrupt

        watching.watch(asked, pause)
        sides = (
            (folder.name, [stills.read(path) for path in sorted(folder.glob("*.png"))])
            for folder in (came, made)
        )
        return np.concatenate([row({f"{side}/ {n}": p for n, p in enumerate(ps)}) for side, ps in sides])


def row(tiles: Mapping[str, Picture]) -> Picture:
    width = WIDE // len(tiles)
    return np.concatenate([sheet_presets.named(picture, name, width) for name, picture in tiles.items()], 1)


PICTURES: dict[str, Callable[[int], Picture]] = {
    "demo": demo, "presets": presets, "dive": dive, "strength": strength, "layers": layers,
    "still": sheet_still.still, "beats": sheet_beats.beats, "inversion": sheet_inversion.inversion, "watch": watch,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(PICTURES))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "docs")
    parser.add_argument("--threads", type=int, default=0)
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(PICTURES):
        parser.error(f"no picture {', '.join(unknown)}: there are {', '.join(PICTURES)}")
    for name in asked.names or PICTURES:
        picture, path = PICTURES[name](asked.threads), asked.out / f"{name}.jpg"
        for quality in range(88, 40, -4):
            cv2.imwrite(str(path), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
            if path.stat().st_size <= LARGEST:
                break
        print(f"{path}: {picture.shape[1]}x{picture.shape[0]}, {path.stat().st_size >> 10} KB", flush=True)


if __name__ == "__main__":
    main()
