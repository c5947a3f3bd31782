"""Typed views: a view's annotations say what it takes and gives.

The same annotations read and check the input, write the answer, and make the API document, so
none of the three can drift from the others.
"""

import functools
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from flask import Flask, Response
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from allthing.database.transactions import retry_once
from allthing.web.request_data import (
    BODY_LIMIT,
    Headers,
    Input,
    Query,
    read_body,
    read_headers,
    read_query,
)

View = Callable[..., Any]

JSON = "application/json"


class Out(BaseModel):
    """Base of all output: read from attributes of what is stored, written in camelCase."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        from_attributes=True,
        validate_by_name=True,
        serialize_by_alias=True,
    )


@dataclass(frozen=True)
class ViewSpec:
    """What a view takes and gives, and its errors beside those of every view.

    `answer` is None for what is not JSON.
    """

    body: type[Input] | None
    query: type[Query] | None
    headers: type[Headers] | None
    answer: type[BaseModel] | None
    media_type: str
    statuses: frozenset[HTTPStatus]
    errors: frozenset[HTTPStatus]
    body_limit: int


def typed_view(
    *errors: HTTPStatus,
    answer: type[BaseModel] | None = None,
    media_type: str = JSON,
    statuses: Iterable[HTTPStatus] = (HTTPStatus.OK,),
    body_limit: int = BODY_LIMIT,
) -> Callable[[View], Callable[..., ResponseReturnValue]]:
    """Make a view of a function that may take `body`, `query`, `headers`; it returns its answer.

    Args:
        errors: statuses that the view's rules refuse with, beyond 404 for an id in the path
            and 422 for input.
        answer: the shape of the answer, where the function returns it written already.
        media_type: what the answer is in; other than JSON, the function writes it as a response.
        statuses: those that the answer may come with.
        body_limit: the longest body, in bytes.
    """

    def decorate(view: View) -> Callable[..., ResponseReturnValue]:
        hints = inspect.get_annotations(view)
        spec = ViewSpec(
            body=hints.get("body"),
            query=hints.get("query"),
            headers=hints.get("headers"),
            answer=answer or (hints["return"] if media_type == JSON else None),
            media_type=media_type,
            statuses=frozenset(statuses),
            errors=frozenset(errors),
            body_limit=body_limit,
        )

        @functools.wraps(view)
        def call(**arguments: Any) -> ResponseReturnValue:
            if spec.headers is not None:
                arguments["headers"] = read_headers(spec.headers)
            if spec.query is not None:
                arguments["query"] = read_query(spec.query)
            if spec.body is not None:
                arguments["body"] = read_body(spec.body, spec.body_limit)
            given: ResponseReturnValue | BaseModel = retry_once(
                functools.partial(view, **arguments)
            )
            if isinstance(given, BaseModel):
                return Response(given.model_dump_json(), content_type=JSON)
            return given

        call.__dict__["spec"] = spec
        return call

    return decorate


def view_spec(app: Flask, name: str) -> ViewSpec | None:
    """Return what the view of a Flask endpoint takes and gives; None if it is not spec."""
    spec: ViewSpec | None = getattr(app.view_functions.get(name), "spec", None)
    return spec
