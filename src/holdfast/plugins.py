"""Loads what the site file names, nothing else: one entry point, one class. Installed is not enabled.

Built-ins come through the same door (groups `holdfast.connectors`, `holdfast.detectors`, `holdfast.engines`).
"""

import dataclasses
import difflib
import functools
import importlib.metadata
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from holdfast.terms import Word

CONNECTORS, DETECTORS, ENGINES = "holdfast.connectors", "holdfast.detectors", "holdfast.engines"
# What the gate gives to a connector itself; they are no options of the site file.
GIVEN = frozenset({"name", "clock", "state_dir"})


class PluginError(Exception):
    """A plug-in can't be had; the text says what is installed and what to do."""


class Option(Word):
    """One field of a plug-in: what the site file may say."""

    name: str
    types: tuple[str, ...]  # "str", "int", "float", "bool", "Path", "None"; empty where it takes something else
    required: bool
    choices: tuple[str, ...] = ()


@functools.cache
def installed(group: str) -> tuple[str, ...]:
    """Names of what is installed in a group, sorted."""
    return tuple(sorted({point.name for point in importlib.metadata.entry_points(group=group)}))


@functools.cache
def find(group: str, name: str) -> type[Any]:
    """The class that a name stands for. Raises PluginError."""
    points = [point for point in importlib.metadata.entry_points(group=group) if point.name == name]
    kind = group.rpartition(".")[2].removesuffix("s")
    if not points:
        near = difflib.get_close_matches(name, installed(group), n=1)
        hint = f'did you mean "{near[0]}"?' if near else f"installed: {', '.join(installed(group)) or 'none'}"
        raise PluginError(f'no {kind} "{name}" is installed; {hint}')
    if len({point.value for point in points}) > 1:
        owners = ", ".join(sorted(point.value for point in points))
        raise PluginError(f'more than one {kind} is called "{name}" ({owners}): uninstall all but one')
    try:
        found = points[0].load()
    except Exception as error:  # a plug-in may fail in any way while it is imported
        cause = f"{type(error).__name__}: {error}"
        raise PluginError(f'{kind} "{name}" ({points[0].value}) can\'t be loaded: {cause}. Reinstall it, or what it needs') from error
    if not isinstance(found, type):
        raise PluginError(f'{kind} "{name}" ({points[0].value}) is no class: an entry point names one class')
    return found


def options(cls: type[Any]) -> tuple[Option, ...]:
    """The init fields of a plug-in's dataclass, without what the gate gives. Raises PluginError if it is no dataclass."""
    if not dataclasses.is_dataclass(cls):
        raise PluginError(f"{cls.__module__}.{cls.__qualname__} is no dataclass: a plug-in's fields are its configuration")
    try:
        hints = typing.get_type_hints(cls)
    except (NameError, TypeError):
        hints = {}
    found: list[Option] = []
    for field in dataclasses.fields(cls):
        if not field.init or field.name in GIVEN:
            continue
        kinds, choices = _kinds(hints.get(field.name))
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        found.append(Option(name=field.name, types=kinds, required=required, choices=choices))
    return tuple(found)


def given(cls: type[Any], offered: Mapping[str, Any]) -> dict[str, Any]:
    """Of what the gate offers to every plug-in, what this one has a field for."""
    names = {field.name for field in dataclasses.fields(cls) if field.init}
    return {name: value for name, value in offered.items() if name in names}


def _kinds(hint: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(plain types, choices) that a field's annotation allows; ((), ()) where it is none of these."""
    if hint in (str, int, float, bool, Path):
        return (hint.__name__,), ()
    if hint is type(None):
        return ("None",), ()
    origin = typing.get_origin(hint)
    if origin is typing.Literal:
        choices = typing.get_args(hint)
        return (("str",), tuple(choices)) if all(isinstance(c, str) for c in choices) else ((), ())
    if origin in (typing.Union, types.UnionType):
        parts = [_kinds(part) for part in typing.get_args(hint)]
        if all(kinds for kinds, _ in parts):
            return tuple(dict.fromkeys(k for kinds, _ in parts for k in kinds)), tuple(c for _, choices in parts for c in choices)
    return (), ()
