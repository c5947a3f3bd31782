"""Throttling of wrong keys: counted where they are audited, in the database.

So it is one count for all replicas, and holds while Redis is away.
"""

from datetime import datetime, timedelta
from ipaddress import IPv4Address, ip_address

from limits import parse_many
from sqlalchemy import select

from allthing.admin.audit import REFUSED_KEY
from allthing.config import settings
from allthing.database import db
from allthing.models import AdminAuditLog
from allthing.models.audit import FAILED
from allthing.runtime.clock import now
from allthing.web.client_address import client_address, network_of
from allthing.web.rate_limits import TooManyRequests


def throttle_wrong_keys() -> None:
    """Raise `TooManyRequests` if as many wrong keys came from the client as it may try.

    The right key is refused as well then, or trying could go on. What is refused here is not
    audited: there would be no end of rows.
    """
    for limit in parse_many(settings().admin_rate_limit):
        window, moment = timedelta(seconds=limit.get_expiry()), now()
        refused = wrong_key_times(moment - window)
        if len(refused) >= limit.amount:
            over = refused[limit.amount - 1] + window - moment
            raise TooManyRequests(limit, over.total_seconds())


def wrong_key_times(since: datetime) -> list[datetime]:
    """Return when wrong keys of the client were refused, the newest first."""
    address, row = client_address(), AdminAuditLog
    if isinstance(address, IPv4Address):
        may_be_client = row.ip_address == str(address)
    else:  # its network is not always written alike, but for the beginning
        may_be_client = row.ip_address.like(str(address).partition(":")[0] + ":%")
    rows = db.session.execute(
        select(row.ip_address, row.created_at)
        .where(FAILED, row.action == REFUSED_KEY, row.created_at > since, may_be_client)
        .order_by(row.created_at.desc())
    )
    network = network_of(address.packed)
    return [at for text, at in rows if text and network_of(ip_address(text).packed) == network]
