"""The client's address: the socket's peer, or what as many proxies as are trusted have added.

Only `X-Forwarded-For` is read, and only with TRUSTED_PROXIES; `CF-Connecting-IP`, `X-Real-IP` and
`Forwarded` never. Limits and hashes take an IPv6 client by its /64, the audit by its address.
"""

import ipaddress

import pytest
from flask import Flask
from hypothesis import given
from hypothesis.strategies import ip_addresses
from sqlalchemy import select

from allthing.database import db
from allthing.models import AdminAuditLog, VoteBallot
from allthing.web.client_address import network_of, packed
from tests.conftest import AppFactory
from tests.support.api import Polls

PEER = "192.0.2.7"


def address_seen(app: Flask, forwarded: str | None = None, peer: str = PEER, **others: str) -> str:
    """Return the address under which a request is audited."""
    headers = {name.replace("_", "-"): value for name, value in others.items()}
    headers |= {} if forwarded is None else {"X-Forwarded-For": forwarded}
    app.test_client().get(
        "/admin/categories", headers=headers, environ_overrides={"REMOTE_ADDR": peer}
    )
    with app.app_context():
        rows = select(AdminAuditLog.ip_address).order_by(AdminAuditLog.created_at.desc())
        return db.session.scalars(rows).first() or ""


FORWARDED = "9.9.9.9, 10.0.0.1"
JUNK = ["", "garbage'--", "9.9.9.9:1234", "[2001:db8::1]:80", "unknown", "_hidden", "1.2.3"]
JUNK += ["999.1.1.1", "x" * 8000, "9" * 5000, "\xff", "127.1", "0x7f.1", "::g", "1.2.3.4/8"]
OTHERS = {"CF_Connecting_IP": "9.9.9.9", "X_Real_IP": "9.9.9.9", "Forwarded": "for=9.9.9.9"}


def test_nobody_chooses_their_address_without_trusted_proxies(app: Flask) -> None:
    for forwarded in (FORWARDED, "9.9.9.9", *JUNK):
        assert address_seen(app, forwarded, **OTHERS) == PEER


@pytest.mark.parametrize(
    ("trusted", "forwarded", "seen"),
    [
        (1, "9.9.9.9, 10.0.0.1", "10.0.0.1"),
        (1, "10.0.0.1", "10.0.0.1"),
        (1, None, PEER),
        (2, "8.8.8.8, 9.9.9.9, 10.0.0.1", "9.9.9.9"),
        (2, "10.0.0.1", PEER),  # it has come past one proxy only
        (1, " 10.0.0.1 ", "10.0.0.1"),
        (1, "2001:DB8:0::0001", "2001:db8::1"),
        (1, "fe80::1%eth0", "fe80::1"),
        (1, "::ffff:10.0.0.1", "10.0.0.1"),
        (1, '", 10.0.0.1', "10.0.0.1"),  # by the header's grammar the quote has no end
        (1, '"9.9.9.9, 10.0.0.1', "10.0.0.1"),
        (2, '6.6.6.6, "x, 9.9.9.9, 10.0.0.1', "9.9.9.9"),
        (2, r'"\", 9.9.9.9, 10.0.0.1', "9.9.9.9"),
    ],
)
def test_address_is_the_one_that_the_outermost_trusted_proxy_saw(
    make_app: AppFactory, trusted: int, forwarded: str | None, seen: str
) -> None:
    app = make_app(trusted_proxies=trusted)

    assert address_seen(app, forwarded) == seen
    assert address_seen(app, forwarded, **OTHERS) == seen


@pytest.mark.parametrize("junk", JUNK, ids=lambda value: ascii(value)[:12])
def test_junk_from_a_proxy_leaves_the_peer(make_app: AppFactory, junk: str) -> None:
    app = make_app(trusted_proxies=1)

    assert address_seen(app, junk) == PEER
    assert address_seen(app, f"9.9.9.9, {junk or 'unknown'}") == PEER


def test_address_of_a_peer_is_written_one_way(app: Flask) -> None:
    longest = "2001:db8:1111:2222:3333:4444:5555:6666"
    for peer, seen in (
        ("::ffff:192.0.2.7", PEER),
        ("2001:0DB8::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        (longest, longest),
        ("", "0.0.0.0"),  # a UNIX socket
    ):
        assert address_seen(app, peer=peer) == seen


class TestOneClient:
    """What counts as one client for limits and for VOTES_PER_IP."""

    @pytest.mark.parametrize(
        ("first", "second", "same"),
        [
            ("192.0.2.7", "192.0.2.7", True),
            ("192.0.2.7", "192.0.2.8", False),
            ("192.0.2.7", "::ffff:192.0.2.7", True),
            ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", True),
            ("2001:db8::1", "2001:db8:0:1::1", False),
        ],
    )
    @pytest.mark.parametrize("trusted", [0, 1])
    def test_ipv6_counts_by_subscriber(
        self, make_app: AppFactory, first: str, second: str, same: bool, trusted: int
    ) -> None:
        app = make_app(global_rate_limit="1 per day", trusted_proxies=trusted)
        statuses = []
        for address in (first, second):
            peer = {"REMOTE_ADDR": PEER if trusted else address}
            headers = {"X-Forwarded-For": address}
            response = app.test_client().get("/", environ_overrides=peer, headers=headers)
            statuses.append(response.status_code)

        assert statuses == [200, 429 if same else 200]

    def test_votes_per_address_count_by_subscriber(
        self, polls: Polls, make_app: AppFactory
    ) -> None:
        app = make_app(votes_per_ip=1)
        poll = polls.open()
        body = {"rankedChoices": [poll["options"][0]["optionId"]]}
        statuses = [
            app.test_client()
            .post(
                f"/polls/{poll['pollId']}/vote", json=body, environ_overrides={"REMOTE_ADDR": peer}
            )
            .status_code
            for peer in ("2001:db8::1", "2001:db8::2", "::ffff:192.0.2.7", "192.0.2.7")
        ]

        assert statuses == [200, 409, 200, 409]

    def test_a_thousand_invented_addresses_do_not_evade_a_limit(self, make_app: AppFactory) -> None:
        app = make_app(global_rate_limit="10 per day")
        client = app.test_client()
        statuses = [
            client.get("/", headers={"X-Forwarded-For": f"10.0.{n // 250}.{n % 250}"}).status_code
            for n in range(1000)
        ]

        assert statuses == [200] * 10 + [429] * 990

    def test_invented_addresses_before_a_proxys_own_do_not_evade_a_limit(
        self, make_app: AppFactory
    ) -> None:
        app = make_app(global_rate_limit="10 per day", trusted_proxies=1)
        client = app.test_client()
        statuses = [
            client.get("/", headers={"X-Forwarded-For": f"10.0.0.{n}, 192.0.2.1"}).status_code
            for n in range(30)
        ]

        assert statuses == [200] * 10 + [429] * 20


@pytest.mark.parametrize(("trusted", "stored"), [(0, None), (1, "NL")])
def test_place_of_a_voter_is_believed_to_a_proxy_only(
    polls: Polls, make_app: AppFactory, trusted: int, stored: str | None
) -> None:
    app = make_app(trusted_proxies=trusted)
    poll = polls.open()
    body = {"rankedChoices": [poll["options"][0]["optionId"]]}

    app.test_client().post(
        f"/polls/{poll['pollId']}/vote", json=body, headers={"cf-ipcountry": "NL"}
    )

    with app.app_context():
        assert db.session.scalar(select(VoteBallot.country_code)) == stored


@given(ip_addresses())
def test_network_is_the_one_that_the_standard_library_names(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    subscriber = getattr(address, "ipv4_mapped", None) or address
    network = ipaddress.ip_network(
        (subscriber, 64 if subscriber.version == 6 else 32), strict=False
    )
    found = packed(str(address))

    assert found == subscriber.packed
    assert network_of(found) == str(network).removesuffix("/32")
