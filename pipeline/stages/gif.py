"""Gif: finished segments as an animation of 256 colours, chosen when all frames are there. Read twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av

from pipeline import media
from pipeline.clip import Clip, Segment

UNIT = Fraction(1, 100)  # seconds; no gif counts finer
SHORTEST = 2  # units a picture stays; players show one of less for ten


def write(pieces: Sequence[tuple[Segment, Path]], out: Path, clip: Clip, recipe: str) -> None:
    """An animated gif that repeats for ever, from segments without loss.

    Times are rounded to 1/100 s, never added up from rounded ones. The recipe is its comment.
    """
    palette = _palette(pieces)
    with av.open(media.local(out), "w", format="gif", options={"loop": "0"}) as film:
        stream = film.add_stream("gif")
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = clip.size.width, clip.size.height, "pal8"
        stream.codec_context.time_base, stream.codec_context.framerate = UNIT, clip.rate
        film.metadata["comment"] = recipe
        latest = -SHORTEST
        for frame in _mapped(pieces, palette, clip):
            latest = frame.pts = max(latest + SHORTEST, frame.pts or 0)
            frame.time_base = UNIT
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))


def _frames(pieces: Sequence[tuple[Segment, Path]]) -> Iterator[tuple[int, av.VideoFrame]]:
    begin = pieces[0][0].pts
    for segment, path in pieces:
        with av.open(media.local(path)) as piece:
            for frame in piece.decode(video=0):
                yield segment.pts - begin + (frame.pts or 0), frame


def _palette(pieces: Sequence[tuple[Segment, Path]]) -> av.VideoFrame:
    graph: av.filter.Graph | None = None
    for _, frame in _frames(pieces):
        if graph is None:
            graph = av.filter.Graph()
            source = _buffer(graph, frame)
            graph.link_nodes(
                source, graph.add("palettegen", "stats_mode=full"), graph.add("buffersink")
            ).configure()
        graph.push(frame)
    assert graph is not None
    graph.push(None)
    found = graph.pull()
    assert isinstance(found, av.VideoFrame)
    return found


def _mapped(
    pieces: Sequence[tuple[Segment, Path]], palette: av.VideoFrame, clip: Clip
) -> Iterator[av.VideoFrame]:
    graph: av.filter.Graph | None = None
    for pts, frame in _frames(pieces):
        if graph is None:
            graph = av.filter.Graph()
            source, colours = _buffer(graph, frame), _buffer(graph, palette)
            use, sink = (
                graph.add("paletteuse", "dither=sierra2_4a:diff_mode=rectangle"),
                graph.add("buffersink"),
            )
            source.link_to(use, 0, 0)
            colours.link_to(use, 0, 1)
            use.link_to(sink)
            graph.configure()
            palette.pts = 0
            colours.push(palette)
            colours.push(None)
        frame.pts, frame.time_base = media.ticks(pts * clip.time_base, UNIT), UNIT
        source.push(frame)
        yield from _pulled(graph)
    if graph is not None:
        source.push(None)
        yield from _pulled(graph)


def _buffer(graph: av.filter.Graph, frame: av.VideoFrame) -> av.filter.FilterContext:
    return graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=UNIT)


def _pulled(graph: av.filter.Graph) -> Iterator[av.VideoFrame]:
    while True:
        try:
            frame = graph.pull()
        except (BlockingIOError, EOFError):
            return
        assert isinstance(frame, av.VideoFrame)
        yield frame
