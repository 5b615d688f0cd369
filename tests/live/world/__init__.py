"""The real mail world of the tests: Postfix, Dovecot, NSD and certificates, on loopback.

A test builds what it needs on a `World`, which ends everything it was given:

    with World() as world:
        pool = world.run(Pool(world))
        pool.nodes[1].pause_queue_manager()
"""

from tests.certificates import Certificate, CertificateAuthority
from tests.live.world.alertmanager import Alertmanager
from tests.live.world.dovecot import PASSWORD, Delivered, Dovecot
from tests.live.world.ground import LOOPBACK, World
from tests.live.world.nsd import Nsd
from tests.live.world.opendkim import OpenDkim, SigningKey
from tests.live.world.pool import ADDRESSES, DOMAINS, Pool
from tests.live.world.postfix import Postfix
from tests.live.world.prometheus import Prometheus
from tests.live.world.proxy import Address, Network, Proxy
from tests.live.world.server import Server, ServerFailed, ServerMissing, greets, wait_until
from tests.live.world.sink import RefusingSink
from tests.live.world.switchboard import Notification, Switchboard

__all__ = [
    "ADDRESSES",
    "DOMAINS",
    "LOOPBACK",
    "PASSWORD",
    "Address",
    "Alertmanager",
    "Certificate",
    "CertificateAuthority",
    "Delivered",
    "Dovecot",
    "Network",
    "Notification",
    "Nsd",
    "OpenDkim",
    "Pool",
    "Postfix",
    "Prometheus",
    "Proxy",
    "RefusingSink",
    "Server",
    "ServerFailed",
    "ServerMissing",
    "SigningKey",
    "Switchboard",
    "World",
    "greets",
    "wait_until",
]
