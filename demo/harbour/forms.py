"""Solid forms for the demo's scene: boxes, turned and swept shapes, lumpy rounds. Metres, z up."""

import math
from collections.abc import Callable, Sequence

import bpy
from mathutils import Matrix, Vector, noise

Point = tuple[float, float, float]
Materials = dict[str, bpy.types.Material]


class Form:
    """Collects faces of several materials and becomes one mesh object."""

    def __init__(self) -> None:
        self._points: list[Vector] = []
        self._faces: list[tuple[int, ...]] = []
        self._slots: list[int] = []
        self._smooth: list[bool] = []

    def add(
        self, points: Sequence[Point | Vector], faces: Sequence[Sequence[int]], slot: int = 0, smooth: bool = False
    ) -> "Form":
        first = len(self._points)
        self._points.extend(Vector(point) for point in points)
        self._faces.extend(tuple(first + index for index in face) for face in faces)
        self._slots.extend([slot] * len(faces))
        self._smooth.extend([smooth] * len(faces))
        return self

    def box(self, centre: Point, size: Point, slot: int = 0, turn: float = 0.0, taper: float = 1.0) -> "Form":
        """A box around ``centre``, turned about z by ``turn`` radians; its top is scaled by ``taper``."""
        rotation = Matrix.Rotation(turn, 3, "Z")
        points = []
        for z in (-0.5, 0.5):
            scale = taper if z > 0 else 1.0
            for x, y in ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)):
                corner = Vector((x * size[0] * scale, y * size[1] * scale, z * size[2]))
                points.append(Vector(centre) + rotation @ corner)
        faces = ((3, 2, 1, 0), (4, 5, 6, 7), (0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7))
        return self.add(points, faces, slot)

    def turned(
        self,
        profile: Sequence[tuple[float, float]],
        slot: int = 0,
        sides: int = 24,
        centre: Point = (0, 0, 0),
        smooth: bool = True,
    ) -> "Form":
        """A shape turned on a lathe: ``profile`` is (radius, z) from bottom to top."""
        points = []
        for radius, z in profile:
            for side in range(sides):
                angle = math.tau * side / sides
                points.append(Vector(centre) + Vector((radius * math.cos(angle), radius * math.sin(angle), z)))
        faces = [
            (ring * sides + side, ring * sides + (side + 1) % sides,
             (ring + 1) * sides + (side + 1) % sides, (ring + 1) * sides + side)
            for ring in range(len(profile) - 1) for side in range(sides)
        ]  # fmt: skip
        return self.add(points, faces, slot, smooth)

    def rod(self, start: Point, end: Point, radius: float, slot: int = 0, sides: int = 8) -> "Form":
        """A round bar from ``start`` to ``end``."""
        axis = Vector(end) - Vector(start)
        rotation = axis.to_track_quat("Z", "Y").to_matrix()
        ring = [
            rotation @ Vector((radius * math.cos(math.tau * i / sides), radius * math.sin(math.tau * i / sides), 0))
            for i in range(sides)
        ]
        points = [Vector(start) + p for p in ring] + [Vector(end) + p for p in ring]
        faces: list[Sequence[int]] = [(i, (i + 1) % sides, sides + (i + 1) % sides, sides + i) for i in range(sides)]
        return self.add(points, [*faces, range(sides, 2 * sides)], slot, smooth=True)

    def lump(
        self,
        centre: Point,
        size: Point,
        slot: int = 0,
        rough: float = 0.2,
        grain: float = 1.5,
        seed: float = 0.0,
        rings: int = 14,
    ) -> "Form":
        """A rounded mass with radii ``size``, its surface pushed in and out by noise: foliage, rock, cloud."""
        sides = rings * 2
        points = []
        for ring in range(rings + 1):
            polar = math.pi * ring / rings
            for side in range(sides):
                around = math.tau * side / sides
                way = Vector((math.sin(polar) * math.cos(around), math.sin(polar) * math.sin(around), -math.cos(polar)))
                push = 1.0 + rough * noise.fractal(way * grain + Vector((seed, seed * 1.7, -seed)), 1.0, 2.0, 4)
                points.append(Vector(centre) + Vector((way.x * size[0], way.y * size[1], way.z * size[2])) * push)
        faces = [
            (ring * sides + side, ring * sides + (side + 1) % sides,
             (ring + 1) * sides + (side + 1) % sides, (ring + 1) * sides + side)
            for ring in range(rings) for side in range(sides)
        ]  # fmt: skip
        return self.add(points, faces, slot, smooth=True)

    def sheet(self, surface: Callable[[float, float], Point], columns: int, rows: int, slot: int = 0) -> "Form":
        """A surface over u, v in 0..1: land, sails, roofs."""
        points = [surface(i / columns, j / rows) for j in range(rows + 1) for i in range(columns + 1)]
        wide = columns + 1
        faces = [
            (j * wide + i, j * wide + i + 1, (j + 1) * wide + i + 1, (j + 1) * wide + i)
            for j in range(rows) for i in range(columns)
        ]  # fmt: skip
        return self.add(points, faces, slot, smooth=True)

    def mesh(self, name: str, materials: Sequence[bpy.types.Material]) -> bpy.types.Mesh:
        mesh = bpy.data.meshes.new(name)
        mesh.from_pydata(self._points, [], self._faces)
        for material in materials:
            mesh.materials.append(material)
        mesh.polygons.foreach_set("material_index", self._slots)
        mesh.polygons.foreach_set("use_smooth", self._smooth)
        mesh.update()
        return mesh


def place(
    mesh: bpy.types.Mesh, name: str, at: Point = (0, 0, 0), turn: float = 0.0, scale: float = 1.0
) -> bpy.types.Object:
    """Put ``mesh`` into the scene as a new object, turned about z."""
    thing = bpy.data.objects.new(name, mesh)
    thing.location = at
    thing.rotation_euler = (0.0, 0.0, turn)
    thing.scale = (scale, scale, scale)
    bpy.context.scene.collection.objects.link(thing)
    return thing
