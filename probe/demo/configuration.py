"""The configuration of the demo's prober, as an operator would write it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from pathlib import Path

from probe.demo.node import DemoNode
from probe.demo.scenario import BACKUP, MAILBOX, POOL
from probe.demo.world import HOST, RECIPIENT, RELAY_HOST, SENDER, USERNAME, World

_DEADLINE = 10  # s
_SLOW_AFTER = (
    2  # s over what is normal: a prober that is new here takes a greeting of 6 s for that.
)


def write_configuration(world: World, folder: Path, *, port: int, interval: int) -> Path:
    """A file in this folder, by which a prober watches the world; JSON is YAML."""
    login = {"username": USERNAME, "password": world.password, "ca_file": str(world.ca_file)}

    def relay(nodes: Sequence[DemoNode], role: str) -> dict[str, object]:
        return {
            "host": RELAY_HOST,
            "nodes": [f"{node.name}={HOST}:{node.port}" for node in nodes],
            "helo": "prober.demo.test",
            "role": role,
            **login,
        }

    imap = {"host": HOST, "port": world.inbox.port, "tls": "implicit", **login}
    settings = {
        "instance": "demo",
        "tag_key": secrets.token_hex(16),
        "journal": str(folder / "journal.sqlite3"),
        "web": {"listen": f"{HOST}:{port}"},
        "defaults": {"interval": f"{interval}s", "deadline": f"{_DEADLINE}s"},
        "detection": {"slow_after": f"{_SLOW_AFTER}s"},
        "relays": {
            POOL: relay(world.nodes, "primary"),
            BACKUP: relay([world.standby], "standby"),
        },
        "senders": {"shop": {"address": SENDER}},
        "mailboxes": {MAILBOX: {"address": RECIPIENT, "imap": imap, "keep": "1m"}},
    }
    file = folder / "mailprobe.yaml"
    file.write_text(json.dumps(settings))
    return file
