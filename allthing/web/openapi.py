"""The API's own description: OpenAPI 3.1 at `/openapi.json`, made of the classes that validate.

`/docs` shows it in Swagger UI, whose files come with a package and need no internet.
"""

import functools
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

import orjson
from flask import Blueprint, Flask, Response, current_app
from flask.typing import ResponseReturnValue
from flask_swagger_ui import get_swaggerui_blueprint
from pydantic import MISSING, BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema
from pydantic_core.core_schema import ModelSchema
from werkzeug.routing import Rule

from allthing.config.version import __version__
from allthing.database import ID_LENGTH
from allthing.web.typed_views import JSON, Out, ViewSpec, view_spec

Json = dict[str, Any]
Names = Mapping[Any, Json]

REF = "#/components/schemas/{model}"
PATH_ID = {"type": "string", "minLength": 1, "maxLength": ID_LENGTH}
ADMIN_PREFIX = "/admin"
HEALTH_PREFIX = "health."
UNLIMITED = ("/healthz", "/readyz")
RETRY_STATUSES = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
BODY_ERRORS = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
}
DESCRIPTION = """\
A self-hosted backend for daily polls: what voters see and send, and below `/admin` what admins do.

- Bodies are JSON in UTF-8; a name given twice in one object is refused, an unknown one ignored.
- Text may not contain NUL. Its control characters are dropped, its length counts code points.
- Ids are opaque. A date is `YYYY-MM-DD` and means a day in the time zone of the polls; an instant
  carries its offset.
- Every error is a problem (RFC 9457) whose `detail` is a sentence for the person who reads it.
- A query parameter given twice is refused, an unknown one ignored.
- What the polls of today and their results are read with has an `ETag`: send it as `If-None-Match`
  and get 304 while nothing has changed.
"""
KEY_DESCRIPTION = "An admin's key. The header may also be spelled `xadminkey`."
RETRY_AFTER = {"required": True, "description": "Seconds.", "schema": {"type": "integer"}}

bp = Blueprint("openapi", __name__)
swagger_ui = get_swaggerui_blueprint("/docs", "/openapi.json", {"app_name": "allthing"})


class Problem(Out):
    """An error, as RFC 9457 has it; `detail` says what was wrong."""

    type: str
    title: str
    status: int
    detail: str


class Schemas(GenerateJsonSchema):
    """Leaves out titles, which only repeat the names; an answer has all but `MISSING` fields."""

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002  # theirs
        return False

    def field_is_required(self, field: Any, total: bool) -> bool:
        is_always_there = field["schema"].get("default") is not MISSING
        answered = self.mode == "serialization" and is_always_there
        return answered or super().field_is_required(field, total)

    def model_schema(self, schema: ModelSchema) -> Json:
        described = super().model_schema(schema)
        described.pop("title", None)
        return described


@bp.get("/openapi.json")
def show_document() -> ResponseReturnValue:
    document: Callable[[], bytes] = current_app.extensions["openapi"]
    return Response(document(), content_type=JSON)


def build_document(app: Flask) -> Json:
    """Describe every typed route of the app."""
    routes = list(typed_routes(app))
    names, schemas = component_schemas([spec for _, _, spec in routes])
    paths: dict[str, Json] = {}
    for rule, method, spec in routes:
        path = re.sub(r"<(\w+)>", r"{\1}", rule.rule)
        paths.setdefault(path, {})[method.lower()] = operation(app, rule, method, spec, names)
    key = {"type": "apiKey", "in": "header", "name": "x-admin-key", "description": KEY_DESCRIPTION}
    return {
        "openapi": "3.1.0",
        "info": {"title": "allthing", "version": __version__, "description": DESCRIPTION},
        "tags": tags(app, [rule for rule, _, _ in routes]),
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"adminKey": key}},
    }


def typed_routes(app: Flask) -> Iterator[tuple[Rule, str, ViewSpec]]:
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        spec = view_spec(app, rule.endpoint)
        for method in documented_methods(rule):
            if spec is not None:
                yield rule, method, spec


def documented_methods(rule: Rule) -> list[str]:
    return sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})


def component_schemas(specs: list[ViewSpec]) -> tuple[Names, Json]:
    """Return a reference to the schema of each class that comes in or goes out, and the schemas."""
    wanted: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {(Problem, "serialization"): None}
    for spec in specs:
        if spec.answer is not None:
            wanted[spec.answer, "serialization"] = None
        if spec.body is not None:
            wanted[spec.body, "validation"] = None
    names, document = models_json_schema(list(wanted), ref_template=REF, schema_generator=Schemas)
    return names, document["$defs"]


def tags(app: Flask, rules: list[Rule]) -> list[Json]:
    """Describe each section with the first sentence of the module that its views are in."""
    modules = {tag(rule): inspect.getmodule(app.view_functions[rule.endpoint]) for rule in rules}
    return [
        {"name": name, "description": (inspect.getdoc(module) or "").split("\n")[0]}
        for name, module in sorted(modules.items())
    ]


def tag(rule: Rule) -> str:
    return str(rule.endpoint.split(".")[-2])


def operation(app: Flask, rule: Rule, method: str, spec: ViewSpec, names: Names) -> Json:
    """Describe one method of one route; its words are those of the view's docstring."""
    name = rule.endpoint.rpartition(".")[2]
    methods = [m for r in app.url_map.iter_rules(rule.endpoint) for m in documented_methods(r)]
    text = inspect.getdoc(app.view_functions[rule.endpoint]) or name
    summary, _, description = text.partition("\n\n")
    described: Json = {
        "operationId": name if len(methods) == 1 else f"{name}_{method.lower()}",
        "summary": summary,
        "tags": [tag(rule)],
        "parameters": [
            *path_parameters(rule),
            *parameters("query", spec.query),
            *parameters("header", spec.headers),
        ],
        "responses": responses(rule, spec, names),
    }
    if description:
        described["description"] = description
    if spec.body is not None:
        described["requestBody"] = {
            "required": True,
            "description": f"At most {spec.body_limit // 1024} KiB.",
            "content": {"application/json": {"schema": names[spec.body, "validation"]}},
        }
    if rule.rule.startswith(ADMIN_PREFIX):
        described["security"] = [{"adminKey": []}]
    return described


def path_parameters(rule: Rule) -> list[Json]:
    return [
        {"name": name, "in": "path", "required": True, "schema": PATH_ID}
        for name in sorted(rule.arguments)
    ]


def parameters(place: str, model: type[BaseModel] | None) -> list[Json]:
    if model is None:
        return []
    schema = model.model_json_schema(schema_generator=Schemas)
    required = schema.get("required", [])
    return [
        {"name": name, "in": place, "required": name in required, "schema": without_null(field)}
        for name, field in schema["properties"].items()
    ]


def without_null(schema: Json) -> Json:
    """Say of an optional parameter what it may be when it is there: never null."""
    kinds: list[Json] = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    rest = {name: value for name, value in schema.items() if name not in {"anyOf", "default"}}
    return rest | kinds[0]


def responses(rule: Rule, spec: ViewSpec, names: Names) -> Json:
    """Return the answer and every refusal that this route may give."""
    described: dict[int, Json] = {}
    problem = {"application/problem+json": {"schema": names[Problem, "serialization"]}}
    for status in error_statuses(rule, spec):
        described[status] = {"description": status.phrase, "content": problem}
        if status in RETRY_STATUSES:
            described[status]["headers"] = {"Retry-After": RETRY_AFTER}
    shape = names[spec.answer, "serialization"] if spec.answer else {"type": "string"}
    answer = {spec.media_type: {"schema": shape}}
    for status in spec.statuses:
        described[status] = {"description": status.phrase, "content": answer}
    return {str(int(status)): described[status] for status in sorted(described)}


def error_statuses(rule: Rule, spec: ViewSpec) -> set[HTTPStatus]:
    """Return the statuses of all errors: those of the route's rules and those of its kind."""
    found = set(spec.errors)
    if rule.rule not in UNLIMITED:
        found.add(HTTPStatus.TOO_MANY_REQUESTS)
    if not rule.endpoint.startswith(HEALTH_PREFIX):
        found.add(HTTPStatus.SERVICE_UNAVAILABLE)
    if rule.arguments:
        found.add(HTTPStatus.NOT_FOUND)
    if spec.query is not None:
        found.add(HTTPStatus.UNPROCESSABLE_ENTITY)
    if spec.body is not None:
        found |= BODY_ERRORS
    if rule.rule.startswith(ADMIN_PREFIX):
        found.add(HTTPStatus.UNAUTHORIZED)
    return found


def init_app(app: Flask) -> None:
    app.extensions["openapi"] = functools.cache(lambda: orjson.dumps(build_document(app)))
    app.register_blueprint(bp)
    app.register_blueprint(swagger_ui)
