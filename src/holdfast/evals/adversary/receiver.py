"""Where orders may go, and where they may not: a webhook that misleads, and a listener beside it that nobody may reach."""

import asyncio
import contextlib

HEAD_BYTES_MAX = 64 * 1024


class Receiver:
    """`answer`: the status line and headers that the listed address gives; `strays`: connections that came to the unlisted one."""

    def __init__(self) -> None:
        self.answer = "204 No Content"
        self.posted = asyncio.Event()  # set with each order that came
        self.strays = 0
        self.port = self.unlisted = 0
        self._servers: list[asyncio.Server] = []

    async def start(self) -> None:
        for serve in (self._listed, self._stray):
            self._servers.append(await asyncio.start_server(serve, "127.0.0.1", 0, limit=HEAD_BYTES_MAX))
        self.port, self.unlisted = (server.sockets[0].getsockname()[1] for server in self._servers)

    async def close(self) -> None:
        for server in self._servers:
            server.close()
            await server.wait_closed()

    def redirect(self, to: str, status: str = "307 Temporary Redirect") -> None:
        self.answer = f"{status}\r\nlocation: {to}"

    async def _listed(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            head = await reader.readuntil(b"\r\n\r\n")
            sizes = [line.partition(b":")[2] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            await reader.readexactly(int(sizes[0]) if sizes else 0)
            self.posted.set()
            writer.write(f"HTTP/1.1 {self.answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
            await writer.drain()
        await _closed(writer)

    async def _stray(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.strays += 1
        await _closed(writer)


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
