"""Addresses and NodeIds: namespaces are meant by URI, since a server may number them anew at every start."""

import re
from collections.abc import Sequence

from asyncua import ua

_NODE_ID = re.compile(r"(ns=\d+;)?[isgb]=")


def standard(number: int) -> ua.NodeId:
    """A node of the OPC UA namespace itself (`ObjectIds`)."""
    return ua.NodeId(ua.Int32(number))


class Nodes:
    """Addresses as one server numbers them now."""

    def __init__(self, namespaces: Sequence[str] = (), namespace: str = "") -> None:
        self._namespaces = list(namespaces)
        self._namespace = namespace
        self._found: dict[str, ua.NodeId | None] = {}  # one entry an address of the site file

    def node(self, address: str) -> ua.NodeId | None:
        """None for an address that names no node here."""
        if address not in self._found:
            try:
                self._found[address] = self._parse(address)
            except (ua.UaError, ValueError):
                self._found[address] = None
        return self._found[address]

    def address(self, node: ua.NodeId) -> str:
        """The shortest address that `node` reads back."""
        index = node.NamespaceIndex
        if self._namespace and isinstance(node.Identifier, str) and self._namespaces[index] == self._namespace:
            return node.Identifier
        text = node.to_string()
        return text.replace(f"ns={index};", f"nsu={self._namespaces[index]};") if index else text

    def _parse(self, address: str) -> ua.NodeId:
        if address.startswith("nsu="):
            uri, _, rest = address[4:].partition(";")
            return ua.NodeId.from_string(f"ns={self._namespaces.index(uri)};{rest}")
        if _NODE_ID.match(address):
            return ua.NodeId.from_string(address)
        return ua.NodeId(ua.String(address), ua.Int16(self._namespaces.index(self._namespace)))
