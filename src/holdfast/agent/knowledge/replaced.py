"""A file replaced whole: written beside, synced, moved. Who reads meanwhile sees the old one or the new one."""

import os
from pathlib import Path


def replace(path: Path, content: bytes) -> None:
    """Raises OSError; the file is then what it was."""
    beside = path.with_name(path.name + ".part")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
