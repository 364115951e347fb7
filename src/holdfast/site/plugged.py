"""The plug-ins that a site names: their options checked against their fields, and connectors made with their secrets."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

from holdfast import plugins
from holdfast.clock import Clock
from holdfast.plugins import PluginError
from holdfast.ports import Connector
from holdfast.site import secrets
from holdfast.site.log import nearest, one_of
from holdfast.site.model import Connection, Problem, Site

# Keys of every connection that the site room itself reads; a connector without such a field does not get it.
OWN = frozenset({"security", "server", "login"})


def problems(site: Site, file: str, *, detectors: bool = True) -> Iterator[Problem]:
    """Options that a plug-in does not have, lacks, or can't take. Imports the plug-ins: the gate leaves detectors and engines out."""
    for connection in site.connections:
        where = f"connection {connection.name}"
        yield from _problems(plugins.CONNECTORS, connection.type, dict(connection.options), where, file, connection.line)
    for spec in site.perception if detectors else ():
        yield from _problems(plugins.DETECTORS, spec.detector, dict(spec.options), f"detector {spec.name}", file, spec.line)
    for end in site.models if detectors else ():
        own = {"url": end.url, "model": end.model, "dialect": end.dialect}
        given = dict(end.options) | {name: value for name, value in own.items() if value}
        yield from _problems(plugins.ENGINES, end.engine, given, f"model endpoint {end.name}", file, end.line)


def open_connector(
    connection: Connection, folder: Path, *, clock: Clock, state_dir: Path | None, environ: Mapping[str, str] | None = None
) -> Connector:
    """The connector of a connection, not yet connected. `folder` is the site file's. Raises PluginError, SecretError, ValueError."""
    cls = plugins.find(plugins.CONNECTORS, connection.type)
    fields = {option.name: option for option in plugins.options(cls)}
    found = secrets.options(connection, folder, [n for n, o in fields.items() if "Path" in o.types], environ)
    taken = {name: value for name, value in found.items() if name in fields or name not in OWN}
    for name, value in taken.items():
        if isinstance(value, str) and name in fields:
            taken[name] = _number(value, fields[name].types, name, connection.name)
    given = {"name": connection.name, "clock": clock, "state_dir": state_dir}
    try:
        return cast(Connector, cls(**taken, **plugins.given(cls, given)))
    except TypeError as error:
        raise ValueError(f"connection {connection.name}: {error}; check its keys with `holdfast check`") from None


def _number(text: str, types: tuple[str, ...], option: str, connection: str) -> str | float:
    """Text from `env:` or `file:` as the number that a field wants."""
    if not types or "str" in types or "Path" in types or not set(types) & {"int", "float"}:
        return text
    try:
        return int(text) if "int" in types else float(text)
    except ValueError:
        raise ValueError(f"connection {connection}: {option} must be a number, and what it refers to is none") from None


def _problems(group: str, name: str, given: Mapping[str, object], where: str, file: str, line: int) -> Iterator[Problem]:
    try:
        fields = {option.name: option for option in plugins.options(plugins.find(group, name))}
    except PluginError as error:
        yield Problem(file=file, line=line, what=f"{where}: {error}", cure="install it, or name another one")
        return
    for key, value in given.items():
        field = fields.get(key)
        if field is None:
            if key not in OWN:
                cure = nearest(key, fields, f"it takes {one_of(fields, 20)}")
                yield Problem(file=file, line=line, what=f'{where}: {name} has no option "{key}"', cure=cure)
            continue
        wrong = _wrong(value, field)
        if wrong:
            yield Problem(file=file, line=line, what=f"{where}: `{key}` can't be {value!r}", cure=wrong)
    for key, field in fields.items():
        if field.required and key not in given:
            yield Problem(file=file, line=line, what=f"{where} lacks `{key}`", cure=f"write {key}: … ({name} can't do without)")


def _wrong(value: object, field: plugins.Option) -> str:
    """What a value should be, "" if it fits."""
    if not field.types or secrets.is_reference(value):
        return ""
    if isinstance(value, str):
        if field.choices and value not in field.choices:
            return nearest(value, field.choices, f"write {one_of(field.choices)}")
        fits = bool({"str", "Path"} & set(field.types))
    elif isinstance(value, bool):
        fits = "bool" in field.types
    elif isinstance(value, int):
        fits = bool({"int", "float"} & set(field.types))
    elif isinstance(value, float):
        fits = "float" in field.types or ("int" in field.types and value.is_integer())
    else:
        fits = "None" in field.types
    return "" if fits else f"write {' or '.join(field.types)}"
