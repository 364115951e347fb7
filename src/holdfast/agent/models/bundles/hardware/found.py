"""All that this box can run models on, by every probe there is."""

from functools import partial

from holdfast.agent.models.bundles.hardware import amd, ascend, cpu, nvidia
from holdfast.agent.models.bundles.hardware.device import Probe, Probed


def found(*, measure: bool = False) -> tuple[Probed, ...]:
    """With `measure` the memory's bandwidth of the processor too, which takes a few tenths of a second."""
    probes: tuple[Probe, ...] = (partial(cpu.probe, measure=measure), nvidia.probe, amd.probe, ascend.probe)
    return tuple(probe() for probe in probes)
