"""Pictures this project draws itself: families x species x individuals -> lit RGBA sprites [S, S, 4], 8-bit.

A family is one function; a species is a structure and a palette of it; an individual varies pose and noise.
`draw("owl", species=3, individual=17)` is always the same picture.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from . import animals, buildings, faces, growths, invertebrates, mammals, textures, things
from .canvas import SIZE, Canvas, Random

Family = Callable[[Canvas, Random, Random], None]

# A network's head names its outputs in this order: append, and train again.
FAMILIES: dict[str, Family] = {
    family.__name__: family
    for family in (
        faces.eye, faces.owl, mammals.dog, mammals.cat, mammals.monkey, faces.mask, faces.frog,
        mammals.bear, faces.robot, animals.bird, animals.beast, animals.fish, invertebrates.octopus,
        animals.turtle, animals.lizard, animals.snake, invertebrates.snail, invertebrates.butterfly,
        invertebrates.beetle, invertebrates.spider, invertebrates.caterpillar, invertebrates.jellyfish,
        invertebrates.crab, invertebrates.starfish, growths.leaf, growths.flower, growths.mushroom,
        growths.tree, growths.coral, growths.anemone, growths.feather, growths.shell, growths.tentacle,
        growths.peacock, growths.cactus, things.spiral, things.mandala, things.web, things.gear,
        things.wheel, things.car, buildings.arch, buildings.pagoda, buildings.castle, things.knot,
        things.flame, things.bubbles, buildings.bridge, textures.fur, textures.scales, textures.plumage,
        textures.honeycomb, textures.waves, textures.brick, textures.marbling, textures.cells,
        textures.tiles, textures.bark,
    )
}  # fmt: skip
SPECIES = 8
TEXTURES = frozenset(name for name, family in FAMILIES.items() if family.__module__ == textures.__name__)
CREATURES = frozenset(
    name
    for name, family in FAMILIES.items()
    if family.__module__ in [room.__name__ for room in (faces, mammals, animals, invertebrates)]
)


def draw(family: str, species: int, individual: int, size: int = SIZE) -> NDArray[np.uint8]:
    """One individual [size, size, 4], RGBA. KeyError names a family there is not."""
    name = zlib.crc32(family.encode())
    canvas = Canvas(size)
    kind, pose = np.random.default_rng((name, species)), np.random.default_rng((name, species, individual, 1))
    FAMILIES[family](canvas, kind, pose)
    light = pose.normal((-0.5, -0.7, 0.75), (0.25, 0.15, 0.1))
    return canvas.lit(light)
