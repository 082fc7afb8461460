"""The one module that knows how Blender 4.5 and 5.x differ."""

import bpy

IS_5 = bpy.app.version >= (5, 0, 0)
EEVEE = "BLENDER_EEVEE" if IS_5 else "BLENDER_EEVEE_NEXT"
