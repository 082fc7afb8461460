"""Shared fixtures."""

import inspect
import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import real_blender

ROOT = Path(__file__).resolve().parents[1]

# What runs inside Blender, before and after the test's own function. The process leaves by os._exit: some bpy wheels
# hang on their way out after a render.
RUNNER = """
import json, os, sys, traceback
sys.path.insert(0, {staged!r})
import bpy
{source}
def leave(code):
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
def finish(result):
    with open({answer!r}, "w", encoding="utf-8") as file:
        json.dump(result, file)
    leave(0)
def start():
    try:
        import paintover
        paintover.register()
        result = {name}(*json.loads({arguments!r}))
        if not {steps}:
            finish(result)
        while bpy.app.background:
            step(result)
    except BaseException:
        traceback.print_exc()
        leave(1)
    bpy.app.timers.register(lambda: step(result), persistent=True)
def step(steps):
    try:
        return next(steps)
    except StopIteration as end:
        finish(end.value)
    except BaseException:
        traceback.print_exc()
        leave(1)
if bpy.app.background:
    start()
else:
    bpy.app.timers.register(start, first_interval=0.5)
"""


@dataclass
class BlenderRunner:
    """A Blender that runs a function of a test in a process of its own, with the add-on registered as ``paintover``.

    ``kind``: "bpy" (the wheel) or "blender" (a real one). ``output``: what the last run printed.
    """

    kind: str
    command: list[str]
    folder: Path
    output: str = ""
    environment: dict[str, str] = field(default_factory=dict)

    def use_display(self, display: str) -> None:
        """Draw with software OpenGL on an X display: for EEVEE, and for windows."""
        self.environment |= {"DISPLAY": display, "LIBGL_ALWAYS_SOFTWARE": "1"}
        if self.kind == "blender":
            self.command[1:1] = ["--gpu-backend", "opengl"]

    def use_window(self, display: str) -> None:
        """Run in a window, on an X display, instead of in the background. Only a real Blender has windows."""
        if self.kind != "blender":
            pytest.skip("the bpy wheel has no windows")
        self.use_display(display)
        self.command.remove("-b")

    def __call__(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run ``function(*arguments)`` and give what it returns. Both travel as JSON; so do ``Path``s, as strings.

        ``function`` is taken by its source: it sees nothing of its module and imports what it needs. It may be
        a generator, which yields how many seconds a Blender in a window shall go on by itself before the next step.
        """
        script, answer = self.folder / f"{function.__name__}.py", self.folder / f"{function.__name__}.json"
        source = textwrap.dedent(inspect.getsource(function))
        texts = json.dumps(arguments, default=str)
        parts = {
            "staged": str(self.folder),
            "name": function.__name__,
            "answer": str(answer),
            "steps": inspect.isgeneratorfunction(function),
        }
        script.write_text(RUNNER.format(source=source, arguments=texts, **parts), "utf-8")
        answer.unlink(missing_ok=True)
        own = {
            "BLENDER_USER_RESOURCES": str(self.folder / "profile"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONFAULTHANDLER": "1",  # the bpy wheel has no crash log
        }
        done = subprocess.run(
            [*self.command, str(script)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | own | self.environment,
            timeout=300,
            check=False,
        )
        self.output = done.stdout
        assert done.returncode == 0, self.output[-4000:]  # its end: the traceback, after what the render says
        return json.loads(answer.read_text("utf-8"))


def blender_command(kind: str) -> list[str]:
    """The command that runs a script in "bpy" or in the real "blender"; skips the test where it is missing."""
    if kind == "bpy":
        if find_spec("bpy") is None:
            pytest.skip("no bpy wheel in this Python")
        return [sys.executable]
    return [str(real_blender.find()), "-b", "--factory-startup", "--python-exit-code", "1", "--python"]


@pytest.fixture(params=["bpy", "blender"])
def blender(request: pytest.FixtureRequest, tmp_path: Path) -> BlenderRunner:
    """Each Blender that is there: the ``bpy`` wheel, and the real one that BLENDER names or the PATH holds."""
    command = blender_command(request.param)
    staged = tmp_path / "staged"
    staged.mkdir()
    (staged / "paintover").symlink_to(ROOT / "addon")
    return BlenderRunner(request.param, command, staged)


@pytest.fixture(scope="session", params=["bpy", "blender"])
def blender_script(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Runs a script of tests/blender by name, with arguments, in each Blender that is there; no add-on in it."""
    command = blender_command(request.param)

    def run(script: str, *arguments: object) -> None:
        separator = ["--"] if request.param == "blender" else []
        full = [*command, str(ROOT / "tests" / "blender" / script), *separator, *map(str, arguments)]
        done = subprocess.run(full, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]

    return run


@pytest.fixture(scope="session")
def rendered(blender_script: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of shots that a Blender rendered: tests/blender/render_shots.py says which."""
    folder = tmp_path_factory.mktemp("rendered")
    blender_script("render_shots.py", folder)
    return folder


@pytest.fixture(scope="session")
def display() -> Iterator[str]:
    """The name of an X display that nobody looks at."""
    if shutil.which("Xvfb") is None:
        pytest.skip("no Xvfb: install it (apt install xvfb) to test what Blender draws")
    reader, writer = os.pipe()
    command = ["Xvfb", "-displayfd", str(writer), "-screen", "0", "1280x800x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[writer], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(writer)
    try:
        with os.fdopen(reader) as number:
            yield f":{number.readline().strip()}"
    finally:
        server.terminate()
        server.wait()


@pytest.fixture
def own_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    """The add-on's backend is the Python that runs the tests."""
    monkeypatch.setenv("PAINTOVER_PYTHON", sys.executable)


@pytest.fixture(scope="session")
def fire(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights for fire that were never trained."""
    from effect_network import tiny  # late: it loads torch, which most who test the add-on do not need

    return tiny("fire", tmp_path_factory.mktemp("weights") / "fire.safetensors")


@pytest.fixture(scope="session")
def burning(tmp_path_factory: pytest.TempPathFactory, fire: Path) -> Path:
    """Three rendered frames of it, as ``SMALL`` has them."""
    from doing import do
    from effect_frames import SMALL

    folder = tmp_path_factory.mktemp("frames") / "fire"
    do("effect.render", kind="fire", out=folder, weights=fire, **SMALL)
    return folder


@pytest.fixture(scope="session")
def sliding(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a shot and paintings of its frames 2 and 5."""
    import slide

    from backend import images

    folder = tmp_path_factory.mktemp("sliding")
    slide.write_shot(folder / "shot")
    for frame in (2, 5):
        images.write_png(folder / f"{frame}.png", slide.painted(frame))
    return folder


@pytest.fixture(scope="session")
def sliding_look(sliding: Path) -> Path:
    """A look of frame 2, trained just long enough to be told from noise."""
    from doing import do

    path = sliding / "a.look"
    do("look.train", shot=sliding / "shot", paint={"2": sliding / "2.png"}, out=path, steps=60)
    return path
