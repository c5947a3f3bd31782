"""Who runs the servers: we do, or an ordinary user if we are root, whom PostgreSQL refuses."""

import os
import pwd
import stat
import tempfile
from pathlib import Path
from typing import TypedDict


class Identity(TypedDict, total=False):
    """Who runs a program, as arguments to `subprocess`; empty if we do."""

    user: int
    group: int
    extra_groups: list[int]


def unprivileged() -> Identity:
    """Return the user to run servers as; only users that exist are taken, none is added."""
    if os.geteuid() != 0:
        return {}
    users = {user.pw_name: user for user in pwd.getpwall()}
    user = users.get("postgres") or users["nobody"]
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def hand_over(path: Path) -> None:
    """Make the servers' user the owner of a file, or of a folder and all that is in it."""
    owner = unprivileged()
    if owner:
        for each in (path, *path.rglob("*")):
            os.lchown(each, owner["user"], owner["group"])


def common_ground() -> Path:
    """Return a folder for temporary files that the servers' user can enter; root's may be its own.

    Falls back to the usual one, where PostgreSQL then says what it can't do.
    """
    usual = Path(tempfile.gettempdir())
    places = (usual, Path("/tmp"), Path("/var/tmp")) if unprivileged() else ()
    return next(filter(_is_open_to_all, places), usual)


def _is_open_to_all(folder: Path) -> bool:
    way = (folder, *folder.parents)
    return all(step.exists() and step.stat().st_mode & stat.S_IXOTH for step in way)
