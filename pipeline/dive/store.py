"""Store: masters on disk, so that a dive that was interrupted goes on, and a long one needs no memory for them.

dive.mp4.masters/
  plan.json               what they depend on
  00003.safetensors       a dreamed master and the balance that the next one is held to; what stands there is done
  agreed-00003.safetensors  the same, once all masters have been made to agree
  exposure.json           the tone of each moment; once it stands there, they agree
"""

from __future__ import annotations

import json
import shutil
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from pipeline.clip import Plane
from pipeline.dive.balance import Balance
from pipeline.dive.exposure import Exposure, Tone
from pipeline.errors import OutputError, UsageError
from pipeline.files import whole

AT_HAND = 3  # masters kept in memory; of large ones
MEMORY = 1 << 29  # as many as fit in so many bytes, or one


@dataclass
class Store:
    """Masters as half floats: an eighth of a grey level. Threads may load at the same time."""

    folder: Path
    _at_hand: OrderedDict[str, Plane] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    @staticmethod
    def open(folder: Path, plan: dict[str, Any], *, fresh: bool = False) -> Store:
        """Go on with `folder` when it holds masters of this very plan, or begin it.

        Raises UsageError when they are of another plan, OutputError when the folder is somebody else's.
        """
        written = folder / "plan.json"
        if folder.exists() and not written.is_file() and any(folder.iterdir()):
            raise OutputError(f"{folder}: is not a folder of masters. Move it away, or give another -o.")
        if fresh and folder.exists():
            shutil.rmtree(folder)
        text = json.dumps(plan, indent=1, sort_keys=True)
        if written.is_file() and any(folder.glob("*.safetensors")):
            if written.read_text(encoding="utf-8") != text:
                raise UsageError(
                    f"{folder}: holds masters of a dive with other settings.\n"
                    "Give the same again to go on, or --fresh to start over."
                )
        else:
            with whole(written) as part:
                part.write_text(text, encoding="utf-8")
        return Store(folder)

    def done(self) -> int:
        """How many masters are dreamed, counted from the first."""
        count = 0
        while self._raw(count).is_file():
            count += 1
        return count

    @property
    def agreed(self) -> bool:
        """Whether all masters are there, and show one picture."""
        return self._agreed.is_file()

    def agree(self, exposure: Exposure) -> None:
        """From now on what `keep` was given is what `load` gives, and is seen with an exposure."""
        with whole(self._agreed) as part:
            part.write_text(json.dumps([exposure.times, exposure.tones]), encoding="utf-8")

    @property
    def exposure(self) -> Exposure:
        """What agreed masters are seen with."""
        try:
            times, tones = json.loads(self._agreed.read_text(encoding="utf-8"))
            return Exposure(tuple(times), tuple(Tone(*tone) for tone in tones))
        except (OSError, ValueError, TypeError) as error:
            raise OutputError(f"{self._agreed}: is damaged ({error}). --fresh starts over.") from None

    def add(self, slot: int, master: Plane, reference: Balance) -> None:
        """Keep a master as it was dreamed, and what those after it are held to."""
        state = {"master": _half(master), **{f"balance.{n}": v.cpu() for n, v in vars(reference).items()}}
        self._write(self._raw(slot), state)

    def reference(self, slot: int) -> Balance:
        """What was kept with a master. OutputError where its file is damaged."""
        state = self._read(self._raw(slot))
        return Balance(
            **{name.removeprefix("balance."): v for name, v in state.items() if "balance." in name}
        )

    def keep(self, slot: int, master: Plane) -> None:
        """As it agrees with the others."""
        path = self._final(slot)
        self._write(path, {"master": _half(master)})

    def load(self, slot: int) -> Plane:
        """float32 [H, W, 3], agreed where it is."""
        with self._lock:
            path = self._final(slot) if self._final(slot).is_file() else self._raw(slot)
            if path.name not in self._at_hand:
                self._at_hand[path.name] = self._read(path)["master"].float().numpy()
            self._at_hand.move_to_end(path.name)
            held = self._at_hand.values()
            while len(held) > AT_HAND or (len(held) > 1 and sum(one.nbytes for one in held) > MEMORY):
                self._at_hand.popitem(last=False)
            return self._at_hand[path.name]

    def begin_to_agree(self) -> None:
        """Forget what an interrupted attempt kept."""
        for path in self.folder.glob("agreed-*.safetensors"):
            path.unlink()
        self.let_go()

    def let_go(self) -> None:
        """Keep no master in memory until one is asked for."""
        self._at_hand.clear()

    def remove(self) -> None:
        """Delete the folder, with all that lies in it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _agreed(self) -> Path:
        return self.folder / "exposure.json"

    def _raw(self, slot: int) -> Path:
        return self.folder / f"{slot:05d}.safetensors"

    def _final(self, slot: int) -> Path:
        return self.folder / f"agreed-{slot:05d}.safetensors"

    def _write(self, path: Path, state: dict[str, Tensor]) -> None:
        with whole(path) as part:
            part.write_bytes(save(state))
        self._at_hand.pop(path.name, None)

    def _read(self, path: Path) -> dict[str, Tensor]:
        try:
            return load(path.read_bytes())
        except (OSError, SafetensorError) as error:
            raise OutputError(f"{path}: is damaged ({error}). --fresh starts over.") from None


def _half(master: Plane) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(master)).half()
