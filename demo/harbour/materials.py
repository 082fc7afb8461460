"""Procedural materials for the demo's scene: nothing is read from disk."""

from typing import Any

import bpy

Colour = tuple[float, float, float]


class Nodes:
    """A material under construction: makes nodes and links them by socket name."""

    def __init__(self, name: str) -> None:
        self.material = bpy.data.materials.new(name)
        self.material.use_nodes = True
        self.tree = self.material.node_tree
        self.shader = self.tree.nodes["Principled BSDF"]

    def node(self, kind: str, **inputs: Any) -> Any:
        """A node of type ``ShaderNode<kind>``. An input is a value or an output socket; ``_`` stands for a space."""
        made = self.tree.nodes.new(f"ShaderNode{kind}")
        for key, value in inputs.items():
            self.put(made, key.replace("_", " "), value)
        return made

    def put(self, node: Any, socket: str, value: Any) -> None:
        if isinstance(value, bpy.types.NodeSocket):
            self.tree.links.new(value, node.inputs[socket])
        else:
            node.inputs[socket].default_value = value

    def local(self, scale: Colour = (1, 1, 1)) -> Any:
        """Coordinates that stick to the object, in metres."""
        coordinates = self.node("TexCoord").outputs["Object"]
        mapping = self.node("Mapping", Vector=coordinates)
        mapping.inputs["Scale"].default_value = scale
        return mapping.outputs["Vector"]

    def along_walls(self) -> Any:
        """Coordinates for masonry on upright walls: (x + y, z)."""
        split = self.node("SeparateXYZ", Vector=self.local())
        total = self.node("Math")
        self.tree.links.new(split.outputs["X"], total.inputs[0])
        self.tree.links.new(split.outputs["Y"], total.inputs[1])
        return self.node("CombineXYZ", X=total.outputs[0], Y=split.outputs["Z"]).outputs[0]

    def noise(self, vector: Any, scale: float, detail: float = 4.0, rough: float = 0.55) -> Any:
        return self.node("TexNoise", Vector=vector, Scale=scale, Detail=detail, Roughness=rough).outputs["Fac"]

    def ramp(self, value: Any, *stops: tuple[float, Colour]) -> Any:
        """A colour ramp over ``value`` through (position, colour) stops."""
        node = self.node("ValToRGB", Fac=value)
        elements = node.color_ramp.elements
        for element, (position, _) in zip(elements, (stops[0], stops[-1]), strict=True):
            element.position = position
        for position, _ in stops[1:-1]:
            elements.new(position)
        for element, (_, colour) in zip(elements, stops, strict=True):
            element.color = (*colour, 1.0)
        return node.outputs["Color"]

    def bands(self, value: Any, often: float, colours: tuple[Colour, Colour]) -> Any:
        """Two colours in turn: the other one after each 1 / ``often`` of ``value``."""
        scaled = self.node("Math")
        scaled.operation = "MULTIPLY"
        self.tree.links.new(value, scaled.inputs[0])
        scaled.inputs[1].default_value = often
        wrapped = self.node("Math")
        wrapped.operation = "PINGPONG"
        self.tree.links.new(scaled.outputs[0], wrapped.inputs[0])
        wrapped.inputs[1].default_value = 1.0
        return self.ramp(wrapped.outputs[0], (0.48, colours[0]), (0.52, colours[1]))

    def mix(self, factor: Any, a: Any, b: Any, blend: str = "MIX") -> Any:
        node = self.tree.nodes.new("ShaderNodeMixRGB")
        node.blend_type = blend
        for socket, value in (("Fac", factor), ("Color1", a), ("Color2", b)):
            self.put(node, socket, (*value, 1.0) if isinstance(value, tuple) and len(value) == 3 else value)
        return node.outputs["Color"]

    def finish(self, colour: Any, rough: float = 0.8, height: Any = None, bump: float = 0.3) -> bpy.types.Material:
        self.put(self.shader, "Base Color", (*colour, 1.0) if isinstance(colour, tuple) else colour)
        self.shader.inputs["Roughness"].default_value = rough
        if height is not None:
            normal = self.node("Bump", Height=height, Strength=bump, Distance=0.1)
            self.put(self.shader, "Normal", normal.outputs["Normal"])
        return self.material


def shade(colour: Colour, factor: float) -> Colour:
    return (colour[0] * factor, colour[1] * factor, colour[2] * factor)


def plain(name: str, colour: Colour, rough: float = 0.6) -> bpy.types.Material:
    return Nodes(name).finish(colour, rough)


def plaster(name: str, colour: Colour) -> bpy.types.Material:
    """Sun-bleached stucco: patches where it has worn, darker toward the ground."""
    nodes = Nodes(name)
    where = nodes.local()
    patches = nodes.ramp(
        nodes.noise(where, 1.1, 6.0), (0.38, shade(colour, 0.72)), (0.52, colour), (0.75, shade(colour, 1.18))
    )
    height = nodes.node("SeparateXYZ", Vector=where).outputs["Z"]
    damp = nodes.ramp(height, (0.0, (0.62, 0.58, 0.55)), (0.9, (1.0, 1.0, 1.0)))
    return nodes.finish(nodes.mix(1.0, patches, damp, "MULTIPLY"), 0.9, nodes.noise(where, 9.0), 0.25)


def masonry(name: str, colour: Colour, mortar: Colour, wide: float, high: float) -> bpy.types.Material:
    """Coursed stone blocks, each of its own shade."""
    nodes = Nodes(name)
    where = nodes.along_walls()
    bricks = nodes.node(
        "TexBrick", Vector=where, Color1=(*shade(colour, 1.15), 1), Color2=(*shade(colour, 0.7), 1),
        Mortar=(*mortar, 1), Scale=1.0, Mortar_Size=0.035, Brick_Width=wide, Row_Height=high, Bias=0.0,
    )  # fmt: skip
    worn = nodes.ramp(nodes.noise(nodes.local(), 1.4, 5.0), (0.3, (0.65, 0.65, 0.68)), (0.7, (1.15, 1.1, 1.05)))
    return nodes.finish(nodes.mix(1.0, bricks.outputs["Color"], worn, "MULTIPLY"), 0.9, bricks.outputs["Fac"], -0.5)


def tiles(name: str, colour: Colour) -> bpy.types.Material:
    """Clay roof tiles: ridges that run down the slope, rows of different firing."""
    nodes = Nodes(name)
    where = nodes.local()
    wave = nodes.node("TexWave", Vector=where, Scale=1.1, Distortion=0.4)
    rows = nodes.node(
        "TexBrick", Vector=where, Color1=(*shade(colour, 1.3), 1), Color2=(*shade(colour, 0.6), 1),
        Mortar=(*shade(colour, 0.35), 1), Scale=1.0, Mortar_Size=0.03, Brick_Width=0.3, Row_Height=0.34,
    )  # fmt: skip
    fired = nodes.ramp(nodes.noise(where, 0.9), (0.35, (0.75, 0.7, 0.7)), (0.65, (1.15, 1.1, 1.0)))
    return nodes.finish(nodes.mix(1.0, rows.outputs["Color"], fired, "MULTIPLY"), 0.85, wave.outputs["Fac"], 0.6)


def wood(name: str, colour: Colour, scale: Colour = (1.2, 9.0, 9.0)) -> bpy.types.Material:
    """Weathered timber, the grain along local x."""
    nodes = Nodes(name)
    grain = nodes.noise(nodes.local(scale), 1.0, 6.0)
    return nodes.finish(
        nodes.ramp(grain, (0.3, shade(colour, 0.45)), (0.55, colour), (0.75, shade(colour, 1.35))), 0.75, grain, 0.35
    )


def foliage(name: str, dark: Colour, light: Colour, scale: float = 3.0) -> bpy.types.Material:
    nodes = Nodes(name)
    leaves = nodes.noise(nodes.local(), scale, 6.0, 0.7)
    return nodes.finish(nodes.ramp(leaves, (0.35, dark), (0.5, shade(light, 0.7)), (0.65, light)), 0.9, leaves, 1.0)


def rock(name: str, dark: Colour, light: Colour, scale: float = 0.8) -> bpy.types.Material:
    nodes = Nodes(name)
    where = nodes.local()
    grain = nodes.noise(where, scale, 8.0, 0.65)
    return nodes.finish(nodes.ramp(grain, (0.35, dark), (0.52, shade(light, 0.75)), (0.68, light)), 0.95, grain, 1.0)


def meadow(name: str) -> bpy.types.Material:
    """Hill grass, with bare earth where the ground is steep."""
    nodes = Nodes(name)
    where = nodes.local()
    grass = nodes.ramp(
        nodes.noise(where, 0.35, 8.0, 0.65),
        (0.35, (0.05, 0.10, 0.02)),
        (0.5, (0.13, 0.19, 0.035)),
        (0.66, (0.34, 0.30, 0.07)),
    )
    earth = nodes.ramp(nodes.noise(where, 0.9, 8.0), (0.35, (0.20, 0.12, 0.07)), (0.7, (0.55, 0.38, 0.24)))
    upright = nodes.node("SeparateXYZ", Vector=nodes.node("NewGeometry").outputs["Normal"]).outputs["Z"]
    steep = nodes.ramp(upright, (0.62, (1, 1, 1)), (0.80, (0, 0, 0)))
    return nodes.finish(nodes.mix(steep, grass, earth), 0.95, nodes.noise(where, 2.5), 0.8)


def sea(name: str) -> bpy.types.Material:
    """Clear water: turquoise over the sand near the quay, deep blue outside, small ripples."""
    nodes = Nodes(name)
    where = nodes.local()
    offshore = nodes.node("SeparateXYZ", Vector=where).outputs["Y"]
    span = nodes.node("MapRange", Value=offshore)
    span.inputs["From Min"].default_value, span.inputs["From Max"].default_value = -26.0, 3.0
    patches = nodes.mix(0.35, span.outputs["Result"], nodes.noise(where, 0.16, 4.0), "ADD")
    colour = nodes.ramp(patches, (0.25, (0.006, 0.07, 0.16)), (0.6, (0.008, 0.19, 0.25)), (0.95, (0.03, 0.40, 0.36)))
    swell = nodes.noise(nodes.local((0.35, 0.9, 1.0)), 1.0, 3.0)
    ripple = nodes.noise(nodes.local((1.2, 3.2, 1.0)), 1.0, 3.0)
    material = nodes.finish(colour, 0.12, nodes.mix(0.35, swell, ripple), 0.55)
    nodes.shader.inputs["Specular IOR Level"].default_value = 0.45
    return material


def stripes(name: str, colours: tuple[Colour, Colour], per_metre: float) -> bpy.types.Material:
    """Painted bands, one above the other."""
    nodes = Nodes(name)
    bands = nodes.bands(nodes.node("SeparateXYZ", Vector=nodes.local()).outputs["Z"], per_metre, colours)
    grime = nodes.ramp(nodes.noise(nodes.local(), 1.2, 5.0), (0.3, (0.8, 0.78, 0.75)), (0.6, (1.0, 1.0, 1.0)))
    return nodes.finish(nodes.mix(1.0, bands, grime, "MULTIPLY"), 0.7)


def gores(name: str, colours: tuple[Colour, Colour], count: int) -> bpy.types.Material:
    """Segments around the z axis, as a balloon is sewn."""
    nodes = Nodes(name)
    radial = nodes.node("TexGradient", Vector=nodes.local())
    radial.gradient_type = "RADIAL"
    return nodes.finish(nodes.bands(radial.outputs["Fac"], count, colours), 0.6)


def cloud(name: str) -> bpy.types.Material:
    """White vapour: lit by the sun, never black where it is not."""
    nodes = Nodes(name)
    nodes.shader.inputs["Emission Color"].default_value = (0.80, 0.86, 1.0, 1.0)
    nodes.shader.inputs["Emission Strength"].default_value = 0.35
    return nodes.finish((0.92, 0.9, 0.9), 1.0)


def haze(name: str, near: Colour, far: Colour, low: float, high: float) -> bpy.types.Material:
    """Far mountains: the air in front of them is brighter toward their foot."""
    nodes = Nodes(name)
    height = nodes.node("SeparateXYZ", Vector=nodes.local()).outputs["Z"]
    span = nodes.node("MapRange", Value=height)
    span.inputs["From Min"].default_value, span.inputs["From Max"].default_value = low, high
    colour = nodes.ramp(span.outputs["Result"], (0.0, far), (1.0, near))
    nodes.put(nodes.shader, "Emission Color", colour)
    nodes.shader.inputs["Emission Strength"].default_value = 0.3
    return nodes.finish(nodes.mix(1.0, colour, (0.6, 0.6, 0.6), "MULTIPLY"), 1.0)


def sky(world: bpy.types.World) -> None:
    """A late afternoon gradient: warm at the horizon, blue above."""
    world.use_nodes = True
    tree = world.node_tree
    direction = tree.nodes.new("ShaderNodeTexCoord").outputs["Generated"]
    split = tree.nodes.new("ShaderNodeSeparateXYZ")
    tree.links.new(direction, split.inputs[0])
    ramp = tree.nodes.new("ShaderNodeValToRGB")
    tree.links.new(split.outputs["Z"], ramp.inputs["Fac"])
    stops = (
        (0.0, (1.0, 0.66, 0.40)),
        (0.10, (0.80, 0.72, 0.70)),
        (0.28, (0.22, 0.50, 0.95)),
        (0.8, (0.04, 0.17, 0.62)),
    )
    elements = ramp.color_ramp.elements
    elements.new(stops[1][0])
    elements.new(stops[2][0])
    for element, (position, colour) in zip(elements, stops, strict=True):
        element.position = position
        element.color = (*colour, 1.0)
    background = tree.nodes["Background"]
    tree.links.new(ramp.outputs["Color"], background.inputs["Color"])
    background.inputs["Strength"].default_value = 0.85


def palette() -> dict[str, bpy.types.Material]:
    """The materials that several things share, by what they are for."""
    return {
        "roof": tiles("Roof tiles", (0.58, 0.19, 0.08)),
        "glass": plain("Glass", (0.03, 0.05, 0.07), 0.12),
        "teal": wood("Teal paint", (0.04, 0.27, 0.28)),
        "green": wood("Green paint", (0.07, 0.24, 0.10)),
        "brick red": wood("Red paint", (0.45, 0.09, 0.05)),
        "indigo": wood("Indigo paint", (0.06, 0.11, 0.30)),
        "trim": rock("Trim", (0.42, 0.38, 0.32), (0.74, 0.68, 0.58), 2.0),
        "clay": plain("Clay", (0.45, 0.18, 0.08), 0.9),
        "leaves": foliage("Leaves", (0.02, 0.06, 0.012), (0.15, 0.26, 0.05)),
        "flower": plain("Flowers", (0.75, 0.06, 0.16), 0.8),
        "rock": rock("Rock", (0.10, 0.08, 0.075), (0.46, 0.38, 0.31)),
        "iron": plain("Iron", (0.03, 0.03, 0.035), 0.5),
        "blocks": masonry("Quay blocks", (0.46, 0.38, 0.29), (0.16, 0.13, 0.11), 0.95, 0.42),
        "planks": wood("Planks", (0.42, 0.26, 0.14)),
        "post": wood("Posts", (0.22, 0.13, 0.07), (6.0, 6.0, 0.8)),
        "cabin": wood("Cabin", (0.55, 0.26, 0.09)),
        "bark": wood("Bark", (0.17, 0.10, 0.06), (7.0, 7.0, 1.5)),
        "cypress": foliage("Cypress", (0.008, 0.035, 0.014), (0.06, 0.14, 0.045), 5.0),
        "pine": foliage("Pine", (0.015, 0.06, 0.02), (0.15, 0.25, 0.06), 3.5),
    }
