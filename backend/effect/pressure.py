"""What makes a flow keep its volume: the pressure of a box with a closed floor and open sides and top.

Velocities live on the faces between cells (Harlow and Welch 1965), so that the discrete divergence after a projection
is zero to the last bits. The Poisson equation is solved directly by fast diagonalisation (Lynch, Rice and Thomas 1964):
on a box the Laplacian is a sum of three one-dimensional matrices, and in the basis of their eigenvectors it is a
division. The changes of basis are plain matrix products, which any device does at its peak.
"""

from typing import TypeAlias

import torch
from torch import Tensor

Faces: TypeAlias = tuple[Tensor, Tensor, Tensor]
"""Velocity in cells per second on the faces across x, y and z: (B, Z, Y, X+1), (B, Z, Y+1, X), (B, Z+1, Y, X)."""


class Pressure:
    """The projection for boxes of ``cells`` (Z, Y, X).

    Sides and top are at the pressure of the open air, so fire draws its air from the sides and smoke leaves where it
    arrives; nothing crosses the floor, along which the flow slips freely.
    """

    def __init__(self, cells: tuple[int, int, int], device: torch.device) -> None:
        depth, height, width = cells
        bases, values = zip(
            *(_eigen(depth, False), _eigen(height, True), _eigen(width, False)),
            strict=True,
        )
        self._z, self._y, self._x = (basis.to(device, torch.float32) for basis in bases)
        eigenvalues = values[0][:, None, None] + values[1][:, None] + values[2]
        self._inverse = (-1.0 / eigenvalues).to(device, torch.float32)

    def solve(self, source: Tensor) -> Tensor:
        """The field (B, Z, Y, X) whose Laplacian is ``source``, zero beyond sides and top, level at the floor."""
        shape = source.shape
        spectrum = (self._y.T @ (source @ self._x)).reshape(shape[0], shape[1], -1)
        spectrum = (self._z.T @ spectrum).view(shape) * self._inverse
        field = (self._z @ spectrum.view(shape[0], shape[1], -1)).view(shape)
        return (self._y @ field) @ self._x.T

    def project(self, velocity: Faces, expansion: Tensor) -> Faces:
        """The nearest velocity whose divergence is ``expansion`` (B, Z, Y, X), per second."""
        pressure = self.solve(divergence(velocity) - expansion)
        u, v, w = velocity
        u, v, w = u.clone(), v.clone(), w.clone()
        u[..., 1:-1] -= pressure.diff(dim=3)
        u[..., 0] -= pressure[..., 0]
        u[..., -1] += pressure[..., -1]
        v[:, :, 1:-1] -= pressure.diff(dim=2)
        v[:, :, -1] += pressure[:, :, -1]
        w[:, 1:-1] -= pressure.diff(dim=1)
        w[:, 0] -= pressure[:, 0]
        w[:, -1] += pressure[:, -1]
        return u, v, w


def divergence(velocity: Faces) -> Tensor:
    """How fast each cell's volume grows, (B, Z, Y, X) per second."""
    u, v, w = velocity
    return u.diff(dim=3) + v.diff(dim=2) + w.diff(dim=1)


def _eigen(count: int, floor: bool) -> tuple[Tensor, Tensor]:
    """Eigenvectors (columns) and eigenvalues of minus the second difference along one axis, in double precision.

    The value beyond both ends is zero, or with ``floor`` beyond the first end it is that of the first cell.
    """
    matrix = 2 * torch.eye(count, dtype=torch.float64)
    matrix -= torch.diag(torch.ones(count - 1, dtype=torch.float64), 1)
    matrix -= torch.diag(torch.ones(count - 1, dtype=torch.float64), -1)
    if floor:
        matrix[0, 0] = 1
    values, vectors = torch.linalg.eigh(matrix)
    return vectors, values
