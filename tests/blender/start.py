"""Import and register the add-on as Blender starts it: what is slow to load waits until it is needed."""

import sys

import bpy  # noqa: F401  # what it loads itself is not ours

before = set(sys.modules)
sys.path.insert(0, sys.argv[-1])
import addon  # noqa: E402

addon.register()
loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
addon.unregister()
heavy = loaded & {"torch", "numpy", "argparse", "OpenEXR", "PyOpenColorIO", "PIL", "safetensors"}
assert not heavy, heavy
assert "addon" in loaded
