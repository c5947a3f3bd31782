"""Running commands: output is printed, a refusal is one sentence, a change is audited.

A change is committed here, together with its audit row. So a command that is not made by
`audited_command` can't save anything, and one that is can't skip the audit.
"""

import functools
import json
import os
from collections.abc import Callable
from typing import Any, NoReturn
from urllib.parse import quote

import click
from flask import g
from flask.cli import with_appcontext
from sqlalchemy.exc import SQLAlchemyError

from allthing.admin.audit import Audited, log_admin_action
from allthing.admin.auth import AdminContext
from allthing.cli.output import Output, show
from allthing.database import db
from allthing.errors import Problem, as_problem
from allthing.models.changes import Change, recorded_change

Work = Callable[..., Output | None]


def command(name: str) -> Callable[[Work], click.Command]:
    """Make a command of a function that returns its output, or None if it wrote it itself."""
    return lambda work: make_command(name, work)


def audited_command(
    name: str, action: str, entity_type: str | None = None
) -> Callable[[Work], click.Command]:
    """Make a command whose change is committed with its audit row; a refusal leaves a row too.

    `action` and `entity_type` are what the audit calls it, the same as over HTTP. The rule that
    the function calls records what it changes. With the flag `--dry-run`, if it has one, it must
    change nothing: nothing is committed or audited.
    """
    what = Audited(action, entity_type)

    def decorate(work: Work) -> click.Command:
        @functools.wraps(work)
        def audited_work(**arguments: Any) -> Output | None:
            if arguments.get("dry_run"):
                return work(**arguments)
            entity_id = arguments.get(f"{what.entity_type}_id")
            return run_audited(what, entity_id, lambda: work(**arguments))

        made = make_command(name, audited_work)
        made.callback.__dict__["audited"] = what
        return made

    return decorate


def make_command(name: str, work: Work) -> click.Command:
    @functools.wraps(work)
    def run(as_json: bool, **arguments: Any) -> None:
        require_utf8(arguments)
        try:
            output = work(**arguments)
        except (Problem, SQLAlchemyError) as error:
            refuse(error, as_json)
        if output is not None:
            show(output, as_json)
            click.get_current_context().exit(int(output.has_failed))

    made = click.command(name)(with_appcontext(run))
    json_flag = click.Option(["--json", "as_json"], is_flag=True, help="Print one JSON document.")
    made.params.append(json_flag)
    return made


def require_utf8(arguments: dict[str, Any]) -> None:
    """Refuse, as a wrong call, an argument that came in another encoding than UTF-8."""
    for value in arguments.values():
        if isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
            raise click.UsageError("arguments have to be UTF-8")


def refuse(error: Problem | SQLAlchemyError, as_json: bool) -> NoReturn:
    """End the command with exit code 1 and a sentence; a database error of ours stays an error."""
    problem = error if isinstance(error, Problem) else as_problem(error)
    if problem is None:
        raise error
    if as_json:
        click.echo(json.dumps({"error": problem.detail}))
    raise click.ClickException(problem.detail) from error


def run_audited(
    what: Audited, entity_id: str | None, work: Callable[[], Output | None]
) -> Output | None:
    """Commit what `work` does and its audit row together; whatever ends it, the row alone.

    A wrong call is no attempt: it leaves no row. Nor can a database that is away keep one.
    """
    g.admin = AdminContext(f"uid {os.getuid()}", None, None, None, via="cli")
    try:
        output = work()
        log_admin_action(g.admin, what, commanded_change(entity_id))
        db.session.commit()
    except click.UsageError:
        raise
    except (Exception, KeyboardInterrupt) as fault:
        db.session.rollback()
        log_admin_action(g.admin, what, commanded_change(entity_id), error=describe_fault(fault))
        db.session.commit()
        raise
    return output


def commanded_change(entity_id: str | None) -> Change:
    """Return the change that was recorded, with the entity that was named if it got no further.

    That one is kept percent-encoded, as what comes out of a path is.
    """
    change = recorded_change()
    if change.entity_id is None and entity_id is not None:
        change.entity_id = quote(entity_id)
    change.details |= {"command": click.get_current_context().info_name}
    return change


def describe_fault(fault: BaseException) -> str:
    problem = as_problem(fault) if isinstance(fault, SQLAlchemyError) else fault
    if isinstance(problem, Problem):
        return problem.detail
    return "interrupted" if isinstance(fault, KeyboardInterrupt) else f"fault: {fault!r:.200}"
