"""What the artist sees, and back: scene-linear values to display values through Blender's view transform, and inverted.

Blender's own order: exposure on scene-linear values, the look, the view transform, then gamma on display values.
"""

from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from typing import Any

import numpy as np
import PyOpenColorIO as ocio

from .errors import ColourError
from .images import FloatImage


@dataclass(frozen=True)
class View:
    """A scene's colour management, as in its Render Properties.

    ``config``: Blender's config.ocio, or "" for plain sRGB without one. ``exposure``: stops. ``gamma``: above 0.
    ``curves``: whether Use Curves is on (not reproduced here).
    """

    config: str = ""
    display: str = "sRGB"
    view: str = "Standard"
    look: str = "None"
    exposure: float = 0.0
    gamma: float = 1.0
    curves: bool = False

    @classmethod
    def standard(cls) -> "View":
        """Plain sRGB: Blender's Standard view, without a configuration file."""
        return cls()

    @classmethod
    def from_json(cls, data: Any) -> "View":
        """Raises ColourError for what is not a view."""
        known = {field.name for field in fields(cls)}
        if not isinstance(data, dict) or not set(data) <= known:
            raise ColourError("The shot's view transform is not described as expected.", "Render the passes again.")
        return cls(**data)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def to_display(self, linear: FloatImage) -> FloatImage:
        """HxWx3 scene-linear to what Blender shows, 0..1."""
        return np.clip(self._apply(linear, False), 0.0, 1.0)

    def from_display(self, display: FloatImage) -> FloatImage:
        """HxWx3 display values 0..1 to the scene-linear values for which Blender shows them."""
        return self._apply(display, True)

    def _apply(self, pixels: FloatImage, inverse: bool) -> FloatImage:
        result = np.array(pixels, np.float32, order="C")
        _processor(self, inverse).applyRGB(result)
        return result


@lru_cache(maxsize=16)
def _processor(view: View, inverse: bool) -> ocio.CPUProcessor:
    config = ocio.Config.CreateRaw()
    group = ocio.GroupTransform()
    scale = 2.0**view.exposure
    group.appendTransform(ocio.MatrixTransform([scale, 0, 0, 0, 0, scale, 0, 0, 0, 0, scale, 0, 0, 0, 0, 1]))
    group.appendTransform(
        ocio.ExponentWithLinearTransform(
            gamma=[2.4, 2.4, 2.4, 1], offset=[0.055, 0.055, 0.055, 0], direction=ocio.TRANSFORM_DIR_INVERSE
        )
    )
    group.appendTransform(ocio.ExponentTransform([1 / view.gamma] * 3 + [1]))
    direction = ocio.TRANSFORM_DIR_INVERSE if inverse else ocio.TRANSFORM_DIR_FORWARD
    return config.getProcessor(group, direction).getDefaultCPUProcessor()
