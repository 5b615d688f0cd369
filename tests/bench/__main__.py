"""`make bench`: what one process sustains, and how true what it measures is.

`python -m tests.bench [PART]...` runs some of the parts only.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.table import Table

from tests.bench.domains import domains
from tests.bench.figure import Figure
from tests.bench.journal import transactions
from tests.bench.load import starttls, sustained, thousand_routes
from tests.bench.truth import delays
from tests.live.world import World

PARTS: dict[str, tuple[str, Callable[[World], Iterator[Figure]]]] = {
    "journal": ("the journal by itself", transactions),
    "dns": ("the DNS checks of a domain, and of 100, 20 ms from their resolver", domains),
    "routes": ("1,000 routes at 15 s, for 45 s", thousand_routes),
    "starttls": ("the same with STARTTLS, for 20 s", starttls),
    "rate": ("the highest rate, 10 s each", sustained),
    "truth": ("delays on Postfix and Dovecot, for 55 s", delays),
}


def main() -> None:
    """Run the parts one after the other, and print one table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], metavar="PART")
    chosen = parser.parse_args().parts or list(PARTS)
    console, began, others = Console(), time.monotonic(), os.getloadavg()[0]
    figures = [figure for part in chosen for figure in _measured(part, console)]
    console.print(_table(figures))
    console.print(
        f"measured in {time.monotonic() - began:.0f} s, on {os.cpu_count()} cores"
        f" whose load was {others:.1f} before"
    )
    sys.exit(any(figure.failed for figure in figures))


def _measured(part: str, console: Console) -> list[Figure]:
    about, measure = PARTS[part]
    if not console.is_terminal:
        console.print(f"measuring {part}: {about}")
    figures: list[Figure] = []
    try:
        with console.status(f"measuring [bold]{part}[/]: {about}"), World() as world:
            figures.extend(measure(world))
    except Exception as error:
        console.print_exception()
        figures.append(Figure(part, str(error), failed=True))
    return figures


def _table(figures: list[Figure]) -> Table:
    table = Table("what", "measured", "aim", "met")
    for figure in figures:
        table.add_row(figure.what, figure.measured, figure.aim, _answer(figure))
    return table


def _answer(figure: Figure) -> str:
    if figure.failed:
        return "[bold red]failed[/]"
    match figure.met:
        case None:
            return ""
        case True:
            return "[green]yes[/]"
        case False:
            return "[bold red]no[/]"


if __name__ == "__main__":
    main()
