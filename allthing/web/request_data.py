"""Request data: every body, query string and header is read, bounded and checked here."""

import json
import re
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any, NoReturn, TypeVar

from flask import request
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel
from werkzeug.exceptions import (
    BadRequest,
    HTTPException,
    RequestEntityTooLarge,
    RequestTimeout,
    UnsupportedMediaType,
)
from werkzeug.http import parse_options_header

from allthing.errors import Invalid
from allthing.web.validation_messages import describe_errors

BODY_LIMIT = 1024 * 1024  # bytes
MAX_DEPTH = 20  # levels of nesting

CGI_HEADERS = {"CONTENT_TYPE", "CONTENT_LENGTH"}  # have no HTTP_ in the WSGI environment
UNSTORABLE = re.compile("[\0\ud800-\udfff]")  # NUL, and halves of surrogate pairs
Model = TypeVar("Model", bound=BaseModel)


class Input(BaseModel):
    """Base of all bodies: camelCase names, unknown fields ignored, types not guessed."""

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", strict=True)


class Query(BaseModel):
    """Base of all query strings: as `Input`, but every value arrives as text."""

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore")


class Headers(BaseModel):
    """Base of the headers that a view takes; the alias of a field is the header's name."""

    model_config = ConfigDict(extra="ignore")


def read_body(model: type[Model], limit: int = BODY_LIMIT) -> Model:
    """Read the request's JSON body as `model`; `limit` is in bytes.

    Raises `UnsupportedMediaType` for anything but UTF-8 JSON without a content encoding,
    `RequestEntityTooLarge` over the limit, `RequestTimeout` for a body that breaks off,
    `BadRequest` for what is not JSON (duplicate names, NaN and a byte order mark included), and
    `Invalid` for JSON that is not what the route takes.
    """
    environ = request.environ
    encoding = environ.get("HTTP_CONTENT_ENCODING") or "identity"
    if encoding != "identity" or not is_json_in_utf8(environ.get("CONTENT_TYPE", "")):
        raise UnsupportedMediaType("send the body as Content-Type: application/json, in UTF-8")
    return validate(model, parse_json(whole_body(limit)))


@lru_cache
def is_json_in_utf8(content_type: str) -> bool:
    mimetype, parameters = parse_options_header(content_type)
    is_json = re.fullmatch(r"application/([^/]+\+)?json", mimetype, re.IGNORECASE)
    return bool(is_json) and parameters.get("charset", "utf-8").lower() in {"utf-8", "utf8"}


def whole_body(limit: int) -> bytes:
    """Return the body if it came as announced: a part of it might read like another one."""
    request.max_content_length = limit + 1  # a chunked body is cut off there, not refused
    try:
        body = request.get_data(cache=False)
    except HTTPException:
        raise
    except Exception as error:  # each server has its own name for a body that is badly chunked
        raise BadRequest("the body is not sent as HTTP wants it") from error
    if len(body) > limit:
        raise RequestEntityTooLarge
    if len(body) < (request.content_length or 0):
        raise RequestTimeout("the body did not arrive whole")
    return body


def read_query(model: type[Model]) -> Model:
    """Read the query string as `model`; a parameter that is given twice is refused with 422."""
    try:
        given = request.args
    except UnicodeDecodeError as error:
        raise Invalid("the query string is not UTF-8") from error
    names = names_of(model)
    for name in names:
        if len(given.getlist(name)) > 1:
            raise Invalid(f"{name}: given more than once")
    values = {name: given[name] for name in names if name in given}
    return validate(model, checked(values))


def read_headers(model: type[Model]) -> Model:
    """Read what `model` names of the request's headers; one that is not as it says is a 400."""
    environ = request.environ  # `headers` raises and catches an error for each one that is missing
    values = {name: environ[key] for name, key in wsgi_names(model).items() if key in environ}
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise BadRequest(describe_errors(error)) from error


@cache
def names_of(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


@cache
def wsgi_names(model: type[BaseModel]) -> dict[str, str]:
    """Return the keys in the WSGI environment of the headers that a model names."""
    keys = {name: name.upper().replace("-", "_") for name in names_of(model)}
    return {name: key if key in CGI_HEADERS else f"HTTP_{key}" for name, key in keys.items()}


def validate(model: type[Model], value: object) -> Model:
    """Read `value` as `model`. Raises `Invalid` with a sentence for each fault."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise Invalid(describe_errors(error)) from error


def parse_json(body: bytes) -> object:
    try:
        value: object = DECODER.decode(body.decode("utf-8"))
    except RecursionError as error:
        raise Invalid(f"the body is nested more than {MAX_DEPTH} levels deep") from error
    except ValueError as error:
        raise BadRequest(f"the body is not JSON in UTF-8: {error}"[:200]) from error
    return checked(value)


def unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) < len(pairs):
        raise ValueError("a name is given twice in one object")
    return names


def refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


DECODER = json.JSONDecoder(object_pairs_hook=unique_names, parse_constant=refuse_constant)


def checked(value: object) -> object:
    """Return `value` unless it is nested too deep or holds text that can't be stored."""
    for part, depth in walk(value):
        if depth > MAX_DEPTH:
            raise Invalid(f"the body is nested more than {MAX_DEPTH} levels deep")
        if isinstance(part, str) and UNSTORABLE.search(part):
            raise Invalid("text may not contain NUL or half a surrogate pair")
    return value


def walk(value: object) -> Iterator[tuple[object, int]]:
    """Yield every value and name inside `value` with its depth, without recursion."""
    todo = [(value, 0)]
    while todo:
        part, depth = todo.pop()
        yield part, depth
        if isinstance(part, dict):
            todo += [(inner, depth + 1) for pair in part.items() for inner in pair]
        elif isinstance(part, list):
            todo += [(inner, depth + 1) for inner in part]
