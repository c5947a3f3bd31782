"""Schemas of the public blueprints: what voters send, and what they are answered."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import MISSING, Field

from allthing.database import ID_LENGTH
from allthing.web.field_types import Day, Matches, Prose
from allthing.web.request_data import Headers, Input, Query
from allthing.web.typed_views import Out

MAX_CHOICES = 100  # of one ballot
MAX_HISTORY = 50  # polls in one response
KEY_LENGTH = 128  # characters of an idempotency key

OptionId = Annotated[str, Field(max_length=ID_LENGTH)]
UpTo20 = Annotated[str, Field(max_length=20), Prose]
UpTo50 = Annotated[str, Field(max_length=50), Prose]
UpTo100 = Annotated[str, Field(max_length=100), Prose]
Counts = dict[str, int]


class SurveyIn(Input):
    """What a voter may tell of themselves. The page offers lists; here the texts are free."""

    age_range: UpTo20 | None = None
    gender: UpTo50 | None = None
    race: UpTo100 | None = None
    ethnicity: UpTo100 | None = None
    state: Annotated[str, Field(max_length=2), Prose] | None = None
    urban_rural_suburban: UpTo20 | None = None
    political_party: UpTo50 | None = None
    political_ideology: UpTo50 | None = None
    religion: UpTo100 | None = None
    education_level: UpTo100 | None = None


class BallotIn(SurveyIn):
    ranked_choices: Annotated[
        list[OptionId],
        Field(min_length=1, max_length=MAX_CHOICES, json_schema_extra={"uniqueItems": True}),
    ]
    idempotency_key: Annotated[str, Field(min_length=1, max_length=KEY_LENGTH)] | None = None
    turnstile_token: Annotated[str, Field(max_length=2048)] | None = None


class VoteHeaders(Headers):
    """`Idempotency-Key` marks retries, as the field `idempotencyKey` of the body does."""

    idempotency_key: (
        Annotated[
            str,
            Matches(
                f"^[ -~]{{1,{KEY_LENGTH}}}$",
                f"has to be 1 to {KEY_LENGTH} printable ASCII characters",
            ),
        ]
        | None
    ) = Field(None, alias="Idempotency-Key")


class DayQuery(Query):
    poll_date: Day


class HistoryQuery(Query):
    limit: Annotated[int, Field(ge=1, le=MAX_HISTORY)] = 10


class PollOptionOut(Out):
    option_id: str
    label: str
    sort_order: int


class PollOut(Out):
    poll_id: str
    template_id: str
    template_key: str
    poll_date: date
    close_date: date
    opens_at: datetime
    closes_at: datetime
    timezone: str
    title: str
    question: str | None
    context_text: str | None
    poll_type: Literal["SINGLE", "RANKED"]
    max_rank: int | None
    audience: str
    status: str
    featured: bool
    is_new: bool
    options: list[PollOptionOut]


class PollCategoryOut(Out):
    category_id: str
    category_key: str
    category_name: str
    sort_order: int
    parent_category_id: str | None
    polls: list[PollOut]
    sub_categories: list["PollCategoryOut"]


class DayOut(Out):
    poll_date: date
    categories: list[PollCategoryOut]


class CachedAnswer(Out):
    """`stale` marks what may be out of date, since the database is away."""

    cached: bool
    stale: bool | MISSING = MISSING


class DayAnswer(CachedAnswer):
    data: DayOut


class VoteAnswer(Out):
    """`deduped` marks the answer to a retry of a ballot that is stored already."""

    ok: bool = True
    deduped: bool | MISSING = MISSING


class ResultsOut(Out):
    found: Literal[True]
    poll_id: str
    poll_date: date
    title: str
    question: str | None
    max_rank: int | None
    audience: str
    status: str
    options: list[PollOptionOut]
    total_votes: int
    total_ballots: int
    winner_option_id: str | None
    outcome: Literal["winner", "tie", "no_ballots", "no_active_ballots"]
    tied: list[str]


class OptionCountOut(Out):
    option_id: str
    label: str
    count: int
    percentage: float


class SingleResultsOut(ResultsOut):
    poll_type: Literal["SINGLE"]
    results: list[OptionCountOut]


class TieBreakOut(Out):
    """How a tie for fewest votes was settled: all left, an earlier round told, or lots did."""

    tied: list[str]
    method: Literal["batch", "lookback", "lot"]
    deciding_round: int | MISSING = MISSING
    lot_among: list[str] | MISSING = MISSING
    narrowed_by_round: dict[str, list[str]] | MISSING = MISSING


class RoundOut(Out):
    """`totals` has every option still in the race; `eliminated` is the first of all that go.

    `transfers` tells, per option that goes, where its ballots go; `text` says it in a sentence.
    """

    round: int
    totals: Counts
    active: int
    threshold: int
    exhausted: int
    eliminated: str | None
    eliminated_all: list[str]
    tie_break: TieBreakOut | MISSING = MISSING
    transfers: dict[str, Counts]
    percent_of_active: dict[str, float]
    percent_of_all: dict[str, float]
    text: str


class LookbackOut(Out):
    option: str
    round: int


class TieAdvisoryOut(Out):
    """Whom the earlier rounds, or the draw, would prefer in a final tie: advice, never applied."""

    lookback: LookbackOut | None
    lot: str


class RankedResultsOut(ResultsOut):
    """`rankBreakdown` counts, per option and rank, the ballots that place it there.

    `lotOrder` is the order of a draw, known from the opening on; `lotDecisive` says whether
    another draw could have ended otherwise; `pairwise[a][b]` is the ballots that prefer a to b.
    """

    poll_type: Literal["RANKED"]
    ruleset: str
    tie_advisory: TieAdvisoryOut | MISSING = MISSING
    decided_by_lot: bool
    lot_decisive: bool
    lot_order: list[str]
    rounds: list[RoundOut]
    rank_breakdown: dict[str, Counts]
    pairwise: dict[str, Counts]
    condorcet_winner: str | None


class ResultsAnswer(CachedAnswer):
    data: Annotated[SingleResultsOut | RankedResultsOut, Field(discriminator="poll_type")]


class PastOptionOut(Out):
    option_id: str
    label: str
    vote_count: int
    percentage: float
    is_winner: bool | MISSING = MISSING
    rank_breakdown: Counts | MISSING = MISSING


class PastPollOut(Out):
    poll_id: str
    poll_date: date
    title: str
    poll_type: Literal["SINGLE", "RANKED"]
    total_votes: int
    outcome: str
    tied: list[str]
    winner: PastOptionOut | None
    options: list[PastOptionOut]
    rounds: list[RoundOut] | MISSING = MISSING
    total_ballots: int | MISSING = MISSING
    ruleset: str | MISSING = MISSING
    decided_by_lot: bool | MISSING = MISSING
    lot_decisive: bool | MISSING = MISSING
    lot_order: list[str] | MISSING = MISSING
    pairwise: dict[str, Counts] | MISSING = MISSING
    condorcet_winner: str | MISSING | None = MISSING


class HistoryAnswer(Out):
    data: list[PastPollOut]
