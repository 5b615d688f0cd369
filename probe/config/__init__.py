"""The configuration: read from YAML and the environment, checked as a whole, turned into words.

pydantic and ruamel.yaml are not seen outside of this package.
"""

from probe.config.alertmanager import EmailReceiver, email_receivers
from probe.config.example import example
from probe.config.load import load
from probe.config.plan import Plan
from probe.config.problem import ConfigError, Problem
from probe.config.restart import needs_restart
from probe.config.scalar import duration
from probe.config.schema import schema
from probe.config.secret import FileSecret, LiteralSecret
from probe.config.settings import Settings

__all__ = [
    "ConfigError",
    "EmailReceiver",
    "FileSecret",
    "LiteralSecret",
    "Plan",
    "Problem",
    "Settings",
    "duration",
    "email_receivers",
    "example",
    "load",
    "needs_restart",
    "schema",
]
