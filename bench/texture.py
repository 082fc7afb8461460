"""Solid textures: functions of a point in space, the same on every machine and in every frame."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def smoothstep(low: float, high: float, value: Array) -> Array:
    """0 before ``low``, 1 after ``high``, smooth between; ``low`` above ``high`` turns it round."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


# A turn that leaves no axis of the lattice along an axis of the scene, where it would show on walls and floors.
_TURN = np.float32([[0.36, 0.48, -0.8], [-0.8, 0.6, 0.0], [0.48, 0.64, 0.6]])


def solid_noise(points: Array, seed: int, octaves: int = 1) -> Array:
    """Smooth value noise 0..1 with one random value per unit cell corner, each further octave twice as fine and half
    as strong; ``points`` is HxWx3.
    """
    total, weight = np.zeros(points.shape[:-1], np.float32), 0.0
    for octave in range(octaves):
        points = 2 ** min(octave, 1) * (points @ _TURN)
        total += 0.5**octave * _lattice(points, seed + 101 * octave)
        weight += 0.5**octave
    return total / np.float32(weight)


def _lattice(points: Array, seed: int) -> Array:
    cell = np.floor(points)
    inner = points - cell
    inner = inner * inner * (3 - 2 * inner)
    corner = cell.astype(np.int64).astype(np.uint32)
    total = np.zeros(points.shape[:-1], np.float32)
    for dx in (0, 1):
        wx = inner[..., 0] if dx else 1 - inner[..., 0]
        for dy in (0, 1):
            wy = inner[..., 1] if dy else 1 - inner[..., 1]
            for dz in (0, 1):
                wz = inner[..., 2] if dz else 1 - inner[..., 2]
                total += wx * wy * wz * _hash(corner[..., 0] + dx, corner[..., 1] + dy, corner[..., 2] + dz, seed)
    return total


def _hash(x: NDArray[np.uint32], y: NDArray[np.uint32], z: NDArray[np.uint32], seed: int) -> Array:
    """A value 0..1 per lattice point: multiply, shift and xor, after Wang and others' integer hashes."""
    h = x * np.uint32(0x8DA6B343) ^ y * np.uint32(0xD8163841) ^ z * np.uint32(0xCB1AB31F)
    h = h ^ np.uint32(seed * 0x9E3779B1 & 0xFFFFFFFF)
    h = (h ^ (h >> np.uint32(16))) * np.uint32(0x7FEB352D)
    h = (h ^ (h >> np.uint32(15))) * np.uint32(0x846CA68B)
    h = h ^ (h >> np.uint32(16))
    return (h >> np.uint32(8)).astype(np.float32) * np.float32(1 / (1 << 24))
