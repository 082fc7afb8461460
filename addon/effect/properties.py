"""What an effect remembers in the .blend: ``object.paintover_effect``; ``scene.paintover_effect`` is the next one's.

Each kind has a group of its own, made from the backend's table of controls: so a slider has the control's range,
default and meaning, and a key on it says which control it belongs to (``paintover_effect.fire.wind``).
"""

# mypy: disable-error-code="valid-type"

from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import (
    BoolProperty,
    EnumProperty,
    FloatProperty,
    FloatVectorProperty,
    IntProperty,
    IntVectorProperty,
    PointerProperty,
    StringProperty,
)

from .. import paths
from ..backend.effect.controls import KEPT, ONCE
from ..backend.effect.frames import FRAMES, LEAST_SIZE, LEAST_TILE, LONGEST, MOST_SIZE, MOST_TILE, SIDES, SIZE
from ..backend.effect.frames import deep as usually_deep
from ..backend.effect.panel import KINDS, MEANINGS, WATER, described
from ..classes import register_all, unregister_all
from . import fluid

if TYPE_CHECKING:
    from bpy.types import Context, Object, Scene

Value = float | tuple[float, float, float]

UNKEYED = set[str]()  # options of a property that takes no keys
SEED = "seed"  # a control in the backend's table, and a setting of its own here
OF_DOMAIN = ("size", "time_scale")  # controls that an artist's own simulation has decided


def _drive(controls: bpy.types.PropertyGroup, _context: "Context") -> None:
    """Let drivers see the new value, such as that of the card's scale: Blender itself does not tell them."""
    if isinstance(controls.id_data, bpy.types.Object):
        controls.id_data.update_tag()


def _property(control: dict[str, Any], options: set[str]) -> Any:
    """A control as a property. The unit stands in its name: the backend's units are always metric."""
    unit = f" ({control['unit']})" if control["unit"] else ""
    told = {
        "name": control["label"] + unit,
        "description": control["meaning"].rstrip("."),
        "min": control["low"],
        "max": control["high"],
        "default": control["default"],
        "options": options,
        "update": _drive,
    }
    if isinstance(control["default"], tuple):
        return FloatVectorProperty(**told, size=3, subtype="COLOR")
    return IntProperty(**told) if control["whole"] else FloatProperty(**told)


def _group(kind: str) -> type[bpy.types.PropertyGroup]:
    """The controls of a kind, in the panel's order."""
    options = UNKEYED if kind in WATER else {"ANIMATABLE"}
    controls = [control for control in described(kind)["controls"] if control["name"] != SEED]
    table = {control["name"]: _property(control, options) for control in controls}
    return type(f"Paintover{kind.title()}", (bpy.types.PropertyGroup,), {"__annotations__": table})


KIND_ITEMS = [(kind, kind.title(), MEANINGS[kind]) for kind in KINDS]
GROUPS = {kind: _group(kind) for kind in KINDS}


def _loop_where_it_goes_on(settings: "EffectSettings", _context: "Context") -> None:
    settings.loop = settings.kind != ONCE


def _choose(settings: "EffectSettings", _context: "Context") -> None:
    from . import domain

    if isinstance(settings.id_data, bpy.types.Object) and is_effect(settings.id_data):
        domain.choose(settings.id_data)


def _turn(settings: "EffectSettings", _context: "Context") -> None:
    from . import domain

    if isinstance(settings.id_data, bpy.types.Object) and is_effect(settings.id_data):
        domain.stand(settings.id_data)


def _is_domain(_settings: "EffectSettings", thing: "Object") -> bool:
    return fluid.settings_of(thing) is not None


def _has_surface(_settings: "EffectSettings", thing: "Object") -> bool:
    return thing.type in {"MESH", "CURVE", "SURFACE", "FONT", "META"}


class EffectSettings(bpy.types.PropertyGroup):
    """One effect."""

    kind: EnumProperty(
        name="Kind",
        description="What it is",
        items=KIND_ITEMS,
        default="fire",
        update=_loop_where_it_goes_on,
    )
    seed: IntProperty(name="Seed", description="Another number, another one of its kind", min=0, options=UNKEYED)
    frames: IntProperty(
        name="Frames", description="How many frames to make", default=FRAMES, min=1, max=LONGEST, options=UNKEYED
    )
    loop: BoolProperty(
        name="Loop", description="After its last frame comes its first, without a jump", default=True, options=UNKEYED
    )
    start: IntProperty(
        name="Start", description="The frame of the timeline on which it begins", default=1, min=0, options=UNKEYED
    )
    pixels: IntVectorProperty(
        name="Pixels",
        description="Width and height of its frames",
        size=2,
        default=(SIZE, SIZE),
        min=LEAST_SIZE,
        max=MOST_SIZE,
        options=UNKEYED,
    )
    side: IntProperty(
        name="Pixels",
        description="Of a side of its tile",
        default=SIZE,
        min=LEAST_TILE,
        max=MOST_TILE,
        step=2,
        options=UNKEYED,
    )
    emitter: PointerProperty(
        name="Emitter",
        description="The object whose shape it comes out of. None: its own",
        type=bpy.types.Object,
        poll=_has_surface,
    )
    domain: PointerProperty(
        name="Fluid Domain",
        description="Your own simulation of gas, baked as OpenVDB: the effect shows it, finer, where it is",
        type=bpy.types.Object,
        poll=_is_domain,
        update=_choose,
    )
    bake: StringProperty(
        name="Fluid Bake", description="The cache of your own simulation of gas, baked as OpenVDB", subtype="DIR_PATH"
    )
    view: EnumProperty(
        name="Seen from",
        description="The side of your own simulation that is shown",
        items=[(side, side.title(), "") for side in SIDES],
        update=_turn,
    )
    depth: FloatProperty(name="Depth", description="Of the box of what was baked, in heights", options={"HIDDEN"})
    folder: StringProperty(name="Folder", description="Of its frames, in //paintover/effects", options={"HIDDEN"})
    shown: StringProperty(name="Shown", description="Digest of the bake that the card shows", options={"HIDDEN"})
    light: PointerProperty(name="Light", description="What it lights the scene with", type=bpy.types.Object)

    @property
    def is_water(self) -> bool:
        return self.kind in WATER

    @property
    def refines(self) -> bool:
        """Whether an artist's own simulation takes the place of ours."""
        return not self.is_water and (self.domain is not None or bool(self.bake))

    @property
    def repeats(self) -> bool:
        """Whether after its last frame comes its first."""
        return self.is_water or (self.loop and not self.refines and self.kind != ONCE)

    @property
    def deep(self) -> float:
        """How deep its box is, in heights of it."""
        return (self.refines and self.depth) or usually_deep(*self.shape)

    @property
    def sliders(self) -> list[str]:
        """The controls that can be turned on it, in the panel's order."""
        left = [name for name in KEPT if name not in OF_DOMAIN]
        return [name for name in names(self.kind) if name in left or not self.refines]

    @property
    def controls(self) -> bpy.types.PropertyGroup:
        """Those of its kind."""
        found: bpy.types.PropertyGroup = getattr(self, self.kind)
        return found

    @property
    def height(self) -> str:
        """The data path of what the card is as large as: its height, of water the side of a tile."""
        return f"paintover_effect.{self.kind}.{'scale' if self.is_water else 'size'}"

    @property
    def shape(self) -> tuple[int, int]:
        """Width and height of a frame, in pixels."""
        width, height = (self.side, self.side) if self.is_water else self.pixels
        return width, height

    def now(self) -> dict[str, Value]:
        """Every control that can be turned, as it is now, but for the seed."""
        return {name: _plain(getattr(self.controls, name)) for name in self.sliders}


EffectSettings.__annotations__.update({kind: PointerProperty(type=group) for kind, group in GROUPS.items()})


def names(kind: str) -> list[str]:
    """The controls of a kind that have a slider, in the panel's order."""
    return list(GROUPS[kind].__annotations__)


def _plain(value: Any) -> Value:
    """As the artist typed it: Blender keeps 32 bits of a number, which may lie just beyond the control's range."""
    if isinstance(value, float | int):
        return float(f"{value:.6g}")
    red, green, blue = (float(f"{item:.6g}") for item in value)
    return red, green, blue


def of(owner: "Object | Scene") -> EffectSettings:
    """The settings of an effect, or of the next one, with their type."""
    settings: EffectSettings = owner.paintover_effect  # type: ignore[union-attr]
    return settings


def size(thing: "Object") -> float:
    """Height of an effect's box, of water the side of a tile, in metres."""
    found: Any = thing.path_resolve(of(thing).height)
    return float(f"{found:.6g}")


def is_effect(thing: "Object | None") -> bool:
    return thing is not None and bool(of(thing).folder)


def in_scene(scene: "Scene") -> "list[Object]":
    """The effects that the scene holds, by name."""
    return sorted((thing for thing in scene.objects if is_effect(thing)), key=lambda thing: thing.name)


def sharers(thing: "Object") -> "list[Object]":
    """The other objects that show the same bake: it was duplicated."""
    return [other for other in bpy.data.objects if other != thing and of(other).folder == of(thing).folder]


def folder_of(thing: "Object") -> Path:
    """Where the effect's frames are."""
    folder: str = of(thing).folder
    return paths.effects() / folder


def free_folder(name: str, thing: "Object") -> str:
    """A folder for ``thing`` that no other effect has, of this .blend or of another one beside it."""
    taken = {paths.effects() / of(other).folder for other in bpy.data.objects if other != thing}
    return paths.free(paths.effects() / paths.safe_name(name), taken).name


def copy(source: EffectSettings, target: EffectSettings) -> None:
    """Give an effect the settings of another; whose it is stays."""
    for name in ("kind", "seed", "frames", "loop", "start", "pixels", "side", "emitter", "bake", "view", "domain"):
        setattr(target, name, getattr(source, name))
    for name in names(source.kind):
        setattr(target.controls, name, getattr(source.controls, name))


CLASSES = (*GROUPS.values(), EffectSettings)
OWNERS: tuple[Any, ...] = (bpy.types.Object, bpy.types.Scene)


def register() -> None:
    register_all(CLASSES)
    for owner in OWNERS:
        owner.paintover_effect = PointerProperty(type=EffectSettings, options={"ANIMATABLE"})


def unregister() -> None:
    for owner in OWNERS:
        del owner.paintover_effect
    unregister_all(CLASSES)
