"""What is written about the program is true of it: the reference, the links, the pictures."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from types import ModuleType

import pytest

from pipeline.cli import atlas, farm, options, video, zoom
from pipeline.settings import Settings
from pipeline.settings.atlas import AtlasSettings
from pipeline.settings.zoom import ZoomSettings

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import reference

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


def test_the_reference_is_what_the_settings_say() -> None:
    said = reference.PAGE.read_text(encoding="utf-8")
    assert said == reference.page(), "scripts/reference.py writes it anew"
    assert "| `--steadiness` | `0.9` | 0 to 0.99, *over time* |" in said


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\((?!https?:|#)([^)\s]+)\)", text):
        path, _, anchor = link.partition("#")
        target = page.parent / path
        assert target.exists(), link
        if anchor:
            heads = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", head).lower().replace(" ", "-") for head in heads}, link


def test_the_pictures_are_small_and_all_shown() -> None:
    pictures = [path for path in (ROOT / "docs").iterdir() if path.suffix in (".jpg", ".png", ".gif")]
    assert sum(path.stat().st_size for path in pictures) < 6 << 20
    written = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert [path.name for path in pictures if path.name not in written] == []


@pytest.mark.parametrize("door", [video, zoom, atlas, farm], ids=lambda door: door.__name__)
def test_help_is_no_wider_than_is_read_and_ends_with_examples(
    door: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "150")
    with pytest.raises(SystemExit):
        door.main(["--help"])
    help = capsys.readouterr().out
    assert max(map(len, help.splitlines())) <= 100
    assert help.splitlines()[-len(door.EXAMPLES) :] == [
        line for line in help.splitlines() if line.startswith("  dream-")
    ]
    assert not re.search(r"--(keep|strict|yes|quiet|verbose|loop) [A-Z]", help), "a switch takes no value"
    assert not re.search(r"\b([Cc]ards?|taps?|climbs?|segments?)\b", help), "words of the house"


@pytest.mark.parametrize(
    ("door", "model"), [(video, Settings), (zoom, ZoomSettings), (atlas, AtlasSettings)], ids=str
)
def test_the_examples_are_commands(door: ModuleType, model: type[Settings]) -> None:
    for command, _ in door.EXAMPLES:
        prog, *words = shlex.split(command)
        assert options.read(prog, "", words, model=model).command
