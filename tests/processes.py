"""Which programs run."""

from pathlib import Path


def processes_of(profile: Path) -> list[str]:
    """Command lines of all processes that live in this Blender profile: Blender itself, and its backend."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if str(profile) in (folder / "environ").read_bytes().decode(errors="replace"):
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:  # it has ended, or is not ours to look at
            continue
    return [command for command in found if command]
