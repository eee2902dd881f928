"""Recipes: the look inside a film this program made, read back; and where it lies when it cannot be inside."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pipeline import media, overrides
from pipeline.errors import InputError
from pipeline.overrides import Layer
from pipeline.settings import Settings
from pipeline.stages import stills

FILES, WORDS = (
    ("cuts", "beats"),
    ("auto", "off", "none", "audio"),
)  # of [time], what may be a file, and is if no word
MADE = ("dream_video", "torch", "python", "weights_sha256")


def like(path: Path, model: type[Settings] = Settings) -> Layer:
    """The recipe inside a film or still this program made, or in a .recipe.toml beside it. InputError without one.

    A film may come from a stranger: only what a recipe can hold is taken, no path, no permission.
    """
    recipe = _whole(path)
    allowed = model().recipe()
    tables = overrides.parse_tables(recipe, path.name)
    taken = {
        group: {name: value for name, value in tables.get(group, {}).items() if name in table}
        for group, table in allowed.items()
    }
    for name in FILES:
        if taken.get("time", {}).get(name) not in WORDS:
            taken.get("time", {}).pop(name, None)
    return Layer(f"like {path.name}", taken)


def made(path: Path) -> dict[str, str]:
    """What made such a film, by its recipe: versions, and the hash of the network's weights."""
    try:
        told = tomllib.loads(_whole(path)).get("made", {})
    except tomllib.TOMLDecodeError:
        return {}
    return {name: str(told[name])[:80] for name in MADE if isinstance(told, dict) and name in told}


def _whole(path: Path) -> str:
    recipe = _recipe_of(path)
    if recipe is None:
        raise InputError(f"{path}: holds no recipe. --like reads films and stills that this program made.")
    return recipe


def _recipe_of(path: Path) -> str | None:
    if not path.is_file():
        raise InputError(f"{path}: no such file. Check the name and the folder.")
    beside = [path] if path.suffix == ".toml" else [recipe_file(path), recipe_file(path, numbered=True)]
    for file in beside:
        if file.is_file():
            return file.read_text(encoding="utf-8")
    if path.suffix.lower() in stills.SUFFIXES:
        return stills.recipe(path)
    with media.open_clip(path) as film:
        return {name.lower(): text for name, text in film.metadata.items()}.get("dream_video")


def recipe_file(path: Path, *, numbered: bool = False) -> Path:
    """Where the recipe of a file that cannot hold one lies; numbered: one for all files of that name and a number."""
    bare = stills.COUNTER.sub("", path.stem).rstrip("0123456789").rstrip("._-") if numbered else path.stem
    return path.with_name(f"{bare}.recipe.toml")
