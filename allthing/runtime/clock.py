"""The only clock: instants in UTC, days in the poll time zone."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from allthing.config import settings


def now() -> datetime:
    return datetime.now(UTC)


def poll_zone() -> ZoneInfo:
    return ZoneInfo(settings().poll_timezone)


def today() -> date:
    """Return the poll day that is running now."""
    return datetime.now(poll_zone()).date()


def start_of(day: date) -> datetime:
    """Return the instant at which a poll day begins, in UTC.

    Days have 23 or 25 hours when clocks change; an instant that is skipped or repeated at
    midnight is read as its first occurrence (PEP 495, fold=0).
    """
    return datetime.combine(day, time.min, poll_zone()).astimezone(UTC)


def end_of(day: date) -> datetime:
    """Return the first instant that no longer belongs to a poll day, in UTC."""
    return start_of(day + timedelta(days=1))
