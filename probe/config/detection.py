"""When something is called a fault, as keys of the file."""

from __future__ import annotations

from pydantic import Field

from probe.config.kind import Settling, Timeout
from probe.config.section import Section


class Detection(Section):
    """When something is slow, and how long a mailbox may need to come back."""

    slow_after: Timeout = Field(
        default=5.0,
        description="An SMTP phase is slow if it takes so much longer than it normally does with"
        " this node.",
    )
    settle: Settling = Field(
        default=600.0,
        description="After a mailbox could not be read, relays may need so long until they deliver"
        " to it again; until then the silence of a node says nothing.",
    )
