"""The API's own description: OpenAPI 3.1 at `/openapi.json`, made of the classes that validate.

`/docs` shows it in Swagger UI, whose files come with a package and need no internet.
"""

import inspect
import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Flask, current_app
from flask.typing import ResponseReturnValue
from flask_swagger_ui import get_swaggerui_blueprint
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema
from werkzeug.routing import Rule

from allthing.endpoints import Endpoint, Out, endpoint_of

Json = dict[str, Any]

REF = "#/components/schemas/{model}"
PATH_ID = {"type": "string", "minLength": 1, "description": "An id as the API gave it."}
ADMIN_PREFIX = "/admin"
UNLIMITED = ("/healthz", "/readyz")

bp = Blueprint("openapi", __name__)
swagger_ui = get_swaggerui_blueprint("/docs", "/openapi.json", {"app_name": "allthing"})


class Problem(Out):
    """An error, as RFC 9457 has it; `detail` says what was wrong."""

    type: str
    title: str
    status: int
    detail: str


@bp.get("/openapi.json")
def show_document() -> ResponseReturnValue:
    return build_document(current_app)


def build_document(app: Flask) -> Json:
    """Describe every typed route of the app."""
    routes = list(typed_routes(app))
    names, schemas = component_schemas([typed for _, _, typed in routes])
    paths: dict[str, Json] = {}
    for rule, method, typed in routes:
        path = re.sub(r"<(\w+)>", r"{\1}", rule.rule)
        paths.setdefault(path, {})[method.lower()] = operation(app, rule, method, typed, names)
    return {
        "openapi": "3.1.0",
        "info": {"title": "allthing", "version": "1", "description": "Daily polls."},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "adminKey": {"type": "apiKey", "in": "header", "name": "x-admin-key"}
            },
        },
    }


def typed_routes(app: Flask) -> Iterator[tuple[Rule, str, Endpoint]]:
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        typed = endpoint_of(app, rule.endpoint)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            if typed is not None:
                yield rule, method, typed


Names = Mapping[Any, Json]


def component_schemas(endpoints: list[Endpoint]) -> tuple[Names, Json]:
    """Return a reference to the schema of each body and answer, and the schemas themselves."""
    wanted: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {(Problem, "serialization"): None}
    for typed in endpoints:
        wanted[typed.answer, "serialization"] = None
        if typed.body is not None:
            wanted[typed.body, "validation"] = None
    names, document = models_json_schema(list(wanted), ref_template=REF)
    return names, document["$defs"]


def operation(app: Flask, rule: Rule, method: str, typed: Endpoint, names: Names) -> Json:
    """Describe one method of one route."""
    view = app.view_functions[rule.endpoint]
    name = rule.endpoint.rpartition(".")[2]
    described: Json = {
        "operationId": name if method != "PATCH" else f"{name}_patch",
        "summary": (inspect.getdoc(view) or name.replace("_", " ").capitalize()).split("\n")[0],
        "tags": [rule.endpoint.split(".")[-2]],
        "parameters": [*path_parameters(rule), *query_parameters(typed)],
        "responses": responses(rule, typed, names),
    }
    if typed.body is not None:
        content = {"application/json": {"schema": names[typed.body, "validation"]}}
        described["requestBody"] = {"required": True, "content": content}
    if rule.rule.startswith(ADMIN_PREFIX):
        described["security"] = [{"adminKey": []}]
    return described


def path_parameters(rule: Rule) -> list[Json]:
    return [
        {"name": name, "in": "path", "required": True, "schema": PATH_ID}
        for name in sorted(rule.arguments)
    ]


def query_parameters(typed: Endpoint) -> list[Json]:
    if typed.query is None:
        return []
    schema = typed.query.model_json_schema()
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": without_null(field)}
        for name, field in schema["properties"].items()
    ]


def without_null(schema: Json) -> Json:
    """Say of an optional parameter what it may be when it is there: never null."""
    kinds = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
    if not kinds:
        return schema
    rest = {name: value for name, value in schema.items() if name not in {"anyOf", "default"}}
    return rest | (kinds[0] if len(kinds) == 1 else {"anyOf": kinds})


def responses(rule: Rule, typed: Endpoint, names: Names) -> Json:
    """Return the answer and every refusal that this route may give."""
    schema = names[typed.answer, "serialization"]
    answer = {"description": "Done.", "content": {"application/json": {"schema": schema}}}
    problem = names[Problem, "serialization"]
    content = {"application/problem+json": {"schema": problem}}
    refused = {
        str(int(status)): {"description": status.phrase, "content": content}
        for status in sorted(refusals(rule, typed))
    }
    return {"200": answer} | refused


def refusals(rule: Rule, typed: Endpoint) -> set[HTTPStatus]:
    """Return the statuses of all errors: those of the route's rules and those of its kind."""
    found = set(typed.refusals)
    if rule.rule not in UNLIMITED:
        found |= {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
    if rule.arguments:
        found.add(HTTPStatus.NOT_FOUND)
    if typed.query is not None:
        found.add(HTTPStatus.UNPROCESSABLE_ENTITY)
    if typed.body is not None:
        found |= {
            HTTPStatus.BAD_REQUEST,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            HTTPStatus.UNPROCESSABLE_ENTITY,
        }
    if rule.rule.startswith(ADMIN_PREFIX):
        found.add(HTTPStatus.UNAUTHORIZED)
    return found


def init_app(app: Flask) -> None:
    app.register_blueprint(bp)
    app.register_blueprint(swagger_ui)
