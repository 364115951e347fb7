"""The header of a GGUF file: what a model keeps for each token of its context, read without its weights.

Format: ggml's docs/gguf.md, versions 2 and 3, little-endian. Keys: `general.architecture`, and below its name `block_count`,
`attention.head_count`, `attention.head_count_kv`, `attention.key_length`, `embedding_length`, `context_length`. Values that are not
wanted (vocabularies, mostly) are passed over; nothing is believed of a count that the file can't hold.
"""

import struct
from pathlib import Path
from typing import BinaryIO

from holdfast.site.modelcard import BundleError, Shape

MAGIC = b"GGUF"
SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
WHOLE = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 10: "<Q", 11: "<q"}
STRING, ARRAY = 8, 9
PAIRS_MAX = 4096
KEY_BYTES_MAX = 1 << 16
KEPT_BYTES_MAX = 1 << 12  # of a text that is wanted
ITEMS_MAX = 1 << 24  # of one array
HEADER_BYTES_MAX = 512 << 20


def shape_of(path: Path) -> Shape | None:
    """None where the file does not say it (an architecture without attention). Raises BundleError for what is no GGUF file."""
    try:
        with path.open("rb") as file:
            told = _pairs(file, path)
    except OSError as error:
        raise BundleError("model.format", f"{path}: {error.strerror}; name a file that can be read") from error
    arch = told.get("general.architecture", "")
    number = {key.removeprefix(f"{arch}."): value for key, value in told.items() if isinstance(value, int)}
    heads, embedding = number.get("attention.head_count", 0), number.get("embedding_length", 0)
    size = number.get("attention.key_length", embedding // heads if heads else 0)
    found = Shape(
        layers=number.get("block_count", 0),
        kv_heads=number.get("attention.head_count_kv", heads),
        head_size=size,
        context=number.get("context_length", 0),
    )
    return found if min(found.layers, found.kv_heads, found.head_size, found.context) > 0 else None


def _pairs(file: BinaryIO, path: Path) -> dict[str, int | str]:
    """Whole numbers and short texts by key."""
    try:
        magic, version, _, pairs = struct.unpack("<4sIQQ", file.read(24))
        if magic != MAGIC or version not in (2, 3) or pairs > PAIRS_MAX:
            raise ValueError("no header of version 2 or 3")
        found: dict[str, int | str] = {}
        for _ in range(pairs):
            key = _exactly(file, _count(file, KEY_BYTES_MAX)).decode()
            (kind,) = struct.unpack("<I", _exactly(file, 4))
            if kind in WHOLE:
                (found[key],) = struct.unpack(WHOLE[kind], _exactly(file, SIZES[kind]))
            elif kind == STRING and key == "general.architecture":
                found[key] = _exactly(file, _count(file, KEPT_BYTES_MAX)).decode()
            else:
                _pass(file, kind)
            if file.tell() > HEADER_BYTES_MAX:
                raise ValueError("a header without end")
    except (ValueError, struct.error, UnicodeDecodeError) as error:
        raise BundleError("model.format", f"{path}: no GGUF file that can be read ({error}); export the model anew") from error
    return found


def _pass(file: BinaryIO, kind: int) -> None:
    """Pass over one value."""
    if kind == STRING:
        _skip(file, _count(file, HEADER_BYTES_MAX))
    elif kind == ARRAY:
        (of,) = struct.unpack("<I", _exactly(file, 4))
        items = _count(file, ITEMS_MAX)
        if of in SIZES:
            _skip(file, items * SIZES[of])
        elif of == STRING:
            for _ in range(items):
                _skip(file, _count(file, HEADER_BYTES_MAX))
        else:
            raise ValueError(f"an array of type {of}")
    elif kind in SIZES:
        _skip(file, SIZES[kind])
    else:
        raise ValueError(f"a value of type {kind}")


def _count(file: BinaryIO, most: int) -> int:
    (found,) = struct.unpack("<Q", _exactly(file, 8))
    if found > most:
        raise ValueError(f"a length of {found}")
    return int(found)


def _skip(file: BinaryIO, size: int) -> None:
    if file.tell() + size > HEADER_BYTES_MAX:
        raise ValueError("a header without end")
    file.seek(size, 1)


def _exactly(file: BinaryIO, size: int) -> bytes:
    found = file.read(size)
    if len(found) < size:
        raise ValueError("it ends in the middle")
    return found
