"""PostgreSQL, where a server's programs and the driver are installed: rows are read, orders are inserted once."""

import importlib
import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from known_plant import Knowing

if importlib.util.find_spec("psycopg") is None:
    pytest.skip("the driver psycopg is not installed here", allow_module_level=True)
if shutil.which("initdb") is None or shutil.which("postgres") is None:
    pytest.skip("no PostgreSQL server is installed here", allow_module_level=True)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A server of our own on a free port; never as root, which it refuses."""
    user = pwd.getpwnam("nobody").pw_uid if os.getuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="hfpg", ignore_cleanup_errors=True) as folder:
        if user is not None:
            os.chown(folder, user, -1)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            number = int(free.getsockname()[1])
        options: dict[str, Any] = {
            "user": user,
            "env": {"PATH": os.environ["PATH"], "LC_ALL": "C"},
            "cwd": folder,
            "stdout": subprocess.DEVNULL,
        }
        subprocess.run(
            ["initdb", "-D", f"{folder}/db", "-A", "trust", "-U", "mes", "-E", "UTF8", "--no-sync"], check=True, timeout=50, **options
        )  # type: ignore[call-overload]
        command = ["postgres", "-D", f"{folder}/db", "-p", str(number), "-k", folder, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
        server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **options)
        try:
            assert server.stderr is not None
            for line in server.stderr:
                if "ready to accept connections" in line:
                    break
            yield number
        finally:
            server.terminate()
            server.communicate(timeout=20)


def run(port: int, *statements: str) -> list[tuple[object, ...]]:
    """Rows of the last statement."""
    driver: Any = importlib.import_module("psycopg")
    found: list[tuple[object, ...]] = []
    with driver.connect(host="127.0.0.1", port=port, user="mes", dbname="postgres") as db:
        for statement in statements:
            cursor = db.execute(statement)
            found = cursor.fetchall() if cursor.description else []
    return found


async def test_rows_of_a_query_are_facts_and_the_query_can_write_nothing(tmp_path: Path, port: int) -> None:
    run(port, "DROP TABLE IF EXISTS stock", "CREATE TABLE stock(item text, qty numeric, at timestamptz)",
        "INSERT INTO stock VALUES ('oil', 40.5, '2026-03-01T00:00:00Z'), ('old', 1, '2026-02-28T00:00:00Z')")  # fmt: skip
    server = f"type: postgres, host: 127.0.0.1, port: {port}, database: postgres, user: mes"
    query = "query: 'SELECT item AS name, qty AS value, at FROM stock'"
    plant = Knowing(tmp_path, f"{{s: {{kind: inventory, source: {{{server}, {query}}}, newer_than: 1h}}}}")
    assert await plant.later() == {"inventory:oil": 40.5}
    assert plant.flaws() == []
    run(port, "DROP TABLE stock")
    assert await plant.later(10) == {}
    assert plant.flaws() == [("s", "context.unread")]


async def test_an_order_is_one_row_however_often_it_is_delivered(tmp_path: Path, port: int) -> None:
    run(port, "DROP TABLE IF EXISTS orders", "CREATE TABLE orders(key text PRIMARY KEY, kind text, equipment text, body text)")
    target = f"{{mes: {{type: postgres, host: 127.0.0.1, port: {port}, database: postgres, user: mes, table: orders, orders: [notify]}}}}"
    plant = Knowing(tmp_path, "{}", outbox=target)
    plant.note()
    await plant.gate.advance()
    ((key, body),) = plant.gate._state.rows("SELECT key, body FROM outbox")
    await plant.gate.outbox._carriers["mes"].deliver(key, bytes(body))
    await plant.gate.errands.step()
    assert run(port, "SELECT key, kind, equipment FROM orders") == [(key, "notify", "stand")]
    progress = plant.gate.progress("p1")
    assert progress is not None
    assert progress.state == "done"
