"""Secrets: `env:NAME` and `file:PATH` are looked up when a connection opens, and never stand in the Site or its digest."""

import os
from collections.abc import Collection, Mapping
from pathlib import Path

from holdfast.site.model import Connection

SECRET_BYTES_MAX = 1024 * 1024


class SecretError(Exception):
    """A secret can't be had; the text says which and what to do. It never holds the secret."""


def fault(value: str) -> str | None:
    """Why a reference can't be one, or None; plain values are fine."""
    kind, colon, rest = value.partition(":")
    if not colon or kind not in ("env", "file"):
        return None
    if not rest.strip():
        return f'"{value}" names nothing'
    if kind == "env" and not (rest.isascii() and rest.replace("_", "a").isalnum() and not rest[0].isdigit()):
        return f'"{rest}" can\'t be the name of an environment variable'
    return "the file name has a control character" if any(ord(c) < 32 for c in rest) else None


def is_reference(value: object) -> bool:
    return isinstance(value, str) and value.startswith(("env:", "file:"))


def path_of(reference: str, folder: Path) -> Path:
    """Where a `file:` reference points; relative ones lie beside the site file."""
    return (folder / reference.removeprefix("file:")).absolute()


def data(reference: str, folder: Path, environ: Mapping[str, str] | None = None) -> bytes:
    """What a reference stands for; a plain value is itself, as UTF-8. Raises SecretError."""
    if reference.startswith("env:"):
        name = reference.removeprefix("env:")
        found = (os.environ if environ is None else environ).get(name)
        if found is None:
            raise SecretError(f"the environment variable {name} is not set: set it where Holdfast is started")
        return found.encode()
    if reference.startswith("file:"):
        path = path_of(reference, folder)
        try:
            with path.open("rb") as file:
                content = file.read(SECRET_BYTES_MAX + 1)
        except OSError as error:
            cause = error.strerror or type(error).__name__
            raise SecretError(f"{path} can't be read: {cause}. Put the file there, readable for the gate's user alone") from None
        if len(content) > SECRET_BYTES_MAX:
            raise SecretError(f"{path} is larger than {SECRET_BYTES_MAX} bytes: this is no key, certificate or login")
        return content
    return reference.encode()


def text(reference: str, folder: Path, environ: Mapping[str, str] | None = None) -> str:
    """The same as text, without the line end that an editor adds. Raises SecretError."""
    try:
        return data(reference, folder, environ).decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise SecretError(f"{reference} is not text in UTF-8") from None


def options(
    connection: Connection, folder: Path, paths: Collection[str], environ: Mapping[str, str] | None = None
) -> dict[str, str | float | bool | None]:
    """A connector's options with what their references stand for; those named in `paths` get the file's path instead.

    Raises SecretError.
    """
    found: dict[str, str | float | bool | None] = {}
    for name, value in connection.options:
        if isinstance(value, str) and value.startswith("file:") and name in paths:
            found[name] = str(path_of(value, folder))
        elif isinstance(value, str) and is_reference(value):
            found[name] = text(value, folder, environ)
        else:
            found[name] = value
    return found
