"""The command line: ``python -m backend VERB ...``. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 cancelled.

Results go to stdout, progress and messages to stderr. With ``--json`` stdout carries one JSON object a line, with the
types of the protocol: progress, and at the end result or error.
"""

import argparse
import contextlib
import json
import logging
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any, TextIO

from .arguments import frame_range
from .errors import CANCELLED, DONE, PaintoverError
from .job import Job
from .machine import in_long_turns, numpy_alone, one_heap
from .protocol import ERROR, PROGRESS, RESULT, plain
from .serve import serve
from .service import VERBS, call
from .words import either, pace

LINE_EVERY = 5.0  # seconds between progress lines where stderr is a file and not a terminal


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code. Raises ``SystemExit`` (2) where the command line is wrong."""
    one_heap()
    in_long_turns()
    numpy_alone()
    options = vars(_parser().parse_args(arguments))
    verb, as_json = options.pop("verb"), options.pop("json", False)
    # A child's stderr is its log and takes every traceback; a person is shown only those of our own faults.
    level = logging.INFO if verb == "serve" else logging.ERROR
    logging.basicConfig(stream=sys.stderr, level=level, format="%(levelname)s %(message)s")
    if verb == "serve":
        serve(VERBS)
        return DONE
    show = _JsonLines(sys.stdout) if as_json else _Words(sys.stdout, sys.stderr)
    job = Job(show.progress)
    try:
        with _interruptible(job), contextlib.redirect_stdout(sys.stderr):
            value = call(VERBS, verb, options, job)
    except PaintoverError as error:
        show.error(error)
        return error.exit_code
    except KeyboardInterrupt:
        return CANCELLED
    show.result(value)
    return DONE


@contextlib.contextmanager
def _interruptible(job: Job) -> Iterator[None]:
    """Let Ctrl-C, or a farm's polite end, cancel the job; a second Ctrl-C ends it on the spot."""

    def cancel(number: int, frame: FrameType | None) -> None:
        job.cancel()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        print("\nStopping...", file=sys.stderr)

    before = {number: signal.signal(number, cancel) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _JsonLines:
    """For programs."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def progress(self, report: dict[str, Any]) -> None:
        self._line({"type": PROGRESS, "report": report})

    def result(self, value: dict[str, Any]) -> None:
        self._line({"type": RESULT, "value": value})

    def error(self, error: PaintoverError) -> None:
        self._line({"type": ERROR, "error": error.as_json()})

    def _line(self, message: dict[str, Any]) -> None:
        print(json.dumps(plain(message)), file=self._out, flush=True)


class _Words:
    """For people: on a terminal one line that changes, elsewhere a line now and then."""

    def __init__(self, out: TextIO, log: TextIO) -> None:
        self._out = out
        self._log = log
        self._live = log.isatty()
        self._width = 0
        self._next = 0.0

    def progress(self, report: dict[str, Any]) -> None:
        if not self._live and time.monotonic() < self._next:
            return
        self._next = time.monotonic() + LINE_EVERY
        text = _progress_text(report)
        print(
            f"\r{text:<{self._width}}" if self._live else text,
            end="" if self._live else "\n",
            file=self._log,
            flush=True,
        )
        self._width = len(text)

    def result(self, value: dict[str, Any]) -> None:
        self._end_live_line()
        for name, item in value.items():
            print(f"{name}: {_value_text(item)}", file=self._out)

    def error(self, error: PaintoverError) -> None:
        self._end_live_line()
        print(error, file=self._log)

    def _end_live_line(self) -> None:
        if self._live and self._width:
            print(file=self._log)


def _progress_text(report: dict[str, Any]) -> str:
    parts = [f"{report['fraction']:4.0%}", str(report["message"])]
    return "  ".join([*parts, *pace(report)])


def _value_text(value: Any) -> str:
    match value:
        case None:
            return "none"
        case float():
            return f"{value:.4g}"
        case list():
            return ", ".join(map(_value_text, value)) or "none"
        case dict():
            return ", ".join(f"{name} {_value_text(item)}" for name, item in value.items()) or "none"
    return str(value)


class _Pairs(argparse.Action):
    """``--paint 5=a.png --paint 9=b.png`` as {"5": "a.png", "9": "b.png"}."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        # A frame's number has no "=" in it, a picture's name may.
        split = str.partition if self.dest == "paint" else str.rpartition
        name, equals, path = split(str(values), "=")
        if not (name and equals and path):
            parser.error(f"{option_string} wants {self.metavar}, not {values}")
        pairs = dict(getattr(namespace, self.dest) or {})
        setattr(namespace, self.dest, {**pairs, name: path})


class _Control(argparse.Action):
    """``--set wind=3 --key fuel=1:0.5 --key fuel=24:2`` as {"wind": 3.0, "fuel": [[1, 0.5], [24, 2.0]]}."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        name, equals, text = str(values).partition("=")
        frame, colon, value = text.rpartition(":")
        found = dict(getattr(namespace, self.dest) or {})
        keys = found.get(name, [])
        try:
            if not (name and equals) or (option_string == "--key") != bool(colon):
                raise ValueError
            numbers = [_number(item) for item in value.split(",")]
            number = numbers if len(numbers) > 1 else numbers[0]
            key = [[_number(frame), number]] if colon else []
        except ValueError:
            parser.error(f"{option_string} wants {self.metavar}, not {values}")
        if name in found and not (key and isinstance(keys, list) and isinstance(keys[0], list)):
            parser.error(f"{name} is named twice: give it one value, or keys")
        setattr(namespace, self.dest, found | {name: [*keys, *key] if key else number})


def _number(text: str) -> float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _size(text: str) -> list[int]:
    width, cross, height = text.lower().partition("x")
    try:
        return [int(width), int(height if cross else width)]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is no size: write 512, or 640x360") from error


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is no JSON: {error}") from error


def _folder(text: str) -> Any:
    return _json(text) if text.startswith("{") else text


def _parser() -> argparse.ArgumentParser:
    from .effect.controls import VOLUMES  # late, as service imports what belongs to one family of models
    from .effect.panel import KINDS

    effects, volumes = either(KINDS), either(VOLUMES)
    top = argparse.ArgumentParser(prog="python -m backend", description="Paint one frame, get the shot.")
    verbs = top.add_subparsers(required=True, metavar="VERB")

    def add(group: Any, name: str, verb: str, text: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = group.add_parser(name, help=text, description=text)
        parser.set_defaults(verb=verb)
        if verb != "serve":
            parser.add_argument("--json", action="store_true", help="one JSON object a line: progress, then the result")
        return parser

    command = add(verbs, "info", "info", "what this backend is and what it runs on")
    command.add_argument("--load", action="store_true", help="really load the libraries, and say if one does not work")

    add(verbs, "serve", "serve", "take requests on stdin, as the add-on does")

    shot = verbs.add_parser("shot", help="rendered frames").add_subparsers(required=True, metavar="VERB")
    command = add(shot, "check", "shot.check", "what a shot holds and which passes are missing")
    command.add_argument("shot", metavar="SHOT", help="folder of multilayer EXRs")

    look = verbs.add_parser("look", help="paint one frame, get the shot").add_subparsers(required=True, metavar="VERB")

    command = add(look, "train", "look.train", "learn a look from painted frames")
    command.add_argument("shot", metavar="SHOT", nargs="?", help="folder of multilayer EXRs")
    command.add_argument("--paint", metavar="FRAME=IMAGE", action=_Pairs, help="a painted frame; may be repeated")
    command.add_argument(
        "--image",
        metavar="IMAGE=PAINTING",
        dest="images",
        action=_Pairs,
        help="instead of a shot: an image and its painting",
    )
    command.add_argument("--out", metavar="LOOK", required=True, help="the .look file to write")
    length = command.add_mutually_exclusive_group()
    length.add_argument("--seconds", type=float, help="how long to train")
    length.add_argument("--steps", type=int, help="how many steps to train")
    command.add_argument("--seed", type=int, help="same seed, same look")
    command.add_argument("--resume", action="store_true", help="go on where training of this look was stopped")
    command.add_argument("--preview", metavar="PNG", help="a picture of the look so far, written about every second")

    command = add(look, "apply", "look.apply", "paint a shot's frames, or images, in a look")
    command.add_argument("shot", metavar="SHOT", nargs="?", help="folder of multilayer EXRs")
    command.add_argument(
        "--image", metavar="IMAGE", dest="images", action="append", help="instead of a shot: an image; may be repeated"
    )
    command.add_argument("--look", metavar="LOOK", required=True)
    command.add_argument("--out", metavar="DIR", required=True, help="folder for the painted frames")
    command.add_argument(
        "--frames",
        metavar="A-B",
        type=lambda text: list(frame_range(text)),
        help="both included; --frames=-5-10 below 0; all otherwise",
    )
    command.add_argument("--tile", metavar="SIZE", type=int, help="pixels; chosen to fit the memory otherwise")

    command = add(look, "suggest", "look.suggest", "which frame to paint next")
    command.add_argument("shot", metavar="SHOT")
    command.add_argument("--painted", metavar="FRAME", type=int, nargs="*", help="frames that are painted already")

    command = add(look, "paint", "look.paint", "a rough painting of a frame, to refine")
    command.add_argument("shot", metavar="SHOT")
    command.add_argument("--frame", type=int, required=True)
    command.add_argument("--out", metavar="PNG", required=True)
    command.add_argument("--seed", type=int)

    command = add(look, "card", "look.card", "what a look file says of itself")
    command.add_argument("look", metavar="LOOK")

    effect = verbs.add_parser("effect", help="fire, smoke, explosions and water").add_subparsers(
        required=True, metavar="VERB"
    )

    command = add(effect, "controls", "effect.controls", "what can be turned on an effect")
    command.add_argument("kind", metavar="KIND", help=effects)

    command = add(effect, "render", "effect.render", "render an effect as frames with layers")
    command.add_argument("kind", metavar="KIND", help=effects)
    command.add_argument("--out", metavar="DIR", required=True, help="folder for the frames")
    command.add_argument("--frames", metavar="N", type=int, help="how many")
    command.add_argument("--loop", action="store_true", help="after the last frame comes the first again")
    command.add_argument("--fps", metavar="F", type=float, help="frames a second, 24 without")
    _placed(command)
    command.add_argument("--tile", metavar="SIZE", type=int, help="pixels; chosen to fit the memory otherwise")
    command.add_argument("--weights", metavar="FILE", help="of your own training, instead of Paintover's")
    _turned(command)

    command = add(effect, "preview", "effect.preview", "a first look at one frame, as a small PNG")
    command.add_argument("kind", metavar="KIND", help=effects)
    command.add_argument("--out", metavar="PNG", required=True)
    command.add_argument(
        "--frame", metavar="FRAME", type=int, help="which frame; without, the first, of an explosion the 13th"
    )
    _placed(command)
    _turned(command)

    command = add(effect, "flipbook", "effect.flipbook", "an atlas of rendered frames, for game engines")
    command.add_argument("frames", metavar="DIR", help="folder of rendered frames")
    command.add_argument("--rows", type=int, required=True)
    command.add_argument("--columns", type=int, required=True)
    command.add_argument("--out", metavar="FILE", required=True, help="a .png or .exr; both are written, and a .json")
    command.add_argument("--cell", metavar="PIXELS", type=int, help="width of a frame in the atlas, its own without")
    command.add_argument("--movie", metavar="FILE", help="also a preview that moves: .webp, .gif or .png")
    _shown(command)

    command = add(effect, "movie", "effect.movie", "a preview of rendered frames that moves")
    command.add_argument("frames", metavar="DIR", help="folder of rendered frames")
    command.add_argument("--out", metavar="FILE", required=True, help="a .webp, .gif or .png")
    command.add_argument("--width", metavar="PIXELS", type=int, help="of the movie, the frames' own without")
    _shown(command)

    command = add(effect, "simulate", "effect.simulate", "make a training set of simulations")
    command.add_argument("kind", metavar="KIND", help=volumes)
    command.add_argument("--out", metavar="DIR", required=True, help="folder for the simulations")
    command.add_argument("--recipe", metavar="NAME", help="a recipe's name, such as fire-cpu, or a .toml file")
    command.add_argument("--seed", type=int, help="same seed, same simulations")
    command.add_argument("--sims", metavar="N", type=int, help="how many, instead of what the recipe says")

    command = add(effect, "train", "effect.train", "learn an effect from simulations")
    command.add_argument("kind", metavar="KIND", help=volumes)
    command.add_argument("--data", metavar="DIR", required=True, help="folder of simulations, from effect simulate")
    command.add_argument("--out", metavar="FILE", required=True, help="the .safetensors file to write")
    length = command.add_mutually_exclusive_group()
    length.add_argument("--seconds", type=float, help="how long to train; what the recipe says otherwise")
    length.add_argument("--steps", type=int, help="how many steps to train")
    command.add_argument("--recipe", metavar="NAME", help="cpu or gpu, or a .toml file; what fits otherwise")
    command.add_argument("--seed", type=int, help="same seed, same weights")
    start = command.add_mutually_exclusive_group()
    start.add_argument("--resume", action="store_true", help="go on where this training was stopped")
    start.add_argument("--begin", metavar="FILE", help="begin from these weights, of this effect or another")
    command.add_argument("--preview", metavar="PNG", help="a sheet of what it makes so far: enlarged, ours, truth")
    return top


def _shown(command: argparse.ArgumentParser) -> None:
    """The options that say which frames there are, and how fast they go."""
    command.add_argument("--fps", metavar="F", type=float, help="frames a second, 24 without")
    command.add_argument("--name", help="of the effect, where the folder holds several")


def _placed(command: argparse.ArgumentParser) -> None:
    """The options that say when and where an effect begins, or what was simulated before."""
    command.add_argument(
        "--start", metavar="FRAME", type=int, help="number of the first frame; without, 1, of a bake its own"
    )
    command.add_argument("--emitter", metavar="JSON", type=_json, help='such as {"shape": "ring", "radius": 0.2}')
    command.add_argument(
        "--vdb",
        metavar="DIR|JSON",
        type=_folder,
        help="a Mantaflow bake instead of a simulation: its cache's folder, or such as"
        ' {"folder": "cache", "side": "left", "hottest": 3}',
    )


def _turned(command: argparse.ArgumentParser) -> None:
    """The options by which an artist turns controls."""
    command.add_argument("--size", metavar="S|WxH", type=_size, help="pixels of a side, or of both")
    command.add_argument("--seed", metavar="K", type=int, help="another number, another one of its kind")
    command.add_argument(
        "--set",
        metavar="NAME=VALUE",
        dest="controls",
        action=_Control,
        help="a control; colours as R,G,B; may be repeated",
    )
    command.add_argument(
        "--key",
        metavar="NAME=FRAME:VALUE",
        dest="controls",
        action=_Control,
        help="a key of a control; may be repeated",
    )
