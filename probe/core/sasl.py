"""Logging in over SMTP (RFC 4954): which mechanism, and what the client says in it."""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from collections.abc import Collection, Generator
from typing import assert_never

from probe.core.model import AuthMode

_BY_PREFERENCE = (AuthMode.PLAIN, AuthMode.LOGIN, AuthMode.CRAM_MD5)


def mechanism(mode: AuthMode, offered: Collection[str]) -> AuthMode | None:
    """The mechanism to use among those offered (lower case); None if none will do."""
    wanted = _BY_PREFERENCE if mode is AuthMode.AUTO else (mode,)
    return next((one for one in wanted if one in offered), None)


def exchange(mechanism: AuthMode, username: str, password: str) -> Generator[str, str, None]:
    """The lines that the client says, each after the server's challenge to the one before.

    Raises ValueError where a challenge is no Base64.
    """
    match mechanism:
        case AuthMode.PLAIN:
            yield "AUTH PLAIN " + _encoded(f"\0{username}\0{password}")
        case AuthMode.LOGIN:
            yield "AUTH LOGIN"
            yield _encoded(username)
            yield _encoded(password)
        case AuthMode.CRAM_MD5:
            challenge = b64decode((yield "AUTH CRAM-MD5"), validate=True)
            digest = hmac.new(password.encode(), challenge, "md5").hexdigest()  # RFC 2195
            yield _encoded(f"{username} {digest}")
        case AuthMode.AUTO:
            raise ValueError("auto is a choice of mechanisms, none itself")
        case _:
            assert_never(mechanism)


def telling(username: str, password: str) -> tuple[str, ...]:
    """What of an exchange would tell the password, if a server echoed it."""
    return (password, _encoded(password), _encoded(f"\0{username}\0{password}"))


def _encoded(text: str) -> str:
    return b64encode(text.encode()).decode("ascii")
