"""The commands that runbooks tell people to type."""

from __future__ import annotations

import re

# What is to be filled in, in capitals.
PLACEHOLDERS = {
    *("HOST", "NODE", "PORT", "USER", "SENDER", "RECIPIENT"),
    *("IMAP_HOST", "IMAP_USER", "JUNK_FOLDER", "NUMBER", "WORD"),
    *("RESOLVER", "NAME_SERVER", "DOMAIN", "SELECTOR", "IP", "REVERSED_IP", "LIST"),
    *("PROBER", "PROMETHEUS", "ALERTMANAGER", "CONFIG", "JOURNAL_FOLDER"),
}
# Words in capitals that are to be typed as they are.
PLACEHOLDERS |= {"RCPT", "BANNER", "SUBJECT", "INBOX", "STATUS", "MESSAGES", "GETQUOTAROOT"}
PLACEHOLDERS |= {"MAILINDEX", "SECTION", "HEADER", "TXT", "MX", "NS", "SOA", "AAAA"}

PROGRAMS = {
    *("amtool", "curl", "date", "df", "dig", "for", "journalctl", "mailprobe", "openssl"),
    *("postqueue", "promtool", "swaks", "uptime"),
}


def commands(page: str) -> list[str]:
    """The lines of the code blocks of a page."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]
