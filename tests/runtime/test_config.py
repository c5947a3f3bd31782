"""Settings: documented, typed, and refused with one clear sentence when they can't be right."""

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined

from allthing.config import Settings, load_settings
from tests.conftest import ROOT

REAL = {
    "DATABASE_URL": "postgresql://user:pw@127.0.0.1/polls",
    "SECRET_KEY": "s" * 32,
    "ADMIN_KEY": "a" * 16,
}


def start(environment: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Build the app in a fresh process with nothing but this environment."""
    return subprocess.run(
        [sys.executable, "-c", "from allthing import create_app; create_app(); print('started')"],
        env={"PYTHONPATH": str(ROOT)} | environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def documented(name: str) -> str:
    """Return the README's row for a setting."""
    field = Settings.model_fields[name]
    default = field.get_default(call_default_factory=True, validated_data={})
    assert default is not PydanticUndefined
    shown = ",".join(default) if isinstance(default, list) else str(default)
    shown = {"True": "true", "False": "false"}.get(shown, shown)
    return f"| `{name.upper()}` | {f'`{shown}`' if shown else ''} | {field.description} |"


def test_every_setting_is_in_the_readme_with_its_default() -> None:
    readme = (ROOT / "README.md").read_text()
    rows = [line for line in readme.splitlines() if line.startswith("| `")]

    assert rows == [documented(name) for name in Settings.model_fields]


def test_every_setting_of_the_example_exists() -> None:
    example = (ROOT / ".env.example").read_text()
    names = [line.lstrip("# ").partition("=")[0] for line in example.splitlines() if "=" in line]

    assert {name.lower() for name in names} <= Settings.model_fields.keys()


def test_without_any_setting_it_is_a_demo_that_keeps_its_secret(tmp_path: Path) -> None:
    assert start({}, tmp_path).stdout == "started\n"
    secret = (tmp_path / "instance" / "secret-key").read_text()

    assert start({}, tmp_path).stdout == "started\n"
    assert (tmp_path / "instance" / "secret-key").read_text() == secret
    assert len(secret) >= 32


def test_a_database_and_its_secrets_are_enough(tmp_path: Path) -> None:
    assert start(REAL, tmp_path).stdout == "started\n"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY is missing"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY needs at least 32 characters"),
        ({"ADMIN_KEY": ""}, "ADMIN_KEYS (or ADMIN_KEY) is missing"),
        ({"ADMIN_KEY": "short"}, "ADMIN_KEYS needs entries name:key"),
        ({"ADMIN_KEYS": "no-colon-but-quite-long"}, "ADMIN_KEYS needs entries name:key"),
        ({"POLL_TIMEZONE": "Mars/Olympus"}, "POLL_TIMEZONE: 'Mars/Olympus' is not a time zone"),
        ({"CORS_ORIGINS": "polls.example.org"}, "CORS_ORIGINS: 'polls.example.org' is not"),
        ({"GLOBAL_RATE_LIMIT": "often"}, "GLOBAL_RATE_LIMIT: "),
        ({"REDIS_URL": "localhost:6379"}, "REDIS_URL: it is none of redis://"),
        ({"REDIS_URL": "redis+sentinel://localhost:26379"}, "REDIS_URL: it is none of redis://"),
        ({"DB_POOL_SIZE": "many"}, "DB_POOL_SIZE: "),
        ({"TRUSTED_PROXIES": "-1"}, "TRUSTED_PROXIES: "),
    ],
)
def test_a_wrong_setting_stops_the_app_with_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in (REAL | changes).items():
        monkeypatch.setenv(name, value)

    with pytest.raises(SystemExit) as stopped:
        load_settings()

    message = str(stopped.value)
    assert message.startswith("allthing cannot start: " + sentence)
    assert "\n" not in message


def test_a_process_that_stops_so_prints_the_sentence_and_nothing_else(tmp_path: Path) -> None:
    done = start(REAL | {"SECRET_KEY": ""}, tmp_path)

    assert done.returncode == 1
    assert done.stderr.startswith("allthing cannot start: SECRET_KEY is missing")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_every_spelling_of_postgresql_means_psycopg2(scheme: str) -> None:
    settings = Settings(
        database_url=f"{scheme}://u:p@h/d", secret_key="s" * 32, admin_key="a" * 16, _env_file=None
    )

    assert settings.sqlalchemy_url == "postgresql+psycopg2://u:p@h/d"
