"""Disks that can be filled up under PostgreSQL."""

import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg2

from tests.faults.postgres_faults import execute, session
from tests.support.os_user import unprivileged
from tests.support.postgres import PostgresServer
from tests.support.servers import postgres_server

DISK = "size=160m,mode=0755"
BLOCK = 4096
WAL_SEGMENT = 16 * 1024 * 1024

Full = Callable[[], AbstractContextManager[Any]]


@contextmanager
def postgres_on_small_disk() -> Iterator[tuple[PostgresServer, Full]]:
    """Start a PostgreSQL; yield it and a context in which its disk is full.

    Its disk is a tmpfs if we may mount one. Who may not gets a limit on the size of files, of
    which a new WAL segment falls one byte short.
    """
    folder = Path(tempfile.mkdtemp(prefix="allthing-disk-"))
    mounted = not subprocess.run(
        ["mount", "-t", "tmpfs", "-o", DISK, "tmpfs", folder], capture_output=True
    ).returncode
    usual, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        with postgres_server(private=True, min_wal_size="32MB") as server:
            tempfile.tempdir = usual
            yield (
                server,
                (lambda: disk_filled(server, folder))
                if mounted
                else (lambda: file_size_limited(server)),
            )
    finally:
        tempfile.tempdir = usual
        if mounted:
            subprocess.run(["umount", "--lazy", folder], check=True)
        folder.rmdir()


@contextmanager
def disk_filled(server: PostgresServer, folder: Path) -> Iterator[None]:
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):  # there is no more room
        while file.write(bytes(BLOCK)):
            pass
    use_up_wal(server)
    yield
    ballast.unlink()
    server.start()


@contextmanager
def file_size_limited(server: PostgresServer) -> Iterator[None]:
    for process in (postmaster(server), *server.children()):
        limit = ["prlimit", f"--pid={process}", f"--fsize={WAL_SEGMENT - 1}:unlimited"]
        subprocess.run(limit, check=True, **unprivileged())
    use_up_wal(server)
    yield
    server.stop("immediate")
    server.start()


def postmaster(server: PostgresServer) -> int:
    fields = Path(f"/proc/{server.children()[0]}/stat").read_text().rpartition(")")[2].split()
    return int(fields[1])


def use_up_wal(server: PostgresServer) -> None:
    """Begin new WAL segments until there is no place for another, which PostgreSQL won't survive.

    It tries to recover, and ends if it needs a new segment for that, too.
    """
    with suppress(psycopg2.Error), session(server.url) as admin:
        while True:
            execute(admin, "SELECT pg_switch_wal()")
            execute(admin, "SELECT pg_logical_emit_message(false, '', 'x')")
