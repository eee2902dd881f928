"""The demo's sound: one quiet chord that swells and dies away. Seconds in, samples [n, 1] out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CHORD = (110.0, 164.81, 220.0, 277.18, 329.63, 493.88)
"""A major with an added ninth, in Hz."""

PEAK = 0.22


def tone(seconds: float, rate: int = 48000) -> NDArray[np.float32]:
    """float32 [n, 1], -1..1, n = round(seconds * rate), silent at both ends; rate in samples per second."""
    n = round(seconds * rate)
    t = np.arange(n) / rate
    sound = np.zeros(n)
    for voice, pitch in enumerate(CHORD):
        beating = 1 + 0.25 * np.sin(2 * np.pi * (0.11 + 0.05 * voice) * t + voice)
        phase = 2 * np.pi * pitch * t
        overtones = np.sin(phase) + 0.25 * np.sin(2 * phase) + 0.08 * np.sin(3 * phase)
        sound += beating * overtones / (voice + 1.5)
    fade = min(0.6, seconds / 3)
    ends = np.clip(np.minimum(t, t[::-1]) / fade, 0, 1) if n else t
    sound *= np.square(np.sin(ends * np.pi / 2))
    loudest = max(float(np.abs(sound).max(initial=0)), 1e-9)
    return np.asarray(PEAK / loudest * sound[:, None], np.float32)
