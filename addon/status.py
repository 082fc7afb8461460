"""What the panels say, worked out from the scene, its files and the session: plain values, nothing is drawn here."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from . import capture, compat, compositor, jobs, passes, paths, preferences, properties, shot_card, stylise
from .backend.errors import PaintoverError
from .operators.keyframes import painting_file
from .shot import RENDER_REMEDY, look_file

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import IconItems
    from bpy.types import Scene


@dataclass(frozen=True)
class Line:
    """One line of a panel: words, an icon, and the operator that remedies it, or ""."""

    text: str
    icon: "IconItems" = "NONE"
    remedy: str = ""
    action: str = ""


def of_error(error: PaintoverError) -> Line:
    return Line(error.message, "ERROR", error.remedy, error.action)


def backend() -> Line:
    """Whether work can be given to the backend."""
    try:
        preferences.check_backend()
    except PaintoverError as error:
        return of_error(error)
    running = jobs.session.backend is not None and jobs.session.backend.alive
    return Line("Backend is running" if running else "Backend is ready", "CHECKMARK")


def failures() -> list[Line]:
    """What went wrong last: in a job, and in saving passes during a render."""
    return [of_error(error) for error in (jobs.session.failure, capture.last_error) if error is not None]


def unsaved() -> list[Line]:
    """What becomes of files while the .blend has no place of its own; empty once it is saved."""
    if bpy.data.filepath:
        return []
    text = "This file is not saved: until it is, passes, paintings, looks and effects are lost when Blender quits"
    return [Line(text, "ERROR", "Save the file before you paint.", "wm.save_mainfile")]


def needed_passes(scene: "Scene") -> list[Line]:
    """What keeps the next render from being a shot; empty if all is well."""
    missing = passes.missing(passes.main_layer(scene))
    lines = [Line(f"{len(missing)} passes are off: {', '.join(missing)}", "ERROR", "", "paintover.enable_passes")]
    warnings = [Line(text, "ERROR", "", "paintover.enable_passes") for text in passes.warnings(scene)]
    camera = scene.camera.data if scene.camera is not None else None
    if not compat.VECTORS_OF_ORTHO and isinstance(camera, bpy.types.Camera) and camera.type == "ORTHO":
        text = "Before Blender 5 the Vector pass is wrong for an orthographic camera that moves: no paint is carried"
        warnings.append(Line(text, "INFO", "Let it stand still, or render in Blender 5."))
    if capture.is_on(scene):
        try:
            capture.check(scene)
        except PaintoverError as error:
            warnings.append(of_error(error))
    if capture.is_on(scene) and not compat.renders_view_layers(scene):
        warnings.append(Line(passes.NOT_RENDERED, "ERROR", "Press Render Passes: it leaves both out."))
    if capture.is_on(scene) and scene.frame_step > 1:
        text = f"Frame Step is {scene.frame_step}: paint goes from frame to frame, and is lost where one is left out"
        remedy = "Press Render Passes: it leaves none out. Or set Output > Frame Range > Step to 1."
        warnings.append(Line(text, "ERROR", remedy))
    return (lines if missing else []) + warnings


def another_shot(scene: "Scene") -> list[Line]:
    """Whether the passes here are another .blend's: files in one folder share what scenes of one name have."""
    blend = shot_card.another_blend(paths.places(scene).passes)
    if not blend:
        return []
    return [Line(f"The passes here are of {blend}: rendering replaces them", "INFO", "Rename the scene to keep both.")]


def view(scene: "Scene") -> list[Line]:
    """What keeps a painting from being matched exactly; empty if nothing does that Blender knows of."""
    if not shot_card.view_info(scene)["curves"]:
        return []
    text = "Paintings cannot be matched while Use Curves or White Balance is on in Color Management"
    return [Line(text, "ERROR")]


def final(scene: "Scene") -> list[Line]:
    """What keeps final frames from showing the style; empty if nothing does."""
    places = paths.places(scene)
    styled = paths.frame_times(places.styled, places.name)
    if compositor.find(scene) is None:
        if not styled:
            return []
        text = "Final frames will show no style: Paintover is not in the compositor"
        return [Line(text, "ERROR", "", "paintover.compositor_insert")]
    if not scene.render.use_compositing:
        text = "Compositing is off: renders show no style. Switch on Output > Post Processing > Compositing"
        return [Line(text, "ERROR")]
    frame, rendered = scene.frame_current, paths.frame_times(places.passes, places.name)
    if styled.get(frame, math.inf) < rendered.get(frame, 0.0):
        return [Line(f"Frame {frame} was rendered since it was styled: the old style shows", "INFO", "Apply the look.")]
    bare = sorted(rendered.keys() - styled)
    if bare:
        return [Line(f"Not styled, so final frames show the render: {paths.spoken(bare)}", "ERROR", "Apply the look.")]
    return []


def frames_text(frames: list[int]) -> str:
    """``[1, 2, 3, 7]`` -> ``4 frames, 1 to 7``."""
    if len(frames) == 1:
        return f"frame {frames[0]}"
    return f"{len(frames)} frames, {frames[0]} to {frames[-1]}"


def rendered(scene: "Scene") -> Line:
    places = paths.places(scene)
    frames = list(paths.frame_times(places.passes, places.name))
    if not frames and (name := shot_card.left_behind(scene)):
        text = f"Nothing is rendered yet; there are passes of a scene {name}"
        return Line(text, "INFO", "Was it this one? Then give it that name again.")
    if not frames:
        return Line("Nothing is rendered yet", "INFO", RENDER_REMEDY)
    return Line(f"Rendered: {frames_text(frames)}", "CHECKMARK")


def styled(scene: "Scene") -> Line:
    places = paths.places(scene)
    times = paths.frame_times(places.styled, places.name)
    frames = list(times)
    count = stylise.count
    if count.asked > count.done + count.failed:
        return Line(f"Stylised {count.done} of {count.asked} while rendering", "SORTTIME")
    if jobs.session.again:
        return Line("Styling again what was rendered before the painted frame", "SORTTIME", "", "paintover.cancel_job")
    if not frames:
        return Line("Nothing is styled yet", "INFO")
    trained = paths.changed_at(look_file(scene))
    before = [frame for frame, made in times.items() if made < trained]
    if before:
        text = f"Styled: {frames_text(frames)}; by an earlier look: {paths.spoken(before)}"
        return Line(text, "INFO", "Apply the look.")
    return Line(f"Styled: {frames_text(frames)}", "CHECKMARK")


def look(scene: "Scene") -> Line:
    path = look_file(scene)
    if not path.is_file():
        return Line("No look is trained yet", "INFO")
    trained = path.stat().st_mtime
    later = [key.frame for key in properties.of(scene).keyframes if paths.changed_at(painting_file(key)) > trained]
    if later:
        return Line(f"{path.name}; painted on since: {paths.spoken(sorted(later))}", "INFO", "Train or Continue.")
    return Line(f"{path.name}", "CHECKMARK")


def painting(path: Path) -> Line:
    if not path.is_file():
        return Line("The painting is gone", "ERROR")
    return Line(path.name)
