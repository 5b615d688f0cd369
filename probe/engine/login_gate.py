"""What keeps us from being locked out of an account (one for each account, shared by all)."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

from probe.core.lockout import MAILBOX_PAUSES, Admission, Lockout
from probe.ports import Clock, ImapLoginRefused, Secret, SecretUnreadable

_LOOK_PERIOD = 1.0  # How often we look whether the secret has changed (s).


class Login:
    """A login that may be made. Its answer is told once, or at the end that there was none."""

    def __init__(self, answer: Callable[[bool, bool], None]) -> None:
        self._answer = answer
        self._told = False

    def told(self, *, refused: bool, accepted: bool) -> None:
        """What came of it; neither, where it ended before an answer."""
        if not self._told:
            self._told = True
            self._answer(refused, accepted)

    def __enter__(self) -> Self:
        """It is being made."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """It is over."""
        self.told(refused=False, accepted=False)


class LoginGate:
    """Lets logins pass, fewer after refusals, and at once again when the secret has changed."""

    def __init__(
        self,
        secret: Secret | None,
        clock: Clock,
        pauses: tuple[float, float, float] = MAILBOX_PAUSES,
    ) -> None:
        """`secret`: None where nobody logs in. `pauses`: see `core.lockout`."""
        self._secret = secret
        self._clock = clock
        self._lockout = Lockout(pauses)
        self._answered = asyncio.Event()  # Replaced when it is set.

    @property
    def locked(self) -> bool:
        """Whether the last logins were refused so often that we hold back."""
        return self._lockout.locked

    async def admitted(self) -> Login | None:
        """A login, or None while we hold back; waits while others try the same unproven secret."""
        while True:
            admission, login = self._ask()
            if admission is not Admission.WAIT:
                return login
            await self._answered.wait()

    def admitted_at_once(self) -> Login | None:
        """A login for what may as well not be sent, or None while the secret is in any doubt.

        Such logins would use up the tries that are left before we are locked out.
        """
        return self._ask()[1] if self._secret is None or self._lockout.proven else None

    @asynccontextmanager
    async def attempt(self, turned: Callable[[], None]) -> AsyncIterator[None]:
        """One IMAP login, begun when it is allowed; `turned` is called while it is not."""
        while (login := self._ask()[1]) is None:
            turned()
            await self._clock.sleep_until(self._clock.now() + _LOOK_PERIOD)
        with login:
            try:
                yield
            except ImapLoginRefused:
                login.told(refused=True, accepted=False)
                raise
            login.told(refused=False, accepted=True)

    def _ask(self) -> tuple[Admission, Login | None]:
        if self._secret is None:
            return Admission.GO, Login(lambda refused, accepted: None)
        secret = _fingerprint(self._secret)
        admission = self._lockout.ask(self._clock.now(), secret)
        if admission is not Admission.GO:
            return admission, None
        return admission, Login(lambda refused, accepted: self._hear(secret, refused, accepted))

    def _hear(self, secret: str, refused: bool, accepted: bool) -> None:
        self._lockout.answer(self._clock.now(), secret, refused=refused, accepted=accepted)
        self._answered.set()
        self._answered = asyncio.Event()


def _fingerprint(secret: Secret) -> str:
    try:
        return hashlib.sha256(secret.read().encode("utf-8", "surrogateescape")).hexdigest()
    except SecretUnreadable:
        return ""
