"""Settings from the environment: all their names, types, defaults and rules."""

import hashlib
import re
import secrets
import sys
from functools import cached_property
from pathlib import Path
from typing import Annotated, Self

from flask import current_app
from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from allthing.config.types import (
    CommaSeparated,
    Rate,
    Seconds,
    check_origins,
    check_redis_url,
    check_zone,
    with_driver,
)

MIN_SECRET_LENGTH = 32  # characters
MIN_ADMIN_KEY_LENGTH = 16  # characters
SHA256_HEX = re.compile(r"[0-9a-fA-F]{64}")


def sha256_hex(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def demo_secret(file: Path) -> str:
    """Return the secret in `file`, made on first use: it lives as long as the demo's database."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600, exist_ok=False)
        file.write_text(secrets.token_urlsafe(MIN_SECRET_LENGTH))
    except FileExistsError:
        pass
    except OSError as error:
        raise ValueError(f"SECRET_KEY is not set and {file} can't be written") from error
    return file.read_text()


class Settings(BaseSettings):
    """All settings of one process. Names are the environment's, in upper case.

    A missing or weak secret is an error wherever a database is configured. Without
    `DATABASE_URL` the app is a self-contained demo on SQLite that invents its secrets.
    """

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", env_ignore_empty=True)

    instance_path: Path = Field(Path("instance"), description="Folder of the SQLite file.")
    database_url: str = Field(
        "", repr=False, description="SQLAlchemy URL. Empty: SQLite in `INSTANCE_PATH`/allthing.db."
    )
    redis_url: Annotated[str, AfterValidator(check_redis_url)] = Field(
        "",
        repr=False,
        description="`redis://`, `rediss://`, `unix://` or `redis+sentinel://host:port,…/service/0`."
        " Empty: limits count per process, and another machine shows a change only after"
        " `CACHE_TTL`.",
    )
    secret_key: str = Field(
        "",
        repr=False,
        description="Signs voter cookies and keys all hashes; at least 32 characters.",
    )
    secret_key_fallbacks: CommaSeparated = Field(
        default_factory=list,
        repr=False,
        description="Comma list of other secrets, former or next ones, while keys are rotated.",
    )
    admin_keys: CommaSeparated = Field(
        default_factory=list,
        repr=False,
        description="Comma list of `name:key` or `name:sha256-hex-of-key`.",
    )
    admin_key: str = Field(
        "", repr=False, description="One admin key, named `admin`, beside `ADMIN_KEYS`."
    )

    cors_origins: Annotated[CommaSeparated, AfterValidator(check_origins)] = Field(
        [f"{scheme}://localhost:{port}" for port in (3000, 5173) for scheme in ("http", "https")],
        description="Origins whose pages may call the API and vote.",
    )
    cookie_secure: bool = Field(default=True, description="Send the voter cookie over HTTPS only.")
    cookie_domain: str = Field("", description="Domain of the voter cookie. Empty: this host.")
    trusted_proxies: int = Field(
        0, ge=0, le=10, description="How many proxies in front set X-Forwarded-For. 0: none."
    )

    poll_timezone: Annotated[str, AfterValidator(check_zone)] = Field(
        "America/New_York", description="IANA zone in which a poll day begins and ends."
    )
    votes_per_ip: int = Field(
        0, ge=0, description="Accepted ballots per poll and client address. 0: no limit."
    )
    min_votes: int = Field(
        0, ge=0, description="A closed poll with fewer ballots gets no snapshot."
    )
    export_min_ballots: int = Field(
        10, ge=1, description="Nobody may download the ballots of a poll with fewer."
    )

    turnstile_secret_key: str = Field(
        "", repr=False, description="Cloudflare Turnstile secret. Empty: votes need no bot check."
    )
    turnstile_fail_open: bool = Field(
        default=False, description="Take votes while Turnstile does not answer."
    )
    turnstile_url: str = Field(
        "https://challenges.cloudflare.com/turnstile/v0/siteverify",
        description="Where Turnstile tokens are verified.",
    )

    global_rate_limit: Rate = Field(
        "100 per minute",
        description="Requests per client; votes, `/healthz` and `/readyz` are not among them.",
    )
    vote_rate_limit: Rate = Field(
        "60 per minute", description="Vote attempts per client, refused ones included."
    )
    admin_rate_limit: Rate = Field(
        "20 per minute", description="Admin requests with a wrong or missing key per client."
    )

    db_pool_size: int = Field(20, ge=1, description="Kept PostgreSQL connections per worker.")
    db_max_overflow: int = Field(10, ge=0, description="Extra connections per worker at peaks.")
    db_pool_timeout: int = Field(3, ge=1, description="Seconds to wait for a free connection.")
    db_pool_recycle: int = Field(1800, ge=1, description="Seconds until a connection is replaced.")
    db_connect_timeout: int = Field(
        3, ge=2, description="Seconds to reach PostgreSQL, for each host of `DATABASE_URL`."
    )
    db_request_timeout: Seconds = Field(
        5,
        description="Seconds a request may spend on the database; below /admin it is "
        "`DB_STATEMENT_TIMEOUT`.",
    )
    db_statement_timeout: Seconds = Field(60, description="Seconds a statement may run.")
    db_lock_timeout: Seconds = Field(3, description="Seconds to wait for a row or table lock.")
    db_idle_in_transaction_timeout: Seconds = Field(
        30, description="Seconds until PostgreSQL ends a forgotten transaction."
    )
    redis_timeout: Seconds = Field(
        0.05, description="Seconds a Redis command may take, connecting included."
    )
    redis_probe_interval: Seconds = Field(
        0.5, description="Seconds between attempts to reach a lost Redis again."
    )
    cache_ttl: int = Field(
        10, ge=1, le=10, description="Seconds a read may be answered from memory."
    )

    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="Log level.")
    web_concurrency: int = Field(2, ge=1, description="gunicorn workers.")
    web_threads: int = Field(
        40, ge=1, description="Threads per worker; more than it may have connections."
    )
    port: int = Field(8080, ge=1, le=65535, description="Port gunicorn listens on.")

    @model_validator(mode="after")
    def require_secrets(self) -> Self:
        """Refuse a real database without real secrets; a demo makes its own."""
        for name, key in self._named_keys():
            if not name or len(key) < MIN_ADMIN_KEY_LENGTH:
                raise ValueError(
                    "ADMIN_KEYS needs entries name:key with keys of at least "
                    f"{MIN_ADMIN_KEY_LENGTH} characters (or their SHA-256 in hex)"
                )
        if self.secret_key and len(self.secret_key) < MIN_SECRET_LENGTH:
            raise ValueError(f"SECRET_KEY needs at least {MIN_SECRET_LENGTH} characters")
        if any(len(secret) < MIN_SECRET_LENGTH for secret in self.secret_key_fallbacks):
            raise ValueError(
                f"SECRET_KEY_FALLBACKS needs secrets of at least {MIN_SECRET_LENGTH} characters"
            )
        if self.database_url and not self.secret_key:
            raise ValueError("SECRET_KEY is missing: DATABASE_URL is set, so this is no demo")
        if self.database_url and not self.admin_key_hashes:
            raise ValueError("ADMIN_KEYS (or ADMIN_KEY) is missing: nobody could administer")
        self.secret_key = self.secret_key or demo_secret(self.instance_path / "secret-key")
        return self

    @cached_property
    def secret_keys(self) -> tuple[str, ...]:
        """All secrets in use, each once, the current one first."""
        return tuple(dict.fromkeys([self.secret_key, *self.secret_key_fallbacks]))

    def _named_keys(self) -> list[tuple[str, str]]:
        pairs = [tuple(entry.partition(":")[::2]) for entry in self.admin_keys]
        return [(n, k) for n, k in pairs] + ([("admin", self.admin_key)] if self.admin_key else [])

    @cached_property
    def admin_key_hashes(self) -> dict[str, str]:
        """SHA-256 hex of each admin key, and the key's name."""
        return {
            key.lower() if SHA256_HEX.fullmatch(key) else sha256_hex(key): name
            for name, key in self._named_keys()
        }

    @property
    def sqlalchemy_url(self) -> str:
        """The database URL as SQLAlchemy reads it."""
        if not self.database_url:
            return f"sqlite:///{self.instance_path.resolve() / 'allthing.db'}"
        return with_driver(self.database_url)


def load_settings() -> Settings:
    """Read the environment, or stop the process with one clear sentence."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]).upper()
        reason = first["msg"].removeprefix("Value error, ")
        sys.exit(f"allthing cannot start: {f'{name}: ' if name else ''}{reason}")


def settings() -> Settings:
    """The settings of the app that handles this request or command."""
    current: Settings = current_app.extensions["settings"]
    return current
