"""The app as served, with routes that hold, break or ask what only tests want to."""

from flask import Response, request
from flask.typing import ResponseReturnValue
from sqlalchemy import func, select, text

from allthing.database import db
from wsgi import app

LARGE = 8 * 1024 * 1024  # more than the system keeps for a client that doesn't read


@app.get("/hold")
def hold() -> ResponseReturnValue:
    """Hold a connection for some seconds."""
    db.session.execute(select(func.pg_sleep(float(request.args["seconds"]))))
    return {"ok": True}


@app.get("/break")
def break_transaction() -> ResponseReturnValue:
    """Leave a transaction that has changed something and then failed."""
    db.session.execute(text("SET LOCAL TIME ZONE 'Asia/Tokyo'"))
    db.session.execute(text("SELECT 1 / 0"))
    return {"ok": True}


@app.get("/lose")
def lose_connection() -> ResponseReturnValue:
    """Have the last word of the database, and only then lose the connection to it."""
    mine = db.session.scalar(select(func.pg_backend_pid()))
    with db.engine.connect() as other:
        other.execute(select(func.pg_terminate_backend(mine, 5000)))
    return {"ok": True}


@app.get("/connection")
def describe_connection() -> ResponseReturnValue:
    """Return settings of PostgreSQL as a connection of the app has them."""
    names = request.args.getlist("setting")
    row = db.session.execute(select(*(func.current_setting(name) for name in names))).one()
    return dict(zip(names, row, strict=True))


@app.get("/large")
def send_much() -> ResponseReturnValue:
    return Response(b"x" * LARGE)
