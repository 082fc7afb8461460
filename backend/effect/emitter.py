"""Where an effect comes from: shapes with soft edges, in the box of the effect.

Lengths are in heights of the box. The middle of the floor is the origin, x goes right, y up, z toward the camera.
"""

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

Shape: TypeAlias = Literal["sphere", "disc", "ring", "line", "picture"]
SHAPES: tuple[Shape, ...] = ("sphere", "disc", "ring", "line", "picture")


@dataclass(frozen=True)
class Emitter:
    """A sphere; a disc or a ring that lies flat; a line along the floor; or a picture, as thick as the shape.

    ``position``: the middle. ``radius``: of sphere, disc and ring; half the length of a line. ``thickness``: of the
    disc (its height), the ring and the line (their tube), the picture (how far it goes in depth). ``angle``: radians by
    which a line is turned about y. ``edge``: over what length the mask goes from 1 to 0, never less than a cell.
    ``picture`` (H, W), 0..1, row 0 at the top: the silhouette of a mesh as the camera sees it; it spans the whole box.
    """

    shape: Shape = "disc"
    position: tuple[float, float, float] = (0.0, 0.05, 0.0)
    radius: float = 0.12
    thickness: float = 0.06
    angle: float = 0.0
    edge: float = 0.03
    picture: Tensor | None = None

    def __post_init__(self) -> None:
        if self.shape not in SHAPES:
            raise ValueError(f"an emitter is one of {', '.join(SHAPES)}, not {self.shape!r}")
        if (self.picture is not None) != (self.shape == "picture"):
            raise ValueError("a picture belongs to the emitter of the shape picture, and to no other")
        if not (self.radius > 0 and self.thickness > 0 and self.edge > 0):
            raise ValueError("an emitter's radius, thickness and edge are above 0")

    def mask(self, cells: tuple[int, int, int], device: torch.device) -> Tensor:
        """How much each cell belongs to the shape, (Z, Y, X), 0..1."""
        depth, height, width = cells
        z, y, x = torch.meshgrid(
            (torch.arange(depth, device=device) + 0.5 - depth / 2) / height - self.position[2],
            (torch.arange(height, device=device) + 0.5) / height - self.position[1],
            (torch.arange(width, device=device) + 0.5 - width / 2) / height - self.position[0],
            indexing="ij",
        )
        if self.picture is None:
            return self._soft(self._distance(x, y, z), height)
        seen = F.interpolate(self.picture.to(device, torch.float32)[None, None], (height, width), mode="area")[0, 0]
        return self._soft(z.abs() - self.thickness / 2, height) * seen.flip(0)

    def _distance(self, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        """Signed distance to the surface, negative inside."""
        tube = self.thickness / 2
        flat = torch.hypot(x, z)
        match self.shape:
            case "sphere":
                return torch.hypot(flat, y) - self.radius
            case "disc":
                return torch.maximum(flat - self.radius, y.abs() - tube)
            case "ring":
                return torch.hypot(flat - self.radius, y) - tube
        along = x * math.cos(self.angle) + z * math.sin(self.angle)
        across = z * math.cos(self.angle) - x * math.sin(self.angle)
        return torch.hypot(torch.hypot(across, y), (along.abs() - self.radius).clamp(min=0)) - tube

    def _soft(self, distance: Tensor, height: int) -> Tensor:
        return (0.5 - distance / max(self.edge, 1 / height)).clamp(0, 1)
