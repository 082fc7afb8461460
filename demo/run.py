"""The demo, end to end: render a shot, paint one frame, learn, give the look to every frame, composite in Blender. Then
the harbour gets fire and smoke.

python3 build.py demo                                       the demo's own scene
python3 build.py demo --blend FILE [--frames A-B] [--paint FRAME=IMAGE]
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from addon.backend import beside, images, metrics
from addon.backend.arguments import frame_range, painted_frame
from addon.backend.errors import (
    BackendError,
    Cancelled,
    ColourError,
    FrameRangeError,
    OutputError,
    PaintoverError,
    ShotError,
    from_json,
)
from addon.backend.shot import Shot
from addon.client import SubprocessBackend
from addon.paths import frame_path, runs

from . import results
from .harbour.burning import BURNING

ROOT = Path(__file__).resolve().parent.parent
HARBOUR = "harbour"
RENDER_BUDGET = 270.0  # seconds: what rendering may take on a slow machine before the demo shortens the shot
FEWEST = 8  # frames, however slow
MARK, REPORT, WORK = ".paintover-demo", "report.json", "work"
EMPTY = 0.97  # a picture with more background than this shows nothing to paint


class Clock:
    """How long each part took, and a word to the person who waits."""

    def __init__(self, setup: float) -> None:
        self.seconds: dict[str, float] = {"setup": setup}

    @contextmanager
    def part(self, name: str, words: str) -> Iterator[None]:
        print(f"{words} ...", flush=True)
        began = time.monotonic()
        yield
        self.seconds[name] = round(self.seconds.get(name, 0.0) + time.monotonic() - began, 1)


class Demo:
    """One run: the folder it works in, and what it knows so far."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.out: Path = options.out.resolve()
        self.work = self.out / WORK / (options.blend.stem if options.blend else HARBOUR)
        self.final = self.out / "final"
        self.copy = self.work / f"{self.work.name}.blend"
        self.clock = Clock(options.setup_seconds)
        self.facts: dict[str, Any] = {}
        self.notes: list[str] = []

    def claim(self) -> None:
        """Make the folder to work in. Raises ``OutputError`` where that would replace what no demo has made."""
        mark = self.out / MARK
        if not mark.exists() and not (self.out / REPORT).exists():
            for folder in (self.out / WORK, self.final):
                if folder.exists():
                    raise OutputError(
                        f"{folder} is there already, and is not a demo's.", "Choose another folder with --out."
                    )
        self.out.mkdir(parents=True, exist_ok=True)
        mark.touch()

    def blender(self, verb: str, **request: Any) -> dict[str, Any]:
        """Do ``verb`` of demo.stage in a Blender of its own. Raises its ``PaintoverError``."""
        asked, answered = self.work / f"{verb}.request.json", self.work / f"{verb}.answer.json"
        self.work.mkdir(parents=True, exist_ok=True)
        answered.unlink(missing_ok=True)
        asked.write_text(json.dumps(request), encoding="utf-8")
        log = self.work / f"{verb}.log"
        command = [sys.executable, "-m", "demo.stage", verb, str(asked), str(answered)]
        with (
            log.open("w", encoding="utf-8") as said,
            subprocess.Popen(
                command, cwd=ROOT, text=True, errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            ) as child,
        ):
            assert child.stdout is not None
            for line in child.stdout:
                if line.startswith("@ "):
                    print(f"  {line[2:].rstrip()}", flush=True)
                else:
                    said.write(line)
        if not answered.exists():
            raise BackendError(f"Blender ended unexpectedly ({verb}).", f"What it said is in {log}.")
        answer = json.loads(answered.read_text(encoding="utf-8"))
        if "error" in answer:
            raise from_json(answer["error"])
        value: dict[str, Any] = answer["value"]
        return value

    def prepare(self) -> None:
        """The scene, checked and light enough; frames of an earlier run are kept where the scene is the same."""
        source: Path | None = self.options.blend
        if source and not source.is_file():
            raise ShotError(f"There is no file {source}.", "Name a .blend.")
        digest = hashlib.sha256(repr(self.options.frames).encode())
        here = Path(__file__).parent
        for path in [source] if source else [here / "scene.py", *sorted((here / "harbour").glob("*.py"))]:
            digest.update(path.read_bytes())
        card = self.work / "scene.json"
        known = json.loads(card.read_text(encoding="utf-8")) if card.is_file() else {}
        if known.get("source") == digest.hexdigest() and self.copy.is_file():
            self.facts = known
            return
        for path in (source, *self.options.paint.values()):
            if path and path.resolve().is_relative_to(self.work.resolve()):
                raise OutputError(
                    f"{path} lies in the demo's own folder, which is made anew.", "Copy it somewhere else first."
                )
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True)
        if source is None:
            source = self.work / "scene.blend"
            made = subprocess.run(
                [sys.executable, "-m", "demo.scene", str(source)], cwd=ROOT, capture_output=True, text=True
            )
            if not source.is_file():
                raise BackendError("The demo's scene could not be built.", made.stderr.strip())
        frames = list(self.options.frames) if self.options.frames else None
        told = self.blender("prepare", source=str(source.resolve()), copy=str(self.copy), frames=frames)
        self.facts = told | {"source": digest.hexdigest()}
        card.write_text(json.dumps(self.facts, indent=1), encoding="utf-8")

    @property
    def passes(self) -> Path:
        return Path(self.facts["folder"]) / "passes"

    @property
    def frames(self) -> range:
        return range(self.facts["first"], self.facts["last"] + 1)

    def frame(self, folder: Path, number: int) -> Path:
        return frame_path(folder, self.facts["name"], number)

    def is_rendered(self, number: int) -> bool:
        """Whether a frame of passes is there, and every pixel of it can be read."""
        try:
            shot = Shot.open(self.passes)
            shot.read(number, sorted(shot.passes(number)))
        except (ShotError, FrameRangeError):
            return False
        return True

    def render(self) -> Shot:
        """Render what is not there yet: first one frame, to see whether it shows anything and how long it takes."""
        todo = [number for number in self.frames if not self.is_rendered(number)]
        if len(todo) < len(self.frames):
            print(f"  {len(self.frames) - len(todo)} frames are there from an earlier run", flush=True)
        if todo:
            began = time.monotonic()
            self.blender("render", copy=str(self.copy), first=todo[0], last=todo[0])
            took = time.monotonic() - began
            affordable = max(FEWEST, int(RENDER_BUDGET / took))
            if len(todo) > affordable and self.options.blend and not self.options.frames:
                last = self.facts["last"] - (len(todo) - affordable)
                self.facts["last"] = min(self.facts["last"], max([last, *self.options.paint]))
                self.notes.append(f"a frame takes {took:.0f} s to render here: {len(self.frames)} frames")
        shot = Shot.open(self.passes)
        empty = results.background(shot, shot.frames[0])
        if empty > EMPTY:
            raise ShotError(
                f"Frame {shot.frames[0]} shows almost nothing: {empty:.0%} of the picture is background.",
                "Point the camera at something, or choose other frames with --frames.",
            )
        rest = [number for number in todo[1:] if number in self.frames]
        for first, last in runs(rest):
            self.blender("render", copy=str(self.copy), first=first, last=last)
        return Shot.open(self.passes)

    def painted(self) -> dict[int, Path]:
        """The paintings that were named, as large as the demo's frames. Raises ``FrameRangeError``, ``PaintingError``.

        A painting of the file's own size is made smaller with it.
        """
        paintings = {}
        wide, high = self.facts["size"]
        for number, path in self.options.paint.items():
            if number not in self.frames:
                raise FrameRangeError(
                    f"Frame {number} was painted, but the shot has frames {self.frames[0]} to {self.frames[-1]}.",
                    "Name frames with --frames so that they include it.",
                )
            picture = Image.fromarray(images.read_painting(path))
            if picture.width > wide and abs(picture.width * high - picture.height * wide) <= picture.width:
                path = self.work / "paint" / f"{number}.png"
                path.parent.mkdir(exist_ok=True)
                images.write_png(path, np.asarray(picture.resize((wide, high), Image.Resampling.LANCZOS)))
            images.read_painting(path, (wide, high))
            paintings[number] = path
        return paintings

    def paint(self, shot: Shot, backend: SubprocessBackend) -> dict[int, Path]:
        """The paintings to learn from: those that were named, else one frame, painted by the stroke renderer."""
        if self.options.paint:
            return self.painted()
        best = backend.submit("look.suggest", {"shot": str(shot.folder), "painted": []}).wait()["frame"]
        target = Path(self.facts["folder"]) / "paint" / f"{shot.name}_{best:04d}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        print(f"  frame {best}", flush=True)
        backend.submit("look.paint", {"shot": str(shot.folder), "frame": best, "out": str(target), "seed": 1}).wait()
        return {best: target}

    def train(self, shot: Shot, paintings: dict[int, Path], backend: SubprocessBackend) -> tuple[Path, dict[str, Any]]:
        look = Path(self.facts["folder"]) / f"{shot.name}.look"
        last = 0.0

        def tell(report: dict[str, Any]) -> None:
            nonlocal last
            if report["elapsed"] - last >= 15:
                last = report["elapsed"]
                facts = [f"{name} {report[name]:.4g}" for name in ("step", "loss", "rate") if name in report]
                left = f", {report['remaining']:.0f} s left" if "remaining" in report else ""
                print(f"  {', '.join(facts)}{left}", flush=True)

        paint = {str(number): str(path) for number, path in paintings.items()}
        params = {"shot": str(shot.folder), "paint": paint, "out": str(look), "seed": 1}
        params |= {"seconds": self.options.seconds, "preview": str(look.with_suffix(".preview.png"))}
        return look, backend.submit("look.train", params).wait(on_progress=tell)

    def apply(self, shot: Shot, look: Path, backend: SubprocessBackend) -> Path:
        styled = Path(self.facts["folder"]) / "styled"
        shutil.rmtree(styled, ignore_errors=True)  # an earlier look's frames
        first, last = self.frames[0], self.frames[-1]
        params = {"shot": str(shot.folder), "look": str(look), "out": str(styled), "frames": [first, last]}
        backend.submit("look.apply", params).wait()
        return styled

    def composite(
        self, styled: Path, target: Path, frames: range, effects: Sequence[dict[str, Any]] = ()
    ) -> dict[int, Path]:
        """Final frames out of Blender's compositor, by frame number; ``effects``: what burns in them."""
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        done = self.blender(
            "composite",
            copy=str(self.copy),
            styled=str(styled),
            target=str(target),
            first=frames[0],
            last=frames[-1],
            effects=effects,
        )
        return dict(zip(frames, map(Path, done["frames"]), strict=True))

    def colour(self, shot: Shot, paintings: dict[int, Path], styled: Path, finals: dict[int, Path]) -> dict[str, Any]:
        """Errors in 8-bit steps on Blender's final frames: of the painting itself, and of what the look made.

        Of the painting, pixels that the view cannot show are left out, and their share is told. Nothing where the
        view cannot be inverted.
        """
        key = min(paintings)
        painting = images.read_painting(paintings[key])
        as_styled, shown = self.work / "painting" / "styled", self.work / "painting" / "final"
        as_styled.mkdir(parents=True, exist_ok=True)
        try:
            results.write_as_styled(shot, painting, self.frame(as_styled, key))
        except ColourError as error:
            self.notes.append(f"colour is not measured: {error.message}")
            return {}
        final = self.composite(as_styled, shown, range(key, key + 1))[key]
        shown_by_view = shot.view.reachable(results.display_of(painting))
        unreachable = round(1 - float(shown_by_view.mean()), 5)
        each = [
            results.colour_error(results.styled_display(shot, self.frame(styled, number)), path)
            for number, path in finals.items()
        ]
        return {
            "painting": results.colour_error(painting, final, shown_by_view) | {"unreachable": unreachable},
            "styled": {name: max(one[name] for one in each) for name in ("p999", "max")},
        }

    def warp_ratio(self, shot: Shot, styled: Path) -> float | None:
        """How steady the styled shot is beside the render; nothing where the picture stands still."""
        try:
            return metrics.warp_ratio(shot, styled, list(self.frames))
        except ValueError as error:
            self.notes.append(str(error))
            return None

    def run(self) -> dict[str, Any]:
        """The whole demo; gives the report."""
        self.claim()
        clock = self.clock
        with clock.part("render", "Preparing the scene"):
            self.prepare()
            self.painted()  # what is wrong with them is said before hours of rendering
        for change in self.facts["changed"]:
            print(f"  {change}", flush=True)
        with clock.part("render", "Rendering the shot"):
            shot = self.render()
        backend = SubprocessBackend(Path(sys.executable), self.work / "backend.log")
        try:
            with clock.part("paint", "Painting one frame"):
                paintings = self.paint(shot, backend)
            with clock.part("train", f"Learning from it for {self.options.seconds:.0f} s"):
                look, trained = self.train(shot, paintings, backend)
            with clock.part("apply", "Giving the look to every frame"):
                styled = self.apply(shot, look, backend)
        finally:
            backend.close()
        harbour = self.options.blend is None
        with clock.part("composite", "Compositing in Blender"):
            finals = {"styled": self.composite(styled, self.work / "final" if harbour else self.final, self.frames)}
        if harbour:
            with clock.part("effects", "Setting fire to it"):
                finals["burning"] = self.composite(styled, self.final, self.frames, BURNING)
        with clock.part("measure", "Measuring, and making the sheet"):
            colour = self.colour(shot, paintings, styled, finals["styled"])
            still = len(self.frames) == 1
            ratio = self.warp_ratio(shot, styled)
            sheet, film = self.out / "sheet.png", self.out / "movie.mp4"
            count = "1 styled frame" if still else f"{len(self.frames)} styled frames"
            words = f"{self.work.name}: one painted frame, {count}"
            results.contact_sheet(shot, paintings, finals, sheet, words)
            film.unlink(missing_ok=True)
            if not still:
                *_, last = finals.values()
                pictures = [str(path) for path in last.values()]
                size, fps = self.facts["size"], self.facts["fps"]
                self.blender("movie", frames=pictures, size=size, fps=fps, target=str(film))
        return {
            "blender": self.facts["blender"],
            "scene": self.work.name,
            "frames": len(self.frames),
            "first_frame": self.frames[0],
            "size": self.facts["size"],
            "samples": self.facts["samples"],
            "painted": sorted(paintings),
            "seconds": clock.seconds,
            "steps": trained["steps"],
            "warp_ratio": ratio,
            "colour_error_8bit": colour["painting"]["p999"] if colour else None,
            "colour": colour,
            "changed": [*self.facts["changed"], *self.notes],
            "sheet": str(sheet),
            "movie": None if still else str(film),
            "final": str(self.final),
        }


def options_from(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("build.py demo", description="Paint one frame of a shot, get the shot.")
    parser.add_argument("--blend", type=Path, metavar="FILE", help="any .blend instead of the demo's own scene")
    parser.add_argument(
        "--frames", type=frame_range, metavar="A-B", help="these frames instead of the scene's first 24"
    )
    parser.add_argument("--paint", type=painted_frame, action="append", metavar="FRAME=IMAGE", help="your own painting")
    parser.add_argument("--seconds", type=float, default=220.0, help="how long to train (220)")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "out" / "demo", metavar="DIR", help="where it goes (out/demo)"
    )
    parser.add_argument("--setup-seconds", type=float, default=0.0, help=argparse.SUPPRESS)
    options = parser.parse_args(words)
    options.paint = dict(options.paint or [])
    return options


def main(words: list[str]) -> int:
    """Gives the exit code: 0 done, 1 failed, 2 wrong usage, 130 cancelled."""
    demo = Demo(options_from(words))
    try:
        report = demo.run()
        (demo.out / REPORT).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    except (Cancelled, KeyboardInterrupt):
        print("Cancelled. Rendered frames are kept: the same command goes on there.", file=sys.stderr)
        return 130
    except PaintoverError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        written = error.filename is None or Path(error.filename).is_relative_to(demo.out)
        print(beside.output_error(Path(error.filename or demo.out), error) if written else error, file=sys.stderr)
        return 1
    seconds = report["seconds"]
    print(f"Done in {sum(seconds.values()) - seconds['setup']:.0f} s: {report['sheet']}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
