"""Huawei's Ascend, by what `npu-smi info` prints. Not hardware-tested: written against others' recordings of that table.

A device takes two lines: card and name, then chip, bus and memory, the last column of which is `used / total` in MB of its HBM
(npu-smi's MB are 2^20 bytes: 65536 for 64 GiB). Recordings: npu-smi 25.2.0 on 910B4-1 (github.com/Project-HAMi/HAMi-WebUI, issue 47)
and on Ascend910 with the column Phy-ID (github.com/vllm-project/vllm-ascend, issue 2534).
"""

import re
import shutil
import subprocess

from holdfast.agent.models.bundles.hardware.device import DEVICES_MAX, Device, Probed

TIMEOUT_S = 10.0
TEXT_CHARS_MAX = 1 << 18
_CARD = re.compile(r"\|\s*\d+\s+(?P<name>[A-Za-z0-9-]*[A-Za-z][A-Za-z0-9-]*)\s*\|\s*\w+\s*\|")
_MEMORY = re.compile(r"\|[\d\s]+\|\s*[0-9A-Fa-fx:.]+\s*\|.*?(?P<used>\d+)\s*/\s*(?P<total>\d+)\s*\|\s*$")


def probe() -> Probed:
    tool = shutil.which("npu-smi")
    if tool is None:
        return Probed(kind="ascend", absent="npu-smi is not there", tested=False)
    try:
        told = subprocess.run([tool, "info"], capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Probed(kind="ascend", absent=f"npu-smi does not answer ({type(error).__name__})", tested=False)
    return read(told.stdout)


def read(told: str) -> Probed:
    """What the table says."""
    devices: list[Device] = []
    name = ""
    for line in told[:TEXT_CHARS_MAX].splitlines():
        if card := _CARD.match(line):
            name = card["name"]
        elif name and (memory := _MEMORY.match(line)):
            used, total = int(memory["used"]), int(memory["total"])
            if total and used <= total and len(devices) < DEVICES_MAX:
                devices.append(Device(kind="ascend", name=name, memory_mib=total, free_mib=total - used))
            name = ""
    absent = "" if devices else "npu-smi printed no device that can be read"
    return Probed(kind="ascend", devices=tuple(devices), absent=absent, tested=False)
