import { once } from "node:events";
import * as plain from "node:http";
import * as secure from "node:https";
import { text } from "node:stream/consumers";

/** Waits as long as the service takes: Node's fetch gives up after five minutes without an answer. */
async function post(url, body, signal) {
  const { request } = url.startsWith("https:") ? secure : plain;
  const asked = request(url, { method: "POST", headers: { "content-type": "application/json" }, signal });
  asked.end(body);
  const [answer] = await once(asked, "response");
  asked.on("error", () => undefined); // the answer's own error tells
  return { status: answer.statusCode, said: await text(answer) };
}

/**
 * @returns an evaluator: each trial is one POST of `{ values, seed }` as JSON to `url`, answered by the metrics as JSON.
 * A service that cannot be reached, or says 5xx, is nobody's fault and the trial is run again; 4xx is the candidate's.
 */
export default function http(given = {}) {
  const options = { ...given };
  return {
    name: "evaluate-http",
    contract: 1,
    schema: {
      type: "object",
      additionalProperties: false,
      properties: { url: { type: "string", minLength: 1 } },
      required: ["url"],
    },
    options,
    apply(taps) {
      const { metric } = taps.objective;
      taps.evaluate(async ({ candidate, seed }, { signal }) => {
        const started = performance.now();
        const seconds = () => (performance.now() - started) / 1000;
        const body = JSON.stringify({ values: candidate.values, seed });
        try {
          const { status, said } = await post(options.url, body, signal);
          if (status >= 500) throw new Error(`the service says ${status}`);
          if (status >= 300) return { status: "crashed", kind: "refused", reason: said, seconds: seconds() };
          const metrics = JSON.parse(said);
          if (!Number.isFinite(metrics[metric]))
            return {
              status: "crashed",
              kind: "no-metric",
              reason: `the answer has no ${metric}`,
              seconds: seconds(),
            };
          return { status: "measured", metric: metrics[metric], metrics, seconds: seconds() };
        } catch (error) {
          const status = signal.aborted ? "cancelled" : "lost";
          return { status, reason: `${options.url}: ${error.message}`, seconds: seconds() };
        }
      });
    },
  };
}
