"""Policies of MTA-STS, fetched over HTTPS: from the addresses we are given, without redirects."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from probe.core.records.mta_sts import MAX_POLICY, Fetched
from probe.core.wire import clean
from probe.edges.tls import explained, trusting

DEADLINE = 8.0  # Of one attempt (s).
PATH = "/.well-known/mta-sts.txt"

_LIMIT = 100  # Characters of what a server says of itself.


class PolicyFetcher:
    """Fulfils ports_dns.PolicyReader."""

    def __init__(
        self, *, ca_file: str | None = None, port: int = 443, deadline: float = DEADLINE
    ) -> None:
        """`ca_file` None: the system's CAs."""
        self._ca_file = ca_file
        self._port = port
        self._deadline = deadline

    async def fetch(self, host: str, addresses: Sequence[str]) -> Fetched:
        """The policy of this web server; who does not answer is asked again."""
        context = trusting(self._ca_file)
        fetched = await self._attempt(host, addresses, context)
        return await self._attempt(host, addresses, context) if fetched.unknown else fetched

    async def _attempt(
        self, host: str, addresses: Sequence[str], context: ssl.SSLContext
    ) -> Fetched:
        """One request; what becomes of it is a value."""
        try:
            async with asyncio.timeout(self._deadline):
                return await self._request(host, addresses, context)
        except (ssl.SSLError, aiohttp.ClientConnectorCertificateError) as error:
            return _untrusted(host, error)
        except aiohttp.ClientConnectorSSLError as error:
            return _untrusted(host, error.os_error)
        except TimeoutError:
            said = f"The web server {host} did not answer within {self._deadline:g} s."
            return Fetched(unknown=said)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError):
            return Fetched(unknown=f"The web server {host} broke off before its answer ended.")
        except (aiohttp.ClientOSError, OSError) as error:
            why = (error.strerror or type(error).__name__).lower()
            return Fetched(unknown=f"The web server {host} could not be reached: {why[:_LIMIT]}.")
        except (aiohttp.ClientError, ValueError) as error:
            said = f"The web server {host} gave no proper answer ({type(error).__name__})."
            return Fetched(refused=said)

    async def _request(
        self, host: str, addresses: Sequence[str], context: ssl.SSLContext
    ) -> Fetched:
        connector = aiohttp.TCPConnector(
            resolver=_Known(addresses), ssl=context, use_dns_cache=False, force_close=True
        )
        session = aiohttp.ClientSession(
            connector=connector,
            trust_env=False,  # No proxy of the environment: senders have none either.
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers={"Accept-Encoding": "identity"},
        )
        url = f"https://{host}:{self._port}{PATH}"
        async with session, session.get(url, allow_redirects=False) as response:
            return await _policy(host, response)


async def _policy(host: str, response: aiohttp.ClientResponse) -> Fetched:
    """The policy in a response, which must be there itself (RFC 8461 §3.3)."""
    if 300 <= response.status < 400:
        return Fetched(refused=f"{host} redirects to elsewhere, which senders must not follow.")
    if response.status != 200:
        return Fetched(refused=f"{host} answers {response.status} when asked for the policy.")
    body = b""
    while len(body) <= MAX_POLICY and (part := await response.content.read(MAX_POLICY)):
        body += part
    if len(body) > MAX_POLICY:
        return Fetched(refused=f"{host} sends more than {MAX_POLICY} octets for a policy.")
    text = body.decode("utf-8", "replace")
    return Fetched(text, clean(response.content_type, _LIMIT))


def _untrusted(host: str, error: Exception) -> Fetched:
    cause = getattr(error, "certificate_error", error)
    why = explained(cause, host) if isinstance(cause, ssl.SSLError) else "TLS failed"
    if isinstance(cause, ssl.SSLCertVerificationError):
        why = f"the certificate is not accepted: {clean(cause.verify_message, _LIMIT)}"
    return Fetched(refused=f"Senders do not trust the web server {host}: {why}.")


class _Known(AbstractResolver):
    """Knows the addresses of the one host that is asked."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """All of them, of both IP versions."""
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._addresses
        ]

    async def close(self) -> None:
        """Nothing is held."""
