"""Drawing: every family draws, fills its mask and varies; compositions say what lies where."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from drawing import CREATURES, FAMILIES, SPECIES, TEXTURES, canvas, draw
from drawing.compose import BACKGROUND, CLASSES, NAMES, UNSURE, Bank, batches, compose

SMALL = 48
DRAWN = {
    (name, species, individual): None for name in FAMILIES for species in (0, 5) for individual in (1, 2)
}


def drawn(name: str, species: int, individual: int) -> np.ndarray:
    key = name, species, individual
    if DRAWN[key] is None:
        DRAWN[key] = draw(*key, size=SMALL)
    return DRAWN[key]


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """Mean over the premultiplied pictures, in grey levels."""
    a, b = (x[..., :3] * (x[..., 3:] / 255) for x in (a, b))
    return float(np.abs(a - b).mean())


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Bank:
    """One individual of the first species of each family, standing for all its species."""
    path = tmp_path_factory.mktemp("bank") / "bank.npy"
    shape = (len(NAMES), SPECIES, 1, canvas.SIZE, canvas.SIZE, 4)
    sprites = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    for family, name in enumerate(NAMES):
        sprites[family] = draw(name, 0, 0)
    return Bank(path)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_draws_without_warnings(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        picture = drawn(name, 0, 1)
    assert picture.shape == (SMALL, SMALL, 4)
    assert picture.dtype == np.uint8


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_fills_its_mask(name: str) -> None:
    alpha = drawn(name, 0, 1)[..., 3] / 255
    if name in TEXTURES:
        assert alpha.min() == 1
    else:
        assert 0.1 < alpha.mean() < 0.97
        assert alpha.max() == 1


@pytest.mark.parametrize("name", FAMILIES)
def test_individuals_differ_and_species_differ_more(name: str) -> None:
    one, other, stranger = drawn(name, 0, 1), drawn(name, 0, 2), drawn(name, 5, 1)
    assert difference(one, other) > 1
    assert difference(one, stranger) > 1
    assert difference(one, stranger) > 0.5 * difference(one, other)


def test_an_individual_is_always_drawn_the_same() -> None:
    assert np.array_equal(draw("owl", 3, 7, SMALL), draw("owl", 3, 7, SMALL))


def test_light_falls_from_above_left() -> None:
    """A ball is lighter where it faces the lamp than where it turns away."""
    s = canvas.Canvas(64)
    shape = canvas.ball(s.x, s.y, 0.9)
    s.lay(shape, (0.5, 0.5, 0.5), canvas.dome(shape, 0.9))
    lit = s.lit().astype(float)
    assert lit[18, 18, :3].mean() > 1.5 * lit[46, 46, :3].mean()


def test_half_of_the_families_worth_showing_are_creatures() -> None:
    assert set(FAMILIES) > CREATURES
    assert len(CREATURES) >= 20


def test_a_composition_names_what_fills_its_cells(bank: Bank) -> None:
    for seed in range(10):
        picture = compose(bank, np.random.default_rng(seed), 96)
        assert picture.rgb.shape == (96, 96, 3)
        assert picture.cells16.shape == (6, 6)
        assert picture.cells8.shape == (12, 12)
        assert set(np.unique(picture.cells16)) <= {UNSURE, *range(CLASSES), BACKGROUND}


def test_labels_lie_where_the_drawing_lies(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    """With white drawings on a black ground, cells of a family are light and cells of the ground dark."""
    monkeypatch.setattr("drawing.compose.ground", lambda rng, size: np.zeros((size, size, 3), np.float32))
    monkeypatch.setattr(
        "drawing.compose.develop", lambda rng, rgb: (np.clip(rgb, 0, 1) * 255).astype(np.uint8)
    )
    white = Bank.__new__(Bank)
    white.sprites = bank.sprites.copy()
    white.sprites[..., :3] = 255
    light, dark = [], []
    for seed in range(12):
        picture = compose(white, np.random.default_rng(seed), 96)
        mean = picture.rgb.mean(-1).reshape(6, 16, 6, 16).mean((1, 3))
        light += [*mean[(picture.cells16 >= 0) & (picture.cells16 < BACKGROUND)]]
        dark += [*mean[picture.cells16 == BACKGROUND]]
    assert np.min(light) > 90
    assert np.max(dark) < 128


def test_the_same_seed_composes_the_same_batches(bank: Bank) -> None:
    one, other = (next(batches(bank, 5, range(3, 4), 4, 64, fresh=0)) for _ in range(2))
    assert np.array_equal(one.rgb, other.rgb)
    assert not np.array_equal(one.rgb, next(batches(bank, 5, range(4, 5), 4, 64, fresh=0)).rgb)


def test_a_bank_renews_one_individual_at_a_time(bank: Bank) -> None:
    before = bank.sprites.copy()
    bank.renew(np.random.default_rng(0))
    changed = (bank.sprites != before).any((3, 4, 5))
    assert changed.sum() == 1
    bank.sprites[:] = before
