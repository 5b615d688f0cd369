"""TLS from the client's side: contexts that verify, and what a server showed of itself."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from copy import copy
from functools import cached_property, lru_cache

from cryptography import x509

from probe.core.wire import clean

_LIMIT = 100  # Characters of anything that a certificate says.
_NAMES = 5

_EXPIRED = 10  # X509_V_ERR_*, in OpenSSL's x509_vfy.h
_UNTRUSTED = (2, 20, 21)
_SELF_SIGNED = 18
_SELF_SIGNED_ROOT = 19
_WRONG_NAME = (62, 64)

_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"})
_NO_VERSION = frozenset(
    {"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "NO_PROTOCOLS_AVAILABLE"}
)


class CertificateRejected(ssl.SSLError):
    """A server's certificate did not verify; `chain` is what it showed, the leaf first."""

    def __init__(self, error: ssl.SSLCertVerificationError, chain: Sequence[x509.Certificate]):
        """Keep what OpenSSL says, and what it said it of."""
        super().__init__(*error.args)
        self.code = error.verify_code
        self.text = error.verify_message
        self.chain = chain

    @property
    def end(self) -> float | None:
        """When the first of the chain ends (Unix time); None if nothing could be read."""
        return _earliest(self.chain)


class _Witness(ssl.SSLObject):
    """A TLS connection that tells what the server showed, even if that did not verify."""

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except ssl.SSLCertVerificationError as error:
            raise CertificateRejected(error, shown_chain(self)) from error


class CaFileUnreadable(Exception):
    """A file of CAs cannot be used; the text says which and why."""


class Verification:
    """How a server is verified: as whom, against whom, and for how long at most."""

    def __init__(self, name: str, *, ca_file: str | None, patience: float) -> None:
        """`ca_file` None: the system's CAs. `patience`: when to give up on a handshake (s)."""
        self.name = name.rstrip(".")
        self.patience = patience
        self._trust = _Trust(ca_file)

    @property
    def context(self) -> ssl.SSLContext:
        """The context for every connection. Raises CaFileUnreadable."""
        return self._trust.context

    def named(self, name: str) -> Verification:
        """The same for a server of another name; whom to trust is loaded once for all names."""
        other = copy(self)
        other.name = name.rstrip(".")
        return other


class _Trust:
    """Whose signatures are believed."""

    def __init__(self, ca_file: str | None) -> None:
        self._ca_file = ca_file

    @cached_property
    def context(self) -> ssl.SSLContext:
        """The context for every connection. Raises CaFileUnreadable."""
        try:
            context = trusting(self._ca_file)
        except OSError as error:  # An ssl.SSLError too, where there is no certificate in it.
            raise CaFileUnreadable(f"ca_file {self._ca_file}: {error}") from error
        context.sslobject_class = _Witness
        return context


def trusting(ca_file: str | None) -> ssl.SSLContext:
    """A context that verifies against these CAs, or the system's. Raises OSError.

    What it accepts is the same on every Python: 3.13 alone would refuse private CAs for formal
    defects (VERIFY_X509_STRICT) that no mail client minds.
    """
    context = ssl.create_default_context(cafile=ca_file)
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VerifyFlags.VERIFY_X509_STRICT
    return context


def certificate_end(connection: ssl.SSLObject) -> float | None:
    """When the first of the certificates that a server showed ends (Unix time), if it did."""
    return _earliest(shown_chain(connection))


def explained(error: ssl.SSLError, name: str) -> str:
    """What went wrong in a handshake with the server that should be `name`, in words."""
    if isinstance(error, CertificateRejected):
        return _rejection(error, name)
    if error.reason in _NO_TLS:
        return "the server does not speak TLS there"
    if error.reason in _NO_VERSION:
        return "the server has no TLS version that we accept (1.2 or newer)"
    return f"the TLS handshake failed: {clean(error.reason or str(error), _LIMIT)}"


def _rejection(error: CertificateRejected, name: str) -> str:
    if error.code == _EXPIRED:
        return f"the certificate has expired{_end(error.chain)}"
    if error.code in _WRONG_NAME:
        return f"the certificate is not for {name} but for {_names(error.chain)}"
    if error.code == _SELF_SIGNED:
        return "the certificate is self-signed and not trusted"
    if error.code == _SELF_SIGNED_ROOT:
        return f"the certificate comes from a root that is not trusted{_issuer(error.chain[-1:])}"
    if error.code in _UNTRUSTED:
        return f"the certificate's issuer is not trusted{_issuer(error.chain[-1:])}"
    return f"the certificate is not accepted: {clean(error.text, _LIMIT)}"


def _end(chain: Sequence[x509.Certificate]) -> str:
    if not chain:
        return ""
    first = min(one.not_valid_after_utc for one in chain)
    return f" (the first of its chain on {first:%Y-%m-%d %H:%M} UTC)"


def _issuer(last: Sequence[x509.Certificate]) -> str:
    return "".join(f" ({clean(one.issuer.rfc4514_string(), _LIMIT)})" for one in last)


def _names(chain: Sequence[x509.Certificate]) -> str:
    """The names a certificate is for, as many as a sentence bears."""
    try:
        found = chain[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (IndexError, ValueError, x509.ExtensionNotFound):
        return "no name at all"
    names = [clean(str(one.value), _LIMIT) for one in found]
    more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    return ", ".join(names[:_NAMES]) + more


def shown_chain(connection: ssl.SSLObject) -> tuple[x509.Certificate, ...]:
    """The certificates that the server sent, the leaf first, without those nobody can read."""
    # SSLObject has a method for this from Python 3.13 on only.
    shown = connection._sslobj.get_unverified_chain()  # type: ignore[attr-defined]
    read = (_read(certificate.public_bytes()) for certificate in shown or ())
    return tuple(certificate for certificate in read if certificate is not None)


def _earliest(chain: Sequence[x509.Certificate]) -> float | None:
    return min((one.not_valid_after_utc.timestamp() for one in chain), default=None)


@lru_cache(maxsize=64)  # A server shows the same ones again and again.
def _read(pem: str) -> x509.Certificate | None:
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
        _ = certificate.not_valid_after_utc, certificate.issuer
    except ValueError:
        return None
    return certificate
