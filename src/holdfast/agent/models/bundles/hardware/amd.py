"""AMD's accelerators, by what the kernel's driver says in sysfs. Not hardware-tested: written against a recording of others.

`mem_info_vram_total` and `mem_info_vram_used` of a card, in bytes (Linux, drivers/gpu/drm/amd/amdgpu/amdgpu_vram_mgr.c, its DOC entries).
Recording: github.com/elementary/monitor, issue 369. The bandwidth isn't told there. A processor with graphics of its own shows the part of
its memory that is set aside for them.
"""

from pathlib import Path

from holdfast.agent.models.bundles.hardware.device import DEVICES_MAX, Device, Probed

TEXT_BYTES_MAX = 256


def probe(cards: Path = Path("/sys/class/drm")) -> Probed:
    devices: list[Device] = []
    for total_file in sorted(cards.glob("card[0-9]*/device/mem_info_vram_total"))[:DEVICES_MAX]:
        of = total_file.parent
        total, used = _number(total_file), _number(of / "mem_info_vram_used")
        if total and used is not None and used <= total:
            name = _text(of / "product_name") or f"AMD {_text(of / 'device')}".strip()
            devices.append(Device(kind="amd", name=name, memory_mib=total >> 20, free_mib=(total - used) >> 20))
    absent = "" if devices else "the kernel's driver amdgpu tells of no card"
    return Probed(kind="amd", devices=tuple(devices), absent=absent, tested=False)


def _number(path: Path) -> int | None:
    told = _text(path)
    return int(told) if told.isdigit() else None


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(TEXT_BYTES_MAX).decode(errors="replace").strip()
    except OSError:
        return ""
