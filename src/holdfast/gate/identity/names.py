"""Which names people and agents may bear: two that look or fold alike are one."""

import unicodedata

NAME_CHARS_MAX = 64


class IdentityError(Exception):
    """A name, role or password that can't be taken, or one that is not known. `code` is for programs."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def folded(name: str) -> str:
    """The form in which names are compared: NFKC, case folded."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def checked(name: str, what: str) -> str:
    """The name in NFC. Raises IdentityError for one that can't be read aloud from a record."""
    name = unicodedata.normalize("NFC", name)
    if not name or len(name) > NAME_CHARS_MAX or name != name.strip() or not name.isprintable():
        raise IdentityError("identity.name", f"{what} {name!r}: 1 to {NAME_CHARS_MAX} printable characters, no space at either end.")
    return name
