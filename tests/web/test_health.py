"""Health, as probes see it."""

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

from allthing.database import db
from tests.conftest import AppFactory


def test_live_touches_nothing(app: Flask, client: FlaskClient) -> None:
    touched: list[str] = []
    with app.app_context():
        event.listen(db.engine, "connect", lambda *_: touched.append("database"))
        event.listen(db.engine, "checkout", lambda *_: touched.append("database"))

    response = client.get("/healthz")

    assert response.json == {"ok": True, "status": "healthy"}
    assert touched == []


def test_ready_asks_the_database(client: FlaskClient) -> None:
    response = client.get("/readyz")

    assert response.status_code == 200
    assert response.json == {
        "ok": True,
        "status": "healthy",
        "components": {"database": "healthy", "redis": "healthy"},
    }


def test_without_its_database_the_app_lives_but_is_not_ready(make_app: AppFactory) -> None:
    client = make_app(database_url="postgresql://nobody@127.0.0.1:1/none").test_client()

    assert client.get("/healthz").status_code == 200
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json["components"] == {"database": "unhealthy", "redis": "healthy"}
    assert "does not answer" in response.json["detail"]


def test_a_database_without_migrations_is_not_ready(make_app: AppFactory, tmp_path) -> None:
    client = make_app(database_url=f"sqlite:///{tmp_path / 'empty.db'}").test_client()

    assert client.get("/readyz").status_code == 503
    assert client.get("/polls/today").status_code == 503


def test_a_greeting(client: FlaskClient) -> None:
    assert client.get("/").json == {"ok": True, "service": "allthing"}
