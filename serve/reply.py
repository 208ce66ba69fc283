"""Answers as JSON: arrays as they are, NaN as null."""

from collections.abc import Callable
from typing import Any, TypeVar

import orjson
from fastapi import Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from serve.middleware import OPEN
from serve.problem import MEDIA, RefusedError

M = TypeVar("M", bound=BaseModel)


def json_of(value: Any) -> bytes:
    """As JSON."""
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)


def answer(value: Any, status: int = 200) -> Response:
    """JSON as an answer, bytes as they are."""
    body = value if isinstance(value, bytes) else json_of(value)
    return Response(body, status, media_type="application/json")


def body(model: type[M]) -> Any:
    """A dependency that reads the body as strictly as the OpenAPI page says: "1" is no number, 1 no boolean.

    Raises:
        RequestValidationError: naming the fields and their rules, without what was given.
        RefusedError: 400 if it is not JSON, 415 if it does not say that it is.
    """

    async def read(request: Request) -> M:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise RefusedError(415, "send the body as application/json")
        try:
            return model.model_validate_json(await request.body(), strict=True)
        except ValidationError as error:
            found = error.errors(include_url=False, include_context=False, include_input=False)
        if found[0]["type"] == "json_invalid":
            raise RefusedError(400, "the body is not JSON")
        raise RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in found])

    return Depends(read)


async def only_known(request: Request) -> None:
    """Refuse a query parameter that a route has not; what is misspelt would be passed over.

    Raises:
        RequestValidationError: naming it.
    """
    known = {one.alias for one in request.scope["route"].dependant.query_params}
    for name in request.query_params:
        if name not in known:
            raise RequestValidationError([{"type": "extra_forbidden", "loc": ("query", name), "msg": ""}])


def documented_body(model: type[BaseModel]) -> dict[str, Any]:
    """What the OpenAPI page says of such a body."""
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}}
    return {"requestBody": {"required": True, "content": content}}


def _problems(responses: dict[str, Any]) -> None:
    """Every refusal is told as problem details, whatever FastAPI would say of it."""
    for status, response in responses.items():
        if status >= "4":
            response["content"] = {MEDIA: {"schema": {"$ref": "#/components/schemas/Problem"}}}


_KEYED = {"401": {"description": "No valid API key"}, "403": {"description": "Not a scope of this key"}}
"""Answers of every route that a key opens, once there is one."""


def with_schemas(document: Callable[[], dict[str, Any]], *models: type[BaseModel]) -> Callable[[], dict[str, Any]]:
    """An OpenAPI document that has the schemas of such bodies too."""

    def whole() -> dict[str, Any]:
        told = document()
        schemas = told.setdefault("components", {}).setdefault("schemas", {})
        for model in models:
            schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas |= schema.pop("$defs", {})
            schemas[model.__name__] = schema
        told["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        for path, route in told["paths"].items():
            for operation in route.values():
                if path not in OPEN:
                    operation["security"] = [{}, {"key": []}]
                    operation["responses"] |= _KEYED
                _problems(operation["responses"])
        return told

    return whole
