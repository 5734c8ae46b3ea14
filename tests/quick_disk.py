"""Where tests keep their files: in memory, where the machine has a folder there. A disk is what they would wait for."""

import os
import shutil
from typing import Final

ROOM_MIN: Final = 4 << 30  # Bytes.
_MEMORY: Final = "/dev/shm"
_PYTEST_VARIABLE: Final = "PYTEST_DEBUG_TEMPROOT"  # Below it pytest makes every `tmp_path`.


def use() -> None:
    """For all that this run makes. Whoever has chosen a place has it."""
    there = folder()
    if there is not None:
        os.environ.setdefault(_PYTEST_VARIABLE, there)


def folder() -> str | None:
    """None where there is none, or one that is small, as in many containers, or lets no program start from it."""
    try:
        roomy = shutil.disk_usage(_MEMORY).free >= ROOM_MIN and os.access(_MEMORY, os.W_OK)
        return _MEMORY if roomy and not os.statvfs(_MEMORY).f_flag & os.ST_NOEXEC else None
    except OSError:
        return None
