"""MTA-STS as senders see it: the record on a real name server, the policy over real HTTPS."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from probe.core.records.check import Check, CheckKind, CheckState, DomainPlan
from probe.edges.policy import PATH
from tests.certificates import CertificateAuthority
from tests.live.dns_world import PORTS, DnsWorld, dns_world, txt

pytestmark = pytest.mark.timeout(120)

OK, WARN, FAIL, ERROR, NONE = CheckState
DOMAIN = "shop.test"
ANNOUNCED = txt("_mta-sts", "v=STSv1; id=20260101T000000")
ZONES = {
    DOMAIN: f"@ MX 10 mx1\nmx1 A 192.0.2.1\nmta-sts A 127.0.0.1\n{ANNOUNCED}",
    "hostless.test": f"@ MX 10 mx1\nmx1 A 192.0.2.1\n{ANNOUNCED}",
    "nowhere.test": f"mta-sts CNAME sts.unserved.example.\n{ANNOUNCED}",
}
POLICY = "version: STSv1\nmode: {mode}\nmx: {mx}\nmax_age: 604800\n"


@pytest.fixture(scope="module")
def served() -> Iterator[DnsWorld]:
    with dns_world(ZONES) as running:
        yield running


@asynccontextmanager
async def policy_server(
    authority: CertificateAuthority, response: web.StreamResponse
) -> AsyncIterator[int]:
    async def respond(request: web.Request) -> web.StreamResponse:
        return response

    application = web.Application()
    application.router.add_get(PATH, respond)
    runner = web.AppRunner(application)
    await runner.setup()
    context = authority.issue(f"mta-sts.{DOMAIN}").server_context()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def check(served: DnsWorld, authority: CertificateAuthority, domain: str, port: int) -> Check:
    examiner = served.examiner(ca_file=authority.ca_file, ports={**PORTS, "policy": port})
    found = await examiner.inspect(DomainPlan(domain), frozenset({CheckKind.MTA_STS}))
    [sts] = found.checks
    return sts


@pytest.mark.parametrize(
    ("response", "state", "said"),
    [
        (web.Response(text=POLICY.format(mode="enforce", mx="*.shop.test")), OK, "encrypted"),
        (web.Response(text=POLICY.format(mode="testing", mx="mx1.shop.test")), WARN, "testing"),
        (web.Response(text=POLICY.format(mode="enforce", mx="mx2.shop.test")), FAIL, "leaves out"),
        (web.Response(text="<html>"), FAIL, "no field"),
        (web.Response(status=302, headers={"Location": PATH}), FAIL, "redirects"),
        (web.Response(status=404), FAIL, "404"),
    ],
)
async def test_what_the_web_server_says(
    served: DnsWorld,
    authority: CertificateAuthority,
    response: web.Response,
    state: CheckState,
    said: str,
) -> None:
    async with policy_server(authority, response) as port:
        found = await check(served, authority, DOMAIN, port)
    assert (found.state, found.subject) == (state, DOMAIN), found
    assert said in found.summary


@pytest.mark.parametrize(
    ("domain", "state", "said"),
    [
        ("hostless.test", FAIL, "mta-sts.hostless.test does not exist"),
        ("nowhere.test", ERROR, "No server answered"),
        (DOMAIN, ERROR, "could not be reached"),
    ],
)
async def test_a_web_server_that_is_not_there(
    served: DnsWorld, authority: CertificateAuthority, domain: str, state: CheckState, said: str
) -> None:
    found = await check(served, authority, domain, 1)
    assert (found.state, found.subject) == (state, domain), found
    assert said in found.summary
