"""Loaded: what a worker loads once for all its tasks: networks, and dreamers by their settings."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from pipeline import hearing
from pipeline.dreamer import Dreamer
from pipeline.net import tap, zoo
from pipeline.settings import Settings
from pipeline.sources import Source


@lru_cache(maxsize=2)
def network(model: str, weights: str | None) -> tap.Network:
    """A network and its weights, loaded once in a process."""
    return zoo.load(model, Path(weights) if weights else None, progress=False)


def dreamer(settings: Settings, source: Source) -> Dreamer:
    """For a film, as settings say: its network, cut where they have it cut, may have served a task before."""
    heard, look = hearing.heard(settings, source), settings.dream
    if look.guide or look.mask or settings.time.beats == "audio":  # what is read beside is read anew
        return Dreamer(heard, network=network(look.model, look.weights))
    own = _cut(settings.model_dump_json()).again(heard)
    own.use_threads(heard.speed.threads)
    return own


@lru_cache(maxsize=2)
def _cut(told: str) -> Dreamer:
    """By settings as JSON. Never used itself, as a film changes its dreamer."""
    settings = Settings.model_validate_json(told)
    return Dreamer(settings, network=network(settings.dream.model, settings.dream.weights))
