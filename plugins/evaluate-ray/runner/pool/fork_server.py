"""
Runs trials one after the other, each in a process forked from this one: python -m bilevel_pool.fork_server

Lines of standard input are specifications of trials, or `stop`, which ends the one that runs. What its runner prints
comes on standard output, and `ended` on a line of its own when it is over. When standard input ends, so does all.
It exists because a fork takes a fiftieth of what it takes to start an interpreter.
"""

from __future__ import annotations

import io
import json
import os
import select
import signal
import sys
import traceback

from . import trial

TASK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "task")


def fork(spec: str, descriptors: list[int]) -> int:
    """Starts a trial's process, and returns its id."""
    child = os.fork()
    if child != 0:
        return child
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for descriptor in descriptors:
            os.close(descriptor)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdin = io.StringIO(json.dumps({"base": TASK, **json.loads(spec)}))
        code = trial.main(["-"])
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def main() -> None:
    os.makedirs(TASK, exist_ok=True)  # a task may be nothing but links
    ended, told = os.pipe()
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    child, rest = None, b""
    while True:
        readable, _, _ = select.select([0, ended], [], [])
        if ended in readable:
            os.read(ended, 512)
        if child is not None and os.waitpid(child, os.WNOHANG)[0] != 0:
            child = None
            os.write(1, b"\nended\n")  # one that was killed may have left half a line
        if 0 not in readable:
            continue
        data = os.read(0, 65536)
        if data == b"":
            break
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            if line != b"stop":
                child = fork(line.decode(), [ended, told])
            elif child is not None:
                os.kill(child, signal.SIGTERM)
    if child is not None:
        os.kill(child, signal.SIGKILL)  # what guards it ends what it started


if __name__ == "__main__":
    main()
