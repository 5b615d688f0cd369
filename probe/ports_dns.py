"""What the DNS checks need from outside, and what the others see of them."""

from __future__ import annotations

from collections.abc import Set
from typing import Protocol

from probe.core.records.check import CheckKind, DomainPlan, Inspection

ALL_KINDS = frozenset(CheckKind)


class DomainInspector(Protocol):
    """Checks the DNS of a sender's domain."""

    async def inspect(self, plan: DomainPlan, kinds: Set[CheckKind] = ALL_KINDS) -> Inspection:
        """Checks of these kinds, once, within 30 s; never raises but for cancellation.

        An instance may be asked for several domains at once: equal questions are then one. What
        was heard is forgotten when the last of them is done, so a later run sees what is new.
        """
