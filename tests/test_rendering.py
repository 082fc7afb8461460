"""Render Passes in a window: Blender goes on meanwhile, and all is as before afterwards."""


def render_in_window(folder):
    """A range to its end, one that is stopped, one whose second frame cannot be kept."""
    import bpy
    from paintover import paths, rendering

    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = 64, 36
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 1, False
    scene.render.filepath = folder + "/artist_"
    layer = scene.view_layers[0]
    places = paths.places(scene)
    scene.frame_set(17)

    def state():
        render, view = scene.render, bpy.context.preferences.view
        handlers = [len(getattr(bpy.app.handlers, name)) for name in ("render_complete", "render_cancel", "load_pre")]
        switches = [render.use_compositing, render.use_sequencer, layer.use_pass_vector, view.render_display_type]
        return [render.image_settings.file_format, scene.frame_current, len(bpy.context.window_manager.windows)] + (
            switches + handlers
        )

    before = state()
    out = {}
    for case in ("whole", "stopped", "in the way"):
        run = rendering.RangeRender(scene, 1, 3)
        run.start()
        seen = [run.done, run.fraction]
        steps = 0
        while not run.done:
            steps += 1
            if case == "stopped" and len(run.paths) == 1:
                run.cancel()
            if case == "in the way" and len(run.paths) == 1 and not places.passes.is_file():
                places.passes.rename(places.folder / "moved")
                places.passes.write_text("in the way")
            yield 0.01
        code = run.error.code if run.error else None
        out[case] = [seen, steps > 0, [path.name for path in run.paths], code, state() == before]
    return out


def test_a_range_in_a_window(blender, display, tmp_path):
    blender.use_window(display)
    out = blender(render_in_window, tmp_path)
    names = [f"Scene_{frame:04d}.exr" for frame in (1, 2, 3)]
    assert out["whole"] == [[False, 0], True, names, None, True]
    seen, stayed_alive, written, code, restored = out["stopped"]
    assert seen == [False, 0] and stayed_alive and restored
    assert code == "cancelled" and written in (names[:1], names[:2])
    seen, stayed_alive, written, code, restored = out["in the way"]
    assert code == "output" and restored and 1 <= len(written) < 3
    assert not list(tmp_path.glob("artist_*"))
    assert not list((tmp_path / "paintover" / "Scene" / "moved").glob(".*"))
