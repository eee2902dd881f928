"""States: what frames leave to the next, as a file. Where that is nothing, torch is not needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError, safe_open, serialize

from pipeline.errors import OutputError
from pipeline.files import whole

if TYPE_CHECKING:
    import torch

    from pipeline.stages.carry import Carried


def write(path: Path, *left: Carried | None) -> None:
    """left: by one frame, None for nothing, which is a file too; or by several, one after the other."""
    with whole(path) as part:
        part.write_bytes(_bytes([carried for carried in left if carried is not None]))


def read(path: Path, device: torch.device) -> list[Carried]:
    """What was written, on `device`. OutputError: it is not there, or is damaged."""
    try:
        with safe_open(path, "numpy") as held:
            if not held.keys():
                return []
        from safetensors.torch import load_file  # noqa: PLC0415

        from pipeline.stages.carry import Carried  # noqa: PLC0415

        parts: dict[int, dict[str, torch.Tensor]] = {}
        for name, value in load_file(path).items():
            frame, _, part = name.partition(" ")
            parts.setdefault(int(frame), {})[part] = value.to(device)
        return [Carried(**parts[frame]) for frame in sorted(parts)]
    except (OSError, SafetensorError, ValueError, TypeError) as error:
        raise OutputError(f"{path}: is damaged ({error}). --fresh starts over.") from None


def _bytes(left: Sequence[Carried]) -> bytes:
    if not left:
        return serialize({}, None)
    from safetensors.torch import save  # noqa: PLC0415

    return save(
        {
            f"{frame} {name}": value.cpu().contiguous().clone()
            for frame, carried in enumerate(left)
            for name, value in vars(carried).items()
            if value is not None
        }
    )
