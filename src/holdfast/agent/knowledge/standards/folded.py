"""Folds full-width signs, odd spaces, dashes and slashes to plain ones, one character for one, so offsets stay true."""

WIDE_FIRST, WIDE_LAST, WIDE_SHIFT = 0xFF01, 0xFF5E, 0xFEE0  # Unicode: Halfwidth and Fullwidth Forms
SPACES = "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b\u202f\u205f\u2060\u3000\ufeff\t"
DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2500\ufe58\ufe63\u00ad"
SLASHES = "\u2044\u2215\u2571\u29f8"
TILDES = "\u223c\u301c\u2053"
OPENING, CLOSING = "〔【", "〕】"

_PLAIN = ((SPACES, " "), (DASHES, "-"), (SLASHES, "/"), (TILDES, "~"), (OPENING, "("), (CLOSING, ")"))
_FOLDS = {chr(wide): chr(wide - WIDE_SHIFT) for wide in range(WIDE_FIRST, WIDE_LAST + 1)} | {
    sign: plain for signs, plain in _PLAIN for sign in signs
}
_SIGNS = frozenset(_FOLDS)


def fold(text: str) -> str:
    """The same text, as long as before, in plain signs. Letters keep their case; `一` stays, for only a number tells it from a dash."""
    # Replacing the few signs that a text has is several times faster than translating every character.
    for sign in _SIGNS.intersection(text):
        text = text.replace(sign, _FOLDS[sign])
    return text
