"""One shot in a real window, with a real mouse: the built zip in a clean profile, and the artist's buttons.

Needs a real Blender, Xvfb, xdotool and ImageMagick's import. Pictures of every step are left in out/window.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import real_blender
from PIL import Image
from processes import processes_of

TESTS = Path(__file__).resolve().parent
PICTURES = TESTS.parent / "out" / "window"
SIZE = (1280, 1640)  # pixels: tall enough to show all panels at once
PATIENCE = 240.0  # seconds after which the test gives up waiting
TOOLS = ("Xvfb", "xdotool", "import")


class Desk:
    """An artist's desk: a screen, a mouse, a keyboard, and Blender's window."""

    def __init__(self, folder: Path, display: str) -> None:
        self.state_file = folder / "state.json"
        self.environment = os.environ | {"DISPLAY": display}
        self.known: dict[str, tuple[int, int]] = {}  # where a button was seen last

    def tool(self, *command: object) -> None:
        subprocess.run([str(part) for part in command], env=self.environment, check=True, timeout=60)

    def state(self) -> dict:
        return json.loads(self.state_file.read_text()) if self.state_file.exists() else {}

    def after(self, beats: int) -> dict:
        """The state some beats from now: Blender has drawn and noticed the mouse by then."""
        seen = self.state()["beats"]
        return self.until(lambda state: state["beats"] >= seen + beats)

    def until(self, wanted) -> dict:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            state = self.state()
            if state and wanted(state):
                return state
            time.sleep(0.02)
        self.picture("gave-up")
        raise AssertionError(f"waited in vain; the last state was {self.state()}")

    def picture(self, name: str) -> Image.Image:
        path = PICTURES / f"{name}.png"
        self.tool("import", "-window", "root", path)
        with Image.open(path) as image:
            return image.convert("RGB")

    def hover(self, x: int, y: int) -> str:
        """Move the mouse there. Gives the operator whose button is under it, or ""."""
        self.tool("xdotool", "mousemove", x, y)
        operator = self.after(2)["hover"].partition("(")[0].removeprefix("bpy.ops.paintover.")
        if operator:
            self.known[operator] = (x, y)
        return operator

    def find(self, operator: str, part: float) -> tuple[int, int]:
        """Move the mouse down the sidebar, at ``part`` of its width, until it is on the operator's button."""
        left, bottom, width, height = self.state()["side"]
        top = self.state()["window"][1] - bottom - height
        before = self.known.get(operator)
        places = [(left + round(width * part), y) for y in range(top + 20, top + height, 14)]
        if before is not None:  # panels grow and shrink above it: look near its old place first
            places.sort(key=lambda place: abs(place[1] - before[1]))
        for place in 3 * places:  # on a busy machine Blender may notice the mouse too late
            if self.hover(*place) == operator:
                return place
        self.picture(f"no-{operator}")
        raise AssertionError(f"no button for {operator} in the sidebar")

    def press(self, operator: str, part: float = 0.25) -> None:
        self.find(operator, part)
        self.tool("xdotool", "click", 1)
        self.after(5)

    def leave(self) -> None:
        """Move the mouse away, into the picture: what it was over shows no more."""
        left, bottom, _, height = self.state()["side"]
        self.tool("xdotool", "mousemove", left // 2, self.state()["window"][1] - bottom - height // 4)
        self.after(5)

    def keys(self, *keys: str) -> None:
        self.tool("xdotool", "key", *keys)
        self.after(5)

    def finish(self) -> dict:
        """Wait until the running job is done."""
        return self.until(lambda state: not state["running"])


@pytest.fixture
def screen(tmp_path):
    """A screen of its own. Gives its name."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", f"{SIZE[0]}x{SIZE[1]}x24", "-nolisten", "tcp"]
    with open(tmp_path / "xvfb.log", "wb") as log:
        server = subprocess.Popen(command, pass_fds=[write], stdout=log, stderr=log)
    os.close(write)
    with os.fdopen(read) as pipe:
        number = pipe.readline().strip()
    yield f":{number}"
    server.terminate()
    server.wait(30)


def test_an_artist_paints_one_frame_and_gets_the_shot(screen, tmp_path):
    machine = real_blender.installed(tmp_path)
    blend = tmp_path / "shot" / "shot.blend"
    blend.parent.mkdir()
    build = f"import sys; sys.path.insert(0, {str(TESTS)!r}); import bpy, pathlib, tiny"
    save = f"scene = tiny.build(pathlib.Path({str(blend)!r})); scene.frame_set(2); scene.paintover.seconds = 600"
    done = machine.script(f"{build}; {save}; bpy.ops.wm.save_mainfile()")
    assert done.returncode == 0, done.stdout + done.stderr

    shutil.rmtree(PICTURES, ignore_errors=True)
    PICTURES.mkdir(parents=True)
    desk = Desk(tmp_path, screen)
    own = {"DISPLAY": screen, "LIBGL_ALWAYS_SOFTWARE": "1", "WINDOW_PROBE": str(desk.state_file)}
    environment = {name: value for name, value in machine.environment.items() if name != "PAINTOVER_PYTHON"} | own
    window = ["--gpu-backend", "opengl", "--window-geometry", "0", "0", *map(str, SIZE)]
    probe = ["--python", str(TESTS / "blender" / "window_probe.py")]
    with open(tmp_path / "blender.log", "w") as log:
        blender = subprocess.Popen(
            [str(machine.program), *window, str(blend), *probe], env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        desk.until(lambda state: state["tab"] == "Paintover" and state["beats"] > 20)
        use(desk, blend)
        desk.leave()
        desk.tool("xdotool", "key", "ctrl+q")
        assert blender.wait(60) == 0
    finally:
        blender.kill()
        blender.wait(60)
        print((tmp_path / "blender.log").read_text()[-3000:])
    assert processes_of(machine.profile) == []
    assert "Traceback" not in (tmp_path / "blender.log").read_text()


def use(desk: Desk, blend: Path) -> None:
    """From a .blend that nobody has rendered yet to the final frames."""
    shot = blend.parent / "paintover" / "Scene"

    # No backend: the panel says so, and its button says what stands in the way.
    desk.picture("01-no-backend")
    desk.press("install_backend")
    assert "offline" in desk.state()["failure"]
    desk.picture("02-offline")
    desk.keys("Escape")  # Blender shows the error at the mouse too
    desk.leave()
    desk.state_file.with_name("python").write_text(sys.executable)

    desk.press("enable_passes")
    desk.picture("03-passes")
    desk.press("render_passes")
    desk.until(lambda state: not state["running"] and len(list((shot / "passes").glob("Scene_*.exr"))) == 4)
    assert desk.state()["failure"] == "" and desk.state()["frame"] == 2
    desk.picture("04-rendered")

    desk.press("keyframe_add", 0.8)
    assert desk.state()["painted"] == [2]
    desk.press("keyframe_rough_paint")
    desk.finish()
    assert (shot / "paint" / "Scene_0002_rough.png").is_file()
    desk.after(20)  # its thumbnail is read a moment later
    desk.picture("05-painted")

    # Training for ten minutes, or until it is stopped. The window lives on meanwhile.
    desk.press("train_look")
    state = desk.until(lambda state: state["report"].get("step", 0) >= 2 and state["report"].get("preview"))
    desk.after(30)
    desk.picture("06-training")
    assert "loss" in state["report"]
    desk.press("keyframe_show", 0.8)  # another button works while the look trains
    assert desk.state()["shown"].startswith("Scene_0002") and desk.state()["running"] == "Train Look"
    desk.press("stop_job")
    state = desk.finish()
    look = shot / "Scene.look"
    assert state["failure"] == "" and look.is_file()
    desk.picture("07-trained")

    # Cancel gives up, and the look stays as it was. Esc keeps what was learned.
    trained = look.read_bytes()
    desk.press("continue_look", 0.65)
    desk.until(lambda state: state["report"].get("step", 0) >= 1)
    desk.press("cancel_job")
    state = desk.finish()
    assert "Cancelled" in state["notice"] and state["failure"] == ""
    assert look.read_bytes() == trained
    desk.press("continue_look", 0.65)
    desk.until(lambda state: state["report"].get("step", 0) >= 1)
    desk.keys("Escape")
    state = desk.finish()
    assert state["notice"] == "Continue Look: done" and state["failure"] == ""
    assert look.read_bytes() != trained

    desk.press("apply_look")
    state = desk.finish()
    assert state["failure"] == "" and len(list((shot / "styled").glob("Scene_*.exr"))) == 4
    desk.press("compositor_insert")
    assert desk.state()["in_compositor"]
    desk.picture("08-applied")
    desk.press("final_frames")
    desk.finish()
    final = blend.parent / "final" / "frame_0002.png"
    assert len(list(final.parent.glob("frame_*.png"))) == 4

    # The Image Editor shows the styled frame, with the same colours as the final frame has.
    desk.press("show_styled")
    desk.leave()
    desk.keys("Home")
    left, bottom, right, top = desk.after(20)["picture"]
    desk.tool("xdotool", "mousemove", (left + right) // 2, desk.state()["window"][1] - (bottom + top) // 2)
    desk.tool("xdotool", "click", "--repeat", 8, "--delay", 100, 4)  # the wheel zooms in
    state = desk.after(30)
    desk.leave()
    assert state["shown"].startswith("Paintover")
    screen = desk.picture("09-styled")
    left, bottom, right, top = state["picture"]
    tall = state["window"][1]
    assert right - left > 200
    seen = screen.crop((left, tall - top, right, tall - bottom)).resize((64, 36), Image.Resampling.BOX)
    with Image.open(final) as image:
        wanted = np.asarray(image.convert("RGB"), np.float32)
    difference = np.abs(np.asarray(seen, np.float32) - wanted)[2:-2, 2:-2]  # Blender draws a line around pictures
    assert difference.mean() < 6.0
    assert wanted.std() > 10.0  # there is something to see

    # Undo takes back what changed the scene; F3 finds every operator.
    desk.keys("ctrl+z", "ctrl+z")
    assert not desk.state()["in_compositor"]
    desk.keys("F3")
    desk.tool("xdotool", "type", "--delay", 60, "Suggest Frame")
    desk.after(30)
    desk.picture("10-search")
    desk.keys("Return")
    desk.until(lambda state: state["notice"].startswith("Paint frame") or state["failure"])
    assert desk.state()["failure"] == ""
    desk.picture("11-suggested")
