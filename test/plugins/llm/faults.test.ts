import { describe, expect, it } from "vitest";
import { innerLoop } from "../../../plugins/inner-loop/index.ts";
import { askedIn, llm } from "../../../plugins/llm/index.ts";
import { outerLoop } from "../../../plugins/outer-loop/index.ts";
import { proposeLlm } from "../../../plugins/propose-llm/index.ts";
import { summaryLines } from "../../../plugins/report/index.ts";
import { sound } from "../../support/author.ts";
import { completion, modelServer, send, sensible, type Asked, type Reaction } from "../../support/model-server.ts";
import { emptyFolder, run } from "../../support/run.ts";

const trials = 10;
const values = ({ number }: Asked): object => ({ a: 0.9 - 0.01 * (number % 60) });
const answers = sensible({ values, code: sound("trust-region") });
const told =
  (text: string, extra = {}, message = {}): Reaction =>
  (response) =>
    send(response, 200, completion(text, extra, message));
/** A proposal of these values; what else is asked for is answered well. */
const proposing =
  (wrong: object): Reaction =>
  (response, asked) => {
    const bad = JSON.stringify({ values: wrong, hypothesis: "x" });
    send(response, 200, completion(asked.purpose === "proposal" ? bad : good(asked)));
  };
const chunk = (delta: object): string =>
  JSON.stringify({ id: "x", choices: [{ index: 0, delta, finish_reason: null }] });
const good = (asked: Asked): string => JSON.stringify(answers(asked));

/** Faults by name: what the server does, and what the journal must say of it; null: nothing, since the answer is understood. */
const faults: Record<string, [react: Reaction, seen: RegExp | null]> = {
  "401 for a key": [
    (response) => send(response, 401, { error: { message: "Incorrect API key provided: sk-abcdefgh12345678" } }),
    /401 .*\[key\]/,
  ],
  "402 for an empty account": [
    (response) => send(response, 402, { error: { message: "Insufficient balance" } }),
    /402/,
  ],
  "403": [(response) => send(response, 403, { error: { message: "not allowed" } }), /403/],
  "404 for the model": [(response) => send(response, 404, { error: { message: "The model does not exist" } }), /404/],
  "429 with Retry-After": [
    (response) => send(response, 429, { error: { message: "slow down" } }, { "retry-after": "0" }),
    /429/,
  ],
  "429 with Retry-After in milliseconds": [
    (response) => send(response, 429, { error: { message: "slow down" } }, { "retry-after-ms": "5" }),
    /429/,
  ],
  "429 without Retry-After": [(response) => send(response, 429, { error: { message: "slow down" } }), /429/],
  "429 for a spent quota": [
    (response) =>
      send(response, 429, { error: { message: "quota", code: "insufficient_quota", type: "insufficient_quota" } }),
    /quota|429/,
  ],
  "500": [(response) => send(response, 500, { error: { message: "oops" } }), /500/],
  "502 with a page": [
    (response) => send(response, 502, "<html>Bad gateway</html>", { "content-type": "text/html" }),
    /502/,
  ],
  "503": [(response) => send(response, 503, ""), /503/],
  "504 of a gateway that speaks of a timeout": [
    (response) => send(response, 504, "upstream request\n\ttimeout", { "content-type": "text/plain" }),
    /504 upstream request timeout/,
  ],
  "an error in the body of a 200": [
    (response) => send(response, 200, { error: { message: "provider overloaded", code: 503 } }),
    /provider overloaded/,
  ],
  "529 overloaded": [(response) => send(response, 529, { error: { message: "overloaded" } }), /529/],
  "400 for the prompt": [(response) => send(response, 400, { error: { message: "context length exceeded" } }), /400/],
  "connection reset": [(response) => void response.socket?.destroy(), /Connection error\. \w/],
  "half a body": [
    (response) => {
      response.writeHead(200, { "content-type": "application/json", "content-length": "5000" });
      response.write('{"id": "x", "choi');
      setTimeout(() => response.socket?.destroy(), 20);
    },
    /terminated|aborted|Premature|JSON|Connection|socket/i,
  ],
  silence: [() => undefined, /no answer within 1 s/],
  "a slow drip": [
    (response) => {
      response.writeHead(200, { "content-type": "application/json" });
      const drip = setInterval(() => response.write(" "), 50);
      response.on("close", () => clearInterval(drip));
    },
    /no answer within 1 s/,
  ],
  "no choices": [(response) => send(response, 200, completion("", { choices: [] })), /no choice/],
  "no choices at all": [(response) => send(response, 200, { id: "x" }), /no choice/],
  "a choice without a message": [
    (response) => send(response, 200, completion("", { choices: [{ index: 0 }] })),
    /no choice/,
  ],
  "null content": [told(null as never), /empty/],
  "empty content": [told("  "), /empty/],
  "a refusal": [told(null as never, {}, { refusal: "I cannot help with that" }), /refused: I cannot/],
  "a filter": [
    (response) =>
      send(
        response,
        200,
        completion(null, {
          choices: [{ index: 0, finish_reason: "content_filter", message: { role: "assistant", content: null } }],
        }),
      ),
    /filter/,
  ],
  "a tool call": [
    told(null as never, {}, { tool_calls: [{ id: "1", type: "function", function: { name: "f", arguments: "{}" } }] }),
    /tool/,
  ],
  "cut off before it began": [
    (response) =>
      send(
        response,
        200,
        completion(null, {
          choices: [{ index: 0, finish_reason: "length", message: { role: "assistant", content: null } }],
        }),
      ),
    /cut off/,
  ],
  "cut off in the middle": [
    (response, asked) => send(response, 200, completion(good(asked).slice(0, -8))),
    /no JSON object/,
  ],
  "prose alone": [told("I think we should try a larger step."), /no JSON object/],
  "a list": [told("[1, 2, 3]"), /no JSON object/],
  "another object": [told('{"answer": 42}'), /must have required property|additional/],
  "wrong types": [
    told(
      '{"values": 7, "hypothesis": 1, "diagnosis": 2, "strategy": 3, "hypotheses": "x", "bottleneck": 1, "judgements": 1, "chosen": "two", "name": 5, "methods": 1, "code": 5}',
    ),
    /must/,
  ],
  "200 KB of text": [told("x".repeat(200_000)), /no JSON object/],
  "200 KB of JSON": [told(JSON.stringify({ junk: "x".repeat(200_000) })), /must/],
  "braces without end": [told("{".repeat(200_000)), /no JSON object/],
  "brackets too deep to be written down": [
    told(`{"values": {"a": ${"[".repeat(5000)}${"]".repeat(5000)}}, "hypothesis": "x"}`),
    /no JSON object|must have required/,
  ],
  "another encoding": [
    (response) => send(response, 200, Buffer.from(JSON.stringify(completion("ä")), "utf16le")),
    /JSON|Unexpected|token|choice/i,
  ],
  "a page instead of JSON": [
    (response) => send(response, 200, "<html>login</html>", { "content-type": "text/html" }),
    /choice|JSON/,
  ],
  "an answer in a fence": [
    (response, asked) => send(response, 200, completion("```json\n" + good(asked) + "\n```")),
    null,
  ],
  "prose around JSON": [
    (response, asked) => send(response, 200, completion(`Here it is:\n${good(asked)}\nGood luck!`)),
    null,
  ],
  "prose that holds another object first": [
    (response, asked) => send(response, 200, completion(`At {"a": 0.5} it was worse, so: ${good(asked)}`)),
    null,
  ],
  "content in parts": [
    (response, asked) => {
      const parts = [
        { type: "thinking", thinking: [{ type: "text", text: "hm" }] },
        { type: "text", text: good(asked) },
      ];
      send(response, 200, completion(null, {}, { content: parts }));
    },
    null,
  ],
  "commas too many": [(response, asked) => send(response, 200, completion(good(asked).replace(/\}$/, ",}"))), null],
  "thoughts before the answer": [
    (response, asked) => send(response, 200, completion(`<think>{"values": {}} or so</think>${good(asked)}`)),
    null,
  ],
  "a stream that was not asked for": [
    (response, asked) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      for (const part of good(asked).match(/[^]{1,20}/g) ?? []) response.write(`data: ${chunk({ content: part })}\n\n`);
      response.end("data: [DONE]\n\n");
    },
    null,
  ],
  "a thought that has no beginning": [
    (response, asked) => send(response, 200, completion(`so {"values": {}} then</think>${good(asked)}`)),
    null,
  ],
  "a thought without an end": [told('<think>{"values": {"a": 0.5}, "hypothesis": "not yet"} and'), /no JSON object/],
  "values out of bounds": [proposing({ a: 7 }), /a is 7: 0 to 1 is allowed/],
  "an unknown parameter": [proposing({ zeta: 1 }), /additional properties: zeta/],
  "NaN as text": [proposing({ a: "NaN" }), /a is "NaN"/],
  "too many changes at once": [proposing({ a: 0.5, b: 0.5, c: 0.5, d: 0.5 }), /must NOT have more than 3 properties/],
  "no count of tokens": [(response, asked) => send(response, 200, completion(good(asked), { usage: undefined })), null],
  "a count below zero": [
    (response, asked) =>
      send(response, 200, completion(good(asked), { usage: { prompt_tokens: -5, completion_tokens: "x" } })),
    null,
  ],
};

const kinds = ["proposal", "policy", "explore", "critique", "specify", "generate"];
async function runAgainst(react: (asked: Asked) => Reaction | undefined, timeoutSeconds = 20) {
  const server = await modelServer(answers, react);
  const folder = emptyFolder();
  try {
    const levels = [
      innerLoop({ confirm: 0 }),
      outerLoop({ name: "policy", changes: "policy" as const, every: 5 }),
      outerLoop({ name: "research", every: 1 }),
    ];
    const model = llm({ model: "scripted", baseURL: server.url, timeoutSeconds, retries: 1 });
    const { end, facts } = await run({ llm: model, proposer: proposeLlm(), levels, budget: { trials } }, { folder });
    return { end, facts, folder, exchanges: askedIn(folder, facts), asked: server.asked };
  } finally {
    await server.close();
  }
}

describe("a run whose model's server fails at the first call of every kind", () => {
  it("knows 30 or more ways to fail", () => expect(Object.keys(faults).length).toBeGreaterThanOrEqual(30));

  for (const [name, [reaction, seen]] of Object.entries(faults))
    it.concurrent(
      `with ${name}: completes its trials, and ${seen ? "tells" : "understands"}`,
      async ({ expect: check }) => {
        const met = new Set<string>();
        const react = ({ purpose }: Asked): Reaction | undefined => {
          if (purpose === "ready" || met.has(purpose)) return undefined;
          met.add(purpose);
          return reaction;
        };
        const isSilent = reaction === faults.silence?.[0] || reaction === faults["a slow drip"]?.[0];
        const { end, facts, folder, exchanges } = await runAgainst(react, isSilent ? 1 : undefined);
        check(end.reason).toBe(`the budget of ${trials} trials is used up`);
        check(end.levels.get("inner")?.budget.used).toBe(trials);
        const refused = facts.flatMap(({ type, kind, result }) =>
          type === "once" && kind === "refusal" ? [(result as { reason: string }).reason] : [],
        );
        const said = [...exchanges.flatMap(({ faults: all = [], failed }) => [...all, failed ?? ""]), ...refused].join(
          "\n",
        );
        if (seen) check(said).toMatch(seen);
        else check(said.trim()).toBe("");
        const isFinal = facts.some(
          ({ type, text }) => type === "notice" && String(text).startsWith("the model is not asked any more"),
        );
        if (!isFinal && seen === null) check([...met].sort()).toEqual([...kinds].sort());
        const status = summaryLines([...end.levels.values()], end.reason, { folder, facts }).join("\n");
        check(status).toMatch(/model: \d+ proposed, \d+ kept, [\d,]+ tokens; search: \d+ proposed/);
        if (seen) check(status).toMatch(/without a usable answer|could not be run|faults? on the way/);
      },
      60_000,
    );

  it("with every call of every kind failing: is the run of the search alone", async () => {
    const { end, exchanges } = await runAgainst(({ purpose }) =>
      purpose === "ready" ? undefined : (response) => send(response, 503, "", { "retry-after": "0" }),
    );
    expect(end.levels.get("inner")?.budget.used).toBe(trials);
    expect(exchanges.every(({ failed }) => failed !== undefined)).toBe(true);
    expect([...(end.levels.get("inner")?.trials ?? [])].some(({ by }) => by === "propose-search")).toBe(true);
  }, 60_000);
});
