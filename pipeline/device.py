"""Which device dreams, in which precision, and how many threads it may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import cv2
import torch

from pipeline.clip import Size
from pipeline.errors import DeviceError


def pick(name: str) -> torch.device:
    """'auto' is cuda, mps or cpu, the first there is. DeviceError for one that is not there."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError):
        have = ["cpu"] + ["cuda"] * torch.cuda.is_available() + ["mps"] * torch.backends.mps.is_available()
        raise DeviceError(f"--device {name}: not on this machine, which has {', '.join(have)}.") from None
    return device


PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def precision(name: str, device: torch.device) -> torch.dtype:
    """'auto' is bf16 where the hardware computes in it, else fp32: in software bf16 takes ten times as long."""
    if name != "auto":
        return PRECISIONS[name]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    told: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)() if device.type == "cpu" else {}
    return torch.bfloat16 if told.get("avx512_bf16") or told.get("amx_bf16") else torch.float32


TILE, LEAST_TILE = 1024, 256


def tile(told: str) -> int:
    """The side, in pixels, of the tiles that large pictures are seen in; 0: whole."""
    return {"auto": TILE, "off": 0}.get(told) or int(told if told.isdigit() else 0)


def lanes(told: str, device: torch.device) -> int:
    """How many shots are dreamed side by side; 'auto': one on a CPU, where it helps little, eight on a GPU."""
    if told != "auto":
        return int(told)
    return 8 if device.type == "cuda" else 1


def keyframes(told: str, device: torch.device) -> int:
    """Every which frame of a long shot is dreamed first, so that those between can be dreamed side by side; 0: none.

    'auto': the eighth on a GPU; none on a CPU, where batches of large pictures gain nothing.
    """
    if told == "auto":
        return 8 if device.type == "cuda" else 0
    return 0 if told == "off" else int(told)


def graphs(told: str, device: torch.device) -> bool:
    """Whether a GPU's work is recorded; 'auto': not until somebody has measured what it gains."""
    return told == "on" and device.type == "cuda"


def flow_threads(device: torch.device) -> int:
    """How many frames' motion is measured at once: one beside a dream on the CPU, else what cores there are, to 8."""
    return 1 if device.type == "cpu" else min(_cores(), 8)


def use_threads(threads: int, lanes: int = 1) -> int:
    """Set the CPU threads that each of so many lanes dreams with (0: all cores between them); gives their number.

    Flow runs single-threaded beside it: DIS works in as many stripes as it has threads, and its result
    depends on them, so one stripe is what makes the same film on any machine.
    """
    count = threads or max(1, _cores() // lanes)
    torch.set_num_threads(count)
    cv2.setNumThreads(1)
    return count


def let_go(device: torch.device) -> None:
    """Give memory that is held for later back to the device."""
    if device.type == "cuda":
        torch.cuda.empty_cache()


def _cores() -> int:
    # A container or a farm may allow fewer than the machine has; only Linux says so.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


# What a container is allowed, in Linux's new way and its old one.
LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
OTHERS = 0.1  # of the memory is taken by what else runs


def room_for(size: Size, needs: int, less: str) -> None:
    """DeviceError when so many bytes for a picture of a size are more than this machine has, where it can say.

    less: what would need less, as the flags that ask for it.
    """
    have = _memory()
    if have and needs > (1 - OTHERS) * have:
        raise DeviceError(
            f"A picture of {size} takes about {needs / 2**30:.1f} GB of memory to dream; this machine has "
            f"{have / 2**30:.1f}, and some of it is for what else runs. Give {less}."
        )


def _memory() -> int:
    """Bytes that this machine has, or that its container is allowed; 0 where neither can be told."""
    told = []
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        told.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for path in LIMITS:
        with suppress(OSError, ValueError):  # other systems have no such file, and some say "max"
            told.append(int(Path(path).read_text(encoding="ascii")))
    return min(told, default=0)


@contextmanager
def memory(doing: str) -> Iterator[None]:
    """Turn an allocation failure inside the block into a DeviceError that says what would need less."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise DeviceError(_too_large(doing)) from error
    except RuntimeError as error:
        if "alloc" not in str(error):
            raise
        raise DeviceError(_too_large(doing)) from error


def _too_large(doing: str) -> str:
    return f"Out of memory {doing}. A smaller dream fits: try --dream-size max:960, or --device cpu."
