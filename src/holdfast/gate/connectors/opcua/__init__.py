"""OPC UA: asyncua's encoding and secure channel under a supervisor of our own."""

from holdfast.gate.connectors.opcua.connector import OpcUa

__all__ = ["OpcUa"]
