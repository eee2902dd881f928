"""The table of codecs in docs/media.md, cell by cell: what is chosen, what is said, and what the encoder takes."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from pipeline import codecs
from pipeline.clip import Clip, Pixels, Size
from pipeline.errors import UsageError
from pipeline.settings import Output
from pipeline.stages import encode

DOCS = Path(__file__).parent.parent / "docs" / "media.md"
MASTER = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"


def rows() -> dict[str, list[str]]:
    """Codec -> containers, bits, HDR, transparency, odd sizes, least size."""
    lines = DOCS.read_text(encoding="utf-8").splitlines()
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")
    ]
    return {first.strip("`"): rest for first, *rest in cells if first.strip("`") in codecs.CODECS}


ROWS = rows()
each = pytest.mark.parametrize("codec", ROWS)


def chosen(
    codec: str, ending: str, size: Size | None = None, **pixels: object
) -> tuple[encode.Encoding, str]:
    """How a film of such pixels is written, and all that is said of it."""
    clip = Clip("film", size or Size(128, 256), Fraction(1, 24), Fraction(24), 2, pixels=Pixels(**pixels))  # type: ignore[arg-type]
    encoding, notes = encode.choose(clip, ending, Output(codec=codec), 1)  # type: ignore[arg-type]
    return encoding, " ".join(notes)


def test_no_codec_is_missing() -> None:
    assert set(ROWS) == {name for name, codec in codecs.CODECS.items() if not codec.hardware}


@each
def test_it_goes_into_these_containers_and_no_others(codec: str) -> None:
    told = {word for word in ROWS[codec][0].split() if word.startswith(".")}
    assert told == set(codecs.CODECS[codec].holders)
    for ending in codecs.CONTAINERS:
        if ending not in told:
            with pytest.raises(UsageError, match="cannot hold it"):
                chosen(codec, ending)


@each
def test_it_has_these_bits(codec: str) -> None:
    told, ending = ROWS[codec][1], codecs.CODECS[codec].holders[0]
    for bits in (8, 10):
        encoding, said = chosen(codec, ending, bits=bits)
        deep = codecs.is_deep(encoding.pixel_format)
        assert deep == (told == "10" or (bits > 8 and ("10" in told or "16" in told)))
        assert ("10 bits a channel" in said) == (bits > 8 and not deep and codec != "gif")


@each
@pytest.mark.parametrize("curve", ["pq", "hlg"])
def test_hdr_is_kept_or_said_to_be_mapped(codec: str, curve: str) -> None:
    told, ending = ROWS[codec][2], codecs.CODECS[codec].holders[0]
    own = {"mastering": MASTER, "light": "1000,400"} if curve == "pq" else {}
    encoding, said = chosen(codec, ending, bits=10, transfer=curve, primaries=9, **own)
    kept = curve.upper() in told
    assert (encoding.transfer, encoding.matrix) == (({"pq": 16, "hlg": 18}[curve], 9) if kept else (1, 1))
    assert ("mapped to SDR" in said) == (told == "as SDR, said")
    words = " ".join(encode._options(encoding).values())
    assert ("max-cll=1000,400" in words or "content-light=1000,400" in words) == (
        "mastering data" in told and curve == "pq"
    )


@each
def test_transparency_is_kept_or_said_to_be_laid_over_black(codec: str) -> None:
    for ending in codecs.CODECS[codec].holders:
        encoding, said = chosen(codec, ending, alpha=True)
        kept = ROWS[codec][3] in ("kept", "on or off") or ROWS[codec][3] == f"kept in {ending}"
        assert codecs.has_alpha(encoding.pixel_format) == (kept or "kept in" in ROWS[codec][3])
        assert ("laid over black" in said) == (ROWS[codec][3] == "over black, said")


@each
def test_odd_sizes_are_kept_as_they_say(codec: str) -> None:
    encoding, said = chosen(codec, codecs.CODECS[codec].holders[0], Size(241, 321))
    full = ROWS[codec][4] in ("as yuv444p, said", "as 4:4:4, said")
    assert (encoding.pixel_format.startswith("yuv444p") and "is odd, so" in said) == full


@each
def test_its_least_size_is_taken_and_less_is_refused_in_one_line(codec: str) -> None:
    width, height = map(int, ROWS[codec][5].split("x"))
    chosen(codec, codecs.CODECS[codec].holders[0], Size(height, width))
    for less in (Size(height - 1, width), Size(height, width - 1)) if width > 2 else ():
        with pytest.raises(UsageError, match=f"cannot hold {less}: it takes {width}x{height} and more"):
            chosen(codec, codecs.CODECS[codec].holders[0], less)
