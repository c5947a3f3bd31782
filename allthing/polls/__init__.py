"""Public blueprints: today's polls, votes, results and their files, for anonymous voters."""

from flask import Flask

from allthing.polls import exports, views


def init_app(app: Flask) -> None:
    app.register_blueprint(views.bp)
    app.register_blueprint(exports.bp)
