"""Commands of `flask` for operators, with the same rules and the same audit as over HTTP."""

from flask import Flask

from allthing.cli import (
    about,
    audit_logs,
    catalog,
    check,
    demo,
    export,
    instances,
    recount,
    rollover,
    snapshots,
    votes,
)

COMMANDS = (
    catalog.categories,
    catalog.templates,
    instances.plans,
    instances.instances,
    snapshots.snapshots,
    votes.votes,
    audit_logs.audit_logs,
    export.export,
    rollover.rollover,
    rollover.close,
    instances.close_instance,
    instances.replace_instance,
    instances.update_instance_category,
    catalog.create_category,
    catalog.update_template_category,
    catalog.delete_template,
    snapshots.find_missing,
    snapshots.create_missing,
    snapshots.regenerate,
    recount.recount,
    recount.verify_results,
    votes.test_vote,
    check.check,
    about.about,
    demo.seed_demo,
    demo.try_it,
)


def init_app(app: Flask) -> None:
    for command in COMMANDS:
        app.cli.add_command(command)
