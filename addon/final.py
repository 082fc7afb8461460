"""Final frames out of the shot on disk: the artist's compositor and output settings, with nothing rendered again."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import bpy
from bpy.app.handlers import persistent

from . import capture, compat, exr, handlers, paths, properties, saved_render
from .backend import errors
from .backend.room import check_room
from .compat import Node
from .render_ticket import Job, RenderTicket, Report, Steps, Task, is_rendering
from .rendering import frames_between
from .shot import scene_named

COPY = "paintover_copy"  # custom property on what is here for a while only

_under_way = 0


class FinalTask(Task):
    """``frames``, ``step`` apart, with the scene's own output settings, composited from ``passes_folder``.

    A movie is one file: it has every such frame from the first to the last. The scene stays as it is; a sequencer is
    left out. Fails with FrameRangeError (a frame is not in the shot), ShotError (a pass that the compositor needs is
    not, a frame is torn, or Blender refused), OutputError.
    """

    def __init__(
        self, scene: bpy.types.Scene, passes_folder: Path, name: str, frames: Sequence[int], step: int = 1
    ) -> None:
        self.written: list[int] = []
        self._scene = scene.name
        self._folder, self._name = passes_folder, name
        self._frames, self._step = frames, step
        self._movie = scene.render.is_movie_format
        self._torn: Path | None = None

    def steps(self) -> Steps:
        output_folder(scene_named(self._scene))
        ends = [(self._frames[0], self._frames[-1])] if self._movie else paths.runs(self._frames, self._step)
        for first, last in ends:
            frames = range(first, last + 1, self._step)
            with composited_from_shot(scene_named(self._scene), self._folder, self._name, frames) as copy:
                job = Job(copy.name, f"write frames {first} to {last}", animation=True)
                with self._counted(job):
                    yield job
            if self._torn is not None:
                raise errors.OutputError(
                    f"The final frame {self._torn} is not whole.",
                    "Look at the space that is left on the disk, and write the final frames again.",
                    path=str(self._torn),
                )

    @contextmanager
    def _counted(self, job: Job) -> Iterator[None]:
        def count(scene: bpy.types.Scene, _depsgraph: object = None) -> None:
            if scene.name != job.scene:
                return
            path = Path(scene.render.frame_path(frame=scene.frame_current))
            # Of other files Blender itself says that the disk is full.
            if path.suffix == ".exr" and path.is_file() and not exr.is_whole(path):
                self._torn, job.ending = path, True
                with suppress(OSError):  # it is named all the same
                    path.unlink()
            else:
                self.written.append(scene.frame_current)
                self.on_frame()
            if job.ending:
                scene.frame_current = scene.frame_end  # it counts the animation's frames: this was the last one

        listeners = [("render_write", count)]
        handlers.listen(listeners)
        try:
            yield
        finally:
            handlers.leave(listeners)

    def report(self) -> Report:
        if not self.written:
            return {"fraction": 0.0}
        last = self.written[-1]
        return {"fraction": len(self.written) / len(self._frames), "message": f"Frame {last}", "frame": last}

    def result(self) -> Report:
        return {"frames": self.written}


def render_final(scene: bpy.types.Scene, passes_folder: Path, name: str, first: int, last: int) -> None:
    """Write ``first``..``last`` and wait. Raises what ``FinalTask`` fails with; Cancelled."""
    RenderTicket(FinalTask(scene, passes_folder, name, frames_between(first, last))).wait()


@contextmanager
def composited_from_shot(
    scene: bpy.types.Scene, passes_folder: Path, name: str, frames: range
) -> Iterator[bpy.types.Scene]:
    """A passing copy of ``scene``, of these ``frames``, whose render is the shot on disk, composited and written as the
    artist's would be. The artist's tree is never touched.
    """
    global _under_way
    there = set(paths.frames_in(passes_folder, name))
    gone = [frame for frame in frames if frame not in there]
    if gone:
        raise errors.FrameRangeError(
            f"The shot in {passes_folder} has no frame {gone[0]}.",
            "Render Passes for it, or choose other frames.",
            missing=gone,
        )
    for frame in frames:
        path = paths.frame_path(passes_folder, name, frame)
        if not exr.is_whole(path):
            raise exr.unreadable(path, ValueError("it is not whole"))
    first, last = frames[0], frames[-1]
    _check_size(scene, paths.frame_path(passes_folder, name, first))
    _under_way += 1
    try:
        copy = scene.copy()
        copy[COPY] = True
        tree: Node = compat.own_compositor_tree(copy, scene)
        tree[COPY] = True
        compat.fill_in_scene_name(copy, scene.name)
        settings = properties.of(copy)
        settings.save_passes = settings.stylise = False
        copy.render.use_compositing, copy.render.use_sequencer = True, False
        copy.render.use_overwrite, copy.render.use_placeholder = True, False  # what is there may be of an earlier look
        copy.frame_start, copy.frame_end, copy.frame_step = first, last, frames.step
        copy.frame_current = first
        copy.render.use_border = scene.render.use_border and scene.render.use_crop_to_border  # else files are whole
        copy.render.use_freestyle = False  # it is in the files
        for child in list(copy.collection.children):  # nothing is rendered, so there is nothing to prepare
            copy.collection.children.unlink(child)
        for thing in list(copy.collection.objects):
            copy.collection.objects.unlink(thing)
        if copy.camera is None:  # Blender does not begin without one
            copy.camera = bpy.data.objects.new(COPY, bpy.data.cameras.new(COPY))
            copy.camera.data[COPY] = True
        _look_for_passes(tree, (scene, copy), paths.frame_path(passes_folder, name, first))
        saved_render.use(copy, passes_folder, name)
        yield copy
    finally:
        _under_way -= 1
        sweep()


def output_folder(scene: bpy.types.Scene) -> Path:
    """Where the final frames go. Raises OutputError where nothing can be written there: that is better known before
    hours of rendering.
    """
    try:
        folder = Path(scene.render.frame_path()).absolute().parent
    except RuntimeError as error:
        raise errors.OutputError(
            f"The output path {scene.render.filepath} cannot be read: {str(error).strip().splitlines()[-1]}",
            "Correct it in the Output Properties.",
        ) from error
    check_room(folder)
    return folder


def _check_size(scene: bpy.types.Scene, frame: Path) -> None:
    """Raises ShotError where the shot was rendered at another size: it would stand in the middle of an empty frame."""
    shot, now = exr.size(frame), capture.size_of(scene)
    if scene.render.use_border and scene.render.use_crop_to_border:
        if shot == now:
            raise errors.ShotError(
                "Crop to Render Region is on, but the shot's frames are whole: they would be squeezed into the region.",
                "Switch it off in the Output Properties, or render the passes again and apply the look.",
            )
    elif shot != now:
        raise errors.ShotError(
            f"The shot's frames are {shot[0]} x {shot[1]} pixels, but the scene renders {now[0]} x {now[1]}.",
            "Set the shot's resolution in the Output Properties, or render the passes again and apply the look.",
        )


def sweep() -> None:
    """Remove the copies that no render needs now. An undo, or another file, may have brought old ones back."""
    if _under_way or is_rendering():  # until another file takes them all away
        return
    for scene in [scene for scene in bpy.data.scenes if scene.get(COPY)]:
        bpy.data.scenes.remove(scene)
    for tree in [tree for tree in bpy.data.node_groups if tree.get(COPY)]:
        bpy.data.node_groups.remove(tree)
    for camera in [camera for camera in bpy.data.cameras if camera.get(COPY)]:
        bpy.data.cameras.remove(camera)  # and the object with it
    saved_render.put_away()


def _look_for_passes(tree: Node, scenes: tuple[bpy.types.Scene, bpy.types.Scene], file: Path) -> None:
    """Let the nodes of the second scene's ``tree`` that read a render of the first read its own. Raises ShotError where
    the ``file`` of a frame lacks what they give on.
    """
    layers = saved_render.passes_in(file)
    for node in tree.nodes:
        if node.bl_idname == "CompositorNodeCryptomatteV2" and node.source == "RENDER" and node.scene in scenes:
            wanted = {f"{node.layer_name}00"} if any(output.is_linked for output in node.outputs) else set()
            there = {f"{layer}.{name}" for layer in layers for name in layers[layer]}
        elif node.bl_idname == "CompositorNodeRLayers" and node.scene in scenes:
            wanted = {output.name for output in node.outputs if output.is_linked} - {"Image", "Alpha"}
            if (wanted or node.outputs["Image"].is_linked) and node.layer not in layers:
                raise _not_in_shot(f"view layer {node.layer}")
            there = set(layers.get(node.layer, {}))
        else:
            continue
        if missing := sorted(wanted - there):
            raise _not_in_shot(f"pass {missing[0]}")
        node.scene = scenes[1]


def _not_in_shot(what: str) -> errors.ShotError:
    return errors.ShotError(
        f"The compositor uses the {what}, and the shot on disk does not hold it.",
        "Render Passes again, now that it is switched on.",
    )


@persistent  # type: ignore[untyped-decorator]
def _on_come_back(*_: object) -> None:
    sweep()


_LISTENERS = [(name, _on_come_back) for name in ("load_post", "undo_post", "redo_post")]


def register() -> None:
    handlers.listen(_LISTENERS)


def unregister() -> None:
    handlers.leave(_LISTENERS)
