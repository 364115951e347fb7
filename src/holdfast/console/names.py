"""What people call a tag, and its unit: from the tables of the configuration in force."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from holdfast.console.gate import GateError
from holdfast.console.house import House

KNOWN_MODES = ("manual", "auto", "external", "running", "stopped")  # of loops and machines; other names are shown as the site has them


class Names:
    """A tag that the configuration no longer has is called by its name, and has no unit."""

    def __init__(self, tables: Iterable[Mapping[str, Any]] = ()) -> None:
        self._tags: dict[str, Mapping[str, Any]] = {str(tag["name"]): tag for table in tables for tag in table["tags"]}

    def __contains__(self, tag: str) -> bool:
        return tag in self._tags

    def name(self, tag: str) -> str:
        return str(self._tags.get(tag, {}).get("description") or tag)

    def unit(self, tag: str) -> str:
        return str(self._tags.get(tag, {}).get("unit", ""))

    def state(self, tag: str, value: float) -> str:
        """The name that a value of a state tag has, else the number."""
        return next((str(name) for number, name in self._tags.get(tag, {}).get("states", ()) if number == value), f"{value:g}")

    def all(self) -> tuple[str, ...]:
        """Every tag, for a field that offers them."""
        return tuple(sorted(self._tags))


def states_of(tag: Mapping[str, Any], say: Callable[[str], str]) -> dict[str, str]:
    """What each value of a tag is called, by the value; {} for a number. `say`: Shown.t."""
    if tag["type"] == "bool" and not tag["states"]:
        return {"0": say("overview.off"), "1": say("overview.on")}
    return {str(value): say(f"overview.mode.{name}") if name in KNOWN_MODES else str(name) for value, name in tag["states"]}


async def names_of(house: House, token: str = "") -> Names:
    """Without names where the gate can't tell them now: a page must not fail for that."""
    try:
        return Names(await house.gate.get("/v1/tables", token=token))
    except GateError:
        return Names()
