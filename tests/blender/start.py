"""Run inside Blender: import and register the add-on of the folder that is the last argument.

What is slow to load waits until it is needed; and Python collects garbage afterwards as before.
"""

import gc
import sys

import bpy  # noqa: F401  # what it loads itself is not the add-on's

HEAVY = ("torch", "numpy", "argparse", "OpenEXR", "PyOpenColorIO", "PIL", "safetensors")
sys.modules.update(dict.fromkeys(HEAVY))  # to import one of them is an error now, also where Blender has it already
sys.path.insert(0, sys.argv[-1])
import addon  # noqa: E402

addon.register()
assert gc.isenabled()
addon.unregister()
gc.disable()
addon.register()
assert not gc.isenabled()
addon.unregister()
