"""A real Blender, for what the ``bpy`` wheel cannot tell."""

import os
import shutil
from pathlib import Path


def find() -> str | None:
    """The one that BLENDER names or the PATH holds, if any."""
    program = shutil.which(os.environ.get("BLENDER", "blender"))
    return str(Path(program).resolve()) if program else None
