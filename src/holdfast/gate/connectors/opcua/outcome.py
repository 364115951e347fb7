"""What a server's answer to a write says about the device: done, not done, or nobody knows."""

from asyncua.ua.status_codes import StatusCodes

from holdfast.gate.connectors.row import is_bad
from holdfast.terms import Sent

# Results that leave it open whether the device got the value: a gateway's timeout, an error behind the server.
_OPEN = frozenset(
    (
        StatusCodes.BadTimeout,
        StatusCodes.BadRequestTimeout,
        StatusCodes.BadCommunicationError,
        StatusCodes.BadNoCommunication,
        StatusCodes.BadUnexpectedError,
        StatusCodes.BadInternalError,
        StatusCodes.BadDeviceFailure,
        StatusCodes.BadShutdown,
        StatusCodes.BadConnectionClosed,
        StatusCodes.BadSecureChannelClosed,
        StatusCodes.BadUnknownResponse,
    )
)
# Faults of a whole request that a server raises before it touches any node. Any other may as well be the end of the
# connection, after the device has the value.
_REFUSED = frozenset(
    (
        StatusCodes.BadUserAccessDenied,
        StatusCodes.BadSessionIdInvalid,
        StatusCodes.BadSessionNotActivated,
        StatusCodes.BadTooManyOperations,
        StatusCodes.BadServiceUnsupported,
        StatusCodes.BadNothingToDo,
    )
)


def of_result(status: int) -> Sent:
    """Of the StatusCode that the one written node got. Uncertain is unknown."""
    if is_bad(status):
        return "unknown" if status & 0xFFFF_0000 in _OPEN else "rejected"
    return "acked" if status & 0xC000_0000 == 0 else "unknown"


def of_fault(code: int) -> Sent:
    """Of a fault that answered the whole request."""
    return "rejected" if code in _REFUSED else "unknown"
