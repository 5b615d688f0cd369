"""A secret that is what a test says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class FixedSecret:
    """Fulfils ports.Secret; an exception in place of a value is raised."""

    value: str | Exception = "secret"

    def read(self) -> str:
        if isinstance(self.value, Exception):
            raise self.value
        return self.value
