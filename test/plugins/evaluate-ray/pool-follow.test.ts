import { beforeEach, describe, expect, it, vi } from "vitest";
import { Harvest } from "../../../plugins/evaluate-ray/outcome.ts";
import { ChannelError, type Channel } from "../../../plugins/evaluate-ray/pool/channel.ts";
import { follow } from "../../../plugins/evaluate-ray/pool/follow.ts";
import type { OpenPool, Pool } from "../../../plugins/evaluate-ray/pool/pool.ts";
import type { TrialSpec } from "../../../plugins/evaluate-ray/trial-spec.ts";
import { emptyFolder } from "../../support/run.ts";

describe("a trial in a pool to which no way leads", () => {
  beforeEach(() => {
    vi.useFakeTimers();
    return () => vi.useRealTimers();
  });

  it("is given up soon after the run was stopped, though it is not known yet what became of the pool", async () => {
    const cut = (): never => {
      throw new ChannelError("the way is cut");
    };
    const channel = { trial: cut, stop: async () => cut() } as unknown as Channel;
    const pool = { hasNoRoom: false, isGone: () => new Promise(() => undefined) } as unknown as Pool;
    const stop = new AbortController();
    const following = follow(pool, { channel } as OpenPool, {
      key: "1",
      spec: { graceSeconds: 5 } as TrialSpec,
      harvest: new Harvest({
        folder: emptyFolder(),
        frame: "f",
        metric: "loss",
        task: {},
        slot: 0,
        logMb: 1,
      }),
      report: async () => "continue",
      signal: stop.signal,
    });
    await vi.advanceTimersByTimeAsync(60_000);
    stop.abort();
    await vi.advanceTimersByTimeAsync(20_000);
    expect(await following).toMatchObject({ status: "cancelled" });
  });
});
