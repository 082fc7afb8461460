"""What looks cost: time beside OpenImageDenoise, memory, growth over a long shot, and the add-on's start.

The frames are those of a bench shot. 1080p is rendered anew: frames that were enlarged are unpacked in half the time.
For memory they are enlarged or reduced by whole numbers; a longer shot begins them again and again.
"""

import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR

from addon.client import SubprocessBackend
from backend import images, machine, service
from backend.job import Job
from backend.shot import Shot

from . import real_blender, shots

FOLDER = shots.CACHE / "costs"
SOURCE = "gallery"
FULL_HD, FOUR_K = 3, 6  # times 640x360
STEPS = 20  # a look's speed does not depend on how long it was trained
START = """\
import bpy, json, sys, time
sys.path.insert(0, {root!r})
started = time.perf_counter()
import addon
imported = time.perf_counter()
addon.register()
done = time.perf_counter()
print(json.dumps(dict(
    import_ms=1000 * (imported - started), register_ms=1000 * (done - imported), torch_loaded="torch" in sys.modules
)), flush=True)
addon.unregister()
"""


def measure(quick: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every cost by name, as soon as it is known; ``quick`` takes fewer frames."""
    yield "addon", addon_start()
    yield "apply_1080p", apply_beside_denoiser(frames=2 if quick else 12)
    yield "growth", growth_over_a_long_shot(frames=60 if quick else 500)
    yield "memory_4k", peak_of_a_4k_frame()


def apply_beside_denoiser(frames: int) -> dict[str, Any]:
    """Seconds per 1080p frame, EXR to EXR, ours and OpenImageDenoise's (colour, albedo, normal; high quality).

    Both are warm and do the whole shot in turn, three times; the median counts. Ours works in the backend's process, as
    an artist's does, theirs in this one.
    """
    machine.one_heap()  # as in the backend's
    shot = shots.load_larger(SOURCE, FOLDER / "1080p" / "shot", FULL_HD, frames)
    look, out = trained("1080p", shot, FULL_HD, 1), FOLDER / "1080p" / "out"
    request = {"shot": str(shot.folder), "look": str(look), "out": str(out), "frames": [1, frames]}
    ours, theirs = [], []
    with contextlib.closing(SubprocessBackend(Path(sys.executable), FOLDER / "1080p" / "log")) as backend:
        for _ in range(4):
            for left in out.glob("*.exr"):
                left.unlink()
            started = time.perf_counter()
            backend.submit("look.apply", request).wait()
            ours.append((time.perf_counter() - started) / frames)
            started = time.perf_counter()
            for frame in shot.frames[:frames]:
                denoise(shot, frame, out / f"denoised_{frame:04d}.exr")
            theirs.append((time.perf_counter() - started) / frames)
    mine, other = statistics.median(ours[1:]), statistics.median(theirs[1:])
    return {"seconds": mine, "openimagedenoise_seconds": other, "times_faster": other / mine, "frames": frames}


def denoise(shot: Shot, frame: int, target: Path) -> None:
    import pyoidn

    passes = shot.read(frame, ["beauty", "albedo", "normal"])
    colour, albedo, normal = (images.woven(list(np.moveaxis(picture, 2, 0)[:3])) for picture in passes.values())
    clean = pyoidn.denoise(colour, albedo, normal, hdr=True)
    images.write_exr(target, np.concatenate([clean, passes["beauty"][..., 3:]], -1))


def peak_of_a_4k_frame() -> dict[str, Any]:
    """Peak resident memory of a process that styles 3840x2160 frames, the painted one and the next, in 10^9 bytes."""
    shot, look = prepared("4k", FOUR_K, 1, 2)
    child = start_apply(shot, look, "4k")
    peak = 0
    while child.poll() is None:  # of the program itself: what wait4 tells begins with the size of the one that began it
        peak = max(peak, peak_bytes(child.pid))
        time.sleep(0.02)
    checked(child, "4k")
    return {"peak_gb": peak / 1e9, "size": [shot.width, shot.height]}


def growth_over_a_long_shot(frames: int) -> dict[str, Any]:
    """How much the process grows over a long run, in per cent of its resident memory.

    From the median between 10 and 40 % of the frames to the median of the last 20 %.
    """
    shot, look = prepared("long", 1, 4, frames)
    child = start_apply(shot, look, "long")
    samples: list[tuple[int, int]] = []
    out = FOLDER / "long" / "out"

    def watch() -> None:
        while child.poll() is None:
            try:
                pages = int(Path(f"/proc/{child.pid}/statm").read_text(encoding="ascii").split()[1])
            except (OSError, IndexError):
                return  # it has just ended
            samples.append((len(list(out.glob("*.exr"))), pages * resource.getpagesize()))
            time.sleep(0.25)

    watcher = threading.Thread(target=watch)
    watcher.start()
    child.wait()
    watcher.join()
    checked(child, "long")
    early = [size for done, size in samples if 0.1 * frames <= done < 0.4 * frames]
    late = [size for done, size in samples if done >= 0.8 * frames]
    begin, end = statistics.median(early), statistics.median(late)
    return {"frames": frames, "begin_mb": begin / 1e6, "end_mb": end / 1e6, "growth_percent": 100 * (end / begin - 1)}


def addon_start() -> dict[str, Any]:
    """Milliseconds to import and register the add-on in a fresh Blender, and whether that loaded torch.

    In the ``bpy`` wheel, and in a real Blender if there is one. Once Python keeps what it has compiled, as Blender's
    does: it is compiled at the first start after an installation.
    """
    script = FOLDER / "start.py"
    FOLDER.mkdir(parents=True, exist_ok=True)
    script.write_text(START.format(root=str(shots.ROOT)), "utf-8")
    commands = {"bpy": [sys.executable, str(script)]}
    if program := real_blender.find():
        commands["blender"] = [program, "-b", "--factory-startup", "--python-exit-code", "1", "--python", str(script)]
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    best = {}
    for name, words in commands.items():
        runs = []
        for _ in range(3):
            ran = subprocess.run(words, capture_output=True, text=True, check=True, cwd=FOLDER, env=env)
            runs.append(json.loads(next(line for line in ran.stdout.splitlines() if line.startswith("{"))))
        best[name] = min(runs, key=lambda run: float(run["import_ms"]) + float(run["register_ms"]))
    return best


def prepared(name: str, larger: int, smaller: int, frames: int) -> tuple[Shot, Path]:
    """A shot of so many frames, ``larger / smaller`` times 640x360, and a look that was learned on it."""
    bench = shots.load(SOURCE)
    folder = FOLDER / name
    (folder / "shot").mkdir(parents=True, exist_ok=True)
    (folder / "shot" / "shot.json").write_bytes((bench.shot.folder / "shot.json").read_bytes())
    paths = [folder / "shot" / f"{SOURCE}_{frame:04d}.exr" for frame in range(1, frames + 1)]
    for number, path in enumerate(paths):
        source = number % len(bench.shot.frames)
        if not path.exists() and number == source:
            resize(bench.shot.path(bench.shot.frames[source]), path, larger, smaller)
        elif not path.exists():
            os.link(paths[source], path)
    shot = Shot.open(folder / "shot")
    return shot, trained(name, shot, larger, smaller)


def trained(name: str, shot: Shot, larger: int, smaller: int) -> Path:
    """A look that was learned on the first frame of the shot, with nothing styled by it yet."""
    folder = FOLDER / name
    for left in (folder / "out").glob("*.exr"):
        left.unlink()
    painting, look = folder / "painting.png", folder / "bench.look"
    truth = shots.load(SOURCE).truth("watercolour", 1)
    images.write_png(painting, np.ascontiguousarray(scaled(truth, larger, smaller)))
    request = {"shot": str(shot.folder), "paint": {"1": str(painting)}, "out": str(look), "steps": STEPS, "seed": 0}
    service.call(service.VERBS, "look.train", request, Job())
    return look


def scaled(image: np.ndarray, larger: int, smaller: int) -> np.ndarray:
    return image[::smaller, ::smaller].repeat(larger, 0).repeat(larger, 1)


def resize(source: Path, target: Path, larger: int, smaller: int) -> None:
    """An EXR with all its channels at another size; motion vectors are scaled along."""
    with OpenEXR.File(str(source), separate_channels=True) as file:
        channels = {name: scaled(channel.pixels, larger, smaller) for name, channel in file.channels().items()}
    for name, pixels in channels.items():
        if ".Vector." in name:
            pixels *= larger / smaller
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    OpenEXR.File(header, channels).write(str(target))


def start_apply(shot: Shot, look: Path, name: str) -> subprocess.Popen[bytes]:
    """``look apply`` in a process of its own; what it says goes to a log beside the shot."""
    words = ["look", "apply", str(shot.folder), "--look", str(look), "--out", str(FOLDER / name / "out")]
    with open(FOLDER / name / "log", "wb") as log:
        return subprocess.Popen([sys.executable, "-m", "backend", *words], cwd=shots.ROOT, stdout=log, stderr=log)


def checked(child: subprocess.Popen[bytes], name: str) -> None:
    if child.returncode:
        raise RuntimeError(f"look apply failed: see {FOLDER / name / 'log'}")


def peak_bytes(pid: int) -> int:
    """The largest resident size that a process has had since it began its program; 0 if it has just ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return max((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM")), default=0)
