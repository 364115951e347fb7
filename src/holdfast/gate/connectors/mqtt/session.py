"""One connection to a broker, opened once and never again: paho's client on the event loop, with its bulk reading replaced.

paho keeps what was published while it was offline and sends it later. Here a client that lost its connection is thrown
away, and nothing is handed to one that is not connected: so no command outlives a connection.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from holdfast.gate.connectors.mqtt.packets import Cutter, Malformed
from holdfast.ports import ConnectionLost
from holdfast.terms import Word

READ_BYTES = 262_144
READS_MAX = 4  # at one go, before other tasks get their turn
LOOK_EVERY_S = 0.25  # how late a silence may be noticed
PING_AFTER_S_MAX = 1.0  # of silence; sooner where less than three of it are allowed
KEEPALIVE_S = 10  # told to the broker, which gives us up after one and a half of it
FILTERS_A_REQUEST = 200
REFUSED = 0x80  # a reason code from here on is a no (MQTT 5.0 §2.4)
NO_SUBSCRIBER = 0x10

# topic, payload (None: too large), retained
Heard = Callable[[bytes, bytes | None, bool], None]


class Address(Word):
    """Where the broker is and how it is spoken to; `ca`, `certificate` and `key` only with TLS."""

    name: str  # the connection's
    host: str
    port: int
    v5: bool
    tls: bool
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    login: str = ""
    client_id: str = ""
    alive_s: float
    timeout_s: float
    payload_bytes_max: int


class NotSent(Exception):
    """Nothing was put on the wire."""


class _Client(paho.Client):
    """paho's client, given whole packets instead of a socket that it would read byte by byte."""

    _packet = b""

    def recv_now(self) -> bytes:
        return super()._sock_recv(READ_BYTES)

    def handle(self, packet: bytes) -> MQTTErrorCode:
        self._packet = packet
        return self.loop_read()

    def ping(self) -> None:
        self._send_pingreq()

    def _ssl_wrap_socket(self, tcp_sock: socket.socket) -> ssl.SSLSocket:
        """As paho's, but a refused handshake leaves no open socket behind."""
        if self._ssl_context is None:
            raise ValueError("TLS without a context")
        sock = self._ssl_context.wrap_socket(tcp_sock, server_hostname=self.host, do_handshake_on_connect=False)
        sock.settimeout(self.connect_timeout)
        try:
            sock.do_handshake()
        except BaseException:
            sock.close()
            raise
        return sock

    def _sock_recv(self, bufsize: int) -> bytes:
        if not self._packet:
            raise BlockingIOError
        data, self._packet = self._packet[:bufsize], self._packet[bufsize:]
        return data


class Session:
    """`heard` gets every message as it comes. `lost` becomes true with the cause, once, when the connection is no more."""

    def __init__(self, address: Address, heard: Heard) -> None:
        self._address = address
        self._heard = heard
        self._loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[str] = self._loop.create_future()
        self._client = self._made()
        self._cutter = Cutter(v5=address.v5, bytes_max=address.payload_bytes_max, take=self._take, other=self._other)
        self._granted: dict[int, asyncio.Future[Sequence[int]]] = {}  # by identifier: SUBSCRIBEs that wait, at most one at a time
        self._answers: dict[int, asyncio.Future[int]] = {}  # by identifier: PUBLISHes that wait for their PUBACK
        self._connack: asyncio.Future[tuple[int, str]] = self._loop.create_future()
        self._look: asyncio.TimerHandle | None = None
        self._sock: socket.socket | None = None
        self._heard_s = self._pinged_s = self._loop.time()
        self._subscribing = asyncio.Lock()
        self.messages = 0

    @property
    def too_large(self) -> int:
        return self._cutter.too_large

    # ---- opening and closing -------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Raises ConnectionLost."""
        address = self._address
        where = f"{address.name}: {address.host}:{address.port}"
        properties = Properties(PacketTypes.CONNECT) if address.v5 else None
        opening = asyncio.get_running_loop().run_in_executor(
            None, lambda: self._client.connect(address.host, address.port, keepalive=KEEPALIVE_S, properties=properties)
        )
        try:
            await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(self._forsake)
            raise
        except ssl.SSLCertVerificationError as error:
            cure = "check that `server` is the certificate of its authority and that `host` is a name in it"
            raise ConnectionLost(f"{where}: the broker's certificate is refused ({error.verify_message}): {cure}") from None
        except (OSError, ValueError) as error:
            cause = str(error) or f"no answer within {address.timeout_s:g} s"
            raise ConnectionLost(f"{where} can't be reached ({cause}): check address, port, `security` and that the broker runs") from None
        sock = self._client.socket()
        if not isinstance(sock, socket.socket):
            raise ConnectionLost(f"{where}: it broke off at once; check `client_cert` and what the broker demands")
        self._attach(sock)
        try:
            async with asyncio.timeout(address.timeout_s):
                code, said = await self._connack
        except TimeoutError:
            self.fail(f"no CONNACK within {address.timeout_s:g} s")
            raise ConnectionLost(f"{where} took the connection and did not answer within {address.timeout_s:g} s") from None
        if code:
            self.fail(said)
            raise ConnectionLost(
                f"{where} refused us ({said}): check `login`, `client_cert`, `version` and what the broker allows this account"
            )

    def close(self) -> None:
        """Safe to call twice."""
        if not self.lost.done():
            with contextlib.suppress(OSError, ValueError):
                self._client.disconnect()
                self._client.loop_write()
        self.fail("closed by us")

    def fail(self, why: str) -> None:
        """The connection is no more: said to all who wait."""
        if self._look is not None:
            self._look.cancel()
        sock, self._sock = self._sock, None
        if sock is not None:
            if sock.fileno() >= 0:
                self._loop.remove_reader(sock)
                self._loop.remove_writer(sock)
            with contextlib.suppress(OSError):
                sock.close()
        if not self._connack.done():
            self._connack.set_result((REFUSED, why))
        for waiting in (*self._granted.values(), *self._answers.values()):
            waiting.cancel()
        self._granted.clear()
        self._answers.clear()
        if not self.lost.done():
            self.lost.set_result(why)

    # ---- asking --------------------------------------------------------------------------------------------------

    async def subscribe(self, filters: Sequence[tuple[str, int]]) -> Sequence[int]:
        """(filter, quality of service) each; the broker's code for each, 128 and more a refusal. Raises ConnectionLost."""
        codes: list[int] = []
        async with self._subscribing:
            for start in range(0, len(filters), FILTERS_A_REQUEST):
                codes += await self._subscribe(list(filters[start : start + FILTERS_A_REQUEST]))
        return codes

    def publish(self, topic: str, payload: bytes, *, qos: int, expires_s: int) -> "asyncio.Future[int]":
        """Exactly one PUBLISH, not retained, now. With `qos` 1 the future gets the broker's code (0 is a yes); with 0 it is never done.

        Raises NotSent where the connection is no more, or earlier bytes still wait to go out.
        """
        if self.lost.done() or not self._client.is_connected():
            raise NotSent("not connected")
        if self._client.want_write():
            raise NotSent("the broker takes nothing more at present")
        properties = None
        if self._address.v5:
            properties = Properties(PacketTypes.PUBLISH)
            properties.MessageExpiryInterval = expires_s  # what the broker could not hand on by then, it drops
        answer: asyncio.Future[int] = self._loop.create_future()
        info = self._client.publish(topic, payload, qos=qos, retain=False, properties=properties)
        if qos:
            self._answers[info.mid] = answer
            answer.add_done_callback(lambda _: self._answers.pop(info.mid, None))
        self._client.loop_write()
        return answer

    # ---- inside --------------------------------------------------------------------------------------------------

    def _made(self) -> _Client:
        address = self._address
        version = MQTTProtocolVersion.MQTTv5 if address.v5 else MQTTProtocolVersion.MQTTv311
        client = _Client(
            CallbackAPIVersion.VERSION2, client_id=address.client_id, clean_session=None if address.v5 else True, protocol=version,
            reconnect_on_failure=False, manual_ack=True,
        )  # fmt: skip
        client.connect_timeout = address.timeout_s
        client.suppress_exceptions = False
        if address.login:
            user, _, password = address.login.partition(":")
            client.username_pw_set(user, password)
        if address.tls:
            client.tls_set_context(_trust(address))
        client.on_connect = lambda _client, _data, _flags, code, _properties: self._connected(code)
        client.on_disconnect = lambda _client, _data, _flags, code, _properties: self._fail_soon(f"the broker says: {code}")
        client.on_subscribe = lambda _client, _data, mid, codes, _properties: self._subscribed(mid, [code.value for code in codes])
        client.on_publish = lambda _client, _data, mid, code, _properties: self._published(mid, code.value)
        return client

    def _attach(self, sock: socket.socket) -> None:
        """From here on the client lives on the event loop alone."""
        self._sock = sock
        client = self._client
        client.on_socket_register_write = lambda _client, _data, writing: self._loop.add_writer(writing, self._writable)
        client.on_socket_unregister_write = lambda _client, _data, writing: self._no_writer(writing)
        client.on_socket_close = lambda _client, _data, _closing: self._detach("the connection broke")
        self._loop.add_reader(sock, self._readable)
        if client.want_write():
            self._loop.add_writer(sock, self._writable)
        self._heard_s = self._pinged_s = self._loop.time()
        self._look = self._loop.call_later(LOOK_EVERY_S, self._watch)

    def _no_writer(self, sock: "paho.SocketLike") -> None:
        if sock.fileno() >= 0:
            self._loop.remove_writer(sock)

    def _detach(self, why: str) -> None:
        """The socket is about to be closed: its number may be another's in a moment."""
        sock, self._sock = self._sock, None
        if sock is not None and sock.fileno() >= 0:
            self._loop.remove_reader(sock)
            self._loop.remove_writer(sock)
            self._fail_soon(why)

    def _fail_soon(self, why: str) -> None:
        """Not from inside paho, which still works on what `fail` takes away."""
        self._loop.call_soon(self.fail, why)

    def _forsake(self, opening: "asyncio.Future[Any]") -> None:
        """Whoever waited for the connection has gone: close what came of it."""
        if not opening.cancelled() and opening.exception() is None:
            sock = self._client.socket()
            if isinstance(sock, socket.socket):
                sock.close()

    def _readable(self) -> None:
        for _ in range(READS_MAX):
            if self._sock is None:
                return
            try:
                data = self._client.recv_now()
            except BlockingIOError:
                return
            except OSError as error:
                self.fail(str(error))
                return
            if not data:
                self.fail("the broker closed the connection")
                return
            self._heard_s = self._loop.time()
            try:
                self._cutter.feed(data)
            except Malformed as error:
                self.fail(str(error))
                return
        self._loop.call_soon(self._readable)  # TLS may hold more than the socket shows

    def _writable(self) -> None:
        if self._sock is not None:
            self._client.loop_write()

    def _take(self, topic: bytes, payload: bytes | None, retained: bool, mid: int) -> None:
        self.messages += 1
        self._heard(topic, payload, retained)
        if mid:
            self._client.ack(mid, 1)

    def _other(self, packet: bytes) -> None:
        code = self._client.handle(packet)
        if code and not self.lost.done():
            self.fail(f"broken off: {paho.error_string(code)}")

    def _watch(self) -> None:
        """Alive is what sends; one that is silent is asked to."""
        now_s = self._loop.time()
        silent_s = now_s - self._heard_s
        if silent_s >= self._address.alive_s:
            self.fail(f"silent for {silent_s:.1f} s")
            return
        after_s = min(PING_AFTER_S_MAX, self._address.alive_s / 3)
        if (silent_s >= after_s and now_s - self._pinged_s >= after_s) or now_s - self._pinged_s >= KEEPALIVE_S / 2:
            self._pinged_s = now_s
            self._client.ping()
            self._client.loop_write()
        if self._sock is not None:
            self._look = self._loop.call_later(LOOK_EVERY_S, self._watch)

    async def _subscribe(self, filters: list[tuple[str, int]]) -> Sequence[int]:
        where = f"{self._address.name}: {self._address.host}:{self._address.port}"
        if self.lost.done():
            raise ConnectionLost(f"{where}: {self.lost.result()}")
        granted: asyncio.Future[Sequence[int]] = self._loop.create_future()
        code, mid = self._client.subscribe([(f, SubscribeOptions(qos=qos)) for f, qos in filters] if self._address.v5 else filters)
        if code or mid is None:
            raise ConnectionLost(f"{where}: {paho.error_string(code)}")
        self._granted[mid] = granted
        self._client.loop_write()
        try:
            async with asyncio.timeout(self._address.timeout_s):
                await asyncio.wait((granted, self.lost), return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            self.fail(f"no SUBACK within {self._address.timeout_s:g} s")
        finally:
            self._granted.pop(mid, None)
        if not granted.done() or granted.cancelled():
            raise ConnectionLost(f"{where}: {self.lost.result() if self.lost.done() else 'no SUBACK'}")
        return granted.result()

    def _connected(self, code: Any) -> None:
        if not self._connack.done():
            self._connack.set_result((code.value, str(code)))

    def _subscribed(self, mid: int, codes: list[int]) -> None:
        waiting = self._granted.get(mid)
        if waiting is not None and not waiting.done():
            waiting.set_result(codes)

    def _published(self, mid: int, code: int) -> None:
        waiting = self._answers.get(mid)
        if waiting is not None and not waiting.done():
            waiting.set_result(code)


def _trust(address: Address) -> ssl.SSLContext:
    """Only the authority that the site names is believed, not the machine's list. Raises OSError or ValueError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cafile=address.ca)
    if address.certificate is not None:
        context.load_cert_chain(address.certificate, address.key)
    return context
