"""The objects of the contract, as shapes; a server may give more fields, never fewer."""

from typing import Any

from tests.contract.checks import Each, Nullable, is_count, is_day, is_id, is_instant, is_sentence

NUMBER = int | float
TEXT = str | None
TYPES = {"SINGLE", "RANKED"}
STATUSES = {"OPEN", "CLOSED"}
AUDIENCES = {"PUBLIC", "USER_ONLY"}

ERROR = {"detail": is_sentence}
OK = {"ok": True}

CATEGORY: dict[str, Any] = {
    "id": is_id,
    "key": is_sentence,
    "name": is_sentence,
    "sortOrder": int,
    "parentCategoryId": Nullable(is_id),
}
CATEGORY["subCategories"] = [CATEGORY]

OPTION = {"id": is_id, "label": is_sentence, "sortOrder": is_count}
TEMPLATE = {
    "id": is_id,
    "categoryId": is_id,
    "key": is_sentence,
    "title": is_sentence,
    "question": TEXT,
    "contextText": TEXT,
    "pollType": TYPES,
    "maxRank": int | None,
    "audience": AUDIENCES,
    "durationDays": int,
    "isActive": bool,
    "featured": bool,
}
TEMPLATE_WITH_OPTIONS = TEMPLATE | {"options": [OPTION]}
PLAN = {
    "id": is_id,
    "templateId": is_id,
    "pollDate": is_day,
    "isEnabled": bool,
    "questionOverride": TEXT,
    "options": [OPTION],
}
PRESET = {
    "id": is_id,
    "name": is_sentence,
    "description": TEXT,
    "options": [{"optionId": is_sentence, "label": is_sentence, "sortOrder": is_count}],
    "createdAt": is_instant,
    "updatedAt": is_instant,
}
IMPORT = {
    "categoriesCreated": is_count,
    "templatesCreated": is_count,
    "errors": [is_sentence],
    "details": [
        {
            "type": {"category", "template"},
            "action": {"created", "updated", "skipped"},
            "key": str,
            "name": str,
            "error": TEXT,
        }
    ],
}
INSTANCE = {
    "id": is_id,
    "templateId": is_id,
    "categoryId": is_id,
    "pollDate": is_day,
    "closeDate": is_day,
    "title": is_sentence,
    "question": TEXT,
    "pollType": TYPES,
    "maxRank": int | None,
    "audience": AUDIENCES,
    "status": STATUSES,
    "options": [OPTION],
}

CHOICE = {"optionId": is_id, "label": is_sentence, "sortOrder": is_count}
POLL = {
    "pollId": is_id,
    "templateId": is_id,
    "templateKey": is_sentence,
    "pollDate": is_day,
    "closeDate": is_day,
    "title": is_sentence,
    "question": TEXT,
    "contextText": TEXT,
    "pollType": TYPES,
    "maxRank": int | None,
    "audience": "PUBLIC",
    "status": "OPEN",
    "featured": bool,
    "isNew": bool,
    "options": [CHOICE],
}
PUBLIC_CATEGORY: dict[str, Any] = {
    "categoryId": is_id,
    "categoryKey": is_sentence,
    "categoryName": is_sentence,
    "sortOrder": int,
    "parentCategoryId": Nullable(is_id),
    "polls": [POLL],
}
PUBLIC_CATEGORY["subCategories"] = [PUBLIC_CATEGORY]
POLLS_OF_DAY = {"cached": bool, "data": {"pollDate": is_day, "categories": [PUBLIC_CATEGORY]}}

RESULT = {
    "found": True,
    "pollId": is_id,
    "pollDate": is_day,
    "title": is_sentence,
    "question": TEXT,
    "maxRank": int | None,
    "audience": AUDIENCES,
    "status": STATUSES,
    "options": [CHOICE],
}
SINGLE_RESULT = RESULT | {
    "pollType": "SINGLE",
    "totalVotes": is_count,
    "results": [{"optionId": is_id, "label": is_sentence, "count": is_count}],
}
ROUND = {
    "round": is_count,
    "totals": Each(is_count),
    "eliminated": Nullable(is_id),
    "exhausted": is_count,
}
RANKED_RESULT = RESULT | {
    "pollType": "RANKED",
    "totalBallots": is_count,
    "winnerOptionId": Nullable(is_id),
    "rounds": [ROUND],
    "rankBreakdown": Each(Each(is_count)),
}

SHARE = {"optionId": is_id, "label": is_sentence, "voteCount": is_count, "percentage": NUMBER}
RANKED_SHARE = SHARE | {"isWinner": bool, "rankBreakdown": Each(is_count)}
PAST_POLL = {
    "pollId": is_id,
    "pollDate": is_day,
    "title": is_sentence,
    "pollType": TYPES,
    "totalVotes": is_count,
    "winner": Nullable(SHARE),
    "options": [SHARE],
}
PAST_RANKED_POLL = PAST_POLL | {
    "pollType": "RANKED",
    "winner": Nullable(RANKED_SHARE),
    "options": [RANKED_SHARE],
    "rounds": [ROUND],
    "totalBallots": is_count,
}
SNAPSHOT = {
    "id": is_id,
    "instanceId": is_id,
    "totalVotes": Nullable(is_count),
    "totalBallots": Nullable(is_count),
    "winnerOptionId": Nullable(is_id),
    "resultsJson": RESULT,
    "createdAt": is_instant,
}
ANALYTICS = {
    "totalVotes": is_count,
    "uniqueInstances": is_count,
    "todayVotes": is_count,
    "todayInstances": is_count,
    "dailyBreakdown": [{"date": is_day, "votes": is_count, "instances": is_count}],
}
AUDIT_LOG = {
    "action": is_sentence,
    "entityType": TEXT,
    "entityId": TEXT,
    "adminKeyHash": TEXT,
    "ipAddress": TEXT,
    "userAgent": TEXT,
    "changes": dict | None,
    "metadata": dict | None,
    "success": bool,
    "errorMessage": TEXT,
    "createdAt": is_instant,
}
