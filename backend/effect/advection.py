"""Carrying fields along with the flow: semi-Lagrangian steps with MacCormack's correction, stable at any time step.

Stam 1999 (trace back and look up); Selle, Fedkiw, Kim, Liu and Rossignac 2008 (go there and back again, take half of
the error away, and stay between the values that stood around the point of departure).
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .pressure import Faces

_AXES = (4, 3, 2)  # the dimensions of x, y, z in (B, C, Z, Y, X)


@dataclass(frozen=True)
class _Lattice:
    """Points of one kind in the box: cell centres, or the faces across one axis.

    ``start`` (1, 3, Z, Y, X) and ``scale`` (3, 1, 1, 1): where the points are, and how long a cell is, in the
    coordinates of ``grid_sample`` over the field that is stored on these points.
    """

    start: Tensor
    scale: Tensor
    size: tuple[int, int, int]

    @classmethod
    def of(cls, size: tuple[int, int, int], device: torch.device) -> "_Lattice":
        depth, height, width = size
        axes = [(2 * torch.arange(n, device=device) + 1) / n - 1 for n in size]
        z, y, x = torch.meshgrid(*axes, indexing="ij")
        scale = torch.tensor([2 / width, 2 / height, 2 / depth], device=device).view(3, 1, 1, 1)
        return cls(torch.stack((x, y, z))[None], scale, size)

    def moved(self, shift: Tensor) -> Tensor:
        """The points after a ``shift`` (B, 3, Z, Y, X) in cells, in the coordinates of ``grid_sample``."""
        return torch.addcmul(self.start, shift, self.scale)


class Transport:
    """Carries the fields of a box of ``cells`` (Z, Y, X)."""

    def __init__(self, cells: tuple[int, int, int], device: torch.device) -> None:
        depth, height, width = cells
        self._centres = _Lattice.of(cells, device)
        self._faces = (
            _Lattice.of((depth, height, width + 1), device),
            _Lattice.of((depth, height + 1, width), device),
            _Lattice.of((depth + 1, height, width), device),
        )
        self._floor = 1 / height - 1  # the lowest centres: nothing comes from below the floor

    def carry(self, scalars: Tensor, velocity: Faces, seconds: Tensor) -> tuple[Tensor, Faces]:
        """``scalars`` (B, C, Z, Y, X) and the velocity itself, ``seconds`` (B,) later.

        What enters through the open sides is zero for the scalars; for the velocity it is what stands at the side.
        """
        centred = centre(velocity) * seconds.view(-1, 1, 1, 1, 1)
        back = self._midpoint(centred, -0.5).neg_()
        ahead = self._midpoint(centred, 0.5)
        departure, arrival = self._centres.moved(back), self._centres.moved(ahead)
        departure[:, 1].clamp_(min=self._floor)
        arrival[:, 1].clamp_(min=self._floor)
        carried = _maccormack(scalars, departure, arrival, "zeros")
        faces = []
        for axis, (face, lattice) in enumerate(zip(velocity, self._faces, strict=True)):
            departure, arrival = (lattice.moved(_onto_faces(shift, axis)) for shift in (back, ahead))
            faces.append(_maccormack(face[:, None], departure, arrival, "border")[:, 0])
        return carried, (faces[0], faces[1], faces[2])

    def _midpoint(self, shift: Tensor, share: float) -> Tensor:
        """The shift that is found after ``share`` of it: the midpoint rule, which follows a vortex round."""
        grid = self._centres.moved(shift * share).permute(0, 2, 3, 4, 1)
        return F.grid_sample(shift, grid, padding_mode="border", align_corners=False)


def moved(field: Tensor, shift: Tensor) -> Tensor:
    """``field`` (B, C, Z, Y, X) after everything went by ``shift`` (B, 3, Z, Y, X), in cells; zero from outside."""
    depth, height, width = field.shape[2:]
    departure = _Lattice.of((depth, height, width), field.device).moved(-shift)
    return F.grid_sample(field, departure.permute(0, 2, 3, 4, 1), padding_mode="zeros", align_corners=False)


def centre(velocity: Faces) -> Tensor:
    """The velocity in the middle of the cells, (B, 3, Z, Y, X)."""
    u, v, w = velocity
    return torch.stack((u[..., 1:] + u[..., :-1], v[:, :, 1:] + v[:, :, :-1], w[:, 1:] + w[:, :-1]), 1) * 0.5


def spread(vectors: Tensor) -> Faces:
    """Vectors in the cells (B, 3, Z, Y, X) onto the faces, except that nothing crosses the floor."""
    u, v, w = (_onto_faces(vectors[:, axis : axis + 1], axis)[:, 0] for axis in range(3))
    v[:, :, 0] = 0
    return u, v, w


def _onto_faces(field: Tensor, axis: int) -> Tensor:
    """The mean of the two cells beside each face across ``axis``; at the box's sides, of the one."""
    dim = _AXES[axis]
    count = field.shape[dim]
    inner = (field.narrow(dim, 0, count - 1) + field.narrow(dim, 1, count - 1)) * 0.5
    return torch.cat((field.narrow(dim, 0, 1), inner, field.narrow(dim, count - 1, 1)), dim)


def _maccormack(field: Tensor, departure: Tensor, arrival: Tensor, outside: str) -> Tensor:
    there = departure.permute(0, 2, 3, 4, 1)
    first = F.grid_sample(field, there, padding_mode=outside, align_corners=False)
    again = F.grid_sample(first, arrival.permute(0, 2, 3, 4, 1), padding_mode="border", align_corners=False)
    low, high = _surroundings(field, departure)
    return torch.clamp(first + _half_inside(arrival) * (field - again), first.minimum(low), first.maximum(high))


def _half_inside(arrival: Tensor) -> Tensor:
    """Half where gas arrives between points of the field; 0 beyond: of what leaves the box the error is not known."""
    *_, depth, height, width = arrival.shape
    last = arrival.new_tensor([1 - 1 / width, 1 - 1 / height, 1 - 1 / depth]).view(3, 1, 1, 1) + 1e-6
    return 0.5 * (arrival.abs() <= last).all(1, keepdim=True)


def _surroundings(field: Tensor, departure: Tensor) -> tuple[Tensor, Tensor]:
    """The least and the greatest of the eight values around each point of departure, (B, C, Z, Y, X) both."""
    batch, channels, *size = field.shape
    low = high = field
    for dim in (2, 3, 4):
        last = size[dim - 2] - 1
        low = torch.minimum(low.narrow(dim, 0, last), low.narrow(dim, 1, last))
        high = torch.maximum(high.narrow(dim, 0, last), high.narrow(dim, 1, last))
    depth, height, width = size
    counts = field.new_tensor([width, height, depth]).view(3, 1, 1, 1)
    corner = ((departure + 1) * (0.5 * counts)).sub_(0.5).floor_()
    corner = torch.minimum(corner.clamp_(min=0), counts - 2).long()
    index = corner[:, 2].mul(height - 1).add_(corner[:, 1]).mul_(width - 1).add_(corner[:, 0])
    index = index.view(batch, 1, -1).expand(batch, channels, -1)
    return low.flatten(2).gather(2, index).view(field.shape), high.flatten(2).gather(2, index).view(field.shape)
