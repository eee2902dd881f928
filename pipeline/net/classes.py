"""Classes: what a classifier tells apart, by name or number: `class/lion` -> 291, one row of its scores."""

from __future__ import annotations

import re

from pipeline.errors import TargetError, did_you_mean
from pipeline.net.targets import Target

IMAGENET = 1000


def number(target: Target, count: int, network: str) -> int:
    """The row of `count` scores that a class target means. TargetError: there is none of that name or number.

    A thousand classes are ImageNet's, in the order of its synsets, as every network here that has so many was
    taught them; the names are torchvision's. Others are known by their numbers.
    """
    asked = target.classes.strip()
    if re.fullmatch(r"\d{1,6}", asked, re.ASCII):
        if int(asked) >= count:
            raise TargetError(f"{target.text}: {network} knows {count} classes, 0 to {count - 1}.")
        return int(asked)
    if count != IMAGENET:
        problem = f"{target.text}: the names of these {count} classes of {network} are not known"
        raise TargetError(f"{problem}. Give a number: class/0 to class/{count - 1}.")
    names = _imagenet()
    if (plain := _plain(asked)) not in names:
        several = _by_word(plain, names)[:8]
        close = f" There are {', '.join(several)}." if several else did_you_mean(plain, names)
        raise TargetError(f"{target.text}: {network} knows no class of that name.{close}")
    return names[plain]


def _imagenet() -> dict[str, int]:
    """Plain name -> number; of the two names that are used twice, the first."""
    from torchvision.models import SqueezeNet1_1_Weights  # noqa: PLC0415 (slow to import)

    names: list[str] = SqueezeNet1_1_Weights.IMAGENET1K_V1.meta["categories"]
    return {_plain(name): at for at, name in reversed(list(enumerate(names)))}


def _plain(name: str) -> str:
    """As people write it: Egyptian cat, egyptian-cat and Egyptian_cat are one."""
    return " ".join(re.findall(r"[a-z0-9]+", name.lower().replace("'", "")))


def _by_word(asked: str, names: dict[str, int]) -> list[str]:
    """The names that hold every word asked for: cat is nobody's name, but of Egyptian cat and tiger cat."""
    words = set(asked.split())
    return sorted(name for name in names if words and words <= set(name.split()))
