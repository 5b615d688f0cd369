"""Who is told that the prober works, as keys of the file."""

from __future__ import annotations

from pydantic import Field

from probe.config.kind import Interval, Link
from probe.config.section import Section


class Heartbeat(Section):
    """A dead man's switch outside, which raises the alarm when it is not called any more."""

    url: Link = Field(
        description="It is called with GET, and must answer 2xx; whoever knows it can feign that we"
        " work.",
        examples=["https://switch.example/0f3c"],
    )
    interval: Interval = Field(default=60.0, description="How often it is called.")
