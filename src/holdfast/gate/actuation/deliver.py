"""Hands one order to one target: a line in a file, a row in a database, a POST to a listed address. Once a call, no retry.

Each carries the idempotency key that was made with the order, and is told the same bytes at every try, so that a target
can tell a repetition. File and databases do so here.
"""

import asyncio
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import apsw

from holdfast.gate.context.sources import postgres
from holdfast.site import secrets
from holdfast.site.model import OutboxTarget
from holdfast.site.outbox import url_fault

DELIVER_TIMEOUT_S = 5.0
TAIL_BYTES = 256 << 10  # of a file that are searched for a key: what a crash repeats is the last that was written
FILE_MODE = 0o640
# The server will not say otherwise the next time: RFC 9110 §15.5, without those that speak of now (408, 409, 425, 429).
FINAL_STATUS = frozenset(range(400, 500)) - {408, 409, 425, 429}


class Undelivered(Exception):
    """The target did not take it, as far as is known. `final`: trying again would bring nothing else."""

    def __init__(self, code: str, why: str = "", *, final: bool = False) -> None:
        super().__init__(code)
        self.code, self.why, self.final = code, why, final


class Carrier(Protocol):
    async def deliver(self, key: str, body: bytes) -> None:
        """Raises Undelivered. `body` is one JSON object without line ends that holds the key too."""
        ...


class FileCarrier:
    """One line an order, on the disk before it counts as delivered."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def deliver(self, key: str, body: bytes) -> None:
        try:
            await asyncio.to_thread(self._append, key, body)
        except OSError as error:
            raise Undelivered("outbox.file", error.strerror or type(error).__name__) from None

    def _append(self, key: str, body: bytes) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        with os.fdopen(descriptor, "r+b", buffering=0) as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - TAIL_BYTES))
            tail = file.read(TAIL_BYTES) or b""
            complete = tail.endswith(b"\n") or not tail
            whole = tail if complete else tail[: tail.rfind(b"\n") + 1]
            if f'"key":"{key}"'.encode() in whole:
                return  # a crash came between the line and our note of it
            # A line that a crash cut short is ended first, so that it does not spoil this one.
            line = (b"" if complete else b"\n") + body + b"\n"
            if file.write(line) != len(line):
                raise OSError(28, "only a part of the line was written")
            os.fsync(file.fileno())


class SqliteCarrier:
    """A row an order in a table that is made where it is missing: key, kind, equipment, body (JSON)."""

    def __init__(self, path: Path, table: str) -> None:
        self.path, self.table = path, table  # the site file's grammar holds the table to a plain name

    async def deliver(self, key: str, body: bytes) -> None:
        try:
            await asyncio.to_thread(self._insert, key, body)
        except (apsw.Error, OSError) as error:
            raise Undelivered("outbox.sql", f"{type(error).__name__}: {error}") from None

    def _insert(self, key: str, body: bytes) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        db = apsw.Connection(str(self.path))
        try:
            db.set_busy_timeout(round(DELIVER_TIMEOUT_S * 1000))
            db.execute(
                f'CREATE TABLE IF NOT EXISTS "{self.table}" '
                "(key TEXT PRIMARY KEY, kind TEXT NOT NULL, equipment TEXT NOT NULL, body TEXT NOT NULL)"
            )
            db.execute(f'INSERT INTO "{self.table}" VALUES (?,?,?,?) ON CONFLICT (key) DO NOTHING', _columns(key, body))  # noqa: S608
        finally:
            db.close()


class PostgresCarrier:
    """The same in PostgreSQL, where the table is there already: an account that may insert and nothing else is enough."""

    def __init__(self, options: Mapping[str, Any], folder: Path) -> None:
        self._options, self._folder = options, folder

    async def deliver(self, key: str, body: bytes) -> None:
        try:
            await asyncio.to_thread(self._insert, key, body)
        except ImportError:
            raise Undelivered("context.driver", final=True) from None
        except Exception as error:  # noqa: BLE001 - whatever the driver raises; its text can hold the address
            raise Undelivered("outbox.sql", type(error).__name__) from None

    def _insert(self, key: str, body: bytes) -> None:
        table = str(self._options["table"])
        with postgres(self._options, self._folder, read_only=False) as db:  # leaving it commits
            db.execute(
                f'INSERT INTO "{table}" (key, kind, equipment, body) VALUES (%s,%s,%s,%s) ON CONFLICT (key) DO NOTHING',  # noqa: S608
                _columns(key, body),
            )


class WebhookCarrier:
    """An HTTP POST with the header Idempotency-Key; any 2xx means taken. Redirects are not followed: they lead elsewhere."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self._headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})

    async def deliver(self, key: str, body: bytes) -> None:
        import aiohttp  # here: a quarter of a second that a gate without webhooks need not wait for at its start

        limit = aiohttp.ClientTimeout(total=DELIVER_TIMEOUT_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=limit, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()) as session,
                session.post(self.url, data=body, headers=self._headers | {"idempotency-key": key}, allow_redirects=False) as answer,
            ):
                status = answer.status  # what else it says is not read
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise Undelivered("outbox.unreachable", type(error).__name__) from None
        if not 200 <= status < 300:
            raise Undelivered("outbox.status", str(status), final=status in FINAL_STATUS)


def carriers_of(targets: tuple[OutboxTarget, ...], outbox_folder: Path, site_folder: Path | None) -> dict[str, Carrier]:
    """One a target, its secrets resolved now. Relative files lie in `outbox_folder`, secrets beside the site file.

    Raises SecretError, ValueError.
    """
    beside = site_folder or Path()
    made: dict[str, Carrier] = {}
    for target in targets:
        options = dict(target.options)
        match target.type:
            case "file":
                made[target.name] = FileCarrier(outbox_folder / str(options["file"]))
            case "sqlite":
                made[target.name] = SqliteCarrier(outbox_folder / str(options["file"]), str(options["table"]))
            case "postgres":
                made[target.name] = PostgresCarrier(options, beside)
            case "webhook":
                url = secrets.text(str(options["url"]), beside)
                if why := url_fault(url):
                    raise ValueError(f"outbox {target.name}: its address can't be used: {why}; correct `url`")
                token = options.get("token")
                made[target.name] = WebhookCarrier(url, secrets.text(str(token), beside) if token else "")
    return made


def _columns(key: str, body: bytes) -> tuple[str, str, str, str]:
    order = json.loads(body)
    return key, str(order["kind"]), str(order["equipment"]), body.decode()
