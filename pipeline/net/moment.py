"""Moment: what of a look belongs to one frame, for each lane: weights, channels, guides and masks as tensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

Each = tuple[Tensor | None, ...]
"""Of each target in turn; None where it has none. Empty: no target has one."""


@dataclass(frozen=True)
class Moment:
    """Lanes L; a tensor whose first side is 1 holds for all of them.

    weights: [L, targets], in place of the targets' own; one that is 0 in all lanes is not even looked at.
    picks: [L, k] channels of the targets that ask for a rank. guides: [L, C, Q] columns to match, of the targets
    that follow one. mask: where it is dreamed at all, [L, 1, H, W], 0..1; masks: where each target is.
    """

    weights: Tensor | None = None
    picks: Each = ()
    guides: Each = ()
    mask: Tensor | None = None
    masks: Each = ()

    def of(self, lanes: list[int]) -> Moment:
        """Of some lanes only."""
        return self._each(lambda part: part if len(part) == 1 else part[lanes])

    def masked(self, change: Callable[[Tensor], Tensor]) -> Moment:
        """The same with `change` made to every mask."""
        mask = None if self.mask is None else change(self.mask)
        return replace(self, mask=mask, masks=_all(self.masks, change))

    def reach(self) -> Tensor | None:
        """Where there is any target at all, [L, 1, H, W], 0..1; None: everywhere."""
        found = [mask for mask in self.masks if mask is not None]
        if not found or len(found) < len(self.masks):
            return None
        largest = found[0]
        for mask in found[1:]:
            largest = torch.maximum(largest, mask)
        return largest

    def _each(self, change: Callable[[Tensor], Tensor]) -> Moment:
        weights = None if self.weights is None else change(self.weights)
        picks, guides = _all(self.picks, change), _all(self.guides, change)
        return replace(self.masked(change), weights=weights, picks=picks, guides=guides)


def _all(parts: Each, change: Callable[[Tensor], Tensor]) -> Each:
    return tuple(None if part is None else change(part) for part in parts)


NOW = Moment()
"""Of a look that is the same in every frame and everywhere."""
