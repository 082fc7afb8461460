"""The passes of a render that Paintover reads: one table for both sides. Standard library only."""

from dataclasses import dataclass

SKY_DEPTH = 1e10  # metres: what Blender writes where a ray meets nothing


@dataclass(frozen=True)
class PassKind:
    """One pass, by whom it is named how.

    ``in_files``: its names in Blender's files, of 4.5 and of 5.x; ``channels`` of these ``suffixes``. ``label`` and
    ``switch``: its name in Blender's window, and where under Passes it is switched on there. ``attribute``: the view
    layer's property that does so. ``outside``: its value where a cropped frame has no pixels.
    """

    channels: int
    in_files: tuple[str, ...]
    suffixes: str
    label: str
    switch: str
    attribute: str
    outside: float = 0.0


PASSES = {
    "beauty": PassKind(4, ("Combined",), "rgba", "Combined", "Data > Combined", "use_pass_combined"),
    "albedo": PassKind(
        3, ("DiffCol", "Diffuse Color"), "rgb", "Diffuse Color", "Light > Diffuse > Color", "use_pass_diffuse_color"
    ),
    "normal": PassKind(3, ("Normal",), "xyz", "Normal", "Data > Normal", "use_pass_normal"),
    "depth": PassKind(1, ("Depth",), "z", "Depth", "Data > Z (Depth in Blender 5)", "use_pass_z", SKY_DEPTH),
    "position": PassKind(3, ("Position",), "xyz", "Position", "Data > Position", "use_pass_position"),
    "vector": PassKind(4, ("Vector",), "xyzw", "Vector", "Data > Vector", "use_pass_vector"),
    "object": PassKind(
        1, ("CryptoObject00",), "r", "Cryptomatte Object", "Cryptomatte > Object", "use_pass_cryptomatte_object"
    ),
}
"""Each by our own name for it."""
