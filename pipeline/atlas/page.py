"""Page: an atlas as one self-contained HTML file: a click on a tile copies the command that dreams like it.

Names may come from strangers: whatever is put into the page is escaped, and the page's own policy lets it load
nothing and run nothing but its one script.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from pipeline.atlas.plan import Chapter, Row, Tile
from pipeline.atlas.sheet import jpeg, said
from pipeline.clip import Picture, Size

HERE = Path(__file__).parent


@dataclass(frozen=True)
class About:
    """What a page says of its atlas in words. source: the picture's name; what: which of its frames.

    commands: of each tile, as on the tile, and at the film's own size. more: a command to go on with, and what
    for. notes: what else is to be known, a line each.
    """

    source: str
    what: str
    size: Size
    network: str
    licence: str
    commands: Mapping[Tile, tuple[str, str]]
    more: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = ()


def page(about: About, source: Picture, chapters: Sequence[Chapter], pictures: Mapping[Tile, Picture]) -> str:
    """The whole page as text. Tiles without a picture are left out."""
    script = (HERE / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    body = "\n".join(_chapter(chapter, about, pictures) for chapter in chapters)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n<link rel="icon" href="data:,">\n'
        f"<title>{escape(about.network)}: what its layers dream</title>\n"
        f"<style>\n{(HERE / 'page.css').read_text(encoding='utf-8')}</style>\n</head>\n<body>\n<main>\n"
        f"{_header(about, source)}\n{body}\n{_more(about)}\n</main>\n"
        '<div class="said" role="status" aria-live="polite" hidden><b></b><code></code></div>\n'
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def _header(about: About, source: Picture) -> str:
    facts = f"{escape(about.source)}{escape(about.what)} · tiles of {about.size}"
    return (
        f'<header><div><h1>{escape(about.network)}</h1><p class="facts">{facts}</p>'
        "<p>Click a picture: the command that dreams like it is copied.</p>"
        '<p><label><input type="checkbox" id="size" checked> as on the tile: forms as large as here</label>'
        '<span class="hint">else the film is dreamed at its own size: sharper, smaller forms</span></p></div>'
        f'<figure><img src="{_data(source)}" alt="the picture as it is"><figcaption>as it is</figcaption></figure>'
        "</header>"
    )


def _chapter(chapter: Chapter, about: About, pictures: Mapping[Tile, Picture]) -> str:
    rows = [_row(row, about, pictures, wide=chapter.wide) for row in chapter.lines]
    if not any(rows):
        return ""
    kind = "wide" if chapter.wide else "many"
    head = f"<h2>{escape(chapter.title)}</h2><p>{escape(chapter.about)}</p>"
    return f'<section class="{kind}">{head}{"".join(rows)}</section>'


def _row(row: Row, about: About, pictures: Mapping[Tile, Picture], *, wide: bool) -> str:
    tiles = [_tile(tile, about, pictures[tile]) for tile in row.tiles if tile in pictures]
    if not tiles:
        return ""
    head = f"<h3>{escape(row.name)} <span>{escape(row.about)}</span></h3>" if wide else ""
    return f'{head}<div class="tiles">{"".join(tiles)}</div>'


def _tile(tile: Tile, about: About, picture: Picture) -> str:
    here, full = (escape(command) for command in about.commands[tile])
    label = f"{escape(tile.layers)} <small>{escape(said(tile))}</small>"
    alt = escape(f"{tile.layers}, {said(tile)}")
    return (
        f'<button class="tile" data-here="{here}" data-full="{full}" title="{here}">'
        f'<img loading="lazy" width="{about.size.width}" height="{about.size.height}" src="{_data(picture)}" '
        f'alt="{alt}"><span>{label}</span></button>'
    )


def _more(about: About) -> str:
    lines = "".join(
        f'<li><button class="line" data-here="{escape(command)}" data-full="{escape(command)}">'
        f"<code>{escape(command)}</code></button> {escape(what)}</li>"
        for command, what in about.more
    )
    notes = "".join(f"<li>{escape(note)}</li>" for note in about.notes)
    licence = f"<li>{escape(about.network)}: {escape(about.licence)}</li>"
    return f"<section><h2>Further</h2><ul>{lines}{notes}{licence}</ul></section>"


def _data(picture: Picture) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg(picture)).decode()}"
