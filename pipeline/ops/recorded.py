"""Recorded: what a GPU computes of pictures of one shape, played again without the CPU sending its every kernel.

A gradient is some three hundred small kernels; at the small octaves sending them takes longer than they do. A CUDA
graph is sent at once (https://docs.pytorch.org/docs/stable/notes/cuda.html, "CUDA Graphs").
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

import torch
from torch import Tensor

Compute = Callable[[Tensor], dict[int, Tensor]]
"""Tensors by number of a picture [L, 3, h, w]; nothing in it may wait for the GPU or come from the CPU."""

MOST = 32  # graphs that are kept
WARM = 3  # computations before one is recorded: libraries choose their ways in the first
NEAR = 1e-2  # relative difference, in the mean, that what is played may have from what was computed


@dataclass
class _Recording:
    """given: where the picture is read from. made: where the tensors are after each `play`."""

    given: Tensor
    made: dict[int, Tensor]
    play: Callable[[], None]


@dataclass
class Recorder:
    """Records each computation at its first picture, and plays it from then on. Where one cannot be recorded, or
    plays something else than was computed, that is said, once, and all are computed as ever.

    What it gives is overwritten by the next call: it has to be used before that.
    """

    say: Callable[[str], None]
    failed: bool = False
    _recordings: dict[Hashable, _Recording] = field(default_factory=dict)

    def __call__(self, key: Hashable, compute: Compute, picture: Tensor) -> dict[int, Tensor]:
        """key: the same for the same computation; that of pictures of each shape is another."""
        key = (key, picture.shape, picture.stride())
        if not self.failed and key not in self._recordings:
            self._record(key, compute, picture)
        if self.failed:
            return compute(picture)
        recording = self._recordings[key]
        recording.given.copy_(picture)
        recording.play()
        return recording.made

    def _record(self, key: Hashable, compute: Compute, picture: Tensor) -> None:
        while len(self._recordings) >= MOST:
            del self._recordings[next(iter(self._recordings))]
        computed = compute(picture)
        try:
            recording = recorded(compute, picture)
            recording.play()
        except (RuntimeError, ValueError) as error:
            self._give_up(str(error).partition("\n")[0])
            return
        if any(_apart(recording.made[number], own) for number, own in computed.items()):
            self._give_up("it played something else than was computed")
            return
        self._recordings[key] = recording

    def _give_up(self, why: str) -> None:
        self.failed = True
        self._recordings.clear()
        self.say(f"--graphs: the GPU's work could not be recorded ({why}); it was sent as ever.")


def _apart(played: Tensor, computed: Tensor) -> bool:
    difference = (played - computed).abs().mean()
    return not bool(difference <= NEAR * computed.abs().mean())


def recorded(compute: Compute, picture: Tensor) -> _Recording:
    """A CUDA graph of what is computed of a picture like this one. RuntimeError where it cannot be one."""
    given = picture.detach().clone()
    beside = torch.cuda.Stream(given.device)  # type: ignore[no-untyped-call]
    beside.wait_stream(torch.cuda.current_stream(given.device))
    with torch.cuda.stream(beside):
        for _ in range(WARM):
            compute(given)
    torch.cuda.current_stream(given.device).wait_stream(beside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        made = compute(given)
    return _Recording(given, made, graph.replay)
