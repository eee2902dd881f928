"""Inversion: a still rebuilt from what its layers know of it, in place of a dream. Look and picture in, that out."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from pipeline.clip import Size
from pipeline.errors import UsageError
from pipeline.net.targets import Target
from pipeline.ops.gradient import select
from pipeline.ops.look import Look
from pipeline.settings import Dream
from pipeline.stages.dream import Dreamed
from pipeline.stages.invert import invert

OBJECTIVE = "invert"


def check(knobs: Dream) -> None:
    """UsageError for what is dreamed toward or around, where a picture is to be rebuilt."""
    given = next((name for name in ("guide", "mask") if getattr(knobs, name)), None)
    if knobs.objective == OBJECTIVE and given:
        raise UsageError(
            f"--objective {OBJECTIVE}: rebuilds a picture from its own layers alone. Leave out --{given}."
        )


def rebuild(look: Look, source: Tensor, owed: Tensor, iterations: int, step: float) -> Dreamed:
    """As `dream`, but all of [L, 3, H, W] is rebuilt in so many steps, from noise. owed, step: not heeded.

    UsageError for targets that are not whole layers or channels by number.
    """
    look.sizes(Size(*source.shape[-2:]))
    targets = [whole(target) for target in look.cut.targets]
    shares = [target.weight for target in targets]
    if look.now.weights is not None:  # layers over time: as they are at this moment
        shares = look.now.weights[0].tolist()

    def see(picture: Tensor) -> list[Tensor]:
        look.heed()
        maps = zip(look.cut(picture), targets, strict=True)
        return [select(part, target, Size(*picture.shape[-2:])) for part, target in maps]

    done = invert(see, source, shares, iterations, look.seed)
    return Dreamed(done.picture, [iterations] * len(source), done.lost)


def whole(target: Target) -> Target:
    """With all its channels, muted ones too. UsageError for one that is not a whole layer or channels by number."""
    odd = [f"@{target.at[0]}x{target.at[1]}"] if target.at else []
    odd += [f"#{target.rank}"] * bool(target.rank) + [f"[{target.mask}]"] * bool(target.mask)
    odd += [f":{target.weight:g}"] * (target.weight < 0)
    if odd:
        raise UsageError(
            f"--objective {OBJECTIVE}: {target.text}: rebuilds from whole layers, or channels by number. "
            f"Leave out {odd[0]}."
        )
    return replace(target, muted=())
