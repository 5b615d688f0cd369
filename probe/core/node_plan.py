"""How the host of a relay becomes nodes."""

from __future__ import annotations

from enum import StrEnum


class NodePlan(StrEnum):
    """How a relay's host becomes nodes."""

    NONE = "none"  # One connection target, whatever the name resolves to.
    A = "a"  # Every A and AAAA address.
    MX = "mx"  # Every address of the hosts in its MX records.
    SRV = "srv"  # Every address of the hosts in its SRV records for submission.
    LIST = "list"  # Written down in the configuration.
    GREETING = "greeting"  # One connection target; the greeting's host name tells the node.

    @property
    def is_looked_up(self) -> bool:
        """Whether the nodes come from DNS, and come and go with it."""
        return self in (NodePlan.A, NodePlan.MX, NodePlan.SRV)


class IpVersion(StrEnum):
    """Which addresses of a name are used."""

    AUTO = "auto"  # Both, without a version that the prober has no route for.
    FOUR = "4"
    SIX = "6"
    BOTH = "both"
