"""The shape of the water, from the spectrum of its waves."""

from dataclasses import dataclass

import torch
from torch import Tensor

from .grid import Grid, field

FARTHEST = 5.0  # times its rise: how far a wave in shallow water may carry it to and fro
STEEPEST_SLOPE = 2.0  # of breaking crests


@dataclass(frozen=True)
class Shape:
    """Fields over the points of a tile at rest: each says where its point has gone, and how the water stands there."""

    height: Tensor  # (1, N, N) m
    displacement: Tensor  # (2, N, N) m: x, z
    normal: Tensor  # (3, N, N): x, y up, z; of length 1
    jacobian: Tensor  # (1, N, N): area over the area at rest; 0 where the surface begins to fold


class Geometry:
    """What turns a half spectrum of heights into shapes."""

    def __init__(self, grid: Grid, choppiness: float, depth: float) -> None:
        """``choppiness``: 1 moves the water to and fro as far as first-order theory has it (coth(k depth) of its rise).

        Tessendorf 2001, "Simulating ocean water", choppy waves; here for water of finite depth.
        """
        kx, kz = grid.half_vectors()
        k = torch.hypot(kx, kz)
        reach = choppiness * (1 / torch.tanh(k * depth)).clamp_max(FARTHEST)
        x, z = (torch.where(k > 0, reach * part / torch.where(k > 0, k, 1.0), 0.0) for part in (kx, kz))
        height = torch.ones_like(k)
        slopes = torch.stack([1j * kx * height, 1j * kz * height])
        squeezes = torch.stack([-kx * x, -kz * z, -kz * x])
        self._shape = torch.cat([height[None], slopes, torch.stack([1j * x, 1j * z]), squeezes]).to(torch.complex64)
        self._squeezes = squeezes.float()

    def shape(self, spectrum: Tensor) -> Shape:
        """The shape at the grid's points."""
        height, slope_x, slope_z, x, z, xx, zz, xz = field(self._shape * spectrum)
        # The normal is the cross product of where a step in z and a step in x lead to.
        across = torch.stack([xz * slope_z - slope_x * (1 + zz), xz * slope_x - slope_z * (1 + xx)])
        area = (1 + xx) * (1 + zz) - xz**2
        # Where the surface folds it shows its upper side, and no water stands steeper than this for long.
        up = torch.maximum(area, torch.linalg.vector_norm(across, dim=0) / STEEPEST_SLOPE).clamp_min(1e-6)
        normal = torch.stack([across[0], up, across[1]])
        return Shape(
            height=height[None],
            displacement=torch.stack([x, z]),
            normal=normal / torch.linalg.vector_norm(normal, dim=0, keepdim=True),
            jacobian=area[None],
        )

    def jacobian(self, spectrum: Tensor) -> Tensor:
        """The area over the area at rest alone, (N, N)."""
        xx, zz, xz = field(self._squeezes * spectrum)
        area: Tensor = (1 + xx) * (1 + zz) - xz**2
        return area

    def roughness(self, spectrum: Tensor) -> float:
        """Deviation of the area ratio, to first order in the waves, of a half spectrum."""
        change = (self._squeezes[0] + self._squeezes[1]) * spectrum
        energy = change.abs() ** 2
        return float(torch.sqrt(2 * energy.sum() - energy[:, 0].sum()))
