"""What flows into what, by the site file: which equipment lies before which, so that a cause is looked for upstream first."""

from collections.abc import Mapping

from holdfast.site.model import Site


class Flows:
    """Reaches along `feeds`. In a recycle two pieces lie before each other; neither counts as upstream then."""

    def __init__(self, site: Site) -> None:
        self._reached: Mapping[str, frozenset[str]] = {
            one.name: _reached(one.name, {each.name: each.feeds for each in site.equipment}) for one in site.equipment
        }

    def upstream(self, first: str, then: str) -> bool:
        """What happens at `first` reaches `then`, and nothing comes back."""
        return then in self._reached.get(first, frozenset()) and first not in self._reached.get(then, frozenset())


def _reached(start: str, feeds: Mapping[str, tuple[str, ...]]) -> frozenset[str]:
    """Every piece of equipment once at most, so a ring ends."""
    found: set[str] = set()
    waiting = list(feeds.get(start, ()))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(feeds.get(name, ()))
    return frozenset(found)
