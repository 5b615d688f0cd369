"""Files that ship, for the world of the tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"


def adapted(path: str, pieces: Mapping[str, str]) -> str:
    """The text of a file below deploy/, each of these pieces of it replaced; each must be there."""
    text = (DEPLOY / path).read_text()
    for shipped, ours in pieces.items():
        assert shipped in text, f"{path}: {shipped}"
        text = text.replace(shipped, ours)
    return text
