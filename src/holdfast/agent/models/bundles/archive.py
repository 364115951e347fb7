"""A bundle as one file for a USB stick: the same layout in a plain tar archive, uncompressed, as `skopeo` calls it oci-archive.

Read by a reader of our own, for a stick is found on a car park as easily as it is bought: it knows plain files and folders of exactly
the names that a layout has, holds one header and one chunk in memory, and refuses everything else that a tar archive can say (links,
devices, sparse files, long names, compression). Format: POSIX.1-1988 ustar, with GNU's base-256 sizes beyond 8 GiB.
"""

import contextlib
import os
import re
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from holdfast.agent.models.bundles.bundle import CHUNK_BYTES, Bundle
from holdfast.site.modelcard import BundleError
from holdfast.site.modellayout import BYTES_MAX, DOCUMENT_BYTES_MAX, FILES_MAX

BLOCK = 512
ROOM_LEFT_BYTES = 256 << 20  # of the disk: the record needs some more than a model does
MEMBERS_MAX = FILES_MAX + 8  # with index, marker, manifest, configuration, card and the two folders
FILE_NAME = re.compile(r"oci-layout|index\.json|blobs/sha256/[0-9a-f]{64}")
FOLDER_NAME = re.compile(r"\.?|blobs/?|blobs/sha256/?")
CURE = "copy it anew from who made it"


def write(bundle: Bundle, out: Path) -> int:
    """One archive; the same bundle gives the same bytes. Returns its size. Raises BundleError where `out` is there, OSError."""
    folder, beside = bundle.layout.folder, out.with_name(out.name + ".part")
    if out.exists():
        raise BundleError("model.exists", f"{out} is there already; name another file, or remove it")
    paths = [folder / "oci-layout", folder / "index.json", *sorted((folder / "blobs" / "sha256").iterdir())]
    try:
        with beside.open("xb") as file:
            with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as tar:
                for path in paths:
                    told = tarfile.TarInfo(str(path.relative_to(folder)))
                    told.size, told.mode = path.stat().st_size, 0o644
                    with path.open("rb") as source:
                        tar.addfile(told, source)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(out)
    finally:
        beside.unlink(missing_ok=True)
    return out.stat().st_size


def extract(archive: Path, folder: Path) -> None:
    """Into a folder that is empty and ours; nothing is written outside it. Raises BundleError; the caller then drops the folder."""
    try:
        with archive.open("rb") as file:
            room = shutil.disk_usage(folder).free - ROOM_LEFT_BYTES
            written = 0
            for name, size in _members(file, str(archive)):
                small = name in ("oci-layout", "index.json")
                written += size
                if written > min(BYTES_MAX, room) or (small and size > DOCUMENT_BYTES_MAX):
                    raise BundleError("model.large", f"{archive}: {name[:40]} has {size} bytes, more than may be or than there is room for")
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with contextlib.closing(
                    os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb")
                ) as copy:
                    _copy(file, copy, size, str(archive))
    except FileExistsError as error:
        raise BundleError("model.archive", f"{archive}: names a file twice; {CURE}") from error
    except OSError as error:
        raise BundleError("model.archive", f"{archive}: {error.strerror}; is the stick still there, and room on the disk?") from error


def _members(file: BinaryIO, archive: str) -> Iterator[tuple[str, int]]:
    """Each plain file's name and size, the stream standing at its first byte; who is asked must read them all."""
    for _ in range(MEMBERS_MAX + 1):
        header = file.read(BLOCK)
        if len(header) < BLOCK:
            raise BundleError("model.truncated", f"{archive} ends in the middle: it was not copied whole; {CURE}")
        if header == bytes(BLOCK):
            return
        name, size, kind = _header(header, archive)
        if kind == b"5" and FOLDER_NAME.fullmatch(name) and size == 0:
            continue
        if kind not in (b"0", b"\0") or not FILE_NAME.fullmatch(name):
            raise BundleError(
                "model.path",
                f"{archive}: {name[:80]!r} is no part of a model's bundle (only plain files of an image layout are taken); don't use it",
                path=name[:80],
            )
        yield name, size
        padding = -size % BLOCK
        if len(file.read(padding)) < padding:
            raise BundleError("model.truncated", f"{archive} ends in the middle: it was not copied whole; {CURE}")
    raise BundleError("model.large", f"{archive}: more than {MEMBERS_MAX} files; a bundle has fewer, don't use it")


def _header(header: bytes, archive: str) -> tuple[str, int, bytes]:
    try:
        told = int(header[148:156].strip(b" \0") or b"0", 8)
        if told != sum(header) - sum(header[148:156]) + 8 * 0x20:
            raise ValueError("checksum")
        prefix = header[345:500] if header[257:263] == b"ustar\0" else b""  # GNU's own form has times there
        name = b"/".join(part for part in (prefix.rstrip(b"\0"), header[:100].rstrip(b"\0")) if part).decode("ascii")
        field = header[124:136]
        size = int.from_bytes(field[1:], "big") if field[0] == 0x80 else int(field.strip(b" \0") or b"0", 8)
    except (ValueError, UnicodeDecodeError) as error:
        raise BundleError("model.archive", f"{archive} is no plain tar archive of a model (or is damaged); {CURE}") from error
    if not 0 <= size <= BYTES_MAX:
        raise BundleError("model.large", f"{archive}: {name[:40]} has {size} bytes; at most {BYTES_MAX} are taken")
    return name.removeprefix("./"), size, header[156:157]


def _copy(file: BinaryIO, copy: BinaryIO, size: int, archive: str) -> None:
    left = size
    while left:
        chunk = file.read(min(left, CHUNK_BYTES))
        if not chunk:
            raise BundleError("model.truncated", f"{archive} ends in the middle: it was not copied whole; {CURE}")
        copy.write(chunk)
        left -= len(chunk)
    copy.flush()
    os.fsync(copy.fileno())
