"""The certificates that a mail server shows after STARTTLS, verified by nobody: DANE does that."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence

import aiosmtplib
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from probe.core.records.dane import PORT, Certificate, Shown
from probe.core.wire import clean
from probe.edges.tls import explained, shown_chain

DEADLINE = 8.0  # Of one address (s).
MAX_ADDRESSES = 2

_LIMIT = 120  # Characters of what a server says.


class SmtpCertificates:
    """Fulfils ports_dns.CertificateReader."""

    def __init__(self, helo: str, *, port: int = PORT) -> None:
        """`helo` is the name that we give."""
        self._helo = helo
        self._port = port

    async def shown(self, host: str, addresses: Sequence[str]) -> Shown:
        """What the first of these addresses shows that can be reached."""
        shown = Shown()
        for address in addresses[:MAX_ADDRESSES]:
            shown = await self._shown(host, address)
            if not shown.unknown:
                break
        return shown

    async def _shown(self, host: str, address: str) -> Shown:
        client = aiosmtplib.SMTP(
            hostname=address,
            port=self._port,
            start_tls=False,
            local_hostname=self._helo,
            timeout=DEADLINE,
        )
        try:
            async with asyncio.timeout(DEADLINE):
                return await _negotiated(client, host)
        except ssl.SSLError as error:
            return Shown(refused=f"{host} offers no TLS: {explained(error, host)}.")
        except (TimeoutError, OSError, aiosmtplib.SMTPException) as error:
            why = clean(str(error), _LIMIT) or type(error).__name__
            return Shown(unknown=f"The mail server {host} could not be asked: {why}.")
        finally:
            client.close()


async def _negotiated(client: aiosmtplib.SMTP, host: str) -> Shown:
    """The dialogue up to TLS."""
    await client.connect()
    await client.ehlo()
    if not client.supports_extension("starttls"):
        return Shown(refused=f"{host} does not offer STARTTLS.")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    await client.starttls(server_hostname=host, tls_context=context)
    chain = shown_chain(client.get_transport_info("ssl_object"))
    return Shown(
        tuple(Certificate(each.public_bytes(Encoding.DER), key_of(each)) for each in chain)
    )


def key_of(certificate: x509.Certificate) -> bytes:
    """The public key in a certificate (DER); empty where it is of a type that nobody knows."""
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return b""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
