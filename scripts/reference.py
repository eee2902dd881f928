"""docs/settings.md: every setting of every door, from the settings themselves.

    scripts/reference.py [--check]

--check writes nothing, and ends with 1 where the page is not what would be written.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pydantic import BaseModel

from pipeline.looks import own_defaults
from pipeline.schedule import Schedule
from pipeline.settings import Settings
from pipeline.settings.atlas import AtlasSettings
from pipeline.settings.knob import facts
from pipeline.settings.zoom import ZoomSettings

PAGE = Path(__file__).parents[1] / "docs" / "settings.md"
HEAD = """# Every setting

Written by `scripts/reference.py` from what the program itself reads. A setting is a flag (`--octave-scale 1.5`), a
line of a TOML or YAML file for `-c` (`octave_scale = 1.5` under `[dream]`), a variable (`DREAM_OCTAVE_SCALE=1.5`), a
key in a farm's list, or `--set dream.octave_scale=1.5`. What is nearer to you wins: defaults, the network's own,
`--like`, presets, files, variables, flags, `--set`. `--explain` shows what came of it, and from where.

Numbers marked *over time* may change through the film: `"0s:(0.5), 2s:(0.9)"`, `"0.5+0.5*sin(t)"`. A network may have
defaults of its own: the one in the box has BUILTIN.
"""
DOORS: tuple[tuple[str, type[Settings], str], ...] = (
    ("dream-video", Settings, ""),
    ("dream-zoom", ZoomSettings, "What `dream-video` has, and these, or these in other words:"),
    ("dream-atlas", AtlasSettings, "What `dream-video` has, and these, or these in other words:"),
)


def page() -> str:
    """The whole of it, Markdown."""
    own = ", ".join(f"`{name} = {value}`" for name, value in own_defaults("builtin").values["dream"].items())
    parts = [HEAD.replace("BUILTIN", own)]
    for door, model, word in DOORS:
        parts.append(f"## {door}\n" + (f"\n{word}\n" if word else ""))
        for group, field in model.model_fields.items():
            table = field.annotation
            assert isinstance(table, type)
            assert issubclass(table, BaseModel)
            offered = model.OFFERED.get(group)
            rows = [
                row(table, name)
                for name in table.model_fields
                if (offered is None or name in offered) and (model is Settings or is_own(table, name, group))
            ]
            if rows:
                head = ["| setting | default | range | |", "|---|---|---|---|"]
                parts.append("\n".join([f"### {group}\n", *head, *rows]) + "\n")
    return "\n".join(parts)


def is_own(table: type[BaseModel], name: str, group: str) -> bool:
    """Whether a door has it alone, or says or takes it otherwise than dream-video does."""
    usual = Settings.model_fields[group].annotation if group in Settings.model_fields else None
    if usual is None or name not in usual.model_fields:
        return True
    own, other = table.model_fields[name], usual.model_fields[name]
    return (own.description, own.default) != (other.description, other.default)


def row(table: type[BaseModel], name: str) -> str:
    """One setting: its flag, default, range with unit, and what it does."""
    field, told = table.model_fields[name], facts(table, name)
    flag = f"`--{name.replace('_', '-')}`" + (f" `-{told['short']}`" if told["short"] else "")
    default = field.default.text if isinstance(field.default, Schedule) else field.default
    shown = {None: "", False: "off", (): "", "": ""}.get(default, f"`{default}`")
    if default == 0 and default is not False:
        shown = "`0`"
    reach = "" if told["low"] is None else f"{told['low']} to {told['high']}"
    reach = " ".join(part for part in (reach, told["unit"]) if part)
    if "Schedule" in str(field.annotation):
        reach += ", *over time*"
    return f"| {flag} | {shown} | {reach.strip(', ')} | {(field.description or '').replace('|', chr(92) + '|')} |"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true")
    written = page()
    if parser.parse_args().check:
        return int(not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != written)
    PAGE.write_text(written, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
