"""Opening: what a dive's settings come to: the source aimed at its point, and the way that dives into it."""

from __future__ import annotations

from pathlib import Path

from pipeline.dive.aim import strongest
from pipeline.dive.base import Dive
from pipeline.dive.exact import ExactDive, Told
from pipeline.dive.feedback import FeedbackDive, LivingStill
from pipeline.net.tap import Network
from pipeline.settings.zoom import ZoomSettings
from pipeline.sources.grounds import unit
from pipeline.sources.zoom import ZoomSource


def aimed(
    source: ZoomSource, settings: ZoomSettings, name: str, network: Network | None = None
) -> ZoomSource:
    """The same, with the point it dives into found where that was left open."""
    if settings.zoom.centre != "auto":
        return source
    ground = unit(next(source.frames()).picture) if source.ground is None else source.ground
    point = strongest(ground, source.clip.size, Dive(settings, source, network).climb_at(0.0))
    return ZoomSource.of(name, settings, point)


def way(
    source: ZoomSource,
    settings: ZoomSettings,
    folder: Path,
    told: Told,
    network: Network | None = None,
    hurry: int = 1,
    only: tuple[float, ...] = (),
) -> ExactDive | FeedbackDive | LivingStill:
    """The network, loaded, and the way to dive. folder, told, hurry, only: of the exact dive's masters."""
    if source.film is not None or settings.zoom.way == "feedback":
        return FeedbackDive(settings, source, network)
    if settings.zoom.zoom.constant == 0:
        return LivingStill(settings, source, network)
    return ExactDive(settings, source, folder, told, network, hurry, only)
