"""A detector by its name: only the entry point asked for is imported, and its fields are its options."""

import dataclasses
from collections.abc import Sequence

from holdfast import plugins
from holdfast.plugins import DETECTORS, PluginError
from holdfast.ports import Detector


def names() -> tuple[str, ...]:
    """Installed detectors, by name."""
    return plugins.installed(DETECTORS)


def detector_named(name: str, options: Sequence[tuple[str, str | float | bool]] = ()) -> Detector:
    """A new detector. Raises ValueError for an unknown name or option, naming those there are."""
    try:
        made = plugins.find(DETECTORS, name)
    except PluginError as error:
        raise ValueError(str(error)) from None
    fields = {field.name: field for field in dataclasses.fields(made) if field.init}
    unknown = [key for key, _ in options if key not in fields]
    if unknown:
        raise ValueError(f"detector {name} has no option {', '.join(unknown)}: it has {', '.join(fields) or 'none'}")
    given = {key: int(value) if fields[key].type in (int, "int") and isinstance(value, float) else value for key, value in options}
    return made(**given)
