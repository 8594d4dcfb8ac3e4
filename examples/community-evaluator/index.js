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
          const answer = await fetch(options.url, {
            method: "POST",
            headers: { "content-type": "application/json" },
            body,
            signal,
          });
          if (answer.status >= 500) throw new Error(`the service says ${answer.status}`);
          if (!answer.ok)
            return { status: "crashed", kind: "refused", reason: await answer.text(), seconds: seconds() };
          const metrics = await answer.json();
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
          return { status, reason: `${options.url}: ${error.cause?.message ?? error.message}`, seconds: seconds() };
        }
      });
    },
  };
}
