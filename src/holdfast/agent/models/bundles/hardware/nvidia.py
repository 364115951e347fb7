"""NVIDIA's accelerators, by the driver's own library (NVML, package nvidia-ml-py, extra `nvidia`).

Memory from nvmlDeviceGetMemoryInfo. The bandwidth is the bus's width times the memory clock's maximum, twice (data on both edges), as
NVIDIA states it for its boards: a bound, never reached. Read-only calls alone.
"""

import importlib
from typing import Any

from holdfast.agent.models.bundles.hardware.device import DEVICES_MAX, Device, Probed

MEMORY_CLOCK = 2  # NVML_CLOCK_MEM


def probe(library: Any = None) -> Probed:
    """`library` stands for pynvml in tests."""
    if library is None:
        try:
            library = importlib.import_module("pynvml")
        except ImportError:
            return _none("the library is missing: install the extra `nvidia`")
    try:
        library.nvmlInit()
    except library.NVMLError as error:
        return _none(f"no driver that answers ({error})")
    try:
        count = min(int(library.nvmlDeviceGetCount()), DEVICES_MAX)
        devices = tuple(_device(library, library.nvmlDeviceGetHandleByIndex(place)) for place in range(count))
    except library.NVMLError as error:
        return _none(f"the driver does not say what there is ({error})")
    finally:
        library.nvmlShutdown()
    return Probed(kind="nvidia", devices=devices, absent="" if devices else "the driver knows of no device", tested=False)


def _device(library: Any, handle: Any) -> Device:
    memory, name = library.nvmlDeviceGetMemoryInfo(handle), library.nvmlDeviceGetName(handle)
    try:
        width, clock = library.nvmlDeviceGetMemoryBusWidth(handle), library.nvmlDeviceGetMaxClockInfo(handle, MEMORY_CLOCK)
        bandwidth = 2 * int(width) / 8 * int(clock) / 1000  # bits, MHz
    except library.NVMLError:  # not all boards say it
        bandwidth = 0.0
    return Device(
        kind="nvidia",
        name=name.decode() if isinstance(name, bytes) else str(name),
        memory_mib=int(memory.total) >> 20,
        free_mib=int(memory.free) >> 20,
        bandwidth_gb_s=round(bandwidth, 1),
    )


def _none(why: str) -> Probed:
    return Probed(kind="nvidia", absent=why, tested=False)
