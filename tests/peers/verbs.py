"""A tiny table of verbs, for tests that are about the way to a backend and not about what it does there."""

import ctypes
import os
import pathlib
import subprocess
import sys
import time


def echo(params, job):
    """Anything that travels, there and back."""
    return {"text": params.path("text"), "pid": os.getpid()}


def count(params, job):
    """``to`` reports as fast as can be."""
    to = params.integer("to")
    params.finish()
    for step in range(to):
        job.progress(step / to, "Counting", step=step)
    return {"counted": to}


def learn(params, job):
    """Goes on until it is stopped or cancelled, or for ``seconds``."""
    seconds = params.optional_positive("seconds") or 600.0
    end = time.monotonic() + seconds
    steps = 0
    while not job.stop_requested and time.monotonic() < end:
        steps += 1
        job.progress(0.5, "Learning", step=steps)
        time.sleep(0.01)
    return {"steps": steps, "stopped": job.stop_requested}


def deaf(params, job):
    """Never looks at its job."""
    job.progress(0.0, "Deaf")
    time.sleep(600.0)
    return {}


def chatter(params, job):
    """Prints where the protocol is spoken: in Python, in C, and from a program of its own."""
    print("printed by Python", flush=True)
    libc = ctypes.CDLL(None)
    libc.puts(b"printed by C")
    libc.fflush(None)
    os.write(1, b"written to fd 1\n")
    subprocess.run([sys.executable, "-c", "print('printed by a program')"], check=True)
    return {"read": sys.stdin.read()}


def stumble(params, job):
    """A fault in our own code."""
    return {"half": 1 / params.integer("by")}


def odd(params, job):
    """Values that JSON does not have."""
    job.progress(0.5, "Odd", loss=float("nan"), size=(1, 2), preview=pathlib.Path("a.png"))
    return {"infinite": float("inf"), "pair": (1, 2), "by_frame": {5: 0.5}}


def unsendable(params, job):
    return {"thing": object()}


def end(params, job):
    """Ends the whole process with a last word."""
    print("out of paint", file=sys.stderr, flush=True)
    os._exit(params.integer("code"))


def with_offspring(params, job):
    """Starts a program that holds on to every pipe it can get, and goes on working."""
    held = [number for number in range(3, 64) if _is_open(number)]
    code = "import time; time.sleep(600)"
    program = subprocess.Popen([sys.executable, "-c", code], pass_fds=held)
    job.progress(0.5, "Started", pid=program.pid)
    time.sleep(600.0)
    return {}


def _is_open(number):
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


TABLE = {
    verb.__name__: verb for verb in (echo, count, learn, deaf, chatter, stumble, odd, unsendable, end, with_offspring)
}
