"""Mutants that no attack can show, each with its reason: it changes nothing that is decided, or can't let a write through.

An entry is the beginning of the names that it is about. The shorter this list, the better.
"""

EXEMPT: dict[str, str] = {
    "guard/conditions.py ": "reads the policy's text when it is loaded; no proposal passes here, and `eval fuzz` attacks it",
}


def exempt(name: str) -> str:
    """Why a mutant needs not be caught; "" where it must be."""
    return next((why for beginning, why in EXEMPT.items() if name.startswith(beginning)), "")
