"""A PostgreSQL server of our own on a free port, to be stopped and started; never as root, which it refuses."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from typing import Any


def missing() -> str:
    """Why there can be none here; empty where there can."""
    return next((f"{program} is not installed here" for program in ("initdb", "postgres") if shutil.which(program) is None), "")


class Postgres:
    """Database and account `mes`; a connection from this machine needs no password."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="hfpg", ignore_cleanup_errors=True)
        user = pwd.getpwnam("nobody").pw_uid if os.getuid() == 0 else None
        if user is not None:
            os.chown(self._folder.name, user, -1)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
        self._options: dict[str, Any] = {"user": user, "env": environment, "cwd": self._folder.name, "stdout": subprocess.DEVNULL}
        self._server: subprocess.Popen[str] | None = None
        command = ["initdb", "-D", f"{self._folder.name}/db", "-A", "trust", "-U", "mes", "-E", "UTF8", "--no-sync"]
        subprocess.run(command, check=True, timeout=50, **self._options)

    def start(self) -> None:
        folder = self._folder.name
        command = ["postgres", "-D", f"{folder}/db", "-p", str(self.port), "-k", folder]
        command += ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
        self._server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **self._options)
        assert self._server.stderr is not None
        for line in self._server.stderr:
            if "ready to accept connections" in line:
                return
        raise AssertionError("PostgreSQL did not start")

    def stop(self) -> None:
        """As if the machine lost power."""
        server, self._server = self._server, None
        if server is not None:
            server.send_signal(3)  # SIGQUIT: immediate shutdown
            server.communicate(timeout=20)

    def end(self) -> None:
        self.stop()
        self._folder.cleanup()

    def run(self, *statements: str) -> list[tuple[Any, ...]]:
        """Rows of the last statement."""
        import psycopg

        found: list[tuple[Any, ...]] = []
        with psycopg.connect(host="127.0.0.1", port=self.port, user="mes", dbname="postgres") as db:
            for statement in statements:
                cursor = db.execute(statement.encode())
                found = cursor.fetchall() if cursor.description else []
        return found
