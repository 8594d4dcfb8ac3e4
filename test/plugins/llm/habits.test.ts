import { describe, expect, it, vi } from "vitest";
import { Client } from "../../../plugins/llm/client.ts";
import { completion, modelServer, send, type Asked, type Reaction } from "../../support/model-server.ts";
import { proposals, withModel } from "../../support/with-model.ts";

const refusing =
  (message: string): Reaction =>
  (response) =>
    send(response, 400, { error: { message } });
const chunk = (delta: object, rest: object = {}): string =>
  `data: ${JSON.stringify({ id: "x", object: "chat.completion.chunk", choices: [{ index: 0, delta, finish_reason: null }], ...rest })}\n\n`;

/** Answers a request for a stream piece by piece. */
const streaming: Reaction = (response, asked) => {
  response.writeHead(200, { "content-type": "text/event-stream" });
  const answer =
    asked.purpose === "ready" ? { ready: true } : { values: { a: 0.9 - asked.number / 100 }, hypothesis: "x" };
  const text = JSON.stringify(answer);
  for (const part of text.match(/[^]{1,9}/g) ?? []) response.write(chunk({ content: part }));
  response.write(chunk({}, { usage: { prompt_tokens: 70, completion_tokens: 30, total_tokens: 100 } }));
  response.end("data: [DONE]\n\n");
};
const isStream = ({ body }: Asked): boolean => (body as { stream?: boolean }).stream === true;

describe("how a server wants to be asked", () => {
  it("by JSON Schema, as a JSON object, or in words: found out once", async () => {
    const { asked } = await withModel({
      react: ({ body }) =>
        body.response_format?.type === "json_schema"
          ? refusing("response_format json_schema is not supported")
          : undefined,
    });
    expect(asked.filter(({ body }) => body.response_format?.type === "json_schema")).toHaveLength(1);
    expect(proposals(asked).every(({ body }) => body.response_format?.type === "json_object")).toBe(true);
    expect(proposals(asked)[0]?.body.messages[0]?.content).toContain("JSON Schema");
    const words = await withModel({
      react: ({ body }) => (body.response_format ? refusing("unknown field: response_format") : undefined),
    });
    expect(words.asked.filter(({ body }) => body.response_format)).toHaveLength(2);
    expect(proposals(words.asked)).toHaveLength(8);
  });

  it("without a temperature, where the model has a fixed one", async () => {
    const { asked } = await withModel({
      model: { temperature: 0.3 },
      react: ({ body }) =>
        "temperature" in body ? refusing("'temperature' does not support 0.3 with this model") : undefined,
    });
    expect(asked.filter(({ body }) => "temperature" in body)).toHaveLength(1);
    expect(proposals(asked)).toHaveLength(8);
  });

  it("with the limit of tokens under its other name", async () => {
    const { asked } = await withModel({
      react: ({ body }) =>
        "max_tokens" in body
          ? refusing("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
          : undefined,
    });
    expect(asked.filter(({ body }) => "max_tokens" in body)).toHaveLength(1);
    expect(asked.at(-1)?.body).toMatchObject({ max_completion_tokens: 4000 });
  });

  it("in a stream, because the config says so or the server does, counted by the server's own count", async () => {
    for (const stream of [true, false]) {
      const { asked, exchanges } = await withModel({
        model: { stream },
        react: (one) => (isStream(one) ? streaming : refusing("this model supports stream mode only")),
      });
      expect(asked.filter((one) => !isStream(one))).toHaveLength(stream ? 0 : 1);
      expect(exchanges.map(({ failed }) => failed)).toEqual(Array.from({ length: 8 }, () => undefined));
      expect(exchanges[0]?.usage).toEqual({ input: 70, cached: 0, output: 30 });
    }
  });

  it.each([
    [
      "that breaks off",
      (response) => setTimeout(() => response.socket?.destroy(), 20),
      /terminated|aborted|Premature|socket|Connection/i,
    ],
    ["that stalls", () => undefined, /no answer within 0.4 s/],
    ["that ends in the middle", (response) => response.end("data: [DONE]\n\n"), /no JSON object/],
    ["with a piece that is no JSON", (response) => response.end("data: {oops\n\n"), /JSON|Unexpected|Expected/],
    [
      "with an error in it",
      (response) => response.end('data: {"error": {"message": "overloaded"}}\n\n'),
      /overloaded|JSON/,
    ],
  ] as [string, Reaction, RegExp][])("a stream %s is a fault, and the run goes on", async (_, rest, seen) => {
    let met = false;
    const { end, exchanges } = await withModel({
      model: { stream: true, timeoutSeconds: 0.4, retries: 1 },
      react: (asked) => {
        if (met || asked.purpose === "ready") return streaming;
        met = true;
        return async (response, one) => {
          response.writeHead(200, { "content-type": "text/event-stream" });
          response.write(chunk({ content: '{"values": {"a"' }));
          await rest(response, one);
        };
      },
    });
    expect(end.levels.get("inner")?.budget.used).toBe(8);
    expect(exchanges.flatMap(({ faults = [] }) => faults).join("\n")).toMatch(seen);
  });

  it("again after as long as it says: seconds, milliseconds, or a date", async () => {
    const ways: Record<string, string>[] = [
      { "retry-after": "0" },
      { "retry-after-ms": "1" },
      { "retry-after": new Date().toUTCString() },
    ];
    for (const headers of ways) {
      const { exchanges } = await withModel({
        model: { retries: 1 },
        config: () => ({ budget: { trials: 2 } }),
        react: ({ number }) =>
          number === 1 ? (response) => send(response, 429, { error: { message: "slow down" } }, headers) : undefined,
      });
      expect(exchanges[0]).toMatchObject({ calls: 1, faults: [expect.stringContaining("slow down") as string] });
    }
  });

  it("not before as long as it says: where that is longer than a minute, the step is done without the model", async () => {
    const { asked, exchanges } = await withModel({
      model: { retries: 3 },
      config: () => ({ budget: { trials: 2 } }),
      react: ({ number }) =>
        number > 0
          ? (response) => send(response, 429, { error: { message: "daily limit" } }, { "retry-after": "86400" })
          : undefined,
    });
    expect(proposals(asked)).toHaveLength(2);
    expect(exchanges.map(({ failed }) => failed)).toEqual(["429 daily limit", "429 daily limit"]);
  });

  it("without a key where it has none, and without what the environment says of OpenAI's", async () => {
    vi.stubEnv("OPENAI_ORG_ID", "org-private").stubEnv("OPENAI_PROJECT_ID", "proj-private");
    const { asked } = await withModel({ config: () => ({ budget: { trials: 1 } }) });
    vi.unstubAllEnvs();
    expect(asked[0]?.headers).not.toHaveProperty("authorization");
    expect(JSON.stringify(asked[0]?.headers)).not.toContain("private");
  });

  it("is told to be shorter where its answer was cut off", async () => {
    const { asked, exchanges } = await withModel({
      config: () => ({ budget: { trials: 2 } }),
      react: ({ number }) =>
        number === 1
          ? (response) =>
              send(
                response,
                200,
                completion(null, {
                  choices: [
                    { index: 0, finish_reason: "length", message: { role: "assistant", content: '{"values": {' } },
                  ],
                }),
              )
          : undefined,
    });
    expect(exchanges[0]?.faults).toEqual(["it was cut off after 4000 tokens: be shorter"]);
    expect(asked[2]?.body.messages.at(-1)?.content).toContain("be shorter");
  });

  it("by so many calls at the same time, and no more", async () => {
    let [running, most] = [0, 0];
    const server = await modelServer(
      () => ({ ready: true }),
      () => (response, asked) => {
        most = Math.max(most, ++running);
        setTimeout(() => {
          running--;
          send(response, 200, completion(`{"number": ${asked.number}}`));
        }, 20);
      },
    );
    const limits = { maxTokens: 100, timeoutSeconds: 20, retries: 0, stream: false };
    const client = new Client({ baseURL: server.url, concurrency: 3, ...limits });
    const messages = [{ role: "user" as const, content: "x" }];
    const calls = Array.from({ length: 12 }, () => client.call({ model: "m", messages, form: {}, maxTokens: 10 }));
    expect((await Promise.all(calls)).every((answer) => "text" in answer)).toBe(true);
    await server.close();
    expect(most).toBe(3);
  });
});
