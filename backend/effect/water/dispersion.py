"""How fast waves of a length travel. Tensors or numbers, SI units; shapes broadcast."""

import torch
from torch import Tensor

GRAVITY = 9.81  # m/s2
TENSION = 7.28e-5  # m3/s2: surface tension over density, clean water at 20 degrees C


def frequency(k: Tensor, depth: float) -> Tensor:
    """Angular frequency in rad/s of waves of wavenumber ``k`` (rad/m): gravity, surface tension, finite depth.

    Lamb 1932, "Hydrodynamics", sections 228 and 267: w^2 = (g k + T k^3) tanh(k d).
    """
    return torch.sqrt((GRAVITY * k + TENSION * k**3) * torch.tanh(k * depth))


def group_velocity(k: Tensor, depth: float) -> Tensor:
    """dw/dk in m/s, for ``k`` above 0: the speed of wave energy."""
    restoring = GRAVITY * k + TENSION * k**3
    shallow = torch.tanh(k * depth)
    slope = (GRAVITY + 3 * TENSION * k**2) * shallow + restoring * depth * (1 - shallow**2)
    return slope / (2 * torch.sqrt(restoring * shallow))
