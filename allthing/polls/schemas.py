"""What the public door takes in."""

from typing import Annotated

from pydantic import Field

from allthing.database import ID_LENGTH
from allthing.inputs import Day, Input, Prose, Query

MAX_CHOICES = 100
MAX_HISTORY = 50

OptionId = Annotated[str, Field(max_length=ID_LENGTH)]
UpTo20 = Annotated[Prose, Field(max_length=20)]
UpTo50 = Annotated[Prose, Field(max_length=50)]
UpTo100 = Annotated[Prose, Field(max_length=100)]


class SurveyIn(Input):
    """What a voter may tell of themselves. The page offers lists; here the texts are free."""

    age_range: UpTo20 | None = None
    gender: UpTo50 | None = None
    race: UpTo100 | None = None
    ethnicity: UpTo100 | None = None
    state: Annotated[Prose, Field(max_length=2)] | None = None
    urban_rural_suburban: UpTo20 | None = None
    political_party: UpTo50 | None = None
    political_ideology: UpTo50 | None = None
    religion: UpTo100 | None = None
    education_level: UpTo100 | None = None


class BallotIn(SurveyIn):
    ranked_choices: Annotated[list[OptionId], Field(min_length=1, max_length=MAX_CHOICES)]
    idempotency_key: Annotated[str, Field(min_length=1, max_length=128)] | None = None


class DayQuery(Query):
    poll_date: Day


class HistoryQuery(Query):
    limit: Annotated[int, Field(ge=1, le=MAX_HISTORY)] = 10
