"""The client against real, dying, silent and nonsense-talking children; and against the backend in its own process."""

import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from addon.backend import errors
from addon.client import InProcessBackend, SubprocessBackend, Ticket
from addon.client.ticket import KEPT_REPORTS

ROOT = Path(__file__).resolve().parents[1]
PEERS = ROOT / "tests" / "peers"
PYTHON = Path(sys.executable)
SOON = 30.0  # seconds after which a test gives up waiting


@pytest.fixture
def start(tmp_path):
    """Starts peers, and sees to it that none is left."""
    backends = []

    def start(name: str, *arguments: str, **options) -> SubprocessBackend:
        command = [str(PEERS / name), *arguments]
        backends.append(SubprocessBackend(PYTHON, tmp_path / "backend.log", arguments=command, **options))
        return backends[-1]

    yield start
    for backend in backends:
        backend.close()


@pytest.fixture
def in_process(monkeypatch):
    monkeypatch.syspath_prepend(PEERS)
    from verbs import TABLE

    backend = InProcessBackend(TABLE)
    yield backend
    backend.close()


@pytest.fixture(params=["process", "thread"])
def backend(request, start):
    """The same tests for both kinds."""
    if request.param == "thread":
        return request.getfixturevalue("in_process")
    return start("worker.py")


def first_report(ticket: Ticket) -> dict:
    end = time.monotonic() + SOON
    while time.monotonic() < end:
        if reports := ticket.poll():
            return reports[0]
        time.sleep(0.005)
    raise AssertionError("no report")


def is_gone(pid: int) -> bool:
    """Also true for a process that is dead and that nobody has asked about."""
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z"


def fails(ticket: Ticket, code: type[errors.PaintoverError], within: float = SOON) -> errors.PaintoverError:
    with pytest.raises(code) as caught:
        ticket.wait(within)
    return caught.value


# Both kinds


def test_reports_and_result(backend):
    reports = []
    value = backend.submit("count", {"to": 20}).wait(SOON, reports.append)
    assert value == {"counted": 20}
    assert [report["step"] for report in reports] == list(range(20))
    assert reports[10]["fraction"] == 0.5
    assert backend.alive


def test_errors_come_back_as_they_were(backend):
    assert "needs to" in fails(backend.submit("count", {}), errors.UsageError).message
    assert "cannot do 'nothing'" in fails(backend.submit("nothing", {}), errors.UsageError).message
    assert "ZeroDivisionError" in fails(backend.submit("stumble", {"by": 0}), errors.BackendError).message


def test_values_are_the_same_on_both_ways(start, in_process):
    told = []
    for backend in (start("worker.py"), in_process):
        reports = []
        value = backend.submit("odd", {}).wait(SOON, reports.append)
        told.append((value, [{name: report[name] for name in ("loss", "size", "preview")} for report in reports]))
    there, here = told
    assert there == here
    assert here[0] == {"infinite": None, "pair": [1, 2], "by_frame": {"5": 0.5}}
    assert here[1] == [{"loss": None, "size": [1, 2], "preview": "a.png"}]


def test_cancel_and_stop(backend):
    ticket, waiting = backend.submit("learn", {}), backend.submit("learn", {})
    first_report(ticket)
    waiting.cancel()
    fails(waiting, errors.Cancelled)
    assert not ticket.done
    ticket.cancel()
    fails(ticket, errors.Cancelled)
    stopped = backend.submit("learn", {})
    first_report(stopped)
    ticket.cancel()  # once more, too late
    stopped.stop()
    assert stopped.wait(SOON)["stopped"]


def test_waiting_has_an_end(backend):
    ticket = backend.submit("learn", {})
    with pytest.raises(TimeoutError):
        ticket.wait(0.1)
    with pytest.raises(RuntimeError):
        ticket.result()
    ticket.stop()
    ticket.wait(SOON)


def test_reports_do_not_pile_up(backend):
    ticket = backend.submit("count", {"to": 5000})
    while not ticket.done:
        time.sleep(0.05)
    reports = ticket.poll()
    assert len(reports) == KEPT_REPORTS
    assert reports[-1]["step"] == 4999  # the latest are kept
    assert ticket.result() == {"counted": 5000}


def test_submitting_from_many_threads(backend):
    values = {}

    def work(name: int) -> None:
        values[name] = backend.submit("count", {"to": name}).wait(SOON)

    threads = [threading.Thread(target=work, args=[name]) for name in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert values == {name: {"counted": name} for name in range(20)}


def test_close_ends_everything_and_a_new_job_starts_anew(backend):
    ticket = backend.submit("learn", {})
    first_report(ticket)
    backend.close()
    fails(ticket, errors.Cancelled)
    assert not backend.alive
    assert backend.submit("count", {"to": 1}).wait(SOON) == {"counted": 1}


# Death


def test_killed_at_random_moments(start):
    """20 times SIGKILL: every ticket that waits hears of it, and the next job has a new backend."""
    backend = start("worker.py")
    chance = random.Random(2)
    seen = set()
    for _ in range(20):
        tickets = [backend.submit("learn", {}), backend.submit("count", {"to": 10})]
        time.sleep(chance.choice([0.0, 0.01, chance.uniform(0.05, 0.3)]))
        pid = backend.pid
        os.kill(pid, signal.SIGKILL)
        for ticket in tickets:
            error = fails(ticket, errors.BackendDiedError)
            assert "SIGKILL" in error.message
            assert "backend.log" in error.message
            assert error.remedy
        seen.add(pid)
    assert len(seen) == 20
    assert backend.submit("count", {"to": 3}).wait(SOON) == {"counted": 3}


def test_killed_while_its_own_programs_live(start):
    """A data loader that outlives the backend holds its pipes open: nobody waits for that."""
    backend = start("worker.py")
    ticket = backend.submit("with_offspring", {})
    offspring = first_report(ticket)["pid"]
    try:
        os.kill(backend.pid, signal.SIGKILL)
        fails(ticket, errors.BackendDiedError)
        assert not is_gone(offspring)
    finally:
        os.kill(offspring, signal.SIGKILL)


def test_last_words_are_those_of_this_child(start):
    backend = start("worker.py")
    first = fails(backend.submit("end", {"code": 3}), errors.BackendDiedError)
    assert "exit code 3" in first.message
    assert "out of paint" in first.message
    assert first.details["exit_code"] == 3
    backend.submit("count", {"to": 1}).wait(SOON)
    os.kill(backend.pid, signal.SIGKILL)
    while backend.alive:
        time.sleep(0.01)
    ticket = backend.submit("learn", {})
    first_report(ticket)
    os.kill(backend.pid, signal.SIGKILL)
    assert "out of paint" not in fails(ticket, errors.BackendDiedError).message


def test_a_job_that_does_not_hear_its_cancel(start):
    backend = start("worker.py", cancel_seconds=0.5)
    ticket, other = backend.submit("deaf", {}), backend.submit("count", {"to": 1})
    first_report(ticket)
    ticket.cancel()
    fails(ticket, errors.Cancelled)
    assert "did not react" in fails(other, errors.BackendDiedError).message
    assert backend.submit("count", {"to": 1}).wait(SOON) == {"counted": 1}


@pytest.mark.parametrize(
    ("way", "code", "words"),
    [
        ("nonsense", errors.ProtocolError, "Nonsense"),
        ("nonsense_later", errors.ProtocolError, "Nonsense"),
        ("no_json", errors.ProtocolError, "Nonsense"),
        ("nameless", errors.ProtocolError, "makes no sense"),
        ("misshapen", errors.ProtocolError, "makes no sense"),
        ("brackets", errors.ProtocolError, "Nonsense"),
        ("strange_death", errors.BackendDiedError, rf"by signal {signal.SIGRTMIN + 3}\..*log cannot be read"),
        ("flood", errors.ProtocolError, "Nonsense"),
        ("foreign", errors.ProtocolError, "version 9.9 and speaks protocol 2, this add-on speaks protocol 1"),
        ("mortal", errors.BackendDiedError, "SIGABRT.*Segmentation fault in the paint pot"),
        ("half_spoken", errors.BackendDiedError, "exit code 3"),
        ("closed", errors.BackendDiedError, "closed its pipe"),
        ("stillborn", errors.BackendMissingError, "cannot run the backend.*No module named 'numpy'"),
        ("rude", errors.BackendError, "did not greet within 1 seconds"),
    ],
)
def test_broken_peers(start, tmp_path, way, code, words):
    backend = start("broken.py", way, handshake_seconds=SOON if way != "rude" else 1.0)
    params = {"log": str(tmp_path / "backend.log")}
    ticket, second = backend.submit("count", params), backend.submit("count", params)
    error = fails(ticket, code)
    assert type(error) is code
    assert re.search(words, error.message), error.message
    assert "backend.log" in error.message
    assert error.remedy
    fails(second, code)
    assert not backend.alive


def test_a_peer_that_goes_silent(start):
    backend = start("broken.py", "silent", cancel_seconds=0.5)
    ticket = backend.submit("count", {"to": 1})
    with pytest.raises(TimeoutError):
        ticket.wait(0.5)
    ticket.cancel()
    fails(ticket, errors.Cancelled)
    assert not backend.alive


def test_closing_a_peer_that_will_not_leave(start):
    backend = start("broken.py", "rude")
    ticket = backend.submit("count", {"to": 1})
    pid = backend.pid
    backend.close()
    fails(ticket, errors.Cancelled)
    assert is_gone(pid)


def test_late_messages_are_ignored(start):
    backend = start("broken.py", "late")
    for _ in range(5):
        ticket = backend.submit("count", {})
        assert ticket.wait(SOON) == {"for": ticket.id}
        assert ticket.poll() == []


# No backend


@pytest.mark.parametrize("python", ["no/such/python", "."])
def test_no_python(tmp_path, python):
    backend = SubprocessBackend(tmp_path / python, tmp_path / "log")
    with pytest.raises(errors.BackendMissingError) as caught:
        backend.submit("info", {})
    assert "There is no Python that runs at" in caught.value.message
    assert caught.value.action == "paintover.install_backend"


def test_a_program_that_is_no_python(tmp_path):
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho 'Syntax error: I am another snake' >&2\nexit 1\n")
    program.chmod(0o755)
    error = fails(SubprocessBackend(program, tmp_path / "log").submit("info", {}), errors.BackendMissingError)
    assert f"{program} cannot run the backend (exit code 1). Its last words: Syntax error" in error.message


def test_log_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    backend = SubprocessBackend(PYTHON, tmp_path / "file" / "backend.log")
    with pytest.raises(errors.OutputError, match="log cannot be written"):
        backend.submit("info", {})


def test_log_does_not_grow_for_ever(tmp_path):
    log = tmp_path / "backend.log"
    log.write_bytes(b"x" * 2_000_000)
    backend = SubprocessBackend(PYTHON, log)
    backend.submit("info", {}).wait(SOON)
    backend.close()
    assert log.stat().st_size < 100_000


# The real thing


def test_real_backend_ignores_where_blender_was_started(tmp_path, monkeypatch):
    """Blender's working folder and PYTHONPATH may hold anything."""
    (tmp_path / "json.py").write_text("raise SystemExit('wrong json')")
    (tmp_path / "backend").mkdir()
    (tmp_path / "backend" / "__init__.py").write_text("raise SystemExit('wrong backend')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHONHOME", str(tmp_path))
    backend = SubprocessBackend(PYTHON, tmp_path / "log")
    there = backend.submit("info", {}).wait(SOON)
    backend.close()
    assert there == InProcessBackend().submit("info", {}).wait(SOON)


@pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="this system has no batch scheduling")
def test_real_backend_gives_way_to_the_window(tmp_path):
    backend = SubprocessBackend(PYTHON, tmp_path / "log")
    backend.submit("info", {}).wait(SOON)
    threads = [int(entry.name) for entry in Path(f"/proc/{backend.pid}/task").iterdir()]
    turns = {os.sched_getscheduler(thread) for thread in threads}
    backend.close()
    assert turns == {os.SCHED_BATCH}


def test_no_port_is_opened(start):
    backend = start("worker.py")
    backend.submit("count", {"to": 1}).wait(SOON)
    sockets = [name for name in _open_files(backend.pid) if name.startswith("socket:")]
    assert sockets == []


def _open_files(pid: int) -> list[str]:
    return [os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()]


def test_quitting_leaves_no_process(tmp_path):
    """A program that just ends, with a job under way, takes its backend with it."""
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from addon.client import SubprocessBackend\n"
        f"backend = SubprocessBackend(Path(sys.executable), Path({str(tmp_path / 'log')!r}),\n"
        f"    arguments=[{str(PEERS / 'worker.py')!r}])\n"
        "ticket = backend.submit('learn', {})\n"
        "while not ticket.poll(): time.sleep(0.01)\n"
        "print(backend.pid)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=True,
        timeout=60,
    )
    assert told.stderr == ""
    assert is_gone(int(told.stdout))
