"""Rules and the micro-model together: the model can veto, and let a look through; it never makes an act, and fills no slot.

A setpoint needs the rules to explain the wish to the last word: there the model has nothing to add; a stop is never refused, and a notice
or a work order goes to people alone. A hold and an acknowledgement have words of their own in them and change something, so the model's
"unsafe" is enough to refuse them. What the rules did not understand may still be a look (a value, a trend, why …) where the model is sure
of the kind and the rules find what it is about.
"""

from holdfast.agent.knowledge.called import folded
from holdfast.agent.models.bundles.bundle import shipped_weights
from holdfast.agent.models.requests.read import Reader
from holdfast.agent.models.requests.task import ACTS, KINDS, Kind, Request, refused
from holdfast.agent.models.spans import ModelUnusable, Tagger, shipped
from holdfast.site.model import Site
from holdfast.site.modelcard import BundleError

VETO = 0.995  # how sure of "unsafe" it must be to refuse what the rules would take
VETOED: frozenset[Kind] = ACTS - {"set", "change", "stop", "notify", "work_order"}
LETS = 0.8  # how sure of a kind to let a look through that the rules did not know
LOOKS: frozenset[Kind] = frozenset(("show", "trend", "why"))  # each is about something that the text must name


def model() -> Tagger:
    """The one that comes with the package. Raises ModelUnusable."""
    try:
        return shipped(shipped_weights("requests"))
    except BundleError as error:
        raise ModelUnusable(str(error)) from error


class BothReader:
    """`tagger` None: the rules alone."""

    def __init__(self, site: Site, tagger: Tagger | None) -> None:
        self.rules = Reader(site)
        self._tagger = tagger

    def read(self, text: str) -> Request:
        found = self.rules.read(text)
        if self._tagger is None or found.refused == "unsafe":
            return found
        plain = folded(text)
        marked = self._tagger.mark(plain) if plain else None
        if marked is None:
            return found
        if marked.kind == "unsafe" and marked.kind_sure >= VETO and found.kind in VETOED:
            return refused("unclear")
        kind = next((kind for kind in KINDS if kind == marked.kind), None)
        if kind in LOOKS and marked.kind_sure >= LETS and found.refused:
            return self.rules.look(kind, text) or found
        return found
