"""What is stored. Importing this package is what makes the metadata complete."""

from allthing.models.audit import AdminAuditLog
from allthing.models.ballots import VoteBallot, VoteTally
from allthing.models.catalog import (
    PollCategory,
    PollTemplate,
    PollTemplateOption,
    PresetOptionSet,
)
from allthing.models.schedule import (
    PollInstance,
    PollInstanceOption,
    PollPlan,
    PollPlanOption,
    RolloverRun,
)
from allthing.models.snapshots import PollResultSnapshot

__all__ = [
    "AdminAuditLog",
    "PollCategory",
    "PollInstance",
    "PollInstanceOption",
    "PollPlan",
    "PollPlanOption",
    "PollResultSnapshot",
    "PollTemplate",
    "PollTemplateOption",
    "PresetOptionSet",
    "RolloverRun",
    "VoteBallot",
    "VoteTally",
]
