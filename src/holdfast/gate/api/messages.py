"""What may come over the link and how it is read: strict, bounded, and refused with a word that says what is wrong."""

import logging
from collections.abc import Mapping
from typing import Any, TypeVar

from litestar import Request, Response
from litestar.exceptions import HTTPException
from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from holdfast.gate.approval.inbox import ApprovalError
from holdfast.gate.history.store import HistoryError
from holdfast.gate.ledger.store import StateError
from holdfast.terms import Word, canonical

BODY_BYTES_MAX = 64 * 1024
TEXT_CHARS_MAX = 4_000  # of any one text in a message
ITEMS_MAX = 512  # of any one list
DEPTH_MAX = 12
PROBLEMS_TOLD_MAX = 5
NUMBER_MAX = 2**62  # of any whole number: what SQLite holds, with room to add

T = TypeVar("T")
Req = Request[Any, Any, Any]


class Problem(Word):
    """A no. `message` is for people, in English; `code` has words in both languages, which name `facts`, and is "" for what no
    page can come to.

    `error` is `message` again, for a reader that knows no codes.
    """

    error: str
    code: str
    message: str
    facts: Mapping[str, str]
    retry_after_s: float | None = None


async def read(request: Req, adapter: TypeAdapter[T]) -> T:
    """The message in a request's body. Raises HTTPException 400 that names field and cause, 413 for one too large."""
    body = await request.body()
    if len(body) > BODY_BYTES_MAX:
        told = f"a message of {len(body)} bytes; at most {BODY_BYTES_MAX} are read"
        raise HTTPException(status_code=413, detail=told, extra={"code": "message.large"})
    try:
        message = adapter.validate_json(body)
        _bounded(from_json(body), "message", DEPTH_MAX)
        return message
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, e['loc'])) or 'message'}: {e['msg']}" for e in error.errors()[:PROBLEMS_TOLD_MAX]]
        raise HTTPException(status_code=400, detail="; ".join(problems), extra={"code": "message.unreadable"}) from None
    except (ValueError, RecursionError) as error:
        raise HTTPException(status_code=400, detail=f"not a message: {error}", extra={"code": "message.unreadable"}) from None


def _bounded(value: object, where: str, depth: int) -> None:
    """What is well-typed can still be large: a flood of it must end before the record. Raises ValueError."""
    if isinstance(value, str) and len(value) > TEXT_CHARS_MAX:
        raise ValueError(f"{where}: a text of {len(value)} characters; at most {TEXT_CHARS_MAX} are read")
    if isinstance(value, int) and abs(value) > NUMBER_MAX:
        raise ValueError(f"{where}: a whole number beyond ±{NUMBER_MAX}")
    if isinstance(value, list | dict):
        if len(value) > ITEMS_MAX:
            raise ValueError(f"{where}: {len(value)} items; at most {ITEMS_MAX} are read")
        if depth == 0:
            raise ValueError(f"{where}: nested deeper than {DEPTH_MAX}")
        for name, item in value.items() if isinstance(value, dict) else enumerate(value):
            _bounded(item, str(name)[:40], depth - 1)


def number(request: Req, name: str, default: int | None = None) -> int:
    """A whole number from the query. Raises HTTPException 400."""
    text = request.query_params.get(name)
    if text is None and default is not None:
        return default
    try:
        value = int(text or "")
    except ValueError:
        raise HTTPException(status_code=400, detail=f"{name}: a whole number is wanted, not {text!r}") from None
    if abs(value) > NUMBER_MAX:
        raise HTTPException(status_code=400, detail=f"{name}: out of range")
    return value


def json(value: Any, status: int = 200) -> Response[bytes]:
    return Response(canonical(value), status_code=status, media_type="application/json")


def on_problem(_: Req, error: Exception) -> Response[bytes]:
    """Every error leaves as JSON with one word for people; what is not ours says nothing of our inside."""
    if isinstance(error, HTTPException):
        facts = error.extra if isinstance(error.extra, dict) else {}
        named = facts.get("facts") or {}
        return problem(error.status_code, str(error.detail), str(facts.get("code", "")), facts.get("retry_after_s"), facts=named)
    if isinstance(error, StateError | HistoryError):
        return problem(
            503, "nothing can be recorded now, so nothing is decided; a person must look after the gate's disk", "gate.unrecorded"
        )
    if isinstance(error, ApprovalError):
        return problem(409, str(error), error.code)
    logging.getLogger(__name__).error("a request could not be served", exc_info=error)
    return problem(500, "the gate could not do this; its log says why", "gate.broken")


def problem(
    status: int, message: str, code: str = "", retry_after_s: float | None = None, *, facts: Mapping[str, str] | None = None
) -> Response[bytes]:
    return json(Problem(error=message, code=code, message=message, retry_after_s=retry_after_s, facts=facts or {}), status)
