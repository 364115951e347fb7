"""The contracts that a plug-in is held to: one `check_…` function a kind, ours and a third party's alike.

Each raises AssertionError that says which clause of `ports.py` was broken. They need no test framework.
"""

# ---- connectors ------------------------------------------------------------------------------------------------------

# ---- detectors: check_detector (append below this line) --------------------------------------------------------------
