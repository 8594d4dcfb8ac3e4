"""Runs one trial on a node of the cluster: python -I trial.py [SPEC.json | -]

Copies the task's folder to a private one, puts the trial's change on top, runs the
command there, and prints frames on standard output: lines that begin with a token.

    TOKEN out "..."     a piece of what the program printed
    TOKEN file "..."    a piece of the metrics file, where the task has one
    TOKEN exit {...}    how it ended; the last frame

Everything that the program started is ended with it, also when this process is killed.
Without an argument the specification is the file spec.json beside this one.
"""

import codecs
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid

MARKER = "BILEVEL_TRIAL"
PIECE = 1300  # characters; escaped, at most some 16 kB on a line
ON_LINUX = sys.platform.startswith("linux")


class Unstarted(Exception):
    """Why nothing was run. It is not the trial's fault."""


class Frames:
    """Writes frames, each in one piece, until it is closed."""

    def __init__(self, token):
        self.token = token
        self.lock = threading.Lock()
        self.closed = False

    def write(self, kind, value):
        line = "%s %s %s\n" % (self.token, kind, json.dumps(value))
        with self.lock:
            if not self.closed:
                send(line.encode("ascii"))

    def write_text(self, kind, text):
        for start in range(0, len(text), PIECE):
            self.write(kind, text[start : start + PIECE])

    def close(self, value):
        self.write("exit", value)
        with self.lock:
            self.closed = True


def send(data):
    """Writes all of the data to standard output; a reader that has gone is no failure."""
    try:
        while data:
            data = data[os.write(1, data) :]
    except OSError:
        pass


class Processes:
    """All processes that a trial started, known by a mark in their environment and by their group."""

    def __init__(self):
        self.mark = uuid.uuid4().hex
        self.group = None

    def alive(self):
        if not ON_LINUX:
            return [] if self.group is None or not signal_group(self.group, 0) else [self.group]
        wanted = ("%s=%s" % (MARKER, self.mark)).encode()
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
        return [pid for pid in pids if wanted in environment_of(pid) or is_in_group(pid, self.group)]

    def signal(self, number):
        if self.group is not None:
            signal_group(self.group, number)
        if ON_LINUX:
            for pid in self.alive():
                try:
                    os.kill(pid, number)
                except OSError:
                    pass

    def end(self, grace_seconds):
        """SIGTERM, and SIGKILL after the grace. Gives back how many there were."""
        count = len(self.alive())
        if count == 0:
            return 0
        self.signal(signal.SIGTERM)
        deadline = time.monotonic() + grace_seconds
        while self.alive() and time.monotonic() < deadline:
            time.sleep(0.02)
        for _ in range(20):
            if not self.alive():
                break
            self.signal(signal.SIGKILL)
            time.sleep(0.05)
        return count


def signal_group(group, number):
    try:
        os.killpg(group, number)
        return True
    except OSError:
        return False


def is_in_group(pid, group):
    """Whether a living process belongs to the group, whatever it did to its environment."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as file:
            state, _, number = file.read().rpartition(b")")[2].split()[:3]
            return int(number) == group and state != b"Z"
    except OSError:
        return False


def environment_of(pid):
    try:
        with open("/proc/%d/environ" % pid, "rb") as file:
            return file.read().split(b"\0")
    except OSError:  # gone, or another user's
        return []


def guard(processes, folder):
    """Starts a process that ends the trial and removes its folder if this one is killed; gives back what calls it off."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.close(writing)
        os.setsid()  # out of the group that is killed
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nowhere, descriptor)
        if os.read(reading, 1) == b"":
            processes.end(0)
            shutil.rmtree(folder, ignore_errors=True)
        os._exit(0)
    os.close(reading)
    return lambda: os.write(writing, b"x")


def prepare(spec, work):
    """Makes the private folder: the task's files, the trial's on top, links to what lies on the node."""
    base = spec.get("base") or os.getcwd()
    shutil.copytree(base, work, symlinks=True)
    for path, text in spec["files"].items():
        target = os.path.join(work, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "w", encoding="utf-8", newline="") as file:
            file.write(text)
    for path, mode in spec["modes"].items():
        os.chmod(os.path.join(work, path), mode)
    for link in spec["links"]:
        if not os.path.exists(link["source"]):
            raise Unstarted(
                "%s is linked to %s, which is not on node %s: put it there, or say where it lies with "
                'evaluateRay({ links: { "%s": "/its/place" } })'
                % (link["path"], link["source"], socket.gethostname(), link["path"])
            )
        target = os.path.join(work, link["path"])
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.symlink(link["source"], target)


def fingerprint(path, by_content):
    """What a protected file is known by: its SHA-256, or size and time where it is only linked."""
    try:
        if not by_content:
            found = os.stat(path)
            return (found.st_size, found.st_mtime_ns)
        digest = hashlib.sha256()
        with open(path, "rb") as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                digest.update(block)
        return digest.hexdigest()
    except OSError:
        return None


def environment(spec, mark):
    """The node's environment without what is bilevel's or secret, and with what the trial adds."""
    withhold = spec.get("withhold")
    secret = re.compile(withhold["pattern"], re.IGNORECASE) if withhold else None
    env = {}
    for name, value in os.environ.items():
        if name.startswith("BILEVEL_"):
            continue
        if secret is not None and secret.search(name) and name not in withhold["pass"]:
            continue
        env[name] = value
    # modules come from the trial's own folder, not from the one that all share
    shared = {os.path.realpath(place) for place in (spec.get("base") or ".", ".", own_package())}
    path = [one for one in env.pop("PYTHONPATH", "").split(os.pathsep) if one and os.path.realpath(one) not in shared]
    if path:
        env["PYTHONPATH"] = os.pathsep.join(path)
    env.update(spec["env"])
    env[MARKER] = mark
    return env


def own_package():
    """The folder that this file was made importable from, as __main__ of a module."""
    return os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def pump(pipe, frames):
    """Hands on what the program prints, as it comes."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    while True:
        data = os.read(pipe.fileno(), 65536)
        frames.write_text("out", decoder.decode(data, final=not data))
        if not data:
            return


def run(spec, frames, work, processes, asked, wake):
    """Runs the command in the prepared folder; gives back how it ended."""
    protected = spec["protected"]
    linked = {path: fingerprint(os.path.join(work, path), False) for path, known in protected.items() if known is None}
    started = time.monotonic()
    try:
        child = subprocess.Popen(
            spec["command"],
            cwd=work,
            env=environment(spec, processes.mark),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        failed = "command not found: %s" % spec["command"][0] if missing else str(error)
        return {"code": None, "signal": None, "failed": failed, "seconds": 0, "tampered": [], "leftBehind": 0}
    processes.group = child.pid
    output = threading.Thread(target=pump, args=(child.stdout, frames), daemon=True)
    output.start()
    threading.Thread(target=lambda: (child.wait(), wake.set()), daemon=True).start()

    wake.wait(spec["limitSeconds"])
    # whoever asks for the end may have signalled the program too: that it is gone already says nothing
    ended = "asked" if asked.is_set() else "limit" if child.poll() is None else None
    if ended is not None:
        processes.end(spec["graceSeconds"])
    status = child.wait()
    seconds = time.monotonic() - started
    left_behind = processes.end(spec["graceSeconds"])
    processes.group = None  # its number may be another's by now
    output.join(1)  # something that would not go may hold the pipe

    if spec.get("metricsFile"):
        try:
            with open(os.path.join(work, spec["metricsFile"]), encoding="utf-8", errors="replace") as file:
                frames.write_text("file", file.read(1 << 20))
        except OSError:
            pass
    now = {path: fingerprint(os.path.join(work, path), known is not None) for path, known in protected.items()}
    result = {
        "code": status if status >= 0 else None,
        "signal": signal_name(-status) if status < 0 else None,
        "seconds": seconds,
        "tampered": [path for path, known in protected.items() if now[path] != (known or linked[path])],
        "leftBehind": left_behind,
    }
    if ended is not None:
        result["ended"] = ended
    return result


def signal_name(number):
    try:
        return signal.Signals(number).name
    except ValueError:
        return "signal %d" % number


def check_start(spec):
    """A job that waited in Ray may start when nobody waits for it any more."""
    if spec.get("cancelled"):
        raise Unstarted("it was called off before it started")
    late = time.time() - (spec.get("startBefore") or float("inf"))
    if late > 0:
        raise Unstarted(
            "it started %d s after its deadline; if it did not wait that long, the clocks of this machine and of "
            "node %s differ" % (late, socket.gethostname())
        )


def read_spec(arguments):
    source = arguments[0] if arguments else os.path.join(os.path.dirname(os.path.abspath(__file__)), "spec.json")
    if source == "-":
        return json.load(sys.stdin)
    with open(source, encoding="utf-8") as file:
        return json.load(file)


def main(arguments):
    spec = read_spec(arguments)
    frames = Frames(spec["frame"])
    asked, wake = threading.Event(), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: (asked.set(), wake.set()))
    processes = Processes()
    folder = tempfile.mkdtemp(prefix="bilevel-")
    call_off = guard(processes, folder)
    try:
        check_start(spec)
        work = os.path.join(folder, "work")
        prepare(spec, work)
        result = run(spec, frames, work, processes, asked, wake)
    except (Unstarted, OSError, shutil.Error) as error:
        processes.end(0)
        result = {"code": None, "signal": None, "unstarted": str(error), "seconds": 0, "tampered": [], "leftBehind": 0}
    shutil.rmtree(folder, ignore_errors=True)
    call_off()
    device = os.environ.get("CUDA_VISIBLE_DEVICES")
    frames.close({**result, "host": socket.gethostname(), **({"device": device} if device else {})})
    return 0 if result["code"] == 0 else result["code"] or 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
