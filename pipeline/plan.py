"""Plan: all that the bytes of a film depend on, as it is written down, and in what two of them differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Plan = dict[str, Any]


def differences(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    """'octaves 4, now 5' for each value that is not the same."""
    found: list[str] = []
    for name in sorted({*before, *now}):
        was, is_now = before.get(name), now.get(name)
        if isinstance(was, dict) and isinstance(is_now, dict):
            found += differences(was, is_now, f"{name} ")
        elif was != is_now:
            where = prefix if prefix in ("source ", "beats ") else ""
            found.append(f"{where}{name} {_short(was)}, now {_short(is_now)}")
    return found


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 24 else text[:12] + "…"
