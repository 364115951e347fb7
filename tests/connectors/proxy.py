"""A TCP proxy between a connector and a real server, to freeze or cut what lies between them."""

import asyncio
import contextlib


class Proxy:
    """Forwards bytes both ways; `frozen` holds both directions back, `swallow` only the answers."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._server: asyncio.Server | None = None
        self._flows: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._open = asyncio.Event()
        self._open.set()
        self._answers = asyncio.Event()
        self._answers.set()
        self.port = 0

    async def __aenter__(self) -> "Proxy":
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.cut()

    async def freeze(self) -> None:
        self._open.clear()

    async def swallow(self) -> None:
        self._answers.clear()

    async def cut(self) -> None:
        """Close every connection and accept no more."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for writer in self._writers:
            writer.transport.abort()
        flows = list(self._flows)
        for flow in flows:
            flow.cancel()
        await asyncio.gather(*flows, return_exceptions=True)
        await asyncio.sleep(0)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._to)
        self._writers |= {writer, there_writer}
        for source, sink, answers in ((reader, there_writer, False), (there_reader, writer, True)):
            task = asyncio.create_task(self._flow(source, sink, answers))
            self._flows.add(task)
            task.add_done_callback(self._flows.discard)

    async def _flow(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, answers: bool) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                await self._open.wait()
                if answers:
                    await self._answers.wait()
                sink.write(data)
                await sink.drain()
        sink.close()
