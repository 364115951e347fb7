"""A connection by what a person types: the parts of an address become the options of its connector."""

import pytest

from holdfast.site.named import connection_named


@pytest.mark.parametrize(
    ("text", "kind", "options"),
    [
        ("opc.tcp://10.1.4.10:4840", "opcua", {"security": "none", "url": "opc.tcp://10.1.4.10:4840"}),
        ("modbus://10.1.4.20/7", "modbus", {"host": "10.1.4.20", "unit_id": 7}),
        ("modbus://10.1.4.20:1502", "modbus", {"host": "10.1.4.20", "port": 1502}),
        ("s7://10.1.4.30/0/2", "s7", {"host": "10.1.4.30", "rack": 0, "slot": 2}),
        ("mqtt://[fd00::1]:1883", "mqtt", {"host": "fd00::1", "port": 1883, "security": "none"}),
        ("mqtts://10.1.4.40", "mqtt", {"host": "10.1.4.40", "security": "tls"}),
    ],
)
def test_the_parts_of_an_address_become_options(text: str, kind: str, options: dict[str, object]) -> None:
    found = connection_named(text, None, {})
    assert (found.type, dict(found.options)) == (kind, options)


@pytest.mark.parametrize("text", ["modbus://10.1.4.20/1/2", "modbus://10.1.4.20:port", "ftp://10.1.4.20", "plc", "mqtt://"])
def test_what_is_no_address_is_refused_with_one_to_copy(text: str) -> None:
    with pytest.raises(ValueError, match=r"opc\.tcp://10\.1\.4\.10:4840"):
        connection_named(text, None, {})
