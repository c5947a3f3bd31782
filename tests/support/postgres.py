"""A real PostgreSQL for tests: one of our own, or databases on one that was given by URL."""

import re
import secrets
import signal
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import psycopg2
from psycopg2 import sql

from tests.support.binaries import POSTGRESQL, Binaries, ServerMissing
from tests.support.daemon import Command, Daemon, Server
from tests.support.os_user import hand_over

USER = "allthing"


class PostgresServer(Server):
    """A PostgreSQL server and the databases made on it; `url` leads to an empty one."""

    def __init__(self, url: str, daemon: Daemon | None = None) -> None:
        super().__init__(daemon)
        self._admin_url = self.url = url
        self._databases: list[str] = []

    @classmethod
    def given(cls, url: str) -> "PostgresServer":
        """Take a server that runs already; its databases are left alone."""
        server = cls(libpq_url(url))
        server.url = server.create_database("allthing_test")
        return server

    @staticmethod
    def version_at(url: str) -> str:
        """Return the version of the server at a URL; raise ServerMissing if none answers."""
        try:
            with closing(psycopg2.connect(libpq_url(url), connect_timeout=5)) as connection:
                return str(connection.info.parameter_status("server_version")).split()[0]
        except psycopg2.Error as error:
            raise ServerMissing(
                f"{POSTGRESQL.url_variable} is set, but there it says: {str(error).strip()}"
            ) from error

    @classmethod
    def private(cls, binaries: Binaries, settings: Mapping[str, object]) -> "PostgresServer":
        """Start a server of our own, with `settings` named as in postgresql.conf."""
        daemon = Daemon("allthing-postgres", crash=signal.SIGQUIT)
        try:
            return cls(_launch(daemon, binaries, settings), daemon)
        except BaseException:
            daemon.close()
            raise

    def create_database(self, name: str) -> str:
        """Make an empty database and return its URL; a random ending makes its name unique."""
        unique = f"{name[:50]}_{secrets.token_hex(4)}"  # PostgreSQL cuts names off at 63
        # Not a copy of template1: that can't be made while anyone is connected to it.
        _execute(self._admin_url, "CREATE DATABASE {} TEMPLATE template0", unique)
        self._databases.append(unique)
        # By hand: urllib mangles a URL without a host, which is how sockets are named.
        return re.sub(r"^(\w+://[^/?]*)(/[^?]*)?", rf"\1/{unique}", self._admin_url)

    def close(self) -> None:
        """End a server of ours; leave a given one as it was."""
        super().close()
        while not self._daemon and self._databases:
            _execute(self._admin_url, "DROP DATABASE {} WITH (FORCE)", self._databases.pop())


def libpq_url(url: str) -> str:
    """Return a PostgreSQL URL without what only SQLAlchemy knows, such as `+psycopg2`."""
    return re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql://", url)


def _execute(url: str, statement: str, name: str) -> None:
    with closing(psycopg2.connect(url, connect_timeout=5)) as connection:
        connection.autocommit = True  # databases can't be made or dropped in a transaction
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL(statement).format(sql.Identifier(name)))


def _launch(daemon: Daemon, binaries: Binaries, settings: Mapping[str, object]) -> str:
    programs = binaries.within_reach("postgres", daemon)
    data = daemon.folder / "data"
    password = secrets.token_hex(16)
    _make_cluster(daemon, programs / "initdb", data, password)

    def command(port: int) -> Command:
        # Without fsync nothing is lost unless the machine itself goes down.
        options = {"fsync": "off", "listen_addresses": "127.0.0.1", "unix_socket_directories": ""}
        named = {**options, **settings, "port": port}.items()
        return [programs / "postgres", "-D", data, *(f"--{name}={value}" for name, value in named)]

    def url() -> str:
        return f"postgresql://{USER}:{password}@127.0.0.1:{daemon.port}/postgres"

    daemon.launch(command, lambda: _answers(url()))
    return url()


def _make_cluster(daemon: Daemon, initdb: Path, data: Path, password: str) -> None:
    password_file = daemon.folder / "password"
    password_file.write_text(password)
    hand_over(password_file)
    daemon.run(
        *(initdb, "--pgdata", data, "--no-sync"),
        *("--username", USER, "--auth=scram-sha-256", "--pwfile", password_file),
        *("--encoding=UTF8", "--locale=C.UTF-8", "--lc-messages=C"),
    )


def _answers(url: str) -> bool:
    try:
        psycopg2.connect(url, connect_timeout=2).close()
    except psycopg2.OperationalError:
        return False
    return True
