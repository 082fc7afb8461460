"""An artist's own fluid simulation as the source of an effect: its bake, and whether it can be used."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from ..backend.effect.controls import table
from ..backend.effect.frames import baked_files
from ..backend.errors import EffectError

if TYPE_CHECKING:
    from bpy.types import Object

    from .properties import EffectSettings

FORMAT = "OPENVDB"  # of a cache, the one that can be read
_CHOOSE = "Choose the domain of a simulation of gas."


def settings_of(thing: "Object | None") -> Any:
    """Blender's settings of a fluid domain; None where the object is none."""
    modifiers: list[Any] = [modifier for modifier in thing.modifiers if modifier.type == "FLUID"] if thing else []
    return next((modifier.domain_settings for modifier in modifiers if modifier.fluid_type == "DOMAIN"), None)


def folder(settings: "EffectSettings") -> Path:
    """Where the bake should be: the domain's cache, or the folder that was chosen."""
    told = settings_of(settings.domain)
    return _cache(settings.domain, told) if told is not None else Path(bpy.path.abspath(settings.bake))


def _cache(chosen: "Object", told: Any) -> Path:
    return Path(bpy.path.abspath(told.cache_directory, library=chosen.library))


def files(settings: "EffectSettings") -> dict[int, Path]:
    """The bake's files by frame, with no gap: those of the domain's timeline, or all in the folder.

    Raises EffectError where they are not there, or are not to be read.
    """
    if settings.domain is not None:
        return files_of(settings.domain)
    found = baked_files(folder(settings))
    return _without_gap(found, min(found), max(found), folder(settings).name)


def files_of(chosen: "Object") -> dict[int, Path]:
    """The same of a domain. Raises EffectError for one that is none, of no gas, not baked whole, or not as OpenVDB."""
    told = settings_of(chosen)
    if told is None:
        raise EffectError(f"{chosen.name} is no fluid domain.", _CHOOSE)
    if told.domain_type != "GAS":
        raise EffectError(f"{chosen.name} is the domain of a liquid.", _CHOOSE)
    if told.cache_data_format != FORMAT:
        name = told.bl_rna.properties["cache_data_format"].enum_items[told.cache_data_format].name
        raise EffectError(
            f"{chosen.name} keeps its bake in the format {name}, which only Blender reads.",
            "Free it, set Physics > Cache > Format Volumes to OpenVDB, and bake it again.",
        )
    place = _cache(chosen, told)
    try:
        found = baked_files(place)
    except EffectError as error:
        raise EffectError(
            f"{chosen.name} is not baked: there are no OpenVDB files in {place}.",
            "Bake it in Physics > Fluid of the domain first.",
        ) from error
    return _without_gap(found, told.cache_frame_start, told.cache_frame_end, chosen.name)


def _without_gap(found: dict[int, Path], first: int, last: int, whose: str) -> dict[int, Path]:
    missing = [frame for frame in range(first, last + 1) if frame not in found]
    if missing:
        raise EffectError(
            f"Frame {missing[0]} is not in the bake of {whose}.",
            f"Bake it to its end, or let the cache's frames be those that are there: {min(found)} to {max(found)}.",
            frame=missing[0],
        )
    return {frame: found[frame] for frame in range(first, last + 1)}


def asked(settings: "EffectSettings") -> dict[str, Any]:
    """The bake as the backend takes it."""
    found: dict[str, Any] = {"folder": str(folder(settings)), "side": settings.view}
    told = settings_of(settings.domain)
    if told is not None and settings.kind != "smoke":  # which need not burn; of flames the domain says how hot
        found["hottest"] = float(f"{told.flame_max_temp:.6g}")
    return found


def pace(settings: "EffectSettings") -> dict[str, float]:
    """How fast the simulation goes, as a control; of a mere folder nothing is known."""
    told = settings_of(settings.domain)
    if told is None:
        return {}
    control = table(settings.kind)["time_scale"]
    return {"time_scale": min(max(float(f"{told.time_scale:.6g}"), control.low), control.high)}


def stamp(settings: "EffectSettings") -> tuple[str, ...]:
    """Changes with what is chosen, and with what is baked."""
    place = folder(settings)
    times = [str(path.stat().st_mtime_ns) for path in (place, place / "data") if path.is_dir()]
    return (str(settings.domain and settings.domain.name), repr(asked(settings)), repr(pace(settings)), *times)
