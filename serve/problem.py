"""RefusedErrors and failures as problem details (RFC 9457): the field and its rule, never the value, never a trace."""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from carbonray.client.messages import Problem, ProblemError
from serve.predictions import UnknownError
from serve.together import BusyError

MEDIA = "application/problem+json"
RETRY_SECONDS = 1
"""After which a 503 may be asked again."""
logger = logging.getLogger("ray.serve.carbonray")


class RefusedError(Exception):
    """An answer that is a problem."""

    def __init__(self, status: int, detail: str, *errors: tuple[str, str]) -> None:
        """Keep what is told.

        Args:
            status: of HTTP.
            detail: in words.
            errors: fields and their rules.
        """
        super().__init__(detail)
        self.status, self.detail, self.errors = status, detail, errors


def body_of(status: int, detail: str, errors: Sequence[tuple[str, str]] = ()) -> bytes:
    """Problem details as JSON."""
    told = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        errors=[ProblemError(field=field, rule=rule) for field, rule in errors],
    )
    return told.model_dump_json().encode()


def problem(status: int, detail: str, *errors: tuple[str, str], headers: Mapping[str, str] | None = None) -> Response:
    """Problem details as an answer."""
    told = {"retry-after": str(RETRY_SECONDS)} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    return Response(body_of(status, detail, errors), status, {**told, **(headers or {})}, MEDIA)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For the OpenAPI page: which problems a route may answer with."""
    return {status: {"model": Problem, "description": HTTPStatus(status).phrase} for status in statuses}


def install(app: FastAPI) -> None:
    """Make every refusal and failure of an app one."""
    app.add_exception_handler(RefusedError, _told)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(UnknownError, _unknown)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(BusyError, _busy)
    app.add_exception_handler(SQLAlchemyError, _store)
    app.add_exception_handler(Exception, _failed)


def _told(_: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return problem(error.status, error.detail, *error.errors)


def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = [(_place(one["loc"]), _rule(one)) for one in error.errors()[:20]]
    return problem(422, f"{found[0][0]}: {found[0][1]}", *found)


def _place(where: Sequence[Any]) -> str:
    """Dotted, without the word body."""
    parts = [str(part) for part in where if part != "[key]"]
    return ".".join(parts[1:] if len(parts) > 1 and parts[0] in ("body", "query", "path", "header") else parts)


def _rule(one: Mapping[str, Any]) -> str:
    if one["type"] == "extra_forbidden":
        return "unknown field"
    return str(one["msg"]).removeprefix("Value error, ")


def _unknown(_: Request, error: Exception) -> Response:
    assert isinstance(error, UnknownError)
    return problem(422, f"{error.field}: {error.rule}", (error.field, error.rule))


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return problem(405, str(error.detail), headers={"allow": ", ".join(_methods(request))})
    detail = "the body is not JSON" if error.status_code == HTTPStatus.BAD_REQUEST else str(error.detail)
    return problem(error.status_code, detail, headers=error.headers)


def _methods(request: Request) -> list[str]:
    """Of all routes of a path; Starlette tells those of the first."""
    routes = [own for route in request.app.routes
              for own in getattr(getattr(route, "original_router", None), "routes", [route])]  # fmt: skip
    found = [one for one in routes if getattr(one, "methods", None) and one.matches(request.scope)[0] is not Match.NONE]
    fewest = min((one.path.count("{") for one in found), default=0)  # /observations is not /{firm_id}
    return sorted(set().union(*(one.methods for one in found if one.path.count("{") == fewest)))


def _busy(_: Request, error: Exception) -> Response:
    return problem(503, str(error))


def _store(_: Request, error: Exception) -> Response:
    logger.error("store: %s", type(getattr(error, "orig", error)).__name__)
    return problem(503, "the store does not answer; nothing was stored")


def _failed(request: Request, error: Exception) -> Response:
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem(500, "this should not have happened; the service's log has more")
