"""Devices that speak MQTT, as one process: `python -m … PORT TOPICS EVERY_MS` publishes a number on each topic, every so often.

Straight bytes over a socket (MQTT 3.1.1 §3.1, §3.3), so that it costs next to nothing beside what is measured.
"""

import socket
import sys
import time


def packet(head: int, body: bytes) -> bytes:
    """Fixed header with its variable length, then the body."""
    length, digits = len(body), bytearray()
    while True:
        length, digit = divmod(length, 128)
        digits.append(digit | (0x80 if length else 0))
        if not length:
            return bytes([head]) + bytes(digits) + body


def text(value: str) -> bytes:
    data = value.encode()
    return len(data).to_bytes(2, "big") + data


def main() -> None:
    port, topics, every_ms = (int(word) for word in sys.argv[1:])
    with socket.create_connection(("127.0.0.1", port)) as link:
        link.sendall(packet(0x10, text("MQTT") + bytes([4, 2, 0, 0]) + text(f"talker-{port}")))
        link.recv(4)
        names = [text(f"plant/t{i}") for i in range(topics)]
        n = 0
        while True:
            n += 1
            link.sendall(b"".join(packet(0x30, name + b"%d.5" % (n % 100_000)) for name in names))
            time.sleep(every_ms / 1000)


if __name__ == "__main__":
    main()
