"""A device that models run on, as a probe found it; and the contract of a probe.

A probe asks the machine and says what there is, or in plain words why there is none of its kind. It never fails and it changes nothing.
`tested` is whether its reading was checked on such a device by us: a probe that was written against others' recordings says so.
"""

from typing import Protocol

from holdfast.terms import Word

DEVICES_MAX = 64  # of one kind


class Device(Word):
    """Memory in MiB (2^20 bytes); `bandwidth_gb_s` is 10^9 bytes a second between it and the cores, 0 where it isn't known."""

    kind: str  # cpu, nvidia, ascend …
    name: str
    memory_mib: int
    free_mib: int
    bandwidth_gb_s: float = 0.0
    features: tuple[str, ...] = ()  # instruction sets that matter to models
    cores: int = 0


class Probed(Word):
    """What one probe found. `absent` says why there is nothing, "" where there is something."""

    kind: str
    devices: tuple[Device, ...] = ()
    absent: str = ""
    tested: bool = True


class Probe(Protocol):
    def __call__(self) -> Probed: ...
