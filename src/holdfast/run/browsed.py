"""What a server shows, read by a process that lives no longer than that: every variable, read-only.

    python -m holdfast.run.browsed < {"options": [["url", "opc.tcp://…"], …], "under": "", "folder": "…"}

prints one JSON line: {"tags": […]}, or {"error": why}. It writes nothing, to the server or to the disk.
"""

import asyncio
import dataclasses
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from holdfast.clock import RealClock
from holdfast.plugins import PluginError
from holdfast.ports import ConnectionLost
from holdfast.site import plugged
from holdfast.site.first import TAGS_MAX
from holdfast.site.model import Connection
from holdfast.site.secrets import SecretError
from holdfast.terms import Tag, canonical

CONNECTION = "plc"  # its name in the first site file
TYPE = "opcua"
ASKED_BYTES_MAX = 1 << 16


async def browsed(options: Sequence[tuple[str, str]], under: str, folder: Path) -> list[Tag]:
    """One more than TAGS_MAX where there are more. `folder`: what `file:` begins from.

    Raises ConnectionLost, PluginError, SecretError, ValueError, OSError.
    """
    connection = Connection(name=CONNECTION, type=TYPE, options=tuple((key, value) for key, value in options if key != "type"))
    found: list[Tag] = []
    with tempfile.TemporaryDirectory() as state:
        reader = plugged.open_connector(connection, folder, clock=RealClock(), state_dir=Path(state))
        try:
            await reader.connect()
            async for tag in reader.browse(under):
                found.append(dataclasses.replace(tag, writable=False))
                if len(found) > TAGS_MAX:
                    break
        finally:
            await reader.close()
    return found


def main() -> None:
    asked = json.loads(sys.stdin.buffer.read(ASKED_BYTES_MAX))
    options = [(str(key), str(value)) for key, value in asked["options"]]
    try:
        found = asyncio.run(browsed(options, str(asked["under"]), Path(asked["folder"])))
        answer = canonical({"tags": found})
    except (ConnectionLost, PluginError, SecretError, ValueError, OSError) as error:
        answer = canonical({"error": str(error) or type(error).__name__})
    sys.stdout.buffer.write(answer + b"\n")


if __name__ == "__main__":
    main()
