"""What clients read when their input is wrong: sentences of ours, whatever the field is.

These tests walk the input of every route, so that a new field can't bring a validator's own words.
"""

import re
from collections.abc import Iterator

import pytest
from flask import Flask
from pydantic import BaseModel, ValidationError

from allthing.admin.imports import ImportedCategoryIn, ImportedTemplateIn
from allthing.web.request_data import Headers, Query
from allthing.web.typed_views import view_spec
from allthing.web.validation_messages import describe_errors
from tests.support.api import Admin

WRONG_NUMBERS = (True, -1, 2**70, 1.5)
WRONG_STRINGS = ("", " ", "☃", "\u200b\u200b", "x" * 5000)
WRONG = (None, *WRONG_NUMBERS, *WRONG_STRINGS, [], [1], {}, ["x"] * 999)
WRONG_TEXTS = ("", "☃", "maybe", "-1", "9" * 5000, "2031-02-30", "1.5", "x" * 5000)
FOREIGN = re.compile(r"[Ii]nput|valid|instance of|should|parse|pydantic|\b[A-Z]\w+(In|Query)\b")


def models(app: Flask) -> set[type[BaseModel]]:
    """Return the classes of all bodies, query strings and headers."""
    specs = [spec for name in app.view_functions if (spec := view_spec(app, name))]
    taken = {model for spec in specs for model in (spec.body, spec.query, spec.headers)}
    return (taken - {None}) | {ImportedCategoryIn, ImportedTemplateIn}


def messages(model: type[BaseModel]) -> Iterator[str]:
    """Yield what is said of each field that is absent or wrong, and of no object at all."""
    names = [field.alias or name for name, field in model.model_fields.items()]
    texts_only = issubclass(model, (Query, Headers))
    entries = [{name: value} for name in names for value in (WRONG_TEXTS if texts_only else WRONG)]
    for value in [*entries, *([] if texts_only else [1, [1], "x"])]:
        try:
            model.model_validate(value)
        except ValidationError as error:
            yield describe_errors(error)


def test_no_field_is_refused_in_a_validators_own_words(app: Flask) -> None:
    said = {message for model in models(app) for message in messages(model)}

    assert len(said) > 50
    assert [message for message in sorted(said) if FOREIGN.search(message)] == []


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ([1], "body: has to be an object"),
        ({}, "key: is required; name: is required"),
        (
            {"key": "A B", "name": "x" * 200},
            (
                "key: may only have lower-case letters, digits and dashes; "
                "name: takes at most 128 characters"
            ),
        ),
    ],
    ids=["list", "empty", "form"],
)
def test_the_detail_says_what_to_mend(admin: Admin, body: object, detail: str) -> None:
    response = admin.call("POST", "/categories", body)

    assert (response.status_code, response.json["detail"]) == (422, detail)
