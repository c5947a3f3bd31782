"""A catalog to import, and what came of it."""

from tests.support.api import Admin, Json

FOOD = {"key": "food", "name": "Food", "emoji": "🍲", "sortOrder": 3}
SOUP = {
    "categoryKey": "food",
    "key": "best-soup",
    "title": "Best soup",
    "question": "Which one?",
    "pollType": "RANKED",
    "maxRank": 2,
    "durationDays": 7,
    "featured": True,
    "options": [
        {"key": "pea", "label": "Pea", "sortOrder": 1},
        {"key": "leek", "label": "Leek", "sortOrder": 0},
    ],
}


def load(admin: Admin, *, dry_run: bool | None = None, **lists: object) -> Json:
    extra = {} if dry_run is None else {"dryRun": dry_run}
    return admin.done("POST", "/import", lists | extra)


def categories(admin: Admin) -> dict[str, Json]:
    return {c["key"]: c for c in admin.done("GET", "/categories")["categories"]}


def templates(admin: Admin) -> dict[str, Json]:
    return {t["key"]: t for t in admin.done("GET", "/templates")["templates"]}


def actions(answer: Json) -> list[tuple[str, str, str]]:
    return [(d["type"], d["key"], d["action"]) for d in answer["details"]]
