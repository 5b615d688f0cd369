"""The kinds of values in the file, as pydantic and the JSON Schema see them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, PlainSerializer, PlainValidator, WithJsonSchema

from probe.config import scalar
from probe.config.secret import secret
from probe.core.model import AuthMode, EnvelopeMode, Role, TlsMode
from probe.core.node_plan import IpVersion
from probe.core.records.name import sending_address
from probe.ports import Secret

_DAY = 86400.0
_MIN_KEY = 16
_SPELLED = PlainSerializer(scalar.spelled, return_type=str)


class LogLevel(StrEnum):
    """From where on a line is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """What a line of the log looks like."""

    LOGFMT = "logfmt"
    JSON = "json"


def _keys(value: object) -> tuple[Secret, ...]:
    if isinstance(value, list):
        return scalar.several(value, _key)
    return (_key(value),)


def _key(value: object) -> Secret:
    return secret(value, least=_MIN_KEY)


def _nameservers(value: object) -> tuple[str, ...]:
    return scalar.several(value, scalar.nameserver)


def _zones(value: object) -> tuple[str, ...]:
    return scalar.listed(value, scalar.zone)


def _selectors(value: object) -> tuple[str, ...]:
    return scalar.listed(value, scalar.selector)


def _ips(value: object) -> tuple[str, ...]:
    return scalar.listed(value, lambda each: sending_address(scalar.ip(each)))


def _text(pattern: str = "") -> WithJsonSchema:
    """The schema of a text, of this form."""
    return WithJsonSchema({"type": "string", **({"pattern": pattern} if pattern else {})})


def _word_of(kind: type[StrEnum]) -> WithJsonSchema:
    return WithJsonSchema({"enum": [member.value for member in kind]})


def _secret_schema(least: int) -> list[dict[str, Any]]:
    """The alternatives for a secret of at least so many characters."""
    file = {"file": {"type": "string", "minLength": 1}}
    return [
        {"type": "string", "minLength": least},
        {"type": "object", "properties": file, "required": ["file"], "additionalProperties": False},
    ]


def _several(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item, "minItems": 1}


Text = Annotated[str, PlainValidator(scalar.single), _text()]
Word = Annotated[str, PlainValidator(scalar.word), _text(r"^\S+$")]
Instance = Annotated[str, PlainValidator(scalar.instance), _text(f"^{scalar.INSTANCE}$")]
Name = Annotated[str, AfterValidator(scalar.name)]
Ip = Annotated[str, PlainValidator(scalar.ip), _text()]
Host = Annotated[str, PlainValidator(scalar.host), _text()]
Email = Annotated[str, PlainValidator(scalar.email), _text("^[^@]+@[^@]+$")]
Endpoint = Annotated[str, PlainValidator(scalar.endpoint), _text()]
Url = Annotated[str, PlainValidator(scalar.url), _text("^https?://")]
Link = Annotated[str, PlainValidator(scalar.link), _text("^https?://")]
CaFile = Annotated[str, PlainValidator(scalar.ca_file), _text()]
Port = Annotated[
    int,
    PlainValidator(scalar.port),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 65535}),
]
Count = Annotated[
    int, PlainValidator(scalar.count), WithJsonSchema({"type": "integer", "minimum": 1})
]
Nameservers = Annotated[
    tuple[str, ...], PlainValidator(_nameservers), WithJsonSchema(_several({"type": "string"}))
]

_TEXTS = WithJsonSchema({"type": "array", "items": {"type": "string"}})
Zones = Annotated[tuple[str, ...], PlainValidator(_zones), _TEXTS]
Selectors = Annotated[tuple[str, ...], PlainValidator(_selectors), _TEXTS]
Ips = Annotated[tuple[str, ...], PlainValidator(_ips), _TEXTS]
Flag = Annotated[bool, PlainValidator(scalar.flag), WithJsonSchema({"type": "boolean"})]

Password = Annotated[
    Secret, PlainValidator(secret), WithJsonSchema({"anyOf": _secret_schema(least=1)})
]
Keys = Annotated[
    tuple[Secret, ...],
    PlainValidator(_keys),
    WithJsonSchema(
        {
            "anyOf": [
                *_secret_schema(_MIN_KEY),
                _several({"anyOf": _secret_schema(_MIN_KEY)}),
            ]
        }
    ),
]

Tls = Annotated[TlsMode, PlainValidator(scalar.choice(TlsMode)), _word_of(TlsMode)]
Auth = Annotated[AuthMode, PlainValidator(scalar.choice(AuthMode)), _word_of(AuthMode)]
RelayRole = Annotated[Role, PlainValidator(scalar.choice(Role)), _word_of(Role)]
Version = Annotated[IpVersion, PlainValidator(scalar.choice(IpVersion)), _word_of(IpVersion)]
Envelope = Annotated[
    EnvelopeMode, PlainValidator(scalar.choice(EnvelopeMode)), _word_of(EnvelopeMode)
]
Level = Annotated[LogLevel, PlainValidator(scalar.choice(LogLevel)), _word_of(LogLevel)]
Format = Annotated[LogFormat, PlainValidator(scalar.choice(LogFormat)), _word_of(LogFormat)]

Duration = Annotated[float, PlainValidator(scalar.duration), _text(f"^{scalar.DURATION}$")]
Interval = Annotated[Duration, AfterValidator(scalar.within(1, _DAY)), _SPELLED]
Deadline = Annotated[Duration, AfterValidator(scalar.within(1, 7 * _DAY)), _SPELLED]
GiveUp = Annotated[Duration, AfterValidator(scalar.within(2, 30 * _DAY)), _SPELLED]
Timeout = Annotated[Duration, AfterValidator(scalar.within(0.1, 600)), _SPELLED]
Settling = Annotated[Duration, AfterValidator(scalar.within(1, _DAY)), _SPELLED]
Keep = Annotated[Duration, AfterValidator(scalar.within(1, 90 * _DAY)), _SPELLED]
DnsInterval = Annotated[Duration, AfterValidator(scalar.within(10, 7 * _DAY)), _SPELLED]
