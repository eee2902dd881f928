"""Sound: samples into an audio file the film can take its packets from. float32 [n, channels], -1..1."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

RATE = 48_000


def write(path: Path, samples: NDArray[np.float32]) -> None:
    """Write samples at 48 kHz as AAC in an .m4a."""
    layout = "mono" if samples.shape[1] == 1 else "stereo"
    with av.open(f"file:{path.absolute()}", "w", format="mp4") as file:
        stream = file.add_stream("aac", rate=RATE)
        assert isinstance(stream, av.AudioStream)
        stream.layout = layout
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T), format="fltp", layout=layout)
        frame.sample_rate = RATE
        frame.pts, frame.time_base = 0, Fraction(1, RATE)  # without a unit the encoder's delay would be heard
        fifo = av.AudioFifo()
        fifo.write(frame)
        while chunk := fifo.read(1024, partial=True):
            file.mux(stream.encode(chunk))
        file.mux(stream.encode(None))
