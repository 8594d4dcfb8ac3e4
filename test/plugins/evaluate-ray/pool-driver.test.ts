import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { runnerPath } from "../../../plugins/evaluate-ray/runner.ts";
import { localPython, withoutPython } from "../../support/python.ts";
import { emptyFolder } from "../../support/run.ts";

/** As much of Ray as the crew of a pool needs: workers are in the driver's process, and the script decides on them. */
const standIn = {
  "ray/__init__.py": `
import asyncio
class Call:
    def __init__(self, work): self.work = work
    def options(self, **_): return self
    def remote(self, *given): return self.work(*given)
workers = []
class Worker:
    def __init__(self):
        self.alive, self.release, self.ran = asyncio.Event(), asyncio.Event(), []
        self.alive.set(); workers.append(self)
        async def where():
            await self.alive.wait()
            return {"host": "here", "gpus": []}
        async def stop(): pass
        async def run(spec):
            self.ran.append(spec)
            await self.release.wait()
            async def piece(): return "done"
            yield piece()
        self.prepare, self.where, self.stop, self.run = Call(where), Call(where), Call(stop), Call(run)
def remote(_): return Call(Worker)
def kill(worker, no_restart=True): workers.remove(worker)
`,
  "ray/exceptions.py": "class RayError(Exception): pass\nclass ActorUnavailableError(RayError): pass\n",
  "pool/worker.py": "class Worker: pass\n",
};

/** What a script prints as JSON, with the driver's modules in its reach. */
function told(script: string): unknown {
  const home = emptyFolder();
  for (const [path, text] of Object.entries(standIn)) {
    mkdirSync(dirname(join(home, path)), { recursive: true });
    writeFileSync(join(home, path), text);
  }
  const head = `
import asyncio, json, resource, sys
sys.path[:0] = [${JSON.stringify(home)}, ${JSON.stringify(runnerPath("."))}]
import pool
pool.__path__ = [${JSON.stringify(join(home, "pool"))}, ${JSON.stringify(runnerPath("pool"))}]
`;
  const { stdout, stderr } = spawnSync(localPython ?? "", ["-c", head + script], { encoding: "utf8" });
  expect(stderr).toBe("");
  return JSON.parse(stdout);
}

describe.skipIf(localPython === undefined)(`the driver of a pool${withoutPython}`, () => {
  it("has all that a trial prints for whoever asks, and does not keep it in memory", () => {
    const script = `
from pool.trials import Trial
trial = Trial(0, "")
line = "x" * 65536
for _ in range(4000): trial.tell("output", text=line)
trial.tell("ended")
async def count():
    return [event["event"] async for event in trial.follow(0, 10)]
events = asyncio.run(count())
mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"first": events[0], "outputs": events.count("output"), "last": events[-1], "small": mb < 100}))
`;
    expect(told(script)).toEqual({ first: "queued", outputs: 4000, last: "ended", small: true });
  });

  it("never starts a trial that was stopped while its worker was looked for", () => {
    const script = `
import ray
from pool.crew import Crew
from pool.trials import Trials
async def main():
    trials = Trials()
    crew = Crew(trials, {}, 5)
    crew.resize(1)
    await asyncio.sleep(0.05)
    worker = ray.workers[0]
    worker.alive.clear()
    trial = trials.ask("one", "first")
    await asyncio.sleep(0.05)
    await trials.stop("one")
    worker.release.set()
    worker.alive.set()
    other = trials.ask("two", "second")
    await asyncio.sleep(0.05)
    def events(one): return [one.events[number]["event"] for number in range(len(one.events))]
    print(json.dumps({"ran": worker.ran, "one": events(trial), "two": events(other)}))
asyncio.run(main())
`;
    expect(told(script)).toEqual({
      ran: ["second"],
      one: ["queued", "ended"],
      two: ["queued", "started", "output", "ended"],
    });
  });

  it("tells of a disk that takes no more output, and frees the worker for the next trial", () => {
    const script = `
import ray
import pool.trials
from pool.crew import Crew
pool.trials.IN_MEMORY_BYTES = 1
resource.setrlimit(resource.RLIMIT_FSIZE, (110, resource.RLIM_INFINITY))
async def main():
    trials = pool.trials.Trials()
    crew = Crew(trials, {}, 5)
    crew.resize(1)
    await asyncio.sleep(0.05)
    worker = ray.workers[0]
    trial = trials.ask("one", "first")
    await asyncio.sleep(0.05)
    before = trial.events[1]["event"]
    worker.release.set()
    await asyncio.sleep(0.05)
    last = [event async for event in trial.follow(2, 10)][-1]
    print(json.dumps({"before": before, "last": last, "busy": crew.count("busy"), "workers": len(ray.workers)}))
asyncio.run(main())
`;
    expect(told(script)).toEqual({
      before: "started",
      last: { event: "lost", reason: expect.stringContaining("did not fit on the disk of the pool's node") as string },
      busy: 0,
      workers: 0,
    });
  });

  it("has as many workers as its controller wants now, and takes none from a trial", () => {
    const script = `
import ray
from pool.crew import Crew
from pool.trials import Trials
async def main():
    trials = Trials()
    crew = Crew(trials, {}, 5)
    counts = []
    async def wants(count):
        crew.resize(count)
        await asyncio.sleep(0.05)
        counts.append([len(ray.workers), crew.count("busy")])
    await wants(1)
    await wants(4)
    for name in "abc": trials.ask(name, name)
    await wants(4)
    await wants(2)
    for worker in ray.workers: worker.release.set()
    await wants(2)
    print(json.dumps(counts))
asyncio.run(main())
`;
    expect(told(script)).toEqual([
      [1, 0],
      [4, 0],
      [4, 3],
      [3, 3],
      [2, 0],
    ]);
  });
});
