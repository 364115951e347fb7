"""An ONNX model written field by field of onnx.proto, since the package that writes them is no part of an install."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FLOAT, INT64 = 1, 7  # TensorProto.DataType
IR_VERSION, OPSET = 8, 17
Attribute = int | Sequence[int]


def model(nodes: Sequence[bytes], tensors: Sequence[bytes], inputs: Sequence[bytes], outputs: Sequence[bytes]) -> bytes:
    graph = b"".join(_field(1, one) for one in nodes) + _field(2, b"encoder") + b"".join(_field(5, one) for one in tensors)
    graph += b"".join(_field(11, one) for one in inputs) + b"".join(_field(12, one) for one in outputs)
    return _number(1, IR_VERSION) + _field(7, graph) + _field(8, _field(1, b"") + _number(2, OPSET))


def node(kind: str, inputs: Sequence[str], output: str, **attributes: Attribute) -> bytes:
    body = b"".join(_field(1, name.encode()) for name in inputs) + _field(2, output.encode()) + _field(4, kind.encode())
    for name, value in attributes.items():
        many = (
            b"".join(_number(8, one) for one in value) + _number(20, 7)
            if not isinstance(value, int)
            else _number(3, value) + _number(20, 2)
        )
        body += _field(5, _field(1, name.encode()) + many)
    return body


def tensor(name: str, values: NDArray[np.float32] | NDArray[np.int64]) -> bytes:
    kind = FLOAT if values.dtype == np.float32 else INT64
    dims = b"".join(_number(1, size) for size in values.shape)
    return dims + _number(2, kind) + _field(8, name.encode()) + _field(9, values.tobytes())


def info(name: str, kind: int, shape: Sequence[int | str]) -> bytes:
    """Of an input or output; a size that is a name may be any."""
    dims = b"".join(_field(1, _number(1, one) if isinstance(one, int) else _field(2, one.encode())) for one in shape)
    return _field(1, name.encode()) + _field(2, _field(1, _number(1, kind) + _field(2, dims)))


def _varint(value: int) -> bytes:
    out = bytearray()
    while True:
        out.append(value & 127 | (128 if value > 127 else 0))
        value >>= 7
        if not value:
            return bytes(out)


def _number(place: int, value: int) -> bytes:
    return _varint(place << 3) + _varint(value)


def _field(place: int, body: bytes) -> bytes:
    return _varint(place << 3 | 2) + _varint(len(body)) + body
