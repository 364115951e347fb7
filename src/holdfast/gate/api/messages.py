"""What may come over the link and how it is read: strict, bounded, and refused with a word that says what is wrong."""

from typing import Any, TypeVar

from litestar import Request, Response
from litestar.exceptions import HTTPException
from pydantic import TypeAdapter, ValidationError

from holdfast.terms import canonical

BODY_BYTES_MAX = 256 * 1024
PROBLEMS_TOLD_MAX = 5

T = TypeVar("T")
Req = Request[Any, Any, Any]


async def read(request: Req, adapter: TypeAdapter[T]) -> T:
    """The message in a request's body. Raises HTTPException 400 that names field and cause, 413 for one too large."""
    body = await request.body()
    if len(body) > BODY_BYTES_MAX:
        raise HTTPException(status_code=413, detail=f"a message of {len(body)} bytes; at most {BODY_BYTES_MAX} are read")
    try:
        return adapter.validate_json(body)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, e['loc'])) or 'message'}: {e['msg']}" for e in error.errors()[:PROBLEMS_TOLD_MAX]]
        raise HTTPException(status_code=400, detail="; ".join(problems)) from None
    except (ValueError, RecursionError) as error:
        raise HTTPException(status_code=400, detail=f"not a message: {error}") from None


def number(request: Req, name: str, default: int | None = None) -> int:
    """A whole number from the query. Raises HTTPException 400."""
    text = request.query_params.get(name)
    if text is None and default is not None:
        return default
    try:
        value = int(text or "")
    except ValueError:
        raise HTTPException(status_code=400, detail=f"{name}: a whole number is wanted, not {text!r}") from None
    if abs(value) > 2**62:
        raise HTTPException(status_code=400, detail=f"{name}: out of range")
    return value


def json(value: Any, status: int = 200) -> Response[bytes]:
    return Response(canonical(value), status_code=status, media_type="application/json")


def on_problem(_: Req, error: Exception) -> Response[bytes]:
    """Every error leaves as JSON with one word for people; what is not ours says nothing of our inside."""
    if isinstance(error, HTTPException):
        return json({"error": error.detail}, error.status_code)
    return json({"error": "the gate could not do this; its log says why"}, 500)
