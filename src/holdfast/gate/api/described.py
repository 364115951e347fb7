"""What a door offers, as an OpenAPI 3.1 document made from the routes themselves, so that it can't say what the code doesn't.

A route's words are its docstring, its body is what the `TypeAdapter` that it names reads, and its query parameters are the
`Asked` beside it, which are also all that it is ever given: `demand_declared` refuses any other.
"""

import inspect
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from importlib.metadata import version
from typing import Any, Literal

from litestar import Litestar, Response, get
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from pydantic import TypeAdapter

from holdfast.gate.api.messages import BODY_BYTES_MAX, ITEMS_MAX, NUMBER_MAX, TEXT_CHARS_MAX, Problem, Req, json
from holdfast.terms import Word

QUERY_CHARS_MAX = 4_000  # of one parameter's value
SCHEMAS = "#/components/schemas/"
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")
_OF_PATH: Mapping[str, Mapping[str, Any]] = {
    "str": {"type": "string", "minLength": 1},
    "path": {"type": "string", "minLength": 1},
    "int": {"type": "integer", "minimum": 0, "maximum": NUMBER_MAX},
}


class Asked(Word):
    """One query parameter. `low` and `high` bound a whole number; `choices`, where there are any, are all there is."""

    name: str
    about: str
    type: Literal["integer", "string"] = "integer"
    low: int = -NUMBER_MAX
    high: int = NUMBER_MAX
    choices: tuple[str, ...] = ()
    required: bool = False


class Media(Word):
    """An answer that is no JSON."""

    type: str
    about: str


STREAM = Media(type="text/event-stream", about="Server-sent events.")
BYTES = Media(type="application/octet-stream", about="Bytes.")


def whole(name: str, about: str, low: int = -NUMBER_MAX, high: int = NUMBER_MAX, *, required: bool = False) -> Asked:
    return Asked(name=name, about=about, low=low, high=high, required=required)


def text(name: str, about: str, *choices: str, required: bool = False) -> Asked:
    return Asked(name=name, about=about, type="string", choices=choices, required=required)


def asked(handler: HTTPRouteHandler) -> tuple[Asked, ...]:
    """What stands beside a route as `query=(...)`."""
    return tuple(handler.opt.get("query", ()))


def demand_declared(request: Req) -> None:
    """No parameter that the route does not declare, and each within what it declares. Raises HTTPException 400.

    A misspelt `from_ns` that is passed over in silence would answer another question than the one that was asked.
    """
    handler = request.scope["route_handler"]
    known = {one.name: one for one in asked(handler)} if isinstance(handler, HTTPRouteHandler) else {}
    given = list(request.query_params.multi_items())
    names = [name for name, _ in given]
    for name, value in given:
        one = known.get(name)
        if one is None:
            there = ", ".join(known) or "none"
            raise HTTPException(status_code=400, detail=f"no parameter {name[:40]!r} here; there are: {there}")
        if names.count(name) > 1:
            raise HTTPException(status_code=400, detail=f"{name}: given more than once")
        if why := _wrong(one, value):
            raise HTTPException(status_code=400, detail=f"{name}: {why}")
    for one in known.values():
        if one.required and one.name not in names:
            raise HTTPException(status_code=400, detail=f"{one.name}: is wanted. {one.about}")


def _wrong(one: Asked, value: str) -> str:
    if len(value) > QUERY_CHARS_MAX:
        return f"{len(value)} characters; at most {QUERY_CHARS_MAX} are read"
    if one.choices and value not in one.choices:
        return f"there are: {', '.join(one.choices)}"
    if one.type == "integer" and not _WHOLE.fullmatch(value):
        return f"a whole number is wanted, not {value[:40]!r}"
    if one.type == "integer" and not one.low <= int(value) <= one.high:
        return f"from {one.low} to {one.high}"
    return ""


def description_handlers(title: str) -> list[Any]:
    """The route that serves the document of the app it is in."""
    made: list[Response[bytes]] = []

    @get("/v1/openapi.json")
    async def described(request: Req) -> Response[bytes]:
        """This document."""
        if not made:
            made.append(json(document(request.app, title)))
        return made[0]

    return [described]


def handlers_of(app: Litestar) -> list[tuple[str, str, HTTPRouteHandler]]:
    """(path, method, handler) of each route that was written; Litestar adds OPTIONS by itself."""
    return [
        (route.path_format, method, handler)
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        for method in sorted(handler.http_methods - {"OPTIONS"})
    ]


def words_of(handler: HTTPRouteHandler) -> str:
    return inspect.getdoc(handler.fn) or ""


def body_of(handler: HTTPRouteHandler) -> TypeAdapter[Any] | None:
    """The adapter that the route's own code names; None where it reads no body. Raises ValueError for several."""
    inside = inspect.unwrap(handler.fn)
    named = [inside.__globals__.get(name) for name in inside.__code__.co_names]
    found = [one for one in named if isinstance(one, TypeAdapter)]
    if len(found) > 1:
        raise ValueError(f"{sorted(handler.paths)}: names {len(found)} adapters; a route reads one kind of message")
    return found[0] if found else None


def document(app: Litestar, title: str) -> Mapping[str, Any]:
    """OpenAPI 3.1.0 (spec.openapis.org/oas/v3.1.0); schemas are pydantic's JSON Schema 2020-12. Raises ValueError."""
    schemas: dict[str, Any] = {}
    _keep(schemas, "Problem", TypeAdapter(Problem).json_schema(mode="serialization", ref_template=SCHEMAS + "{model}"))
    paths: dict[str, dict[str, Any]] = {}
    for path, method, handler in handlers_of(app):
        paths.setdefault(path, {})[method.lower()] = _operation(path, method, handler, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version("holdfast")},
        "servers": [{"url": "/", "description": "A Unix socket in the gate's folder."}],
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def _operation(path: str, method: str, handler: HTTPRouteHandler, schemas: dict[str, Any]) -> dict[str, Any]:
    said = words_of(handler)
    first, _, rest = said.partition("\n")
    told: dict[str, Any] = {
        "operationId": re.sub(r"[^a-z0-9]+", "_", f"{method} {path}".lower()).strip("_"),
        "summary": first,
        "description": rest.strip(),
        "parameters": [_of_path(name, handler) for name in re.findall(r"{(\w+)}", path)] + [_of_query(one) for one in asked(handler)],
        "responses": {
            str(handler.status_code): _answer(handler, schemas),
            "default": {
                "description": "A no, and why: 400 not understood, 401 signed out, 403 not allowed, 404 not there, 409 not now, "
                "413 too large, 429 too often, 503 not at the moment.",
                "content": {"application/json": {"schema": {"$ref": f"{SCHEMAS}Problem"}}},
            },
        },
        "security": [{}, {"token": []}],
    }
    if handler.opt.get("answers") is BYTES:
        told["responses"].setdefault("204", {"description": "Nothing yet."})
    adapter = body_of(handler)
    takes = handler.opt.get("takes")
    if isinstance(takes, Media):
        told["requestBody"] = {"required": True, "description": takes.about, "content": {takes.type: {}}}
    elif adapter is not None:
        told["requestBody"] = {"required": True, "content": {"application/json": {"schema": _body(adapter, handler, schemas)}}}
    return told


def _of_path(name: str, handler: HTTPRouteHandler) -> dict[str, Any]:
    kinds = {kind for path in handler.paths for kind in re.findall(rf"{{{name}:(\w+)}}", path)}
    return {"name": name, "in": "path", "required": True, "schema": dict(_OF_PATH[kinds.pop()])}


def _of_query(one: Asked) -> dict[str, Any]:
    schema: dict[str, Any]
    if one.type == "integer":
        schema = {"type": "integer", "minimum": one.low, "maximum": one.high}
    else:
        schema = {"type": "string", "enum": list(one.choices)} if one.choices else {"type": "string", "maxLength": QUERY_CHARS_MAX}
    return {"name": one.name, "in": "query", "required": one.required, "description": one.about, "schema": schema}


def _answer(handler: HTTPRouteHandler, schemas: dict[str, Any]) -> dict[str, Any]:
    answers = handler.opt.get("answers")
    if handler.status_code == 204:
        return {"description": "Done."}
    if isinstance(answers, Media):
        return {"description": answers.about, "content": {answers.type: {}}}
    schema: dict[str, Any] = {}
    if isinstance(answers, TypeAdapter):
        schema = _hoisted(answers.json_schema(mode="serialization", ref_template=SCHEMAS + "{model}"), schemas)
    return {"description": "Done." if handler.http_methods & {"POST"} else "Found.", "content": {"application/json": {"schema": schema}}}


def _body(adapter: TypeAdapter[Any], handler: HTTPRouteHandler, schemas: dict[str, Any]) -> dict[str, Any]:
    schema = deepcopy(adapter.json_schema(ref_template=SCHEMAS + "{model}"))
    if handler.opt.get("large"):  # bounded by the body's size alone
        return _hoisted(schema, schemas)
    _bound(schema)
    schema["description"] = " ".join(filter(None, (schema.get("description"), f"At most {BODY_BYTES_MAX} bytes.")))
    return _hoisted(schema, schemas)


def _bound(schema: Any) -> None:
    """What messages.read asks of every text and list."""
    if isinstance(schema, Sequence) and not isinstance(schema, str):
        for item in schema:
            _bound(item)
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "string" and "enum" not in schema:
        schema.setdefault("maxLength", TEXT_CHARS_MAX)
    if schema.get("type") == "array":
        schema.setdefault("maxItems", ITEMS_MAX)
    if schema.get("type") == "integer":
        schema.setdefault("minimum", -NUMBER_MAX)
        schema.setdefault("maximum", NUMBER_MAX)
    for item in schema.values():
        _bound(item)


def _hoisted(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    for name, inner in schema.pop("$defs", {}).items():
        _keep(schemas, name, inner)
    return schema


def _keep(schemas: dict[str, Any], name: str, schema: dict[str, Any]) -> None:
    if schemas.setdefault(name, schema) != schema:
        raise ValueError(f"two words of the name {name} differ; a document needs a name for each")
