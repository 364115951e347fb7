"""Models at both doors: agents hear what is in force and say what they run, people look, promote and put back."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from litestar import Response, get, post
from litestar.exceptions import HTTPException
from pydantic import TypeAdapter

from holdfast.gate.actuation.promotions import ModelsNow, Promoted, PromotionError
from holdfast.gate.api.messages import Req, json, read
from holdfast.gate.gatekeeper import Gatekeeper
from holdfast.site.modelroles import ModelStanding, ModelsTold
from holdfast.terms import Word


class ModelPromoted(Word):
    role: str
    digest: str  # or its beginning, 8 characters or more
    person: str
    password: str
    reason: str = ""


class ModelRolledBack(Word):
    role: str
    person: str
    password: str
    reason: str = ""


PROMOTE, ROLL_BACK = TypeAdapter(ModelPromoted), TypeAdapter(ModelRolledBack)
MODELS_TOLD = TypeAdapter(ModelsTold)


def running_handlers(gate: Gatekeeper, author: Callable[[Req], str], writer: Callable[[Req], str]) -> list[Any]:
    """Routes for `agents_app`."""
    models = gate.models

    @get("/v1/models", answers=TypeAdapter(tuple[ModelStanding, ...]))
    async def standing(request: Req) -> Response[bytes]:
        """Of each role that people put a model in force for, its digest."""
        author(request)
        return json(models.standing())

    @post("/v1/models", status_code=204)
    async def told(request: Req) -> None:
        """What this agent has loaded for each role, and how the models of this box fit it."""
        name = writer(request)
        try:
            models.told(name, await read(request, MODELS_TOLD))
        except PromotionError as error:
            raise _no(error) from None

    return [standing, told]


def model_handlers(gate: Gatekeeper, unlock: Callable[[str, str], Awaitable[Ed25519PrivateKey]]) -> list[Any]:
    """Routes for `people_app`. The bundles' cards are read in a thread: a slow disk delays no decision."""
    models = gate.models

    @get("/v1/models", answers=TypeAdapter(ModelsNow))
    async def now() -> Response[bytes]:
        """The models of this box, which serves which role, and which each agent says it runs."""
        return json(models.now(await asyncio.to_thread(models.known)))

    @post("/v1/models/promote", status_code=200, answers=TypeAdapter(Promoted))
    async def promote(request: Req) -> Response[bytes]:
        """Put a model in force for a role, as a person who may approve an adoption."""
        wanted = await read(request, PROMOTE)
        key = await unlock(wanted.person, wanted.password)
        known = await asyncio.to_thread(models.known)
        try:
            return json(models.promote(wanted.role, wanted.digest, wanted.person, key, known, reason=wanted.reason))
        except PromotionError as error:
            raise _no(error) from None

    @post("/v1/models/rollback", status_code=200, answers=TypeAdapter(ModelStanding))
    async def rollback(request: Req) -> Response[bytes]:
        """Put back what served a role before the model in force."""
        wanted = await read(request, ROLL_BACK)
        key = await unlock(wanted.person, wanted.password)
        known = await asyncio.to_thread(models.known)
        try:
            back = models.rollback(wanted.role, wanted.person, key, known, reason=wanted.reason)
        except PromotionError as error:
            raise _no(error) from None
        return json(ModelStanding(role=wanted.role, digest=back))

    return [now, promote, rollback]


def _no(error: PromotionError) -> HTTPException:
    return HTTPException(status_code=409, detail=str(error), extra={"code": error.code, "facts": error.facts})
