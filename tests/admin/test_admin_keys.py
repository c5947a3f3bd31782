"""Admin keys: several, named, compared by hash; what is not one of them is 401 and no more.

A key is compared byte for byte as it arrives. HTTP strips blanks around a header's value, so a
key with a blank behind it is the key itself where a server parses HTTP; here, where none does, it
is another key. Two headers with a key arrive as one, joined by a comma: no key.
"""

import hashlib
import logging
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.datastructures import Headers
from werkzeug.test import TestResponse

from allthing.config import load_settings
from allthing.database import db
from allthing.runtime.logs import JsonFormatter
from tests.conftest import ADMIN_KEY, AppFactory
from tests.support.api import Admin
from tests.support.routes import ORIGIN, assert_refused, requests

OLD_KEY = "the-key-of-last-year-0123"
NEW_KEY = "the-key-of-this-year-4567"
PATH = "/admin/categories"

Pairs = list[tuple[str, str]]


def sha256(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def ask(app: Flask, *headers: tuple[str, str], path: str = PATH) -> TestResponse:
    """Ask for the categories from an allowed page, with these headers."""
    client = app.test_client(use_cookies=False)
    return client.get(path, headers=Headers([("Origin", ORIGIN), *headers]))


WRONG: dict[str, Pairs] = {
    "none": [],
    "empty": [("x-admin-key", "")],
    "blanks": [("x-admin-key", "   ")],
    "wrong": [("x-admin-key", "wrong")],
    "upper case": [("x-admin-key", ADMIN_KEY.upper())],
    "cut short": [("x-admin-key", ADMIN_KEY[:-1])],
    "one character more": [("x-admin-key", ADMIN_KEY + "x")],
    "blank behind": [("x-admin-key", ADMIN_KEY + " ")],
    "blank within": [("x-admin-key", ADMIN_KEY[:5] + " " + ADMIN_KEY[5:])],
    "quoted": [("x-admin-key", f'"{ADMIN_KEY}"')],
    "its hash": [("x-admin-key", sha256(ADMIN_KEY))],
    "Latin-1": [("x-admin-key", "k\xe9y")],
    "Cyrillic": [("x-admin-key", "ключ")],
    "long": [("x-admin-key", "k" * 100_000)],
    "twice": [("x-admin-key", ADMIN_KEY), ("x-admin-key", ADMIN_KEY)],
    "right and wrong": [("x-admin-key", ADMIN_KEY), ("x-admin-key", "wrong")],
    "both spellings": [("x-admin-key", ADMIN_KEY), ("xadminkey", ADMIN_KEY)],
    "spellings that differ": [("x-admin-key", ADMIN_KEY), ("xadminkey", "wrong")],
    "empty before the right one": [("x-admin-key", ""), ("xadminkey", ADMIN_KEY)],
    "cookie": [("Cookie", f"x-admin-key={ADMIN_KEY}; adminKey={ADMIN_KEY}")],
    "bearer": [("Authorization", f"Bearer {ADMIN_KEY}")],
    "another header": [("x-api-key", ADMIN_KEY)],
}


@pytest.mark.parametrize("headers", WRONG.values(), ids=WRONG)
def test_what_is_not_the_key_is_refused_alike_and_audited(
    app: Flask, admin: Admin, headers: Pairs
) -> None:
    response = ask(app, *headers)

    assert_refused(response, 401)
    assert response.data == ask(app).data
    row = admin.audit(success="false")[1]
    assert row["action"] == "admin_key_refused"
    assert row["metadata"]["admin"] is None
    assert row["adminKeyHash"] != sha256(ADMIN_KEY)


@pytest.mark.parametrize("name", ["x-admin-key", "adminKey", "key", "xadminkey"])
def test_key_in_the_query_is_not_read(app: Flask, name: str) -> None:
    assert_refused(ask(app, path=f"{PATH}?{name}={ADMIN_KEY}"), 401)


@pytest.mark.parametrize("spelling", ["x-admin-key", "X-Admin-Key", "xadminkey", "XAdminKey"])
def test_both_spellings_of_the_header_are_known(app: Flask, spelling: str) -> None:
    assert ask(app, (spelling, ADMIN_KEY)).status_code == 200


@pytest.mark.parametrize("form", [str, sha256], ids=["plain", "hashed"])
def test_each_of_several_keys_acts_under_its_name(make_app: AppFactory, form: object) -> None:
    keys = {"ops": OLD_KEY, "cron": NEW_KEY}
    app = make_app(admin_keys=", ".join(f"{name}:{form(key)}" for name, key in keys.items()))

    for name, key in keys.items():
        by_name = Admin(app.test_client(), key)
        by_name.category(key=name)
        row = by_name.audit()[0]
        assert (row["metadata"]["admin"], row["adminKeyHash"]) == (name, sha256(key))


def test_keys_overlap_until_the_old_one_is_retired(make_app: AppFactory) -> None:
    both = make_app(admin_key="", admin_keys=f"old:{sha256(OLD_KEY)},new:{sha256(NEW_KEY)}")
    after = make_app(admin_key="", admin_keys=f"new:{sha256(NEW_KEY)}")

    for app, key, status in (
        (both, OLD_KEY, 200),
        (both, NEW_KEY, 200),
        (after, OLD_KEY, 401),
        (after, NEW_KEY, 200),
    ):
        assert ask(app, ("x-admin-key", key)).status_code == status


def test_key_of_other_letters_works(make_app: AppFactory) -> None:
    """It is sent as UTF-8, which a WSGI server hands on as Latin-1."""
    key = "ключ-äöü-0123456789"
    app = make_app(admin_keys=f"ops:{key}")

    assert ask(app, ("x-admin-key", key.encode().decode("latin-1"))).status_code == 200


def test_without_a_configured_key_all_of_admin_is_closed(
    make_app: AppFactory, tmp_path: Path
) -> None:
    """Only a demo starts without one: where a database is configured, a missing key stops it."""
    demo = make_app(admin_key="", database_url="", instance_path=tmp_path)
    ids = dict.fromkeys({name for r in requests(demo, {}) for name in r.rule.arguments}, "x")

    for request in requests(demo, ids):
        if request.rule.rule.startswith("/admin"):
            for key in ({}, {"x-admin-key": ""}, {"x-admin-key": "wrong"}):
                response = demo.test_client().open(
                    request.path(), method=request.method, headers={"Origin": ORIGIN} | key
                )
                assert_refused(response, 503)


class TestSecrecy:
    """A key is in no log, answer or audit row, whatever goes wrong."""

    def test_no_request_leaves_a_key_behind(
        self, make_app: AppFactory, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        app = make_app(admin_keys=f"ops:{NEW_KEY}", log_level="DEBUG")
        app.add_url_rule("/broken", view_func=lambda: str(int("x")))
        keys = [ADMIN_KEY, NEW_KEY, "a-wrong-key-by-mistake"]
        answers = []
        for key in keys:
            header = {"x-admin-key": key, "Origin": ORIGIN}
            client = app.test_client()
            paths = (PATH, f"{PATH}?x-admin-key={key}", "/broken", "/admin/audit-logs", "/no")
            answers += [client.get(path, headers=header) for path in paths]
            answers.append(client.post(PATH, headers=header, data="{"))
            answers.append(client.post(PATH, headers=header, json={"key": "x"}))
            answers.append(client.delete(PATH, headers=header))

        with app.app_context():
            rows = db.session.execute(db.text('SELECT * FROM "adminAuditLogs"')).all()
        texts = [response.text + str(response.headers) for response in answers]
        logs = [JsonFormatter().format(record) + str(vars(record)) for record in caplog.records]
        everything = "\n".join([caplog.text, *texts, *logs, *map(str, rows), *capfd.readouterr()])
        assert '"message":"request"' in everything
        assert "unexpected error" in everything
        assert [key for key in keys if key in everything] == []

    @pytest.mark.parametrize(
        "setting",
        [("ADMIN_KEY", "too-short"), ("ADMIN_KEYS", "ops:too-short"), ("SECRET_KEY", "too-short")],
    )
    def test_start_that_fails_does_not_print_the_key(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, setting: tuple[str, str]
    ) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv(*setting)

        with pytest.raises(SystemExit) as stopped:
            load_settings()

        assert setting[0] in str(stopped.value)
        assert "too-short" not in str(stopped.value)
