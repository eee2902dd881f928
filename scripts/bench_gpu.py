"""How fast a dream is on a GPU: one step beside other people's, and films by size, keyframes and lanes.

    scripts/bench_gpu.py [--json FILE] [--device cuda] [--rounds 20] [--frames 200] [--rehearse]

step: as bench_speed's, at 1280x720, fp32 (TF32 where the card has it) and bf16; the share is of what convolutions
      reach on this card in the same precision.
film: one long shot, drawn beforehand, googlenet inception4c, 4 octaves, steadiness .9, at 1280x720 and 1920x1080:
      frames in turn, and with keyframes in 2 to 16 lanes, some of them played from CUDA graphs; frames a second of
      the whole walk (motion and dream, nothing read or written), of its dreams alone, with the most memory held.
peer: frames a second of pytorch-deepdream's loop, every frame anew, by its steps.
--rehearse: small and few, on any device, to see that it runs.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from time import perf_counter

import pipeline  # noqa: F401  # isort: skip  (before torch: it has threads sleep while they wait)

import loops
import torch
from bench_speed import NETWORKS, peak, steps, timed
from steady_ways import Playing

from pipeline import device
from pipeline.clip import Picture, Shot, Size
from pipeline.dreamer import Dreamer
from pipeline.dreamt import Dreamt, Due
from pipeline.errors import DreamError
from pipeline.net import tap, zoo
from pipeline.net.cards import card
from pipeline.scene import demo_scene

NAME = "googlenet"
OCTAVES, ITERATIONS = 4, 10
Tell = Callable[[str], None]


def film(
    pictures: Sequence[Picture], held: tap.Network, on: str, keyframes: int, lanes: int, graphs: str = "off"
) -> dict[str, float]:
    """Frames a second of a whole walk and of its dreams alone, GB held at most, and steps a frame in each octave."""
    dreamer = Dreamer(
        network=held, layers=NETWORKS[NAME], octaves=OCTAVES, iterations=ITERATIONS, steadiness=0.9, device=on,
        keyframes=str(keyframes) if keyframes else "off", lanes=str(lanes), graphs=graphs,
    )  # fmt: skip
    spent, together = 0.0, dreamer.together

    def watched(frames: Sequence[Due]) -> list[Dreamt]:
        nonlocal spent
        began = perf_counter()
        given = together(frames)  # its pictures are on the CPU: the GPU has finished them
        spent += perf_counter() - began
        return given

    dreamer.together = watched  # type: ignore[method-assign]
    source, steps_taken = Playing(pictures, Fraction(24)), 0
    if dreamer.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    began = perf_counter()
    for dreamt in dreamer.walk(source, shot=Shot(0, len(pictures))):
        steps_taken += dreamt.steps
    wall = perf_counter() - began
    memory = torch.cuda.max_memory_allocated() / 1e9 if dreamer.device.type == "cuda" else 0.0
    count = len(pictures)
    return {
        "fps": count / wall,
        "dream_fps": count / spent,
        "memory_gb": memory,
        "steps": steps_taken / count,
    }


def films(
    size: Size, frames: int, on: str, ways: Sequence[tuple[int, int, str]], rounds: int, tell: Tell
) -> dict[str, object]:
    """Of one size, every way, and the peer's."""
    rate = Fraction(size.height, 15)
    scene = demo_scene(size, rate, float(frames / rate), "slow")
    drawn = [scene.picture(index) for index in range(min(frames, 24))]
    there = drawn + drawn[-2:0:-1]  # to and fro: drawing takes longer than dreaming
    pictures = [there[index % len(there)] for index in range(frames)]
    torch.manual_seed(0)
    held = tap.Network(card(NAME), zoo.build(NAME), "", "")
    tell(f"\n{size}, {NAME} {NETWORKS[NAME]}, {OCTAVES} octaves of {ITERATIONS}, {frames} frames, one shot")
    film(pictures[:10], held, on, 0, 1)  # warm
    found: dict[str, object] = {}
    for keyframes, lanes, graphs in ways:
        row = film(pictures, held, on, keyframes, lanes, graphs)
        name = f"keyframes {keyframes}, {lanes} lanes" if keyframes else "in turn"
        name += ", graphs" if graphs == "on" else ""
        found[name] = row
        tell(
            f"  {name:24}{row['fps']:8.1f} frames/s, {row['dream_fps']:.1f} of dreams alone, "
            f"{row['steps']:.2f} steps, {row['memory_gb']:.1f} GB"
        )
    step = loops.peer(zoo.build(NAME).to(on), NETWORKS[NAME])
    sizes = Dreamer(network=held, layers=NETWORKS[NAME], octaves=OCTAVES, device=on).look.sizes(size)
    took = timed({str(s): lambda s=s: step(torch.rand(1, 3, *s, device=on)) for s in sizes}, rounds)
    found["peer"] = 1 / (ITERATIONS * sum(each.wall for each in took.values()))
    tell(f"  {'peer, every frame anew':24}{found['peer']:8.2f} frames/s, by its steps")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--rehearse", action="store_true")
    args = parser.parse_args()

    def tell(line: str) -> None:
        print(line, flush=True)

    on = device.pick(args.device)
    names, step_size, sizes = list(NETWORKS), Size(720, 1280), [Size(720, 1280), Size(1080, 1920)]
    ways = [(0, 1, "off"), (0, 1, "on"), *((8, lanes, "off") for lanes in (2, 4, 8, 16)), (8, 8, "on")]
    if args.rehearse:
        names, step_size, sizes, ways = (
            ["squeezenet1_0"],
            Size(90, 160),
            [Size(90, 160)],
            [(0, 1, "off"), (0, 1, "on"), (4, 2, "off")],
        )
        args.rounds, args.frames = 2, 10
    named = torch.cuda.get_device_name(on) if on.type == "cuda" else str(on)
    best = peak(args.rounds, on)
    found: dict[str, object] = {"device": named, "torch": torch.__version__, "peak_fp32": best}
    tell(f"{named}, torch {torch.__version__}, convolutions reach {best / 1e12:.2f} TFLOP/s in fp32")
    if on.type == "cuda":
        found["peak_bf16"] = peak(args.rounds, on, torch.bfloat16)
        tell(f"and {found['peak_bf16'] / 1e12:.1f} in bf16")
    found["step"] = steps(step_size, names, args.rounds, False, best, tell, on)
    for size in sizes:
        found[str(size)] = films(size, args.frames, str(on), ways, args.rounds, tell)
        if args.json:
            args.json.write_text(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except DreamError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
