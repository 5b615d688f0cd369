"""The proxies of the live tests fail as networks and servers do."""

from __future__ import annotations

import gc
import smtplib
import socket
import time
from itertools import cycle

import pytest

from tests.live.world import Network, Pool, Proxy, World, greets

SENDER, RECIPIENT = "probe@shop.test", "probe@corp.test"


@pytest.fixture
def network(world: World) -> Network:
    return world.run(Network(world))


@pytest.fixture
def proxy(network: Network, calm_pool: Pool) -> Proxy:
    """Before the first node."""
    return network.before(calm_pool.nodes[0].address, calm_pool.port)


def connect(proxy: Proxy, timeout: float = 0.5) -> socket.socket:
    return socket.create_connection((proxy.address, proxy.port), timeout=timeout)


def test_a_healthy_one_passes_on(proxy: Proxy) -> None:
    with smtplib.SMTP(proxy.address, proxy.port, timeout=10) as client:
        assert client.sendmail(SENDER, RECIPIENT, "Subject: x\r\n\r\nx\r\n") == {}


def test_a_stopped_server_refuses_and_hangs_up(proxy: Proxy) -> None:
    with connect(proxy) as client:
        assert client.recv(4) == b"220 "
        proxy.refuse()
        while client.recv(1000):
            pass
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)
    proxy.heal()
    assert greets(proxy.address, proxy.port, b"220 ")


def test_where_packets_are_dropped_nobody_answers(proxy: Proxy) -> None:
    with connect(proxy) as client:
        assert client.recv(1000).startswith(b"220 ")
        proxy.drop()
        client.sendall(b"NOOP\r\n")
        with pytest.raises(TimeoutError):
            client.recv(1000)
        for _ in range(3):
            with pytest.raises(TimeoutError):
                connect(proxy)
        proxy.heal()
        assert client.recv(1000).startswith(b"250 "), "what was sent again came through"
    assert greets(proxy.address, proxy.port, b"220 ")


def test_a_late_greeting_is_late(proxy: Proxy) -> None:
    proxy.greet_after(1.5)
    began = time.monotonic()
    assert greets(proxy.address, proxy.port, b"220 ")
    assert time.monotonic() - began >= 1.5
    proxy.heal()
    began = time.monotonic()
    assert greets(proxy.address, proxy.port, b"220 ")
    assert time.monotonic() - began < 1.5


def test_recipients_are_refused_as_often_as_is_told(proxy: Proxy) -> None:
    answers = iter([True, False])
    proxy.refuse_recipients(lambda: next(answers))
    for code in (451, 250):
        with smtplib.SMTP(proxy.address, proxy.port, timeout=10) as client:
            client.ehlo()
            client.mail(SENDER)
            assert client.rcpt(RECIPIENT)[0] == code


def test_a_balancer_leads_to_each_in_turn(proxy: Proxy, calm_pool: Pool) -> None:
    proxy.lead_to(cycle((node.address, node.port) for node in calm_pool.nodes))
    greeted = []
    for _ in range(4):
        with connect(proxy) as client:
            greeted.append(client.recv(1000).split()[1])
    assert greeted == [b"node1.test", b"node2.test", b"node3.test", b"node1.test"]


def test_nothing_is_left_of_a_network(calm_pool: Pool) -> None:
    with World() as world:
        network = world.run(Network(world))
        proxy = network.before(calm_pool.nodes[0].address, calm_pool.port)
        connection = connect(proxy)
        connection.recv(4)
        proxy.drop()
    connection.close()
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)


def test_who_comes_as_it_stops_listening_is_let_go(proxy: Proxy) -> None:
    """A socket that nobody closes would be an error of whatever test runs by then."""
    for _ in range(20):
        clients = [socket.socket() for _ in range(3)]
        for client in clients:
            client.setblocking(False)
            client.connect_ex((proxy.address, proxy.port))
        proxy.refuse()
        proxy.heal()
        for client in clients:
            client.close()
    gc.collect()
