"""The contracts that a plug-in is held to: one `check_…` function a kind, ours and a third party's alike.

Each raises AssertionError that says which clause of `ports.py` was broken. They need no test framework.
"""

from holdfast.testing.connectors import check_caller, check_reader, check_writer
from holdfast.testing.detectors import check_detector, stand_of_one_tag, step_of_one_tag
from holdfast.testing.engines import check_engine

__all__ = ["check_caller", "check_detector", "check_engine", "check_reader", "check_writer", "stand_of_one_tag", "step_of_one_tag"]
