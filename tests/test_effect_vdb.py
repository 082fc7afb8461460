"""An artist's own Mantaflow bake as the coarse half of an effect."""

import json
from pathlib import Path
from typing import Any

import mantaflow
import numpy as np
import pytest
import torch
from doing import do
from effect_frames import SMALL, files
from fluid_bake import CELLS, FPS, VOXEL, bake, flame
from PIL import Image

from backend import cli
from backend.effect import blosc, vdb
from backend.effect.frames import baked_files
from backend.effect.mantaflow import HOTTEST_FLAME, opened
from backend.effect.projection import CHANNELS
from backend.effect.request import animated
from backend.errors import DONE, EffectError, UsageError
from backend.images import read_exr
from backend.job import Job


def pictures(asked: object, shape: tuple[int, int] = (48, 64), **controls: object) -> list[torch.Tensor]:
    baked = opened(asked, animated("fire", controls), None, None, FPS)
    return [view.picture[0] for _, view in baked.shown(shape, 64, Job())]


def channel(picture: torch.Tensor, name: str) -> torch.Tensor:
    return picture[CHANNELS.index(name)]


# --- the file format


@pytest.mark.parametrize("zipped", [False, True])
def test_a_file_is_read_as_it_was_written(tmp_path, zipped):
    rng = np.random.default_rng(1)
    written = {"density": rng.random((20, 9, 33)).astype(np.float32), "velocity": flame(0)["velocity"]}
    written["density"][written["density"] < 0.7] = 0
    data = mantaflow.write(tmp_path / "a.vdb", written, zipped=zipped).read_bytes()
    found = vdb.grids(data)
    assert {name: grid.type for name, grid in found.items()} == {
        "density": "Tree_float_5_4_3",
        "velocity": "Tree_vec3s_5_4_3",
    }
    assert found["density"].metadata[mantaflow.MARK] == (20, 9, 33)
    assert found["density"].voxel == pytest.approx((0.1,) * 3)
    for name, values in written.items():
        assert np.array_equal(vdb.dense(data, found[name], (0, 0, 0), values.shape[:3]), values)
    part = vdb.dense(data, found["density"], (5, -2, 30), (10, 8, 9))
    assert np.array_equal(part[:, 2:, :3], written["density"][5:15, :6, 30:])
    assert part[:, :2].max() == part[:, :, 3:].max() == 0


def test_every_cut_of_a_file_is_told_to_be_broken(tmp_path):
    data = mantaflow.write(tmp_path / "a.vdb", flame(0), zipped=True).read_bytes()
    for end in range(0, len(data), 997):
        with pytest.raises(vdb.VdbError):
            for grid in vdb.grids(data[:end]).values():
                vdb.dense(data[:end], grid, (0, 0, 0), CELLS)


def test_blosc_chunks_are_unpacked():
    def header(flags: int, width: int, size: int, block: int) -> bytes:
        return bytes([2, 1, flags, width]) + np.array([size, block, 0], "<u4").tobytes()

    assert blosc.unpacked(header(2, 4, 5, 5) + b"plain") == b"plain"
    literal, repeat = bytes([0x32]) + b"abc" + bytes([3, 0]), bytes([0x50]) + b"tail!"  # abc, 6 more of it, then a tail
    packed = literal + repeat
    chunk = header(1 << 5, 1, 14, 14) + np.array([20, len(packed)], "<u4").tobytes() + packed
    assert blosc.unpacked(chunk) == b"abcabcabctail!"
    numbers = np.arange(3, dtype="<u4")
    shuffled = numbers.view(np.uint8).reshape(3, 4).T.tobytes()
    chunk = header(1 << 5 | 1 | 16, 4, 12, 12) + np.array([20, 12], "<u4").tobytes() + shuffled
    assert np.array_equal(np.frombuffer(blosc.unpacked(chunk), "<u4"), numbers)
    for wrong in (chunk[:-1], header(0, 1, 14, 14) + chunk[16:], b"", header(4, 1, 14, 14) + bytes(40)):
        with pytest.raises((ValueError, IndexError, vdb.struct.error)):
            blosc.unpacked(wrong)


# --- what it means


def test_grids_become_channels(tmp_path):
    _, _, last = pictures(str(bake(tmp_path)))
    height, width = last.shape[1:]
    assert (height, width) == (16, 12)
    burning, dense = channel(last, "fuel") > 0.01, channel(last, "optical_depth") > 0.01
    assert burning.nonzero().amin(0).tolist() == [10, 8] and burning.nonzero().amax(0).tolist() == [14, 10]
    assert dense.nonzero().amin(0).tolist() == [8, 8]
    assert channel(last, "temperature")[12, 9].item() == pytest.approx(1900, rel=0.01)
    assert channel(last, "velocity_y")[12, 9].item() == pytest.approx(-1, rel=0.02)
    assert abs(channel(last, "velocity_x")[12, 9].item()) < 0.02
    assert channel(last, "depth")[12, 9].item() == pytest.approx(0.15, abs=0.06)  # in front
    assert channel(last, "fuel")[12, 9].item() > 0
    age = channel(last, "age")[:, 9] * FPS  # 2 frames where it came along, less where it is new
    assert age[8].item() == pytest.approx(2, abs=0.1) and age[14].item() < 0.1


def test_a_bake_is_seen_from_the_side_that_is_asked_for(tmp_path):
    folder = str(bake(tmp_path, 1))
    columns, depths = {}, {}
    for side in ("front", "right", "back", "left"):
        (picture,) = pictures({"folder": folder, "side": side})
        emission = channel(picture, "emission").sum(0)
        columns[side] = (emission * torch.arange(len(emission))).sum() / emission.sum() / (len(emission) - 1)
        depths[side] = channel(picture, "depth")[channel(picture, "emission") > 0.01].mean()
    # from the right what is in front lies to the left, and what is to the right lies in front
    assert columns["front"] > 0.7 and columns["right"] < 0.3 and columns["back"] < 0.3 and columns["left"] > 0.7
    assert depths["front"] < 0.3 < depths["back"] and depths["right"] < 0.5 < depths["left"]


def test_a_picture_wider_than_the_domain_has_air_beside_it(tmp_path):
    (wide,) = pictures(str(bake(tmp_path, 1)), shape=(128, 64))
    (narrow,) = pictures(str(tmp_path), shape=(24, 64))
    (own,) = pictures(str(tmp_path))
    assert wide.shape[1:] == (16, 32) and narrow.shape[1:] == (16, 6)
    assert torch.equal(wide[:2, :, 10:22], own[:2]) and torch.equal(narrow[:2], own[:2, :, 3:9])


def test_controls_that_still_mean_something_work(tmp_path):
    folder = str(bake(tmp_path, 2))
    _, usual = pictures(folder)
    _, thick = pictures(folder, smoke=0.6)  # twice the default
    assert channel(thick, "optical_depth")[9, 9] == pytest.approx(2 * channel(usual, "optical_depth")[9, 9].item())
    _, slow = pictures(folder, time_scale=0.5)
    assert channel(slow, "velocity_y").sum() == pytest.approx(0.5 * channel(usual, "velocity_y").sum().item())
    _, large = pictures(folder, size=16)
    assert channel(large, "depth").sum() == pytest.approx(10 * channel(usual, "depth").sum().item())
    _, cool = pictures({"folder": folder, "hottest": 2 * HOTTEST_FLAME})
    assert channel(cool, "emission").sum() == pytest.approx(channel(usual, "emission").sum().item() / 16, rel=0.1)


def test_a_bake_becomes_frames_of_its_numbers(tmp_path, fire):
    folder = bake(tmp_path / "cache", 3, first=5)
    out = tmp_path / "out"
    asked = {"kind": "fire", "weights": fire, "out": out, "size": [48, 64]}
    value = do("effect.render", vdb=str(folder), **asked)
    assert files(out) == ["fire_0005.exr", "fire_0006.exr", "fire_0007.exr"]
    assert len(value["brightness"]) == 3
    red = read_exr(out / "fire_0005.exr")[..., 0]
    assert red[48:60, 34:42].min() > 10 * red[:, :24].max()
    assert do("effect.render", vdb=str(folder), **asked)["skipped"] == [5, 6, 7]
    assert len(do("effect.render", vdb={"folder": str(folder), "side": "left"}, **asked)["written"]) == 3
    mantaflow.write(folder / "data/fluid_data_0006.vdb", flame(0), VOXEL)
    value = do("effect.render", vdb=str(folder), start=6, frames=1, **asked)
    assert value["written"] == [str(out / "fire_0006.exr")]
    shape = do("effect.render", vdb=str(folder), start=6, frames=1, **asked | {"size": None, "out": tmp_path / "own"})
    assert shape["size"] == [384, 512]
    assert shape["box"] == pytest.approx([1.2, 1.6, 1.0])


def test_frames_below_zero_are_not_those_above(tmp_path):
    names = ["fluid_data_-002.vdb", "fluid_data_0002.vdb", "fluid-0003.vdb", "config.vdb"]
    for name in names:
        (tmp_path / name).touch()
    assert {number: path.name for number, path in baked_files(tmp_path).items()} == {
        -2: names[0],
        2: names[1],
        3: names[2],
    }


def test_a_bake_has_a_preview(tmp_path):
    folder, out = bake(tmp_path / "cache", 2, first=5), tmp_path / "look.png"

    def shown(**asked: Any) -> np.ndarray:
        assert do("effect.preview", kind="fire", out=out, size=[48, 64], **asked)["frame"] == asked.get("frame", 5)
        return np.asarray(Image.open(out)).astype(float)

    usual, later = shown(vdb=str(folder)), shown(vdb=str(folder), frame=6)
    assert usual.shape == (64, 48, 3)
    red = usual[..., 0]
    assert red[48:60, 34:42].min() > 2 * red[:, :24].max()
    assert np.abs(later - usual).max() > 10
    left = shown(vdb={"folder": str(folder), "side": "left"})[..., 0]
    assert left.shape == (64, 48) and left[:, 24:].max() > 2 * left[:, :12].max()
    dim = shown(vdb=str(folder), controls={"intensity": 0.2})
    assert dim.sum() < usual.sum()
    for wrong in ({"emitter": {"shape": "disc"}}, {"kind": "pool"}, {"frame": 9}, {"controls": {"wind": 3}}):
        with pytest.raises((UsageError, EffectError)):
            do("effect.preview", **{"kind": "fire", "out": tmp_path / "no.png", "vdb": str(folder)} | wrong)
    assert not (tmp_path / "no.png").exists()


def test_the_command_line_takes_a_bake(tmp_path, fire, capsys):
    folder = bake(tmp_path / "cache", 1)
    for number, word in enumerate((str(folder), json.dumps({"folder": str(folder / "data"), "side": "back"}))):
        out = tmp_path / str(number)
        words = ["--out", str(out), "--weights", str(fire), "--vdb", word, "--size", "32x32", "--json"]
        assert cli.main(["effect", "render", "fire", *words]) == DONE
        assert files(out) == ["fire_0001.exr"]


# --- what cannot be used


def spoilt(folder: Path, how: str) -> Path:
    """A bake of two frames, the second of which is wrong."""
    bake(folder, 2)
    second, grids = folder / "data/fluid_data_0002.vdb", flame(1)
    if how == "no folder":
        return folder / "nowhere"
    if how == "no files":
        for file in (folder / "data").iterdir():
            file.rename(file.with_suffix(".uni"))
    elif how == "a gap":
        second.rename(folder / "data/fluid_data_0004.vdb")
    elif how == "no VDB":
        second.write_text("nonsense")
    elif how == "no bytes":
        second.write_bytes(b"")
    elif how == "cut":
        second.write_bytes(second.read_bytes()[:30000])
    elif how == "another version":
        mantaflow.write(second, grids, version=300)
    elif how == "no grids":
        mantaflow.write(second, {})
    elif how == "foreign":
        mantaflow.write(second, grids, marked=False)
    elif how == "no size":
        mantaflow.write(second, grids, cells=(0, 10, 16))
    elif how == "a liquid":
        mantaflow.write(second, {"phi": grids["density"]})
    elif how == "no velocity":
        mantaflow.write(second, {"density": grids["density"]})
    elif how == "NaN":
        mantaflow.write(second, grids | {"density": grids["density"] * np.float32("nan")})
    elif how == "another domain":
        mantaflow.write(second, {name: values[:, :, :-1] for name, values in grids.items()})
    elif how == "empty":
        for file in (folder / "data").iterdir():
            mantaflow.write(file, {name: 0 * values for name, values in grids.items()})
    return folder


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("no folder", "no OpenVDB files"),
        ("no files", "no OpenVDB files"),
        ("a gap", "Frame 2 is not in the bake"),
        ("no VDB", "fluid_data_0002.vdb cannot be used: it is no OpenVDB file"),
        ("no bytes", "no OpenVDB file"),
        ("cut", "broken"),
        ("another version", "version 300"),
        ("no grids", "holds nothing"),
        ("foreign", "was not baked by Blender"),
        ("no size", "was not baked by Blender"),
        ("a liquid", "holds neither smoke nor fire (density, flame), but phi"),
        ("no velocity", "no velocity"),
        ("another domain", "Adaptive Domain"),
        ("empty", "The bake is empty"),
    ],
)
def test_a_bake_that_cannot_be_used_is_refused_in_words(tmp_path, fire, how, words):
    folder, out = spoilt(tmp_path / "cache", how), tmp_path / "out"
    with pytest.raises(EffectError) as told:
        do("effect.render", kind="fire", weights=fire, out=out, vdb=str(folder))
    assert words in str(told.value) and told.value.remedy
    assert files(out) == []


def test_values_that_are_no_numbers_end_a_bake_at_their_frame(tmp_path, fire):
    folder, out = spoilt(tmp_path / "cache", "NaN"), tmp_path / "out"
    with pytest.raises(EffectError, match=r"0002\.vdb .* no numbers"):
        do("effect.render", kind="fire", weights=fire, out=out, vdb=str(folder), size=[48, 64])
    assert [name for name in files(out) if not name.startswith(".")] in ([], ["fire_0001.exr"])


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"vdb": 5}, "folder"),
        ({"vdb": {"side": "left"}}, "folder"),
        ({"vdb": {"folder": ".", "sde": "left"}}, "folder"),
        ({"vdb": {"folder": ".", "side": "top"}}, "seen from front"),
        ({"vdb": {"folder": ".", "side": []}}, "seen from front"),
        ({"vdb": {"folder": ".", "hottest": 0}}, "above 0"),
        ({"vdb": {"folder": ".", "hottest": float("nan")}}, "above 0"),
        ({"loop": True}, "loop"),
        ({"emitter": {"shape": "disc"}}, "emitter"),
        ({"controls": {"wind": 3}}, "Wind was decided"),
        ({"frames": 0}, "0 frames"),
        ({"kind": "pool"}, "vdb"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(tmp_path, asked, words):
    folder = bake(tmp_path / "cache", 1)
    with pytest.raises(UsageError) as told:
        do("effect.render", **{"kind": "fire", "out": tmp_path / "out", "vdb": str(folder)} | asked)
    assert words in str(told.value)


# --- a real bake


def bake_in_blender(folder: str, packing: str, depth: str) -> list[dict[str, Any]]:
    """Bake four frames of a fire, and tell what Blender itself has of each: sizes and values."""
    import bpy

    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.mesh.primitive_cube_add(location=(1, 2, 1.5), scale=(0.6, 0.5, 1.5))
    domain = bpy.context.object
    bpy.ops.object.transform_apply(scale=True, location=False, rotation=False)
    settings = domain.modifiers.new("Fluid", "FLUID")
    settings.fluid_type = "DOMAIN"
    settings = settings.domain_settings
    settings.domain_type, settings.resolution_max, settings.cache_type = "GAS", 20, "ALL"
    settings.cache_directory, settings.cache_frame_start, settings.cache_frame_end = folder, 1, 4
    settings.openvdb_cache_compress_type, settings.openvdb_data_depth = packing, depth
    bpy.ops.mesh.primitive_uv_sphere_add(radius=0.25, location=(1.2, 1.9, 0.4))
    flow = bpy.context.object.modifiers.new("Fluid", "FLUID")
    flow.fluid_type = "FLOW"
    flow.flow_settings.flow_type, flow.flow_settings.flow_behavior = "BOTH", "INFLOW"
    bpy.context.view_layer.objects.active = domain
    with bpy.context.temp_override(object=domain, active_object=domain, selected_objects=[domain]):
        assert bpy.ops.fluid.bake_all() == {"FINISHED"}
    told = []
    for frame in range(1, 5):
        bpy.context.scene.frame_set(frame)
        found = domain.evaluated_get(bpy.context.evaluated_depsgraph_get()).modifiers[0].domain_settings
        grids = {name: list(getattr(found, f"{name}_grid")) for name in ("density", "flame", "velocity")}
        told.append({"cells": list(found.domain_resolution), "height": 3.0} | grids)
    return told


@pytest.mark.parametrize("blender", ["blender"], indirect=True)  # the wheel's Mantaflow does not run
@pytest.mark.parametrize(("packing", "depth"), [("BLOSC", "16"), ("ZIP", "32"), ("NONE", "16")])
def test_a_real_bake_is_read_as_blender_has_it(tmp_path, fire, blender, packing, depth):
    folder, out = tmp_path / "cache", tmp_path / "out"
    told = blender(bake_in_blender, folder, packing, depth)
    for frame, known in enumerate(told, 1):
        data = (folder / f"data/fluid_data_{frame:04}.vdb").read_bytes()
        grids, cells = vdb.grids(data), tuple(known["cells"])
        for name in ("density", "flame", "velocity"):
            numbers = np.array(known[name], np.float32).reshape(*reversed(cells), *[3] * (name == "velocity"))
            found = vdb.dense(data, grids[name], (0, 0, 0), cells)
            assert np.array_equal(found, numbers.swapaxes(0, 2)), name
    assert found.any()
    value = do("effect.render", kind="fire", weights=fire, out=out, vdb=str(folder), size=SMALL["size"])
    assert len(value["written"]) == 4 and value["brightness"][-1] > 0
    red = read_exr(out / "fire_0004.exr")[..., 0]
    assert red[40:, 20:].sum() > red[40:, :20].sum()  # to the right of the middle, and below
    assert red[28:].sum() > 5 * red[:28].sum()
