"""Report: one page of pictures and measures per render, with the same numbers as CSV and JSON.

record.py    gathers a row per frame while it is dreamed, and keeps it in the work folder: a resumed film is whole
measure.py   the measures of a frame, sampled so that they cost next to nothing
tiles.py     the small pictures
curves.py    numbers through time as SVG
tables.py    the same numbers for programs
about.py     the same in words
strips.py    the pictures through time
page.py      all of it as one self-contained HTML file
"""

from pipeline.report.about import About
from pipeline.report.page import write
from pipeline.report.record import Record

__all__ = ["About", "Record", "write"]
