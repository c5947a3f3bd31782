"""A time zone whose midnights come when a test wants them, so that days turn on the real clock."""

import struct
from pathlib import Path
from zoneinfo import ZoneInfo

NAME = "Crash/Suite"
DAY = 24 * 3600


def write_zone(folder: Path, first: int, second: int) -> tuple[ZoneInfo, dict[str, object]]:
    """Write a zone with midnights at two Unix times, less than a day apart.

    Return it, and the settings by which an app is in it.

    Up to the second one its offset from UTC puts a midnight at the first; then its clock leaps
    to the next one. The file is in the format of RFC 9636, version 1.
    """
    before = -(first % DAY)
    after = before + DAY - (second - first)
    counts = struct.pack(">6l", 0, 0, 0, 1, 2, len("CRSH\0"))
    types = struct.pack(">lbBlbB", before, 0, 0, after, 0, 0)
    file = folder / NAME
    file.parent.mkdir(parents=True, exist_ok=True)
    transition = struct.pack(">lb", second, 1)
    file.write_bytes(b"TZif" + bytes(16) + counts + transition + types + b"CRSH\0")
    with file.open("rb") as written:
        zone = ZoneInfo.from_file(written, NAME)
    return zone, {"pythontzpath": folder, "poll_timezone": NAME}
