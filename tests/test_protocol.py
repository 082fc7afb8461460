"""The frames on the pipe, the checks on parameters, and the child's side of the conversation."""

import io
import math
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from backend import errors, protocol
from backend.params import Params

ROOT = Path(__file__).resolve().parents[1]
WORKER = ROOT / "tests" / "peers" / "worker.py"
SOON = 30.0  # seconds after which a test gives up waiting


class Child:
    """A child that is spoken to directly, as a parent would that is not ours."""

    def __init__(self, errors_to: Path) -> None:
        with open(errors_to, "wb") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, WORKER],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
            )

    def say(self, **message) -> None:
        protocol.write_message(self.process.stdin, protocol.encode(message))

    def hear(self) -> protocol.Message | None:
        return protocol.read_message(self.process.stdout)

    def hear_until(self, kind: str) -> protocol.Message:
        while (message := self.hear()) is not None:
            if message["type"] == kind:
                return message
        raise AssertionError(f"the child left without a {kind}")

    def leave_alone(self) -> int:
        """Close the child's stdin, as the death of its parent does, and give its exit code."""
        self.process.stdin.close()
        return self.process.wait(SOON)


@pytest.fixture
def child(tmp_path):
    child = Child(tmp_path / "stderr")
    timer = threading.Timer(SOON, child.process.kill)  # a child that does not answer shall not hang the test
    timer.start()
    assert child.hear()["type"] == "hello"
    yield child
    timer.cancel()
    child.process.kill()
    child.process.wait()
    child.process.stdin.close()
    child.process.stdout.close()


def round_trip(message: protocol.Message) -> protocol.Message | None:
    stream = io.BytesIO()
    protocol.write_message(stream, protocol.encode(message))
    stream.seek(0)
    return protocol.read_message(stream)


def test_message_survives_the_pipe():
    message = {
        "type": "request",
        "id": 7,
        "verb": "look.train",
        "params": {"shot": "/Künstler/Ölbild 🎨", "n": [1, 2.5]},
    }
    assert round_trip(message) == message


def test_values_become_plain():
    told = round_trip(
        {"type": "result", "path": Path("a"), "psnr": math.inf, "nan": math.nan, "pair": (1, 2), "f": {5: True}}
    )
    assert told == {"type": "result", "path": "a", "psnr": None, "nan": None, "pair": [1, 2], "f": {"5": True}}


def test_what_cannot_travel_is_refused():
    with pytest.raises(TypeError, match="object"):
        protocol.encode({"type": "result", "value": object()})
    with pytest.raises(errors.ProtocolError, match="too long"):
        protocol.encode({"type": "result", "value": "x" * (protocol.MAX_MESSAGE + 1)})


@pytest.mark.parametrize("cut", [0, 1, 4, 5, 20])
def test_a_pipe_that_ends_is_an_end_and_no_nonsense(cut):
    data = protocol.encode({"type": "hello", "protocol": 1})
    whole = len(data).to_bytes(4, "big") + data
    assert protocol.read_message(io.BytesIO(whole[:cut])) is None


@pytest.mark.parametrize(
    "data",
    [
        b"Warning: something printed here\n",
        (2).to_bytes(4, "big") + b"[]",
        (2).to_bytes(4, "big") + b"{}",
        (3).to_bytes(4, "big") + b"\xff\xfe\xfd",
        (9).to_bytes(4, "big") + b'{"type":7',
        (10).to_bytes(4, "big") + b'{"type":7}',
    ],
)
def test_nonsense_is_named(data):
    with pytest.raises(errors.ProtocolError):
        protocol.read_message(io.BytesIO(data))


@pytest.mark.parametrize("cls", errors.BY_CODE.values())
def test_every_error_survives_the_pipe(cls):
    error = cls("What is wrong.", "What to do.", path="/a", frame=7)
    back = errors.from_json(round_trip({"type": "error", "error": error.as_json()})["error"])
    assert type(back) is cls
    assert back.as_json() == error.as_json()


# Parameters


def test_params_refuse_in_clear_words():
    params = Params("look.train", {"steps": "many", "sed": 1, "seconds": -1, "resume": 1, "paint": {"x": "a.png"}})
    for getter, words in [
        (lambda: params.path("shot"), "look.train needs shot"),
        (lambda: params.optional_integer("steps"), "steps must be a whole number, not 'many'"),
        (lambda: params.optional_positive("seconds"), "seconds must be a number above 0, not -1"),
        (lambda: params.switch("resume"), "resume must be true or false"),
        (lambda: params.paths_by_frame("paint"), "paint must be frame numbers with a file for each"),
        (lambda: params.finish(), "does not know sed"),
    ]:
        with pytest.raises(errors.UsageError, match=words) as told:
            getter()
    assert "sed" not in told.value.remedy and "seconds" in told.value.remedy


@pytest.mark.parametrize("frames", [[1], [5, 1], [1, 2, 3], "1-5", [1, "5"]])
def test_params_refuse_frame_ranges(frames):
    with pytest.raises(errors.UsageError, match="frames must be"):
        Params("look.apply", {"frames": frames}).frame_range("frames")


def test_params_take_what_is_right():
    params = Params("v", {"frames": [3, 9], "paint": {"5": "a.png"}, "images": {"a": "b"}, "none": None})
    assert params.frame_range("frames") == (3, 9)
    assert params.paths_by_frame("paint") == {5: Path("a.png")}
    assert params.path_pairs("images") == {Path("a"): Path("b")}
    assert params.optional_path("none") is None
    params.finish()


# The child's side


def test_stray_prints_go_to_stderr(child, tmp_path):
    child.say(type="request", id=1, verb="chatter", params={})
    assert child.hear() == {"type": "result", "id": 1, "value": {"read": ""}}
    child.say(type="request", id=2, verb="echo", params={"text": "still here"})
    assert child.hear_until("result")["value"]["text"] == "still here"
    log = (tmp_path / "stderr").read_text()
    for line in ("printed by Python", "printed by C", "written to fd 1", "printed by a program"):
        assert line in log


def test_requests_run_in_order(child):
    for number in (5, 3, 9):
        child.say(type="request", id=number, verb="count", params={"to": 2})
    messages = [child.hear() for _ in range(9)]
    assert [message["id"] for message in messages] == [5, 5, 5, 3, 3, 3, 9, 9, 9]
    assert [message["type"] for message in messages] == ["progress", "progress", "result"] * 3


def test_wrong_requests_are_errors_and_no_deaths(child, tmp_path):
    for number, (verb, params, code) in enumerate(
        [
            ("paint.everything", {}, "usage"),
            ("count", {"too": 5}, "usage"),
            ("count", [5], "usage"),
            (None, None, "usage"),
            ("stumble", {"by": 0}, "backend"),
            ("unsendable", {}, "backend"),
        ]
    ):
        child.say(type="request", id=number, verb=verb, params=params)
        answer = child.hear()
        assert (answer["type"], answer["id"], answer["error"]["code"]) == ("error", number, code)
        assert "Traceback" not in answer["error"]["message"]
    assert "ZeroDivisionError" in (tmp_path / "stderr").read_text()  # the traceback is for the log


def test_cancel_is_heard_at_once_and_hits_no_other(child):
    child.say(type="request", id=1, verb="learn", params={})
    child.say(type="request", id=2, verb="learn", params={})
    child.hear_until("progress")
    child.say(type="cancel", id=77)  # nobody
    child.say(type="cancel", id=2)  # the one that waits hears it while the first one runs
    answer = child.hear_until("error")
    assert (answer["id"], answer["error"]["code"]) == (2, "cancelled")
    child.say(type="cancel", id=1)
    answer = child.hear_until("error")
    assert (answer["id"], answer["error"]["code"]) == (1, "cancelled")
    child.say(type="cancel", id=1)  # too late: nobody's any more
    child.say(type="request", id=3, verb="learn", params={"seconds": 0.2})
    assert child.hear_until("result")["id"] == 3


def test_stop_keeps_the_best(child):
    child.say(type="request", id=1, verb="learn", params={})
    child.hear_until("progress")
    child.say(type="stop", id=1)
    assert child.hear_until("result")["value"]["stopped"] is True


@pytest.mark.parametrize("verb", [None, "learn", "deaf"])
def test_child_leaves_when_the_parent_is_gone(child, verb):
    if verb is not None:
        child.say(type="request", id=1, verb=verb, params={})
        child.hear_until("progress")
    assert child.leave_alone() == 0


def test_child_leaves_on_nonsense(child, tmp_path):
    child.process.stdin.write(b"GET / HTTP/1.1\r\n")
    child.process.stdin.flush()
    assert child.process.wait(SOON) == 0
    assert "Nonsense" in (tmp_path / "stderr").read_text()


def test_child_dies_with_a_parent_that_is_killed(tmp_path):
    """The parent gets SIGKILL in mid-job: no atexit, no goodbye. Its child must be gone soon after."""
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from addon.client import SubprocessBackend\n"
        f"backend = SubprocessBackend(Path(sys.executable), Path({str(tmp_path / 'log')!r}),\n"
        f"    arguments=[{str(WORKER)!r}])\n"
        "ticket = backend.submit('deaf', {})\n"
        "while not ticket.poll(): time.sleep(0.01)\n"
        "print(backend.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    with parent.stdout as pipe:
        pid = int(pipe.readline())
        parent.kill()
        parent.wait()
    assert _gone(pid)


def _gone(pid: int, seconds: float = SOON) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        state = Path(f"/proc/{pid}/stat")
        if not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False
