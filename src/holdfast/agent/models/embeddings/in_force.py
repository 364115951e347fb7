"""The encoder that people put in force, opened when it is first asked for and beside whoever asks: a large one takes seconds."""

import threading
from collections.abc import Callable

from holdfast.agent.knowledge.manuals.meaning import Embedder, NoMeaning
from holdfast.agent.models.bundles.bundle import Bundle
from holdfast.agent.models.embeddings.encoder import opened


class InForce:
    """`of` gives the bundle in force, None where there is none. `unfit(digest)` is told of one that can't be opened as an encoder.

    One model in memory at a time, and one thread that opens one. What can't be opened is not tried again until another is in force.
    """

    def __init__(self, of: Callable[[], Bundle | None], unfit: Callable[[str], None] = lambda _: None) -> None:
        self._of, self._unfit = of, unfit
        self._wanted = ""
        self._found: Embedder | NoMeaning | None = None
        self._opening: threading.Thread | None = None

    def __call__(self) -> Embedder:
        """Raises NoMeaning where none is in force, and while it is being opened."""
        bundle = self._of()
        if bundle is None:
            self._wanted, self._found = "", None
            raise NoMeaning("manuals.no_model")
        if bundle.digest != self._wanted and not self._busy():
            self._wanted, self._found = bundle.digest, None
            self._opening = threading.Thread(target=self._open, args=(bundle,), name="opens the encoder", daemon=True)
            self._opening.start()
        if bundle.digest != self._wanted or self._found is None:
            raise NoMeaning("manuals.model_loading")
        if isinstance(self._found, NoMeaning):
            raise self._found
        return self._found

    def opened(self, wait_s: float) -> None:
        """Wait until what is being opened is, or so long."""
        if self._opening is not None:
            self._opening.join(wait_s)

    def _busy(self) -> bool:
        return self._opening is not None and self._opening.is_alive()

    def _open(self, bundle: Bundle) -> None:
        try:
            self._found = opened(bundle)
        except NoMeaning as why:
            self._found = why
            self._unfit(bundle.digest)
        except Exception as error:  # noqa: BLE001  a thread that dies would leave "being opened" for ever
            self._found = NoMeaning("manuals.model_broken", file=bundle.name, why=f"{type(error).__name__}: {error}"[:200])
            self._unfit(bundle.digest)
