"""States: what a frame leaves to the next, as a file. Where that is nothing, torch is not needed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError, safe_open, serialize

from pipeline.errors import OutputError
from pipeline.files import whole

if TYPE_CHECKING:
    import torch

    from pipeline.stages.carry import Carried


def write(path: Path, carried: Carried | None) -> None:
    """carried: None for nothing, which is a file too."""
    with whole(path) as part:
        part.write_bytes(_bytes(carried))


def read(path: Path, device: torch.device) -> Carried | None:
    """As it was written, on `device`. OutputError: it is not there, or is damaged."""
    try:
        with safe_open(path, "numpy") as held:
            if not held.keys():
                return None
        from safetensors.torch import load_file  # noqa: PLC0415

        from pipeline.stages.carry import Carried  # noqa: PLC0415

        return Carried(**{name: value.to(device) for name, value in load_file(path).items()})
    except (OSError, SafetensorError) as error:
        raise OutputError(f"{path}: is damaged ({error}). --fresh starts over.") from None


def _bytes(carried: Carried | None) -> bytes:
    if carried is None:
        return serialize({}, None)
    from safetensors.torch import save  # noqa: PLC0415

    kept = {name: value for name, value in vars(carried).items() if value is not None}
    return save({name: value.cpu().contiguous().clone() for name, value in kept.items()})
