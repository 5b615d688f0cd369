"""`python -m dashboards.source` writes the dashboards beside this folder."""

from __future__ import annotations

import json
from pathlib import Path

from dashboards.source import domains, overview, relay
from dashboards.source.board import Board

FOLDER = Path(__file__).parents[1]
BOARDS = (overview.BOARD, relay.BOARD, domains.BOARD)


def written(board: Board) -> str:
    """The file of a dashboard."""
    return json.dumps(board.json(), indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write them all."""
    for board in BOARDS:
        (FOLDER / f"{board.name}.json").write_text(written(board))


if __name__ == "__main__":
    main()
