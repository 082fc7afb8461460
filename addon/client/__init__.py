"""Handing work to the backend. Knows nothing of Blender.

Reader threads never touch ``bpy``: they only fill tickets, and Blender's main thread looks at those from a timer.
"""

from .in_process import InProcessBackend
from .install import Installer
from .process import SubprocessBackend
from .ticket import Backend, Ticket

__all__ = ["Backend", "InProcessBackend", "Installer", "SubprocessBackend", "Ticket"]
