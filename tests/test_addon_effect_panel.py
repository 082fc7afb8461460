"""The panel of effects: what it shows of a card, and what it says where something is left, copied or moved."""

from pathlib import Path

import pytest
from effect_bake import bake

TESTS = Path(__file__).resolve().parent


def in_render_properties(tests, out):
    """A window whose Properties editor shows the render's: what the panel draws there, and what its buttons say."""
    import sys

    sys.path.insert(0, tests)
    import bpy
    from drawn import drawn
    from paintover.effect.panel import Effects
    from paintover.operators import effects

    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "PROPERTIES")
    area.spaces.active.context = "RENDER"
    effects.effect_add(bpy.context.scene, "smoke")
    yield 1.0
    region = next(region for region in area.regions if region.type == "WINDOW")
    found = [drawn(Effects, "PROPERTIES", "WINDOW").labels]
    with bpy.context.temp_override(window=window, area=area, region=region):
        buttons = {"effect_layer_insert": {}, "effect_flipbook": {"filepath": out}, "effect_emit": {}}
        for name, told in (buttons | {"styled_as_texture": {}}).items():
            try:
                getattr(bpy.ops.paintover, name)(**told)
            except RuntimeError as error:
                found.append(str(error).partition(": ")[2].strip())
    return found


def test_render_properties_know_the_active_card(blender, display, tmp_path):
    blender.use_window(display)
    labels, merge, flipbook, emit, texture = blender(in_render_properties, TESTS, tmp_path / "out.png")
    assert labels[0] == "Smoke: smoke" and labels[-1] == "Not baked yet"
    assert merge == flipbook == "Smoke is not baked yet. Press Bake."
    assert "Select a mesh" in emit and "No object" not in texture


def deleted(folder, tests):
    """A merged fire and a smoke with lights; the fire's card is deleted. What is left, drawn, and taken out."""
    import sys

    sys.path.insert(0, tests)
    from pathlib import Path

    import bpy
    from drawn import drawn
    from paintover import artists_tree
    from paintover.effect import bakes, card, properties
    from paintover.effect.panel import Effects
    from paintover.operators import effects

    bpy.ops.wm.read_homefile(use_factory_startup=True)
    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    scene = bpy.context.scene
    baked = bakes.baked(Path(folder, "paintover", "effects", "Fire"))
    for kind in ("fire", "smoke"):
        thing = effects.effect_add(scene, kind)
        properties.of(thing).folder = kind.title()
        card.light(scene, thing, baked, [2.0] * 3)
    fire = bpy.data.objects["Fire"]
    effects.effect_layer_insert(scene, fire)
    with bpy.context.temp_override(selected_objects=[fire]):
        bpy.ops.object.delete()

    def left():
        buttons = drawn(Effects, "VIEW_3D", "UI").buttons
        return [told["name"] for name, _, told in buttons if name == "paintover.effect_leftovers_remove"]

    def there():
        lights = [thing.name for thing in scene.objects if thing.name.endswith(" Light")]
        keys = sorted(action.name for action in bpy.data.actions)
        return [[node.name for node in artists_tree.groups(scene)], lights, keys]

    out = [left(), there()]
    for name in out[0]:
        assert bpy.ops.paintover.effect_leftovers_remove(name=name) == {"FINISHED"}
        out.append(there())
    try:
        bpy.ops.paintover.effect_leftovers_remove()
    except RuntimeError as error:
        out.append(str(error))
    return [*out, left()]


def test_what_is_left_of_a_deleted_card_is_listed_and_removed(blender, tmp_path):
    folder = tmp_path / "paintover" / "effects" / "Fire"
    folder.mkdir(parents=True)
    bake(folder)
    listed, before, half, after, refused, none = blender(deleted, tmp_path, TESTS)
    assert listed == ["Paintover Fire", "Fire Light"]
    assert before[:2] == [["Paintover Fire"], ["Fire Light", "Smoke Light"]]
    assert half[:2] == [[], ["Fire Light", "Smoke Light"]] and after[:2] == [[], ["Smoke Light"]]
    assert len(before[2]) == 2 and len(after[2]) == 1, "its keys go with it"
    assert "Nothing is left" in refused and none == []


def moved(folder, tests):
    """A merged fire: whether it is said that something has moved, after each of several things; and the last panel."""
    import sys

    sys.path.insert(0, tests)
    import bpy
    from drawn import drawn
    from paintover.effect import layer, properties
    from paintover.effect.panel import Effects
    from paintover.operators import effects

    bpy.ops.wm.read_homefile(use_factory_startup=True)
    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    scene = bpy.context.scene
    scene.frame_end = 4
    camera, lamp = scene.camera, bpy.data.objects["Light"]
    thing = effects.effect_add(scene, "fire")
    properties.of(thing).folder = "Fire"

    def stale():
        bpy.context.view_layer.update()
        return layer.is_stale(scene, thing)

    out = {"not merged": stale()}
    effects.effect_layer_insert(scene, thing)
    scene.frame_set(3)
    lamp.location.x += 1
    out["something else"] = stale()
    for name, change in {
        "camera": lambda: setattr(camera.location, "x", camera.location.x + 0.1),
        "lens": lambda: setattr(camera.data, "lens", 60),
        "card": lambda: setattr(thing.location, "z", 1),
        "size": lambda: setattr(properties.of(thing).fire, "size", 3),
    }.items():
        change()
        out[name] = stale()
        effects.effect_layer_insert(scene, thing)
        out[name + ", merged"] = stale()
    for frame, x in ((1, 5.0), (4, 8.0)):
        camera.location.x = x
        camera.keyframe_insert("location", frame=frame)
    effects.effect_layer_insert(scene, thing)
    for frame in (1, 2, 4, 50):
        scene.frame_set(frame)
        out[f"keyed, {frame}"] = stale()
    scene.frame_set(2)
    camera.location.y += 1
    camera.keyframe_insert("location", frame=2)
    out["other keys"] = stale()
    panel = drawn(Effects, "VIEW_3D", "UI")
    return [out, " ".join(panel.labels), [name for name, *_ in panel.buttons]]


def test_a_merge_that_is_out_of_date_is_told(blender, tmp_path):
    folder = tmp_path / "paintover" / "effects" / "Fire"
    folder.mkdir(parents=True)
    bake(folder)
    out, said, buttons = blender(moved, tmp_path, TESTS)
    assert [what for what, stale in out.items() if stale] == ["camera", "lens", "card", "size", "other keys"]
    assert "The camera or the card has moved since: press Merge in Compositor." in said
    assert "paintover.effect_add" in buttons, "also while a card is active"


def keyed():
    """Which properties of a fire and of an ocean take keys."""
    import bpy
    from paintover.effect import properties
    from paintover.operators import effects

    out = {}
    for kind in ("fire", "ocean"):
        thing = effects.effect_add(bpy.context.scene, kind)
        out[kind] = []
        for name in (f"{kind}.{properties.names(kind)[0]}", "seed", "start", "pixels", "side"):
            try:
                thing.keyframe_insert(f"paintover_effect.{name}")
                out[kind].append(name.partition(".")[0])
            except TypeError:
                pass
    return out


def test_only_what_can_be_keyed_takes_keys(blender):
    assert blender(keyed) == {"fire": ["fire"], "ocean": []}


def cancelled(folder, follow):
    """An effect that is cancelled while it is baked for the first time, followed or waited for; what has changed."""
    import time
    from pathlib import Path

    import bpy
    from paintover import jobs
    from paintover.backend.errors import Cancelled
    from paintover.effect import properties
    from paintover.operators import effects

    bpy.ops.wm.read_homefile(use_factory_startup=True)
    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    scene, layer = bpy.context.scene, bpy.context.view_layer
    chosen = properties.of(scene)
    chosen.kind, chosen.loop, chosen.side = "fire", False, 32

    def there():
        data = [sorted(things.keys()) for things in (bpy.data.objects, bpy.data.meshes, bpy.data.materials)]
        return [
            *data,
            layer.objects.active.name,
            [thing.name for thing in layer.objects.selected],
            chosen.kind,
            chosen.loop,
        ]

    before = there()
    work = effects.effect_add_work(scene, "pool")
    out = [there() != before]
    try:
        if follow:
            jobs.start(work)
            jobs.cancel()
            while jobs.poll():
                time.sleep(0.02)
        else:
            jobs.run(work, lambda _report: jobs.cancel())
    except Cancelled:
        out.append("cancelled")
    files = [path.name for path in Path(folder, "paintover").rglob("*.*")]
    return [*out, there() == before, files]


@pytest.mark.parametrize("follow", [True, False])
def test_nothing_is_left_of_an_effect_that_was_cancelled(blender, own_backend, tmp_path, follow):
    assert blender(cancelled, tmp_path, follow) == [True, "cancelled", True, []]
