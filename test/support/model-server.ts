import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What one request is answered with. */
export type Reaction = (response: ServerResponse, request: Asked) => void | Promise<void>;

/** A request as it came, and what it is for, told by the form that it asks for. */
export interface Asked {
  number: number;
  purpose: string;
  headers: IncomingMessage["headers"];
  body: {
    model: string;
    messages: { role: string; content: string }[];
    response_format?: { type: string };
    max_tokens?: number;
  };
}

export const completion = (content: string | null, extra: object = {}, message: object = {}) => ({
  id: "x",
  object: "chat.completion",
  created: 0,
  model: "scripted",
  choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", content, refusal: null, ...message } }],
  usage: { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 },
  ...extra,
});

export const send = (
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void => {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body));
};

/** Answers that fit every form; `code` is the mechanism that is written, `values` the change that is proposed. */
export const sensible =
  ({ values = () => ({}), code = "" }: { values?: (asked: Asked) => object; code?: string } = {}) =>
  (asked: Asked): object => {
    switch (asked.purpose) {
      case "proposal":
        return { values: values(asked), hypothesis: "a step toward the middle" };
      case "policy":
        return { diagnosis: "steps are too long", strategy: "exploit", focus: ["a"], guidance: "short steps" };
      case "explore":
        return {
          bottleneck: "few gains",
          hypotheses: [
            { title: "one", idea: "an idea", why: "a reason", risk: "a risk" },
            { title: "two", idea: "the trust region", why: "a reason", risk: "a risk" },
          ],
        };
      case "critique":
        return { judgements: ["no", "yes"], chosen: 2 };
      case "specify":
        return {
          name: "written-by-model",
          methods: ["refine"],
          state: "a radius",
          reflect: "grow and shrink",
          rule: "clip",
        };
      case "generate":
        return { code };
      default:
        return { ready: true };
    }
  };

const marks: readonly [string, string][] = [
  ["hypotheses", "explore"],
  ["judgements", "critique"],
  ["methods", "specify"],
  ['"code"', "generate"],
  ["diagnosis", "policy"],
  ["hypothesis", "proposal"],
];

/** A real HTTP server that speaks as an OpenAI-compatible one; `react` decides for each request, or leaves it to sensible answers. */
export async function modelServer(
  answers: (asked: Asked) => object,
  react: (asked: Asked) => Reaction | undefined = () => undefined,
  port = 0,
): Promise<{ url: string; asked: Asked[]; close(): Promise<void> }> {
  const asked: Asked[] = [];
  const server: Server = createServer((request, response) => {
    let text = "";
    request.on("data", (chunk: Buffer) => (text += chunk.toString()));
    request.on("end", () => {
      const body = JSON.parse(text) as Asked["body"];
      const form =
        JSON.stringify(body.response_format ?? "") + (body.messages[0]?.content.split("JSON Schema").at(-1) ?? "");
      const purpose = marks.find(([mark]) => form.includes(mark))?.[1] ?? "ready";
      const one: Asked = { number: asked.length, purpose, headers: request.headers, body };
      asked.push(one);
      const reaction = react(one);
      if (reaction) void reaction(response, one);
      else send(response, 200, completion(JSON.stringify(answers(one))));
    });
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    asked,
    close: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
