"""S7 over PUT/GET: data blocks, flags, inputs and outputs of Siemens controllers."""

from holdfast.gate.connectors.s7.connector import S7

__all__ = ["S7"]
