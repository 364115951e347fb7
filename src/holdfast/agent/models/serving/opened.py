"""Engines made from the site file's endpoints: the plug-in's class, its options, the key behind the reference."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from holdfast import plugins
from holdfast.ports import Engine
from holdfast.site import secrets
from holdfast.site.model import Endpoint


def open_engine(endpoint: Endpoint, folder: Path, *, socket: str = "", environ: Mapping[str, str] | None = None) -> Engine:
    """The engine of an endpoint, not yet connected. `folder` is the site file's, for references and paths.

    `socket`: where requests go instead of the network; who listens there holds the key, so none is read here.
    Raises PluginError, SecretError, ValueError.
    """
    cls = plugins.find(plugins.ENGINES, endpoint.engine)
    fields = {option.name: option for option in plugins.options(cls)}
    options: dict[str, Any] = dict(endpoint.options)
    unknown = sorted(set(options) - set(fields))
    if unknown:
        raise ValueError(f"model endpoint {endpoint.name}: {endpoint.engine} has no option {unknown[0]!r}; it takes {', '.join(fields)}")
    for name, value in options.items():
        if "Path" in fields[name].types and isinstance(value, str):
            options[name] = folder / value
    key = secrets.text(endpoint.key, folder, environ) if endpoint.key and not socket else ""
    offered: dict[str, Any] = {
        "url": endpoint.url,
        "model": endpoint.model,
        "dialect": endpoint.dialect,
        "context_tokens": endpoint.context_tokens,
        "key": key,
        "socket": socket,
    }
    try:
        return cast(Engine, cls(**(plugins.given(cls, offered) | options)))
    except TypeError as error:
        raise ValueError(f"model endpoint {endpoint.name}: {error}; check its keys with `holdfast check`") from None
