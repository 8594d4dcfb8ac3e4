import { setTimeout as delay } from "node:timers/promises";

/** Resolves after `ms`; rejects with the signal's own reason once it is aborted. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, signal && { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}
