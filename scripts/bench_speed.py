"""How fast a dream is: one step beside other people's, what of the machine it uses, and what a film costs.

    scripts/bench_speed.py [--quick] [--json FILE] [--size 640x360] [--rounds 5]
                           [--frames 48] [--threads N] [--parts step,film,cost] [--bf16]

step: ours against a textbook loop and pytorch-deepdream's (loops.py), random weights, interleaved in one process:
      medians of wall and of process CPU seconds, and the share of what convolutions reach on this machine at best.
film: a film of the drawn scene against independent frames with the peer's loop, as many steps each; frames a second
      with the network in the box; and what the walk adds to its gradients and flow.
cost: the same film by lanes, size, octaves and length.
--quick: fewer networks and frames, under 50 s on two cores.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from time import perf_counter, process_time
from typing import NamedTuple

import loops  # before the package: it would have other people's threads sleep, too, while they wait
import torch
from bench_walk import CORE, stages
from steady_ways import Playing
from torch.utils.flop_counter import FlopCounterMode

from pipeline import device
from pipeline.clip import Shot, Size, fit
from pipeline.dreamer import Dreamer
from pipeline.net import tap, zoo
from pipeline.net.cards import card
from pipeline.net.targets import parse_targets
from pipeline.ops.objectives import energy
from pipeline.render import Film, Write, render
from pipeline.scene import demo_scene
from pipeline.settings import Input
from pipeline.sources import SceneSource
from pipeline.stages import dream
from pipeline.stages.dream import Look
from pipeline.workdir import Workdir

NETWORKS = {
    "googlenet": "inception4c",
    "vgg16": "features.22",  # relu4_3
    "resnet50": "layer3",
    "squeezenet1_0": "features.9",
}
PEAK = ((64, 64, 3, 180, 320), (128, 128, 3, 90, 160), (256, 256, 3, 45, 80), (512, 512, 3, 28, 28))
"""Convolutions that networks are made of: channels in, out, kernel, height, width."""


CPU = torch.device("cpu")


class Took(NamedTuple):
    """Medians, seconds."""

    wall: float
    cpu: float


def timed(what: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Took]:
    """Each in turn, `rounds` times after once to warm up. A GPU has finished each before the next begins."""
    walls: dict[str, list[float]] = {name: [] for name in what}
    cpus: dict[str, list[float]] = {name: [] for name in what}
    for turn in range(rounds + 1):
        for name, call in what.items():
            wall, cpu = perf_counter(), process_time()
            call()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if turn:
                walls[name].append(perf_counter() - wall)
                cpus[name].append(process_time() - cpu)
    return {name: Took(statistics.median(walls[name]), statistics.median(cpus[name])) for name in what}


def peak(rounds: int, on: torch.device = CPU, precision: torch.dtype = torch.float32) -> float:
    """The most floating point operations a second that a convolution reaches there."""
    calls: dict[str, Callable[[], object]] = {}
    flops = {}
    for inside, outside, kernel, height, width in PEAK:
        convolution = torch.nn.Conv2d(inside, outside, kernel, padding=kernel // 2).requires_grad_(False)
        convolution = convolution.to(on, precision, memory_format=torch.channels_last)
        x = torch.rand(1, inside, height, width, device=on, dtype=precision)
        x = x.contiguous(memory_format=torch.channels_last)
        name = f"{inside}x{height}x{width}"
        calls[name] = lambda convolution=convolution, x=x: convolution(x)
        flops[name] = 2 * inside * outside * kernel**2 * height * width
    return max(flops[name] / took.wall for name, took in timed(calls, 3 * rounds).items())


def ours(
    network: torch.nn.Module, name: str, layer: str, precision: torch.dtype, on: torch.device = CPU
) -> Look:
    held = tap.Network(card(name), network, "", "")
    return Look(tap.cut(held, parse_targets(layer)).on(on, precision), energy, octaves=1)


def steps(
    size: Size,
    names: list[str],
    rounds: int,
    slow: bool,
    best: float,
    tell: Callable[[str], None],
    on: torch.device = CPU,
) -> dict[str, dict[str, float]]:
    """Of each network: seconds of one step each way, and what ours is worth."""
    rows = {}
    tell(
        f"one step at {size}\n{'':15}{'textbook':>18}{'peer':>18}{'ours fp32':>18}{'ours bf16':>18}   of peak"
    )
    for name in names:
        torch.manual_seed(0)
        picture, whole = torch.rand(1, 3, *size).to(on), torch.ones(1, 1, *size, device=on)
        layer = NETWORKS[name]
        looks = {"fp32": ours(zoo.build(name), name, layer, torch.float32, on)}
        if slow or device.precision("auto", on) is torch.bfloat16:
            looks["bf16"] = ours(zoo.build(name), name, layer, torch.bfloat16, on)
        ways = {
            "textbook": loops.textbook(zoo.build(name).to(on), layer),
            "peer": loops.peer(zoo.build(name).to(on), layer),
        }
        held = picture.contiguous(memory_format=torch.channels_last)
        calls: dict[str, Callable[[], object]] = {
            way: lambda step=step, picture=picture: step(picture) for way, step in ways.items()
        }
        for kind, look in looks.items():
            calls[kind] = lambda look=look, held=held, whole=whole: dream._step(
                look, held, whole, (13, -21), 0.0, 1.5
            )
        took = timed(calls, rounds)
        with FlopCounterMode(display=False) as counted, torch.no_grad():
            looks["fp32"].cut(held)
        flops = 2 * counted.get_total_flops()  # a gradient with respect to the picture takes the same again
        row = {f"{way}_{clock}": getattr(took[way], clock) for way in took for clock in Took._fields}
        for way in looks:
            row[f"{way}_vs_peer"] = took["peer"].wall / took[way].wall
            row[f"{way}_vs_textbook"] = took["textbook"].wall / took[way].wall
        row["share_of_peak"] = flops / took["fp32"].wall / best
        rows[name] = row
        cells = [f"{1000 * took[w].wall:7.0f} ({1000 * took[w].cpu:5.0f}) ms" for w in took]
        told = ", ".join(
            f"{way} {row[f'{way}_vs_peer']:.2f}x peer {row[f'{way}_vs_textbook']:.2f}x textbook"
            for way in looks
        )
        tell(f"{name:15}{''.join(f'{cell:>18}' for cell in cells)}   {row['share_of_peak']:.0%}   {told}")
    return rows


def film(size: Size, frames: int, **knobs: object) -> tuple[float, float, float]:
    """Seconds a frame of a whole walk over the drawn scene, wall and CPU; and what it adds to gradients and flow."""
    dreamer = Dreamer(**knobs)
    source = SceneSource.of(Input(size=f"{size.width}x{size.height}", end=str(frames)))
    clock = stages()
    wall, cpu = perf_counter(), process_time()
    done = sum(1 for _ in dreamer.walk(source))
    wall, cpu = perf_counter() - wall, process_time() - cpu
    core = sum(clock.wall[stage] for stage in CORE)
    walked = sum(clock.wall.values())
    clock.restore()
    return wall / done, cpu / done, walked / core


def films(size: Size, quick: bool, frames: int, tell: Callable[[str], None]) -> dict[str, float]:
    """A film of ours beside independent frames of the peer's loop, and by itself."""
    name, octaves, iterations = "googlenet", 4, 10
    torch.manual_seed(0)
    network = zoo.build(name)
    step = loops.peer(network, NETWORKS[name])
    held = tap.Network(card(name), zoo.build(name), "", "")
    look = Look(tap.cut(held, parse_targets(NETWORKS[name])), energy, octaves=octaves)
    sizes = look.sizes(size)
    calls = {str(each): lambda each=each: step(torch.rand(1, 3, *each)) for each in sizes}
    rounds = 1 if quick else 3
    before = timed(calls, rounds)
    wall, cpu, over = film(size, frames, network=held, layers=NETWORKS[name], octaves=octaves)
    took = [*before.values(), *timed(calls, rounds).values()]  # a machine may be faster now and slower then
    peers, peers_cpu = (iterations * sum(getattr(each, clock) for each in took) / 2 for clock in Took._fields)
    tell(
        f"\nfilm of {frames} frames at {size}, {name}, {octaves} octaves of {iterations} steps, steadiness .9"
    )
    tell(
        f"  peer's loop, every frame anew  {peers:8.2f} s a frame, {peers_cpu:.2f} of CPU (its steps, one by one)"
    )
    tell(
        f"  ours, the whole walk           {wall:8.2f} s a frame, {cpu:.2f} of CPU: "
        f"{peers / wall:.1f}x, {peers_cpu / cpu:.1f}x of CPU"
    )
    tell(f"  the walk over its gradients and flow: {over:.2f}")
    box = Size(288, 512)
    wall_box, cpu_box, over_box = film(box, frames, octaves=4)
    tell(
        f"  network in the box, {box}, 4 octaves: {1 / wall_box:.1f} frames/s ({cpu_box:.2f} s of CPU a frame)"
    )
    return {
        "vs_peer": peers / wall, "cpu_vs_peer": peers_cpu / cpu, "seconds": wall,
        "peer_seconds": peers, "over_core": over, "frames": frames,
        "box_fps": 1 / wall_box, "box_over_core": over_box,
    }  # fmt: skip


def costs(quick: bool, tell: Callable[[str], None]) -> dict[str, float]:
    """Seconds a frame of the network in the box, one thing changed at a time."""
    usual = Size(180, 320)
    frames = 8 if quick else 24
    rows = {"320x180, 3 octaves": (usual, frames, {})}
    rows |= {f"{w}x{h}": (Size(h, w), frames, {}) for w, h in ((160, 90), (640, 360))}
    rows |= {f"{octaves} octaves": (usual, frames, {"octaves": octaves}) for octaves in (1, 5)}
    rows |= {f"{length} frames": (usual, length, {}) for length in (2, 4 * frames)}
    tell("\ncost, network in the box")
    found = {}
    for name, (size, length, knobs) in rows.items():
        wall, cpu, _ = film(size, length, **knobs)
        found[name] = wall
        tell(f"  {name:22}{1000 * wall:8.0f} ms a frame, {1000 * cpu:6.0f} of CPU")
    return found | lanes(usual, frames, tell)


def lanes(size: Size, frames: int, tell: Callable[[str], None]) -> dict[str, float]:
    """Seconds a frame of four shots, one after the other and side by side, with all threads between them."""
    found = {}
    rate = Fraction(size.height, 15)
    scenes = [
        demo_scene(size, rate, float(frames / rate), kind, seed)
        for kind in ("slow", "fast")
        for seed in (1, 2)
    ]
    source = Playing([scene.picture(index) for scene in scenes for index in range(frames)], rate)
    shots = [Shot(first, first + frames) for first in range(0, 4 * frames, frames)]
    for count in (1, 2):
        dreamer = Dreamer(lanes=str(count))
        next(dreamer.walk(source))  # warm
        with tempfile.TemporaryDirectory() as folder, Workdir.open(Path(folder) / "work", {}) as work:
            wall, cpu = perf_counter(), process_time()
            render(Film(source, dreamer, work, _unseen, lambda dreamt: None, shots))
            wall, cpu = (perf_counter() - wall) / (4 * frames), (process_time() - cpu) / (4 * frames)
        name = f"4 shots, {count} lanes"
        found[name] = wall
        tell(f"  {name:22}{1000 * wall:8.0f} ms a frame, {1000 * cpu:6.0f} of CPU")
    return found


@contextmanager
def _unseen(first: int) -> Iterator[Write]:
    """Pictures go nowhere."""
    yield lambda picture, frame: None


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=48, help="of the film")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--parts", default="step,film,cost")
    parser.add_argument("--bf16", action="store_true", help="also where the machine has it in software only")
    args = parser.parse_args()

    def tell(line: str) -> None:
        print(line, flush=True)

    threads = device.use_threads(args.threads)
    size, parts = fit(Size(360, 640), args.size), args.parts.split(",")
    rounds = 3 if args.quick else args.rounds
    best = peak(rounds)
    tell(
        f"torch {torch.__version__}, {platform.machine()}, {threads} threads, "
        f"convolutions reach {best / 1e9:.0f} GFLOP/s"
    )
    found: dict[str, object] = {"peak": best, "threads": threads, "torch": torch.__version__}
    names = ["googlenet", "squeezenet1_0"] if args.quick else list(NETWORKS)
    if "step" in parts:
        found["step"] = steps(size, names, rounds, args.bf16, best, tell)
    if "film" in parts:
        found["clip"] = films(
            Size(180, 320) if args.quick else size, args.quick, 12 if args.quick else args.frames, tell
        )
    if "cost" in parts and not args.quick:
        found["cost"] = costs(args.quick, tell)
    if args.json:
        args.json.write_text(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
