"""Backends that are broken, each in its way: ``python broken.py WAY``."""

import os
import signal
import sys
import time

from backend.protocol import PROTOCOL, encode, read_message, write_message

HELLO = {"type": "hello", "protocol": PROTOCOL, "version": "0"}


def say(message):
    write_message(sys.stdout.buffer, encode(message))


def hear():
    return read_message(sys.stdin.buffer)


def nonsense():
    """Talks, but not the protocol."""
    print("Warning: your driver is older than this program.", flush=True)
    time.sleep(60)


def nonsense_later():
    """Greets well; then something prints into its pipe."""
    say(HELLO)
    hear()
    print("Warning: your driver is older than this program.", flush=True)
    time.sleep(60)


def no_json():
    """Frames of the right form with rubbish in them."""
    sys.stdout.buffer.write((4).to_bytes(4, "big") + b"\xff\xfe{}")
    sys.stdout.buffer.flush()
    time.sleep(60)


def nameless():
    """A result that belongs to nothing."""
    say(HELLO)
    hear()
    say({"type": "result", "value": {}})
    time.sleep(60)


def misshapen():
    """An error that says nothing."""
    say(HELLO)
    say({"type": "error", "id": hear()["id"], "error": {"details": 7}})
    time.sleep(60)


def brackets():
    """JSON, so deep that nobody can read it."""
    write_message(sys.stdout.buffer, b"[" * 1_000_000)
    time.sleep(60)


def strange_death():
    """Killed by a signal without a name, its log removed."""
    say(HELLO)
    os.unlink(hear()["params"]["log"])
    os.kill(os.getpid(), signal.SIGRTMIN + 3)


def flood():
    """Pours out text without end."""
    while True:
        sys.stdout.buffer.write(b"flood " * 10000)


def rude():
    """Never greets."""
    time.sleep(60)


def silent():
    """Greets and never says anything again."""
    say(HELLO)
    time.sleep(60)


def closed():
    """Closes its stdout and lives on."""
    say(HELLO)
    hear()
    os.close(1)
    time.sleep(60)


def foreign():
    """Of another version."""
    say({**HELLO, "protocol": PROTOCOL + 1, "version": "9.9"})
    time.sleep(60)


def mortal():
    """Dies in the middle of a job."""
    say(HELLO)
    request = hear()
    say({"type": "progress", "id": request["id"], "report": {"fraction": 0.5, "message": "Half"}})
    print("Segmentation fault in the paint pot", file=sys.stderr, flush=True)
    os.abort()


def half_spoken():
    """Dies in the middle of a message."""
    say(HELLO)
    hear()
    sys.stdout.buffer.write((1000).to_bytes(4, "big") + b'{"type": "res')
    sys.stdout.buffer.flush()
    os._exit(3)


def stillborn():
    """Lacks something that it needs."""
    print("ModuleNotFoundError: No module named 'numpy'", file=sys.stderr)
    sys.exit(1)


def late():
    """Goes on about jobs that are over, and about some that never were."""
    say(HELLO)
    done = []
    while (request := hear()) is not None:
        for number in [*done, 10**9]:
            say({"type": "progress", "id": number, "report": {"fraction": 0.1, "message": "late"}})
            say({"type": "result", "id": number, "value": {"late": True}})
            say({"type": "error", "id": number, "error": {"code": "backend", "message": "late"}})
        say({"type": "result", "id": request["id"], "value": {"for": request["id"]}})
        done.append(request["id"])


globals()[sys.argv[1]]()
