"""Pictures in and out: every colour mode of a painting, frames that are whole or not there."""

import resource
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest
from PIL import Image

from backend.errors import OutputError, PaintingError, ShotError
from backend.images import (
    HALF_MAX,
    Plane,
    is_whole,
    read_exr,
    read_header,
    read_painting,
    read_planes,
    recipe,
    write_exr,
    write_png,
)

RGBA = (200, 120, 40, 255)


def noise(height: int = 40, width: int = 60) -> np.ndarray:
    return np.random.default_rng(1).random((height, width, 4), np.float32)


def painted(mode: str) -> Image.Image:
    return Image.new("RGBA", (6, 4), RGBA).convert(mode)


@pytest.mark.parametrize(
    ("mode", "suffix", "tolerance"),
    [
        ("RGB", "png", 0),
        ("RGBA", "png", 0),
        ("P", "png", 0),
        ("P", "gif", 0),
        ("CMYK", "tif", 1),
        ("CMYK", "jpg", 4),
        ("YCbCr", "jpg", 4),
        ("LAB", "tif", 3),
        ("RGB", "webp", 6),
        ("RGBA", "tga", 0),
        ("RGB", "bmp", 0),
    ],
)
def test_colour_modes(tmp_path: Path, mode: str, suffix: str, tolerance: int):
    path = tmp_path / f"painting.{suffix}"
    if mode == "LAB":
        from PIL import ImageCms

        to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
        image = ImageCms.applyTransform(painted("RGB"), to_lab)
    elif mode == "P":
        image = painted("RGB").quantize(4)
    else:
        image = painted(mode)
    image.save(path)
    pixels = read_painting(path, (6, 4))
    assert pixels.shape == (4, 6, 4) and pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - RGBA).max() <= tolerance


@pytest.mark.parametrize("mode", ["1", "L", "LA", "I;16", "I", "F"])
def test_grey_modes(tmp_path: Path, mode: str):
    grey = np.zeros((4, 6), np.float64)
    grey[:, 3:] = 1.0 if mode == "1" else 0.4
    path = tmp_path / "painting.tif"
    if mode == "F":
        Image.fromarray(grey.astype(np.float32)).save(path)
    elif mode in ("I;16", "I"):
        Image.fromarray(np.rint(grey * 65535).astype(np.uint16 if mode == "I;16" else np.int32)).save(path)
    else:
        Image.fromarray(np.rint(grey * 255).astype(np.uint8)).convert(mode).save(path)
    expected = np.rint(grey * 255)[..., None].repeat(3, 2)
    assert np.abs(read_painting(path)[..., :3] - expected).max() <= 1
    assert (read_painting(path)[..., 3] == 255).all()


def test_sixteen_bit_colour(tmp_path: Path):
    path = tmp_path / "painting.png"
    output = oiio.ImageOutput.create(str(path))
    output.open(str(path), oiio.ImageSpec(6, 4, 4, oiio.UINT16))
    output.write_image(np.full((4, 6, 4), np.array(RGBA) * 257, np.uint16))
    output.close()
    assert np.abs(read_painting(path).astype(int) - RGBA).max() <= 1


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_alpha_is_kept(tmp_path: Path, mode: str):
    image = Image.new("RGBA", (6, 4), RGBA)
    image.putalpha(Image.linear_gradient("L").resize((6, 4)))
    path = tmp_path / ("painting.tif" if mode == "LA" else "painting.png")
    if mode == "PA":
        image.quantize(16).save(path)
    else:
        image.convert(mode).save(path)
    alpha = read_painting(path)[..., 3]
    assert np.abs(alpha.astype(int) - np.asarray(image.getchannel("A"))).max() <= (16 if mode == "PA" else 0)
    assert alpha.min() < 60 and alpha.max() > 190


def linear_profile() -> bytes:
    """An ICC profile with sRGB's primaries and no gamma."""

    def xyz(*values: float) -> bytes:
        return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(value * 65536) for value in values))

    curve = b"curv" + bytes(4) + struct.pack(">I", 0)
    tags = {
        b"wtpt": xyz(0.9642, 1.0, 0.8249),
        b"rXYZ": xyz(0.4361, 0.2225, 0.0139),
        b"gXYZ": xyz(0.3851, 0.7169, 0.0971),
        b"bXYZ": xyz(0.1431, 0.0606, 0.7141),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
        b"desc": b"desc" + bytes(4) + struct.pack(">I", 7) + b"linear\0" + bytes(79),
        b"cprt": b"text" + bytes(4) + b"none\0",
    }
    table, data, offset = b"", b"", 128 + 4 + 12 * len(tags)
    for name, tag in tags.items():
        table += name + struct.pack(">2I", offset + len(data), len(tag))
        data += tag + bytes(-len(tag) % 4)
    header = struct.pack(">I4sI4s4s4s", offset + len(data), b"test", 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    header += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + data


def test_an_embedded_profile_is_converted_to_srgb(tmp_path: Path):
    image = Image.new("RGBA", (6, 4), (55, 55, 55, 99))
    image.save(tmp_path / "linear.png", icc_profile=linear_profile())
    pixels = read_painting(tmp_path / "linear.png")
    shown = round(255 * (1.055 * (55 / 255) ** (1 / 2.4) - 0.055))
    assert np.abs(pixels[..., :3].astype(int) - shown).max() <= 1 and (pixels[..., 3] == 99).all()
    image.save(tmp_path / "nonsense.png", icc_profile=b"nonsense")
    assert (read_painting(tmp_path / "nonsense.png") == (55, 55, 55, 99)).all()


def test_paintings_that_cannot_be_used(tmp_path: Path):
    with pytest.raises(PaintingError, match="no painting"):
        read_painting(tmp_path / "nothing.png")
    (tmp_path / "text.png").write_text("not a picture")
    with pytest.raises(PaintingError, match=r"text\.png cannot be read"):
        read_painting(tmp_path / "text.png")
    Image.effect_noise((64, 64), 50).save(tmp_path / "cut.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:500])
    with pytest.raises(PaintingError, match=r"cut\.png cannot be read"):
        read_painting(tmp_path / "cut.png")
    painted("RGB").save(tmp_path / "small.png")
    with pytest.raises(PaintingError, match=r"6 x 4 pixels.* 640 x 360"):
        read_painting(tmp_path / "small.png", (640, 360))
    Image.new("RGBA", (6, 4)).save(tmp_path / "empty.png")
    with pytest.raises(PaintingError, match="transparent everywhere"):
        read_painting(tmp_path / "empty.png")


def test_a_frame_comes_back_as_it_was_written(tmp_path: Path):
    path, pixels = tmp_path / "new" / "frame_0001.exr", noise() * 4 - 1
    pixels[0, 0] = 1e9
    layers = {"fire": noise()[..., :3], "density": noise()[..., 0], "small": noise().astype(np.float16)}
    write_exr(path, pixels, layers)
    pixels[0, 0] = HALF_MAX
    back = read_exr(path)
    assert back.dtype == np.float32 and np.allclose(back, pixels, rtol=1e-3, atol=1e-4)
    source = oiio.ImageInput.open(str(path))
    spec = source.spec()
    stored = dict(zip(spec.channelnames, map(str, spec.channelformats), strict=True))
    values = source.read_image(0, 0, 0, spec.nchannels, oiio.FLOAT)
    source.close()
    assert {stored[name] for name in ("R", "G", "B", "A", "small.A")} == {"half"}
    assert {stored[name] for name in ("fire.R", "fire.G", "fire.B", "density.V")} == {"float"}
    assert (values[..., list(spec.channelnames).index("fire.G")] == layers["fire"][..., 1]).all()
    assert is_whole(path) and [file.name for file in path.parent.iterdir()] == [path.name]
    first = path.read_bytes()
    time.sleep(1.1)  # a file must not tell when it was written: same in, same bytes out
    write_exr(path, pixels, layers)
    assert path.read_bytes() == first


def test_a_cropped_frame_is_placed_in_its_display_window(tmp_path: Path):
    path = tmp_path / "crop.exr"
    spec = oiio.ImageSpec(8, 70, 4, oiio.HALF)
    spec.x, spec.y, spec.full_x, spec.full_y, spec.full_width, spec.full_height = 3, -5, 0, 0, 20, 100
    output = oiio.ImageOutput.create(str(path))
    output.open(str(path), spec)
    crop = noise(70, 8)
    output.write_image(crop)
    output.close()
    frame = read_exr(path)
    assert frame.shape == (100, 20, 4)
    assert np.allclose(frame[:65, 3:11], crop[5:], atol=1e-3)
    frame[:65, 3:11] = 0
    assert not frame.any()


def test_a_frame_that_is_not_whole(tmp_path: Path):
    path = tmp_path / "frame_0001.exr"
    assert not is_whole(path)
    with pytest.raises(ShotError, match=r"no frame_0001\.exr"):
        read_exr(path)
    write_exr(path, noise())
    data = path.read_bytes()
    for length in (0, 10, 400, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:length])
        assert not is_whole(path)
        with pytest.raises(ShotError, match=r"frame_0001\.exr is broken"):
            read_exr(path)


def written_parts(path: Path, *parts: tuple[oiio.ImageSpec, np.ndarray]) -> None:
    """An EXR by another hand than ours."""
    output = oiio.ImageOutput.create(str(path))
    assert output.open(str(path), tuple(spec for spec, _ in parts))
    for number, (spec, pixels) in enumerate(parts):
        assert not number or output.open(str(path), spec, "AppendSubimage")
        assert output.write_image(pixels)
    output.close()


def test_every_bit_of_a_float_comes_back(tmp_path: Path):
    """Cryptomatte's names are hashes that look like floats: denormals, NaN and infinity among them."""
    bits = np.random.default_rng(4).integers(0, 1 << 32, (40, 60, 3), np.uint32)
    bits[0, :6, 0] = [0, 1, 0x80000000, 0x007FFFFF, 0x7F800001, 0xFFFFFFFF]
    halves = np.arange(40 * 60, dtype=np.uint16).reshape(40, 60) * 27  # as far as infinity and NaN
    written_parts(tmp_path / "float.exr", (oiio.ImageSpec(60, 40, 3, oiio.FLOAT), bits.view(np.float32)))
    assert (np.ascontiguousarray(read_exr(tmp_path / "float.exr")[..., :3]).view(np.uint32) == bits).all()
    write_exr(tmp_path / "ours.exr", noise(), {"crypto": bits.view(np.float32), "half": halves.view(np.float16)})
    parts = read_header(tmp_path / "ours.exr")
    wanted = {"crypto": Plane(0, ("crypto.R", "crypto.G", "crypto.B")), "half": Plane(0, ("half.V",))}
    back = read_planes(tmp_path / "ours.exr", parts, wanted)
    assert (back["crypto"].view(np.uint32) == bits).all()
    assert np.array_equal(back["half"][..., 0], halves.view(np.float16).astype(np.float32), equal_nan=True)


def test_a_tiled_frame(tmp_path: Path):
    spec = oiio.ImageSpec(60, 40, 4, oiio.FLOAT)
    spec.tile_width = spec.tile_height = 16
    written_parts(tmp_path / "tiled.exr", (spec, noise()))
    assert (read_exr(tmp_path / "tiled.exr") == noise()).all()


@pytest.mark.parametrize("count", [1, 3])
def test_no_damage_is_read_as_a_picture(tmp_path: Path, count: int):
    """Wherever a frame is cut, or a byte of its pixels flipped or a page of it empty: an error, not black rows."""
    path = tmp_path / "frame_0001.exr"
    smooth = np.linspace(0, 1, 300 * 60 * 4, dtype=np.float32).reshape(300, 60, 4)  # so that every block is packed
    parts = []
    for number in range(count):
        spec = oiio.ImageSpec(60, 300, 4, oiio.HALF)
        spec.attribute("compression", "zip")
        spec.attribute("oiio:subimagename", f"part {number}")
        parts.append((spec, smooth))
    written_parts(path, *parts)
    assert is_whole(path) and len(read_header(path)) == count
    data = path.read_bytes()
    damaged = [data[: len(data) * part // 40] for part in range(40)] + [data[:-1]]
    for at in range(len(data) // 2, len(data), len(data) // 50):
        damaged.append(data[:at] + bytes([data[at] ^ 16]) + data[at + 1 :])
        damaged.append(data[: at - 99] + bytes(99) + data[at:])
    for broken in damaged:
        path.write_bytes(broken)
        with pytest.raises(ShotError, match=r"frame_0001\.exr is broken.*Render this frame again"):
            read_exr(path)
        assert not is_whole(path)


def test_files_that_are_no_exr(tmp_path: Path):
    path = tmp_path / "frame_0001.exr"
    for content in (b"", b"not a picture", b"v/1\x01" + bytes(400)):
        path.write_bytes(content)
        with pytest.raises(ShotError, match=r"frame_0001\.exr is broken"):
            read_exr(path)
        assert not is_whole(path) and recipe(path) == ""
    path.unlink()
    path.mkdir()
    with pytest.raises(ShotError, match=r"frame_0001\.exr is broken"):
        read_exr(path)


def test_a_name_in_a_header_that_is_no_text(tmp_path: Path):
    path = tmp_path / "frame_0001.exr"
    write_exr(path, noise(), {"depth": noise()[..., 0]})
    path.write_bytes(path.read_bytes().replace(b"depth.V", b"d\xff\xfeth.V"))
    with pytest.raises(ShotError, match=r"frame_0001\.exr is broken"):
        read_exr(path)


def test_a_frame_that_is_replaced_while_it_is_read(tmp_path: Path):
    path = tmp_path / "frame_0001.exr"
    write_exr(path, noise())
    parts = read_header(path)
    write_exr(path, noise(50, 60))
    with pytest.raises(ShotError, match=r"frame_0001\.exr is broken"):
        read_planes(path, parts, {"beauty": Plane(0, tuple("RGBA"))})


@contextmanager
def small_disk(size: int) -> Iterator[None]:
    """No file may grow beyond ``size``: to a program that writes, as a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("room", [0.0, 0.01, 0.5, 0.9, 0.999])
def test_no_half_frame_is_left_on_a_full_disk(tmp_path: Path, room: float):
    path = tmp_path / "frame_0001.exr"
    write_exr(path, noise())
    before = path.read_bytes()
    size = int(len(before) * room)
    with small_disk(size), pytest.raises(OutputError, match=r"frame_0001\.exr cannot be written"):
        write_exr(path, noise() * 2)
    with small_disk(size), pytest.raises(OutputError, match=r"picture\.png cannot be written"):
        write_png(tmp_path / "picture.png", np.random.default_rng(2).integers(0, 255, (200, 200, 3), np.uint8))
    assert path.read_bytes() == before and [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_folder_that_cannot_be_written_to(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    for write in (lambda path: write_exr(path, noise()), lambda path: write_png(path, np.zeros((4, 4), np.uint8))):
        with pytest.raises(OutputError) as caught:
            write(tmp_path / "file" / "frame_0001.exr")
        assert caught.value.remedy


def test_two_writers_of_one_frame_leave_a_whole_one(tmp_path: Path):
    path = tmp_path / "frame_0001.exr"
    writers = [threading.Thread(target=write_exr, args=(path, noise(300, 300) * n)) for n in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert is_whole(path) and len(list(tmp_path.iterdir())) == 1


def test_a_picture_is_written_as_it_is(tmp_path: Path):
    pixels = np.random.default_rng(3).integers(1, 255, (5, 7, 4), np.uint8)
    write_png(tmp_path / "new" / "picture.png", pixels)
    assert (read_painting(tmp_path / "new" / "picture.png") == pixels).all()
