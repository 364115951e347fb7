"""One connection from socket to activated session, opened once and never mended: after a loss the gate opens another.

asyncua's `connect()` is not used: its watchdog kills large set-ups and its reconnection reports success without data.
"""

import asyncio
import contextlib
from pathlib import Path

from asyncua import ua
from asyncua.client.client import Client
from asyncua.client.ua_client import UaClientState
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from asyncua.crypto.uacrypto import CertProperties
from asyncua.ua.status_codes import StatusCodes

from holdfast.gate.connectors.opcua import identity
from holdfast.gate.connectors.opcua.limit import at_most
from holdfast.gate.connectors.opcua.publish import Publisher, Session
from holdfast.ports import ConnectionLost
from holdfast.terms import Word

_CLOSE_S = 1.0
_RENEW_AT = 0.75  # of the token's life (OPC 10000-4 §5.5.2.1)
# What a torn connection leaves behind at the server, and servers allow few (an S7-1500 some 30). Publishing keeps a live one.
_SESSION_MS = 30_000
_LOGIN_REFUSED = (
    StatusCodes.BadUserAccessDenied,
    StatusCodes.BadIdentityTokenRejected,
    StatusCodes.BadIdentityTokenInvalid,
    StatusCodes.BadUserSignatureInvalid,
)


class Address(Word):
    """Where to connect and as whom. `pinned` is the server's certificate (DER), None for security `none`."""

    name: str
    url: str
    pinned: bytes | None
    certificate: Path | None
    key: Path | None
    login: str
    timeout_s: float


class Channel:
    """An open session with its publisher. `lost` says why it is over, "" while it is not."""

    def __init__(self, client: Client, session: Session) -> None:
        self.client = client
        self.session = session
        self.publisher = Publisher(self.session)
        self.lost = ""
        self._renewal = asyncio.create_task(self._renew())

    @property
    def alive(self) -> bool:
        return not self.lost and self.client.uaclient.state is UaClientState.CONNECTED

    def fail(self, why: str) -> None:
        """Give the connection up: nothing more is sent on it."""
        if not self.lost:
            self.lost = why
        self.publisher.fail(why)
        _drop(self.client)

    async def close(self) -> None:
        self._renewal.cancel()
        await asyncio.gather(self._renewal, return_exceptions=True)
        polite = self.alive
        self.lost = self.lost or "closed by us"
        await self.publisher.close()
        if polite:
            with contextlib.suppress(ua.UaError, OSError, TimeoutError):
                async with at_most(_CLOSE_S):
                    await self.client.close_session()
                    await self.client.close_secure_channel()
        _drop(self.client)
        await _settle()

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(max(self.client.secure_channel_timeout / 1000 * _RENEW_AT, 1.0))
            try:
                await self.client.open_secure_channel(renew=True)
                self.client.uaclient.revolve_security_token()
            except (ua.UaError, OSError, TimeoutError) as error:
                self.fail(f"the secure channel could not be renewed: {error or type(error).__name__}")
                return


async def open_channel(address: Address) -> Channel:
    """Raises ConnectionLost that says what to check."""
    client, session = await _client(address)
    user, _, password = address.login.strip().partition(":")
    try:
        async with at_most(address.timeout_s * 2):
            await client.connect_socket()
            await client.send_hello()
            await client.open_secure_channel()
            await client.create_session()
            await client.activate_session(username=user or None, password=password or None)
    except BaseException as error:
        _drop(client)
        await _settle()
        # asyncua asserts that an answer to OpenSecureChannel came, where a server sends an error message instead.
        if not isinstance(error, ua.UaError | OSError | TimeoutError | ConnectionError | AssertionError):
            raise
        raise ConnectionLost(f"{address.name}: {await _why(address, error)}") from None
    return Channel(client, session)


async def _client(address: Address) -> tuple[Client, Session]:
    client = Client(address.url, timeout=address.timeout_s)
    client.uaclient.session = session = Session(client.uaclient)
    client.name = client.description = "Holdfast gate"
    client.application_uri = identity.APPLICATION_URI
    client.product_uri = "urn:holdfast"
    client.session_timeout = _SESSION_MS
    if address.pinned is not None and address.certificate is not None and address.key is not None:
        try:
            await client.set_security(
                SecurityPolicyBasic256Sha256,
                certificate=str(address.certificate),
                private_key=str(address.key),
                server_certificate=CertProperties(address.pinned, extension="der"),
            )
        except (ua.UaError, OSError, ValueError) as error:
            raise ConnectionLost(
                f"{address.name}: own certificate {address.certificate} or key {address.key} can't be used: {error}"
            ) from None
    return client, session


async def _why(address: Address, error: BaseException) -> str:
    """What to tell a person. After a failed handshake the server's certificate is asked for, and compared, once."""
    code = error.code if isinstance(error, ua.UaStatusCodeError) else None
    if code in _LOGIN_REFUSED:
        return f"{address.url} refused the login: check user and password in `login`"
    if isinstance(error, ConnectionRefusedError):
        return f"{address.url} can't be reached (connection refused): check that the server runs and the port is right"
    if isinstance(error, OSError) and not isinstance(error, ConnectionError | TimeoutError):
        return f"{address.url} can't be reached ({error.strerror or error}): check the address"
    if address.pinned is not None:
        shown = await _shown_certificate(address)
        if shown is not None and shown != address.pinned:
            return (
                f"{address.url} shows another certificate ({identity.thumbprint(shown)}) than the pinned one"
                f" ({identity.thumbprint(address.pinned)}): not connected. If the server's certificate was renewed, compare the thumbprint"
                " at the server itself and put the new file where `server` points"
            )
        if code is not None or isinstance(error, ConnectionError | TimeoutError | AssertionError):
            return (
                f"{address.url} ended the handshake ({error or type(error).__name__}): check that it offers Basic256Sha256,"
                f" sign and encrypt, and that it trusts this gate's certificate {address.certificate}"
            )
    if isinstance(error, TimeoutError):
        return f"{address.url} does not answer within {address.timeout_s:g} s: check that an OPC UA server listens there"
    return f"{address.url}: {error or type(error).__name__}: check that it is an OPC UA server that offers security `none` and this login"


async def _shown_certificate(address: Address) -> bytes | None:
    """The certificate that the server shows for Basic256Sha256 to anyone who asks; None when it does not say."""
    client = Client(address.url, timeout=address.timeout_s)
    try:
        async with at_most(address.timeout_s):
            endpoints = await client.connect_and_get_server_endpoints()
    except (ua.UaError, OSError, TimeoutError):
        return None
    finally:
        _drop(client)
        await _settle()
    chains = [e.ServerCertificate for e in endpoints if e.SecurityPolicyUri == SecurityPolicyBasic256Sha256.URI and e.ServerCertificate]
    return identity.leaf(chains[0]) if chains else None


def _drop(client: Client) -> None:
    """Close the socket at once: a peer that is frozen would hold a polite close back for ever."""
    protocol = client.uaclient.protocol
    transport = protocol.transport if protocol is not None else None
    client.disconnect_socket()
    if transport is not None:
        transport.abort()


async def _settle() -> None:
    """Two turns of the loop, in which an aborted transport lets go of its socket."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)
