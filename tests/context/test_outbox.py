"""Orders: durable with INTENT, delivered to file, database and webhook with one key, tried again within bounds, or given up."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import apsw
import pytest
from aiohttp import web
from known_plant import Knowing

from holdfast.gate.actuation import outbox
from holdfast.gate.actuation.deliver import FileCarrier, Undelivered
from holdfast.gate.actuation.transitions import after

FILE = "{log: {type: file, file: log.jsonl, orders: [notify, work_order]}}"


class Hook:
    """A webhook on a free port that answers what it is told to."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.got: list[tuple[str, str, dict[str, object]]] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.got.append((request.headers["Idempotency-Key"], request.headers.get("Authorization", ""), await request.json()))
        status = self.answers.pop(0) if self.answers else 200
        return web.Response(status=status, headers={"Location": "http://192.0.2.1/"} if status == 302 else {})


@contextlib.asynccontextmanager
async def hook() -> AsyncGenerator[Hook]:
    made = Hook()
    app = web.Application()
    app.router.add_post("/orders", made.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/orders"
    try:
        yield made
    finally:
        await runner.cleanup()


def lines(plant: Knowing) -> list[dict[str, object]]:
    path = plant.folder / "gate" / "outbox" / "log.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


async def act(plant: Knowing, seconds: float = 0.0) -> None:
    plant.clock.advance(seconds)
    await plant.gate.advance()
    await plant.gate.errands.step()


def state(plant: Knowing, id: str = "p1") -> tuple[str, str]:
    progress = plant.gate.progress(id)
    assert progress is not None
    return progress.state, progress.outcome.code if progress.outcome else ""


async def test_a_permitted_note_is_a_line_in_the_file_and_its_job_is_done(tmp_path: Path) -> None:
    plant = Knowing(tmp_path, "{}", outbox=FILE)
    assert plant.note(text="oil is low").verdict == "permit"
    await act(plant)
    (line,) = lines(plant)
    assert (line["kind"], line["equipment"], line["author"], line["claims"]) == (
        "notify", "stand", "ann", {"reason": "because", "text": "oil is low"},
    )  # fmt: skip
    assert state(plant) == ("done", "outbox.delivered")
    (intent,), (delivery,), (outcome,) = plant.records("intent"), plant.records("delivery"), plant.records("outcome")
    assert intent["targets"] == ["log"]
    assert (delivery["result"], delivery["key"], delivery["tries"]) == ("delivered", line["key"], 1)
    assert outcome["outcome"]["result"] == "verified"  # type: ignore[index]


async def test_what_no_target_takes_has_failed_and_says_so(tmp_path: Path) -> None:
    plant = Knowing(tmp_path, "{}", outbox="{log: {type: file, file: log.jsonl, orders: [hold_batch]}}")
    plant.note()
    await act(plant)
    assert state(plant) == ("failed", "action.no_carrier")
    assert lines(plant) == []


async def test_an_order_survives_a_restart_between_intent_and_delivery(tmp_path: Path) -> None:
    plant = Knowing(tmp_path, "{}", outbox=FILE)
    plant.note()
    await plant.gate.advance()
    assert (state(plant)[0], lines(plant)) == ("sent", [])
    plant.again()
    assert plant.gate.outbox.waiting() == 1
    await act(plant)
    assert (state(plant)[0], len(lines(plant))) == ("done", 1)
    await act(plant, 3600)
    assert len(lines(plant)) == 1


async def test_intent_and_outbox_are_one_transaction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant = Knowing(tmp_path, "{}", outbox=FILE)
    plant.note()

    def breaks(*_: object) -> None:
        raise RuntimeError("here")

    monkeypatch.setattr(plant.gate.outbox, "_add", breaks)
    with pytest.raises(RuntimeError, match="here"):
        await plant.gate.advance()
    assert (plant.records("intent"), plant.gate.outbox.waiting(), state(plant)[0]) == ([], 0, "approved")


async def test_a_line_that_a_crash_cut_short_spoils_no_other_and_a_repeated_key_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    carrier = FileCarrier(path)
    await carrier.deliver("k1", b'{"key":"k1"}')
    await carrier.deliver("k1", b'{"key":"k1"}')
    with path.open("ab") as file:
        file.write(b'{"key":"k2"')
    await carrier.deliver("k2", b'{"key":"k2"}')
    assert path.read_text().splitlines() == ['{"key":"k1"}', '{"key":"k2"', '{"key":"k2"}']


async def test_a_row_in_a_database_is_one_row_however_often_it_is_delivered(tmp_path: Path) -> None:
    plant = Knowing(tmp_path, "{}", outbox="{cmms: {type: sqlite, file: c.db, table: orders, orders: [work_order]}}")
    plant.note(kind="work_order")
    await act(plant)
    (row,) = plant.gate._state.rows("SELECT key, body FROM outbox")
    await plant.gate.outbox._carriers["cmms"].deliver(row[0], bytes(row[1]))
    db = apsw.Connection(str(tmp_path / "gate" / "outbox" / "c.db"))
    assert db.execute("SELECT key, kind, equipment FROM orders").fetchall() == [(row[0], "work_order", "stand")]
    db.close()


async def test_a_webhook_gets_the_token_and_the_same_key_until_it_says_yes(tmp_path: Path) -> None:
    async with hook() as to:
        to.answers = [500, 503, 201]
        (tmp_path / "hook.token").write_text("s3cret\n")
        plant = Knowing(tmp_path, "{}", outbox=f"{{mes: {{type: webhook, url: '{to.url}', token: file:hook.token, orders: [notify]}}}}")
        plant.note()
        await act(plant)
        assert (len(to.got), state(plant)[0]) == (1, "sent")
        await act(plant, 0.9)  # the wait is 2 s, jittered to 1 … 3
        assert len(to.got) == 1
        await act(plant, 2.1)
        await act(plant, 6.0)  # 4 s, jittered to 2 … 6
        assert state(plant) == ("done", "outbox.delivered")
    keys, tokens = {key for key, _, _ in to.got}, {token for _, token, _ in to.got}
    assert (len(to.got), len(keys), tokens) == (3, 1, {"Bearer s3cret"})
    assert [(r["result"], r.get("why")) for r in plant.records("delivery")] == [("failed", "500"), ("failed", "503"), ("delivered", None)]


@pytest.mark.parametrize("status", [400, 404, 410])
async def test_a_no_that_will_stay_a_no_is_given_up_at_once(tmp_path: Path, status: int) -> None:
    async with hook() as to:
        to.answers = [status]
        plant = Knowing(tmp_path, "{}", outbox=f"{{mes: {{type: webhook, url: '{to.url}', orders: [notify]}}}}")
        plant.note()
        await act(plant)
    assert (state(plant), len(to.got)) == (("failed", "outbox.dead"), 1)


async def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    async with hook() as to:
        to.answers = [302]
        plant = Knowing(tmp_path, "{}", outbox=f"{{mes: {{type: webhook, url: '{to.url}', orders: [notify]}}}}")
        plant.note()
        await act(plant)
    (record,) = plant.records("delivery")
    assert (record["result"], record["code"], record["why"]) == ("failed", "outbox.status", "302")


class Away:
    def __init__(self, up: Callable[[], bool] = lambda: False) -> None:
        self.tries = 0
        self.up = up

    async def deliver(self, key: str, body: bytes) -> None:
        self.tries += 1
        if not self.up():
            raise Undelivered("outbox.unreachable")


async def test_tries_are_bounded_and_every_one_is_on_record(tmp_path: Path) -> None:
    plant = Knowing(tmp_path, "{}", outbox=FILE)
    away = Away()
    plant.gate.outbox._carriers["log"] = away  # type: ignore[index]
    plant.note()
    await act(plant)
    for _ in range(20):
        await act(plant, 450.0)  # the longest wait, jittered upwards
    assert (away.tries, state(plant)) == (outbox.TRIES_MAX, ("failed", "outbox.dead"))
    assert [r["result"] for r in plant.records("delivery")] == ["failed"] * (outbox.TRIES_MAX - 1) + ["dead"]


async def test_one_target_that_is_away_holds_no_other_up_and_the_job_waits_for_both(tmp_path: Path) -> None:
    both = FILE[:-1] + ", hook: {type: webhook, url: 'http://127.0.0.1:9/x', orders: [notify]}}"
    plant = Knowing(tmp_path, "{}", outbox=both)
    up = [False]
    plant.gate.outbox._carriers["hook"] = Away(lambda: up[0])  # type: ignore[index]
    plant.note()
    await act(plant)
    assert (len(lines(plant)), state(plant)[0]) == (1, "sent")
    up[0] = True
    await act(plant, 3.0)
    assert (len(lines(plant)), state(plant)[0]) == (1, "done")


async def test_nothing_is_delivered_while_stop_is_pressed_and_it_goes_on_after(tmp_path: Path) -> None:
    plant = Knowing(tmp_path, "{}", outbox=FILE)
    plant.note()
    await plant.gate.advance()
    plant.gate.stop.press("stand", "ann")
    await act(plant)
    assert (lines(plant), state(plant)[0]) == ([], "sent")
    plant.gate.stop.release("stand")
    await act(plant)
    assert (len(lines(plant)), state(plant)[0]) == (1, "done")


async def test_more_than_may_wait_fails_instead_of_being_promised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "WAITING_MAX", 1)
    plant = Knowing(tmp_path, "{}", outbox=FILE)
    plant.note()
    plant.note()
    await plant.gate.advance()
    assert (state(plant, "p1")[0], state(plant, "p2")) == ("sent", ("failed", "outbox.full"))


async def test_a_carrier_that_hangs_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Hangs:
        async def deliver(self, key: str, body: bytes) -> None:
            await asyncio.Event().wait()

    monkeypatch.setattr(outbox, "HUNG_S", 0.01)
    plant = Knowing(tmp_path, "{}", outbox=FILE)
    plant.gate.outbox._carriers["log"] = Hangs()  # type: ignore[index]
    plant.note()
    await act(plant)
    assert plant.records("delivery")[0]["why"] == "TimeoutError"


async def test_the_same_proposal_twice_is_one_order(tmp_path: Path) -> None:
    plant = Knowing(tmp_path, "{}", outbox=FILE)
    plant.note(id="same")
    plant.note(id="same")
    await act(plant)
    plant.note(id="same")
    await act(plant)
    assert len(lines(plant)) == 1


def test_an_orders_way_through_the_table() -> None:
    assert after(after("approved", "stands"), "queued") == "sent"
    assert after("sent", "delivered") == "verified"
    assert after("verified", "judged") == "done"
    assert after("sent", "dead") == "failed"
