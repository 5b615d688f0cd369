"""Records of the form `v=…; tag=value; …`, which DKIM, DMARC, MTA-STS, TLS-RPT and BIMI share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tags:
    """The tags of a record, by name, and what is wrong with how it is written."""

    values: dict[str, str]  # In the order of the record; of a tag given twice the first.
    trouble: str = ""  # A sentence, or empty.


def parse(record: str) -> Tags:
    """The tags of a record (RFC 6376 §3.2); whitespace around names and values does not count."""
    values: dict[str, str] = {}
    trouble = ""
    for part in record.strip().removesuffix(";").split(";"):
        name, equals, value = (text.strip() for text in part.partition("="))
        if not equals or not name:
            trouble = trouble or f"“{part.strip()[:60]}” is not a tag with a value."
        elif name in values:
            trouble = trouble or f"The tag {name[:60]} is given twice."
        else:
            values[name] = value
    return Tags(values, trouble)


def starting(records: Iterable[str], version: str) -> list[str]:
    """The records that begin with this version tag, such as `v=STSv1`."""
    return [record for record in records if _version(record) == version]


def _version(record: str) -> str:
    name, _, value = record.partition(";")[0].partition("=")
    return f"{name.strip()}={value.strip()}"
