"""The demo says of a prober what the prober says of itself."""

from probe.core.model import Folder, Reason, Route, RouteKey
from probe.demo.account import Account, RouteAccount, account_of
from probe.metrics import Exporter

KEYS = [RouteKey("pool", node, "shop", "corp") for node in ("node1", "node2")]


LIVELY = {"state": "ok", "in_flight": 1}


class Pages:
    """A prober that has sent and seen what a test says, with nothing but its pages."""

    def __init__(self) -> None:
        self.exporter = Exporter()
        for key in KEYS:
            self.exporter.add_route(Route(key, 2, 10, 60))

    def send(self, key: RouteKey, *, delay: float | None = None) -> None:
        self.exporter.sent(key)
        if delay is not None:
            self.exporter.delivered(key, Folder.INBOX, delay, given_up=False)
            self.exporter.judged(key, None)

    async def metrics(self) -> str:
        return (await self.exporter.scrape("text/plain", gzipped=False))[0].decode()

    def status(self) -> dict[str, object]:
        routes = [
            {**{name: getattr(key, name) for name in RouteKey.__slots__}, **LIVELY} for key in KEYS
        ]
        return {"state": "ok", "routes": routes}


async def test_the_account_is_what_the_pages_say() -> None:
    pages = Pages()
    pages.send(KEYS[0], delay=0.125)
    pages.send(KEYS[0])
    pages.exporter.judged(KEYS[1], Reason.CONNECT_REFUSED)
    account = account_of(pages.status(), await pages.metrics())
    assert account.routes == (
        RouteAccount("pool/node1", "ok", 2, 1, 1, 0, 0.125),
        RouteAccount("pool/node2", "ok", 0, 0, 1, 1, None),
    )
    assert (account.sent, account.arrived, account.fewest, account.slowest) == (2, 1, 0, 0.125)


def test_where_there_is_no_route_nothing_has_come() -> None:
    assert (Account().fewest, Account().slowest) == (0, 0.0)
