"""The export: all that admins made and all results, as one JSON document; no ballot, no voter."""

import json
import shutil
from tempfile import TemporaryFile
from typing import IO, Any

import click
from sqlalchemy import Select, select
from sqlalchemy.orm import selectinload

from allthing.admin.presets import PresetOut
from allthing.admin.schemas import CategoryOut, InstanceOut, PlanOut, TemplateOut, to_json
from allthing.admin.snapshots import SnapshotOut
from allthing.cli.commands import command
from allthing.cli.output import Output
from allthing.database import begin_consistent_read, db
from allthing.models import (
    PollCategory,
    PollInstance,
    PollPlan,
    PollResultSnapshot,
    PollTemplate,
    PresetOptionSet,
)
from allthing.runtime import clock
from allthing.web.typed_views import Out

BATCH = 500
PARTS: dict[str, tuple[type[Out], Select[Any]]] = {
    "categories": (CategoryOut, select(PollCategory).order_by(PollCategory.id)),
    "presets": (PresetOut, select(PresetOptionSet).order_by(PresetOptionSet.id)),
    "templates": (
        TemplateOut,
        select(PollTemplate).order_by(PollTemplate.id).options(selectinload(PollTemplate.options)),
    ),
    "plans": (
        PlanOut,
        select(PollPlan).order_by(PollPlan.id).options(selectinload(PollPlan.options)),
    ),
    "instances": (
        InstanceOut,
        select(PollInstance).order_by(PollInstance.id).options(selectinload(PollInstance.options)),
    ),
    "snapshots": (
        SnapshotOut,
        select(PollResultSnapshot).order_by(
            PollResultSnapshot.instance_id, PollResultSnapshot.version
        ),
    ),
}


@command("export")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, allow_dash=True),
    default="-",
    help="The file to write, replaced in one step.  [default: standard output]",
)
def export(output: str) -> Output | None:
    """Write all but the ballots as one JSON document.

    Categories, presets, templates, plans, polls and snapshots, as they stand at one moment. It may
    be of any size: it is collected on disk, in the folder for temporary files.
    """
    try:
        counts = write_export(output)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise click.ClickException(f"the export can't be written: {error}") from error
    summary = ", ".join(f"{count} {name}" for name, count in counts.items())
    if output == "-":
        click.echo(f"exported {summary}", err=True)
        return None
    return Output({"output": output} | counts, [f"exported to {output}: {summary}"])


def write_export(output: str) -> dict[str, int]:
    with TemporaryFile("w+", encoding="utf-8") as document:
        counts = write_document(document)
        db.session.rollback()  # a slow reader must not hold the transaction open
        document.seek(0)
        with click.open_file(output, "w", encoding="utf-8", atomic=output != "-") as target:
            shutil.copyfileobj(document, target)
    return counts


def write_document(document: IO[str]) -> dict[str, int]:
    """Write every part, some rows at a time in memory; return how many rows each has."""
    begin_consistent_read()
    document.write(f'{{\n"exportedAt": {json.dumps(clock.now().isoformat())}')
    counts = {name: write_part(document, name) for name in PARTS}
    document.write("\n}\n")
    return counts


def write_part(document: IO[str], name: str) -> int:
    shape, query = PARTS[name]
    document.write(f',\n"{name}": [')
    count = 0
    for entity in db.session.scalars(query.execution_options(yield_per=BATCH)):
        document.write(",\n" if count else "\n")
        document.write(json.dumps(to_json(shape, entity)))
        count += 1
    document.write("\n]")
    return count
