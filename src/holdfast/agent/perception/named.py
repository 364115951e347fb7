"""A detector by its name: only the entry point asked for is imported, and its fields are its options."""

import dataclasses
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points

from holdfast.ports import Detector

GROUP = "holdfast.detectors"
# The package's own: found also where the installed metadata is older than the code, as in a checkout.
OWN = {
    "auto": "holdfast.agent.perception.auto:Auto",
    "cusum": "holdfast.agent.perception.cusum:Cusum",
    "dynamic": "holdfast.agent.perception.dynamic:Dynamic",
    "ewma": "holdfast.agent.perception.ewma:Ewma",
    "frozen": "holdfast.agent.perception.frozen:Frozen",
    "gradual": "holdfast.agent.perception.gradual:Gradual",
    "limits": "holdfast.agent.perception.limits:Limits",
    "onnx": "holdfast.agent.perception.onnx:Onnx",
    "pca": "holdfast.agent.perception.pca:Pca",
    "spoofed": "holdfast.agent.perception.spoofed:Spoofed",
}


def names() -> tuple[str, ...]:
    """Installed detectors, by name."""
    return tuple(sorted({*OWN, *(point.name for point in entry_points(group=GROUP))}))


def detector_named(name: str, options: Sequence[tuple[str, str | float | bool]] = ()) -> Detector:
    """A new detector. Raises ValueError for an unknown name or option, naming those there are."""
    point = EntryPoint(name, OWN[name], GROUP) if name in OWN else next(iter(entry_points(group=GROUP, name=name)), None)
    if point is None:
        raise ValueError(f"no detector {name!r} is installed: there are {', '.join(names())}")
    made = point.load()
    fields = {field.name: field for field in dataclasses.fields(made) if field.init}
    unknown = [key for key, _ in options if key not in fields]
    if unknown:
        raise ValueError(f"detector {name} has no option {', '.join(unknown)}: it has {', '.join(fields) or 'none'}")
    given = {key: int(value) if fields[key].type in (int, "int") and isinstance(value, float) else value for key, value in options}
    return made(**given)
