"""Trains the network in the box on pictures drawn here: seed -> pipeline/net/builtin.safetensors and its record.

    python scripts/train_builtin.py --seed 1         train; a training that was stopped goes on where it was
    python scripts/train_builtin.py --export         only write the weights of the last checkpoint

First plainly, then adversarially, for free (Shafahi et al. 2019, "Adversarial training for free!"): every batch is
shown `--replays` times, and the gradient that moves the weights also moves the pictures, by up to `--eps`. That is
what makes dreams smooth and clear: a network that a slight change fools, dreams slight changes.
"""

from __future__ import annotations

import pipeline  # noqa: F401  # isort: skip  (before torch: it has threads sleep while they wait)

import argparse
import hashlib
import json
import math
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from drawing import SPECIES, TEXTURES
from drawing.compose import BACKGROUND, CLASSES, HELD_OUT, NAMES, Bank, Picture, batches
from safetensors.torch import save_file
from torch import Tensor, nn

from pipeline.net.builtin import MEAN, STD, Builtin, fold

ROOT = Path(__file__).resolve().parents[1]
FAMILIES = len(NAMES)
EMA = 0.998
RAMP = 500  # updates over which the push grows to its full length
RECIPE = ("seed", "steps", "plain", "large", "batch", "size", "eps", "replays", "lr")


class Student(nn.Module):
    """The network, and the heads only training needs: species, families at stride 8, families in the picture."""

    weight: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.net = Builtin(FAMILIES, norm=True)
        deep, fine = self.net.mixed4d.width, self.net.mixed3b.width
        self.species, self.coarse = nn.Conv2d(deep, CLASSES, 1), nn.Conv2d(fine, FAMILIES + 1, 1)
        self.whole = nn.Linear(deep, FAMILIES)
        # Grounds cover most of most pictures: at full weight little else is learned.
        weight = torch.tensor([0.3 if name in TEXTURES else 1.0 for name in NAMES] + [0.3])
        self.register_buffer("weight", weight, persistent=False)

    def loss(self, x: Tensor, cells16: Tensor, cells8: Tensor) -> Tensor:
        """x: [L, 3, S, S] in 0..1. cells: as `compose` names them."""
        fine, deep = self.net.features(normalised(x))
        present = torch.zeros(len(x), FAMILIES + 2, device=x.device)
        present.scatter_(1, (cells16 // SPECIES).flatten(1) % (FAMILIES + 2), 1.0)
        things = torch.where(cells16 == BACKGROUND, -1, cells16)
        in_picture = F.binary_cross_entropy_with_logits(self.whole(deep.mean((2, 3))), present[:, :FAMILIES])
        return (
            self.named(self.net.motif(deep), cells16 // SPECIES)
            + 0.5 * self.named(self.coarse(fine), cells8 // SPECIES)
            + 0.5 * F.cross_entropy(self.species(deep), things, ignore_index=-1, label_smoothing=0.05)
            + 3.0 * in_picture
        )

    def named(self, scores: Tensor, families: Tensor) -> Tensor:
        return F.cross_entropy(scores, families, self.weight, ignore_index=-1, label_smoothing=0.05)


def normalised(x: Tensor) -> Tensor:
    mean, std = (torch.tensor(v, device=x.device).view(1, 3, 1, 1) for v in (MEAN, STD))
    return (x - mean) / std


def length(x: Tensor) -> Tensor:
    """The L2 length of each picture [L, 1, 1, 1]."""
    return x.flatten(1).norm(dim=1).view(-1, 1, 1, 1).clamp_min(1e-12)


def random_start(x: Tensor, reach: Tensor, generator: torch.Generator) -> Tensor:
    """Noise like x, at most `reach` [L, 1, 1, 1] long."""
    noise = torch.randn(x.shape, generator=generator).to(x)
    return noise / length(noise) * reach * torch.rand(reach.shape, generator=generator).to(x)


def climbed(delta: Tensor, gradient: Tensor, reach: Tensor) -> Tensor:
    """`delta` moved by `reach` along the gradient, and back inside the ball of radius `reach`."""
    delta = delta + reach * gradient / length(gradient)
    return delta * (reach / length(delta)).clamp(max=1)


def step_of(number: int, options: argparse.Namespace) -> int:
    """The update with which the n-th batch begins: one update each at first, then each is replayed."""
    plain, replays = int(options.plain), int(options.replays)
    return number if number < plain else plain + (number - plain) * replays


def number_of(step: int, options: argparse.Namespace) -> int:
    """The batch that is due at an update."""
    plain, replays = int(options.plain), int(options.replays)
    return step if step < plain else plain + math.ceil((step - plain) / replays)


class Batches(torch.utils.data.IterableDataset):  # type: ignore[type-arg]
    """Composed in the workers. However many there are, a batch is the same but for which individuals are new."""

    def __init__(self, options: argparse.Namespace, numbers: range) -> None:
        self.options, self.numbers = options, numbers

    def __iter__(self) -> Iterator[Picture]:
        cv2.setNumThreads(1)
        options, bank = self.options, Bank(self.options.work / "bank.npy")
        worker = torch.utils.data.get_worker_info()
        mine = self.numbers[worker.id :: worker.num_workers] if worker else self.numbers
        small = mine[: sum(step_of(number, options) < options.large for number in mine)]
        yield from batches(bank, options.seed, small, options.batch, options.size // 24 * 16)
        yield from batches(bank, options.seed, mine[len(small) :], options.batch, options.size)


def tensors(picture: Picture, device: str) -> tuple[Tensor, Tensor, Tensor]:
    rgb, cells16, cells8 = (torch.as_tensor(part).to(device) for part in picture)
    x = rgb.permute(0, 3, 1, 2).float().div(255).contiguous(memory_format=torch.channels_last)
    return x, cells16.long(), cells8.long()


def rate(step: int, options: argparse.Namespace) -> float:
    """Of learning: a short rise, then half a cosine to nothing."""
    fallen = 0.5 * (1 + math.cos(math.pi * min(1, step / options.steps)))
    return float(options.lr * min(1, (step + 1) / 200) * fallen)


class Training:
    """All that changes while training: the student, its average, the optimizer, and how many updates were made."""

    def __init__(self, options: argparse.Namespace) -> None:
        torch.manual_seed(options.seed)
        self.options, self.step = options, 0
        self.student = Student().to(options.device, memory_format=torch.channels_last)
        self.optimizer = torch.optim.AdamW(self.student.parameters(), lr=options.lr, weight_decay=0.02)
        self.average = {name: value.clone() for name, value in self.student.state_dict().items()}

    def load(self, file: Path) -> None:
        state = torch.load(file, map_location=self.options.device, weights_only=True)
        self.student.load_state_dict(state["student"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average, self.step = state["average"], state["step"]

    def save(self, file: Path) -> None:
        parts = {"student": self.student.state_dict(), "optimizer": self.optimizer.state_dict()}
        torch.save({**parts, "average": self.average, "step": self.step}, file.with_suffix(".partial"))
        file.with_suffix(".partial").rename(file)

    def show(self, picture: Picture) -> tuple[int, float]:
        """One batch, once or replayed: how many pictures that made, and the last loss."""
        options, first = self.options, self.step
        x, cells16, cells8 = tensors(picture, options.device)
        generator = torch.Generator().manual_seed(options.seed * 1_000_003 + self.step)
        # In proportion to the picture's side, so that a pixel changes as much at any size.
        eps = options.eps * x.shape[-1] / 96 * min(1, max(0, self.step - options.plain) / RAMP)
        reach = eps * torch.rand(len(x), 1, 1, 1, generator=generator).to(x).sqrt()
        delta = random_start(x, reach, generator)
        for _ in range(options.replays if self.step >= options.plain else 1):
            seen = (x + delta).clamp(0, 1).requires_grad_()
            loss = self.student.loss(seen, cells16, cells8)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.update()
            if seen.grad is not None:
                delta = climbed(delta, seen.grad, reach)
        return len(x) * (self.step - first), loss.item()

    def update(self) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = rate(self.step, self.options)
        nn.utils.clip_grad_norm_(self.student.parameters(), 5.0)
        self.optimizer.step()
        self.step += 1
        share = 1 - min(EMA, (1 + self.step) / (10 + self.step))
        for name, value in self.student.state_dict().items():
            kept = self.average[name]
            kept.lerp_(value, share) if value.is_floating_point() else kept.copy_(value)


def train(options: argparse.Namespace) -> None:
    """Until `--steps` updates are made; a line of log and a checkpoint every `--every` batches."""
    options.work.mkdir(parents=True, exist_ok=True)
    saved, log = options.work / "checkpoint.pt", options.work / "log.jsonl"
    Bank(options.work / "bank.npy")
    training = Training(options)
    if saved.exists():
        training.load(saved)
    numbers = range(number_of(training.step, options), number_of(options.steps, options))
    loader = torch.utils.data.DataLoader(
        Batches(options, numbers),
        batch_size=None,
        num_workers=options.workers,
        prefetch_factor=8 if options.workers else None,
    )
    losses, pictures, since = [], 0, time.monotonic()
    for number, picture in zip(numbers, loader, strict=True):
        count, loss = training.show(Picture(*picture))
        losses.append(loss)
        pictures += count
        if len(losses) == options.every or number == numbers[-1]:
            speed = pictures / (time.monotonic() - since)
            line = {
                "step": training.step,
                "loss": round(float(np.mean(losses)), 4),
                "pictures_per_s": round(speed, 1),
            }
            with log.open("a") as file:
                file.write(json.dumps(line) + "\n")
            print(line, flush=True)
            training.save(saved)
            losses, pictures, since = [], 0, time.monotonic()


def accuracy(student: Student, bank: Bank, options: argparse.Namespace, eps: float, count: int) -> float:
    """Share of the drawings' cells whose family is named right, after a step of FGSM `eps` long (L2)."""
    right, total = 0, 0
    for picture in batches(bank, HELD_OUT, range(count // 64), 64, options.size, fresh=0):
        x, cells16, cells8 = tensors(picture, options.device)
        if eps > 0:
            (gradient,) = torch.autograd.grad(student.loss(x.requires_grad_(), cells16, cells8), x)
            x = (x + eps * gradient / length(gradient)).clamp(0, 1).detach()
        families = cells16 // SPECIES
        with torch.no_grad():
            named = student.net(normalised(x)).argmax(1)
        drawn = (families >= 0) & (families < FAMILIES)
        right, total = right + int((named == families)[drawn].sum()), total + int(drawn.sum())
    return right / total


def export(options: argparse.Namespace) -> None:
    """Writes the averaged weights, folded and in half precision, and the record beside them."""
    training = Training(options)
    training.load(options.work / "checkpoint.pt")
    student = training.student
    student.load_state_dict(training.average)
    student.eval()
    folded = {name: value.half().contiguous() for name, value in fold(student.net).state_dict().items()}
    save_file(folded, options.out)
    options.out.chmod(0o644)
    held_out = Bank(options.work / "held_out.npy", HELD_OUT, depth=2)
    recipe = " ".join(f"--{name} {getattr(options, name)}" for name in RECIPE)
    record = {
        "command": f"python scripts/train_builtin.py {recipe}",
        "steps_done": training.step,
        "date": datetime.now(UTC).date().isoformat(),
        "licence": "CC0-1.0",
        "sha256": hashlib.sha256(options.out.read_bytes()).hexdigest(),
        "accuracy_held_out": round(accuracy(student, held_out, options, 0.0, options.judge), 4),
        "accuracy_held_out_fgsm": round(accuracy(student, held_out, options, 1.0, options.judge), 4),
        "motifs": [*NAMES, "background"],
    }
    options.out.with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n")
    print(json.dumps(record, indent=2))


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Trains the network in the box, or exports what is trained.")
    add = parser.add_argument
    add("--seed", type=int, default=1)
    add("--steps", type=int, default=14000, help="updates of the weights")
    add("--plain", type=int, default=800, help="updates before pictures are pushed")
    add("--large", type=int, default=9800, help="updates on pictures of two thirds of --size")
    add("--batch", type=int, default=32)
    add("--size", type=int, default=96, help="side of a picture at the end; a multiple of 48")
    add("--eps", type=float, default=1.0, help="how far a picture is pushed: L2, pixels in 0..1, at 96x96")
    add("--replays", type=int, default=3, help="updates per batch, each pushing its pictures on")
    add("--lr", type=float, default=1.5e-3)
    add("--every", type=int, default=40, help="batches between checkpoints")
    add("--workers", type=int, default=1, help="processes that compose pictures")
    add("--threads", type=int, default=2)
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    add("--judge", type=int, default=1024, help="held-out pictures the record's accuracies are measured on")
    add("--work", type=Path, default=ROOT / "build" / "builtin", help="bank, checkpoint and log")
    add("--out", type=Path, default=ROOT / "pipeline" / "net" / "builtin.safetensors")
    add("--export", action="store_true", help="write the weights of the checkpoint and stop")
    return parser.parse_args(arguments)


def main() -> None:
    options = parsed()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)  # a pool of threads does not survive the fork of the workers
    if not options.export:
        train(options)
    export(options)


if __name__ == "__main__":
    main()
