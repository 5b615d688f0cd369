"""How the demo's servers behave, well or not."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a node treats its clients, and what it has queued."""

    listens: bool = True  # Else connections are refused; what is queued still goes out.
    greets_after: float = 0.0  # From the connection to the 220 (s).
    refuses: float = 0.0  # The share of recipients that are put off with a 451, 0 .. 1.
    processes: bool = True  # Else nothing leaves the queue.


WELL = Behaviour()


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong in the demo's mail world."""

    nodes: tuple[str, ...] = ()  # Those that behave so; all others behave well.
    behaviour: Behaviour = WELL
    mailbox_down: bool = False  # Neither is it read, nor does it take mail.


NO_TROUBLE = Trouble()
