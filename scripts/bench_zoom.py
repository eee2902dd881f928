"""Measures of an exact dive, against a feedback dive written the peers' way, with crops of both at equal depth.

    scripts/bench_zoom.py SOURCE [--seconds 20] [--size 320x180] [--zoom 0.5] [--peer 60] [--picture crops.png]
                          [--preset NAME] [--weights FILE --model NAME --layers LAYERS] [--large] [--feedback 240]
                          [--json FILE]

Peers dream every frame whole on the last one, which they enlarge bilinearly, in 8 bits, with a black border
(pytorch-deepdream, DeepDreamAnim). --peer: how many such frames are dreamed; their cost is a mean, so a few tell.
Costs are CPU seconds, which another busy process does not change. --large: also looks up frames at 1280x720.
--feedback: so many frames of our own feedback dive are measured too, and as many as there are of the peers'.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from itertools import islice, pairwise
from pathlib import Path
from time import perf_counter, process_time

import cv2
import numpy as np
import torch

from pipeline import looks
from pipeline.camera import Path as Way
from pipeline.clip import Picture, Size
from pipeline.dive import masters
from pipeline.dive.compose import Composer, in_parallel
from pipeline.dive.exact import ExactDive
from pipeline.dive.feedback import FeedbackDive
from pipeline.dive.windows import FINER, REACH, Windows
from pipeline.ops import resample
from pipeline.settings.zoom import ZoomSettings
from pipeline.sources import grounds
from pipeline.sources.zoom import ZoomSource
from pipeline.stages.dream import dream

CROP = 120  # px, of a frame, shown at EACH doubling
MARGIN = 6  # px at the border of a frame that its neighbour does not know


def main() -> None:
    asked = arguments()
    settings = settings_of(asked)
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        frames, diving = exact(asked.source, settings, Path(folder) / "dive", figures)
        figures |= measures(frames, diving)
        if not diving.windows.ring:
            figures |= loop(asked.source, settings, Path(folder) / "loop")
    peer = peers(diving, asked.peer, figures)
    figures |= {f"peers' way: {name}": value for name, value in held(peer).items()}
    if asked.feedback:
        figures |= feedback(asked.source, settings, asked.feedback)
    seconds = figures["exact, CPU s"]
    figures["peers' way, CPU s for as many frames"] = figures["peers' way, CPU s a frame"] * len(frames)
    figures["times as fast"] = figures["peers' way, CPU s for as many frames"] / seconds
    if asked.large:
        figures |= large(asked.source, settings)
    for name, value in figures.items():
        print(f"{name:64} {value:10.4g}")
    if asked.crops:
        side_by_side(frames, peer, diving, Path(asked.crops))
    if asked.json:
        Path(asked.json).write_text(json.dumps(figures, indent=1), encoding="utf-8")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source")
    parser.add_argument("--peer", type=int, default=60)
    parser.add_argument("--feedback", type=int, default=0)
    parser.add_argument("--picture", dest="crops")
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--json")
    for name in ("preset", "weights", "model", "layers"):
        parser.add_argument(f"--{name}")
    usual = {"seconds": "20", "size": "320x180", "zoom": "0.5", "fps": "30", "threads": "1"}
    for name, value in usual.items():
        parser.add_argument(f"--{name}", default=value)
    return parser.parse_args()


def settings_of(asked: argparse.Namespace) -> ZoomSettings:
    names = ("seconds", "size", "zoom", "fps", "threads", "preset", "weights", "model", "layers")
    given = {name: getattr(asked, name) for name in names if getattr(asked, name) is not None}
    settings = looks.of(ZoomSettings, **given)
    assert isinstance(settings, ZoomSettings)
    return settings


def exact(
    picture: str, settings: ZoomSettings, folder: Path, figures: dict[str, float]
) -> tuple[list[Picture], ExactDive]:
    diving = ExactDive(settings, ZoomSource.of(picture, settings), folder)
    started = process_time()
    diving.dreamt()
    dreamed = process_time()
    frames = [dreamt.picture for dreamt in diving.walk(diving.source)]
    done = process_time()
    figures["masters"] = len(diving.windows.windows)
    figures["exact, CPU s"] = done - started
    figures["of it dreaming"] = dreamed - started
    figures["frames/s looked up, one core"] = len(frames) / (done - dreamed)
    return frames, diving


def measures(frames: list[Picture], diving: ExactDive) -> dict[str, float]:
    sharp = np.array([sharpness(frame) for frame in frames])
    phase = np.array(
        [diving.source.path.depth_at(i / float(diving.source.clip.rate)) for i in range(len(frames))]
    )
    phase = (phase - diving.windows.floor - REACH) % 1  # 0: a new master takes over
    early, ends = sharp[:300] / sharp[0], (phase < 0.1) | (phase > 0.9)
    middle = np.abs(phase - 0.5) < 0.1
    return held(frames) | {
        "sharpness over frame 0, 300 frames: least": float(early.min()),
        "sharpness over frame 0, 300 frames: most": float(early.max()),
        "sharpness at hand-over, over mid-way": float(np.median(sharp[ends]) / np.median(sharp[middle])),
        "sharpness just after a hand-over, over just before": hand_over(sharp, phase),
        "F between neighbours under the analytic flow": flow_error(frames, diving),
        "black or repeated border": float(any(flat_border(frame) for frame in frames)),
    }


def held(frames: list[Picture]) -> dict[str, float]:
    """What should stay as it is: means over the last third of a film by those over its first, but for frame 0."""
    third = max(1, (len(frames) - 1) // 3)
    parts = frames[1 : third + 1], frames[-third:]
    figures = {}
    for name, statistic in {"mean": np.mean, "contrast": np.std, "colour": saturation}.items():
        early, late = (float(np.mean([statistic(frame) for frame in part])) for part in parts)
        figures[f"{name}, last third over first"] = late / early
    burnt = [100 * float(np.mean([clipped(frame) for frame in part])) for part in parts]
    return figures | {"clipped values, points more at the end": burnt[1] - burnt[0]}


def saturation(frame: Picture) -> float:
    """rms distance from grey."""
    colour = frame.astype(np.float32)
    return float(np.sqrt(np.square(colour - colour.mean(-1, keepdims=True)).mean()))


def clipped(frame: Picture) -> float:
    return float(((frame <= 1) | (frame >= 254)).mean())


def feedback(picture: str, settings: ZoomSettings, count: int) -> dict[str, float]:
    """Of our own feedback dive: how it holds its light, its detail and its strength, and what a frame costs."""
    how = settings.zoom.model_copy(update={"way": "feedback"})
    asked = settings.model_copy(update={"zoom": how})
    diving = FeedbackDive(asked, ZoomSource.of(picture, asked))
    started = process_time()
    frames = [dreamt.picture for dreamt in islice(diving.walk(diving.source), count)]
    cost = (process_time() - started) / len(frames)
    sharp = [sharpness(frame) for frame in frames[1:]]
    third = max(1, len(sharp) // 3)
    excited = [excitement(frame, diving) for frame in frames[1::8]]
    part = max(1, len(excited) // 3)
    figures = held(frames) | {
        "sharpness, last third over first": float(np.mean(sharp[-third:]) / np.mean(sharp[:third])),
        "sharpness over frame 0, least": min(sharp) / sharpness(frames[0]),
        "sharpness over frame 0, most": max(sharp) / sharpness(frames[0]),
        "strength, last third over first": float(np.mean(excited[-part:]) / np.mean(excited[:part])),
        "strength over frame 0, mean": float(np.mean(excited)) / excitement(frames[0], diving),
        "CPU s a frame": cost,
    }
    return {f"feedback, {len(frames)} frames: {name}": value for name, value in figures.items()}


@torch.no_grad()
def excitement(frame: Picture, diving: FeedbackDive) -> float:
    """rms of what the layers see: the square root of what a dream makes grow."""
    climb = diving.climb_at(0.0)
    seen = climb.look.cut(masters.tensor(frame.astype(np.float32) / 255, climb))
    return float(sum(activation.square().mean() for activation in seen)) ** 0.5


def sharpness(frame: Picture) -> float:
    """Laplacian energy of the grey picture."""
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return float(np.square(cv2.Laplacian(grey, cv2.CV_32F)).mean())


def hand_over(sharp: np.ndarray, phase: np.ndarray) -> float:
    """Means of four frames on both sides, the middle one of all hand-overs."""
    at = [i for i in range(4, len(phase) - 4) if phase[i - 1] > 0.5 > phase[i]]
    ratios = [sharp[i : i + 4].mean() / sharp[i - 4 : i].mean() for i in at]
    return float(np.median(ratios)) if ratios else float("nan")


def flow_error(frames: list[Picture], diving: ExactDive) -> float:
    """Sum |O_t - W(O_{t-1})|^2 over the energies of both about their means, where the one before knows the pixel."""
    errors = []
    for (before, now), frame in zip(pairwise(frames), list(diving.source.frames())[1:], strict=True):
        matrix = diving.source.step(frame, diving.source.clip.size).matrix
        ready = resample.prepared(before.astype(np.float32), 1.0)
        moved = resample.look(ready, matrix, diving.source.clip.size)[MARGIN:-MARGIN, MARGIN:-MARGIN]
        seen = now.astype(np.float32)[MARGIN:-MARGIN, MARGIN:-MARGIN]
        energy = np.square(seen - seen.mean()).sum() + np.square(moved - moved.mean()).sum()
        errors.append(float(np.square(moved - seen).sum() / energy))
    return float(np.mean(errors))


def flat_border(frame: Picture) -> bool:
    """A side whose outermost two rows are all the same, or black."""
    sides = [frame[:2], frame[-2:], frame[:, :2].transpose(1, 0, 2), frame[:, -2:].transpose(1, 0, 2)]
    return any(np.array_equal(side[0], side[1]) or side.max() < 3 for side in sides)


def loop(picture: str, settings: ZoomSettings, folder: Path) -> dict[str, float]:
    """Of a ring of three doublings: the step from its last frame to its first, over the largest other step."""
    ring = settings.zoom.model_copy(
        update={"loop": True, "seconds": str(3 / abs(settings.zoom.zoom.constant or 1))}
    )
    asked = settings.model_copy(update={"zoom": ring})
    diving = ExactDive(asked, ZoomSource.of(picture, asked), folder)
    frames = [dreamt.picture.astype(int) for dreamt in diving.walk(diving.source)]
    steps = [np.abs(a - b).mean() for a, b in pairwise(frames)]
    return {
        "loop: last to first, over the largest step between neighbours": np.abs(frames[-1] - frames[0]).mean()
        / max(steps)
    }


def peers(diving: ExactDive, count: int, figures: dict[str, float]) -> list[Picture]:
    """The first `count` frames their way."""
    size, source = diving.source.clip.size, diving.source
    assert source.ground is not None
    frame = np.rint(255 * masters.fitted(source.ground, size)).astype(np.uint8)
    frames: list[Picture] = []
    climb, started = diving.climb_at(0.0), process_time()
    for at in list(source.frames())[:count]:
        if frames:
            matrix = source.step(at, size).matrix
            flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            frame = np.asarray(
                cv2.warpAffine(frames[-1], matrix, (size.width, size.height), flags=flags), np.uint8
            )
        seed = masters.tensor(frame.astype(np.float32) / 255, climb)
        with torch.no_grad():
            dreamed = dream(climb.look, seed, torch.ones(1, 1, *size), climb.iterations, climb.step).picture
        frames.append(np.rint(255 * masters.plane(dreamed)).astype(np.uint8))
    figures["peers' way, CPU s a frame"] = (process_time() - started) / count
    return frames


def large(picture: str, settings: ZoomSettings) -> dict[str, float]:
    """How many frames a second are looked up at 1280x720, in wall time on all cores, of masters not dreamed."""
    size = Size(720, 1280)
    wide = settings.model_copy(update={"input": settings.input.model_copy(update={"size": str(size)})})
    source = ZoomSource.of(picture, wide)
    way: Way = source.path
    windows = Windows.of(way, size)
    ground = grounds.noise(
        Size(max(w.size.height for w in windows.windows), max(w.size.width for w in windows.windows))
    )
    composer = Composer(windows, lambda slot: ground)
    frames = [frame for frame in source.frames() if 60 <= frame.index < 120]
    wall, cpu = perf_counter(), process_time()
    for _ in in_parallel(composer.picture, iter(frames), 2):
        pass
    return {
        "frames/s looked up at 1280x720, two threads, as busy as it is": len(frames)
        / (perf_counter() - wall),
        "the same for each CPU second": len(frames) / (process_time() - cpu),
    }


def side_by_side(ours: list[Picture], theirs: list[Picture], diving: ExactDive, path: Path) -> None:
    """Middles of frames at the same depth, ours above, theirs below."""
    last = min(len(ours), len(theirs)) - 1
    places = [round(last * share) for share in (0, 0.25, 0.5, 0.75, 1)]
    rows = []
    for frames in (ours, theirs):
        height, width = frames[0].shape[:2]
        side = min(CROP, height, width)
        top, left = (height - side) // 2, (width - side) // 2
        crops = [frames[at][top : top + side, left : left + side] for at in places]
        rows.append(
            np.hstack([cv2.resize(c, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST) for c in crops])
        )
    cv2.imwrite(str(path), np.vstack(rows)[..., ::-1])
    depths = ", ".join(
        f"{diving.source.path.depth_at(at / float(diving.source.clip.rate)):.2f}" for at in places
    )
    print(
        f"{path}: {depths} doublings deep; above ours, below the peers' way, {FINER} pixels of a master to one"
    )


if __name__ == "__main__":
    main()
