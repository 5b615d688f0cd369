"""What the numbers of states and faults mean, in words."""

from __future__ import annotations

from dashboards.source.panel import GREEN, GREY, RED, YELLOW, Meaning

# The worst is the highest, so that `max` over several probers shows it.
STATES = (
    Meaning(0, "ok", GREEN),
    Meaning(1, "unknown", GREY),
    Meaning(2, "degraded", YELLOW),
    Meaning(3, "down", RED),
)
STATE = """
    max by (kind, relay, node, sender, mailbox, flow) (
        mailprobe_component_state{SELECTED,state="unknown"}
        + ignoring (state) 2 * mailprobe_component_state{SELECTED,state="degraded"}
        + ignoring (state) 3 * mailprobe_component_state{SELECTED,state="down"}
    )"""

NAMED = (Meaning(1, "named", YELLOW), Meaning(2, "confirmed", RED))
PAGES = (Meaning(0, "not yet", GREY), Meaning(1, "yes", RED))

CHECKS = (
    Meaning(0, "ok", GREEN),
    Meaning(1, "not published", GREY),
    Meaning(2, "warn", YELLOW),
    Meaning(3, "no answer", GREY),
    Meaning(4, "fail", RED),
)
READABLE = (Meaning(0, "unreadable", RED), Meaning(1, "readable", GREEN))
LISTED = (Meaning(0, "not listed", GREEN), Meaning(1, "listed", RED))

COMPONENT = "{{kind}} {{relay}} {{node}} {{sender}} {{mailbox}} {{flow}}"


def state_of(selected: str) -> str:
    """The query for the states of the components that are selected so."""
    return STATE.replace("SELECTED", selected)
