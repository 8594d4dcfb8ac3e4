import { createServer } from "node:http";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** A small real model behind the wire format of OpenAI: server.ts FOLDER MODEL. Prints its address once it listens. */
const [, , folder = ".", file = ""] = process.argv;

/** What is used of node-llama-cpp, which is installed by the test alone. */
interface Llama {
  loadModel(options: { modelPath: string }): Promise<{ createContext(options: object): Promise<Context> }>;
  createGrammarForJsonSchema(schema: object): Promise<unknown>;
}
interface Context {
  getSequence(): object;
  dispose(): Promise<void>;
}
type Session = new (options: object) => { prompt(text: string, options: object): Promise<string> };

const module = (await import(pathToFileURL(join(folder, "node_modules/node-llama-cpp/dist/index.js")).href)) as {
  getLlama(options: object): Promise<Llama>;
  LlamaChatSession: Session;
};
const llama = await module.getLlama({ gpu: false, build: "never", logLevel: "error" });
const model = await llama.loadModel({ modelPath: file });

interface Body {
  messages: { role: string; content: string }[];
  max_tokens?: number;
  response_format?: { type: string; json_schema?: { schema: object } };
}

async function answer(
  { messages, max_tokens: maxTokens = 400, response_format: format }: Body,
  signal: AbortSignal,
): Promise<string> {
  // one thread: several of them wait for each other by spinning, for minutes where the cores are shared
  const context = await model.createContext({ contextSize: 6144, threads: 1 });
  try {
    const system = messages.find(({ role }) => role === "system")?.content;
    const session = new module.LlamaChatSession({ contextSequence: context.getSequence(), systemPrompt: system });
    const schema = format?.json_schema?.schema;
    const grammar = schema ? { grammar: await llama.createGrammarForJsonSchema(drawn(schema) as object) } : {};
    const text = messages
      .filter(({ role }) => role !== "system")
      .map(({ role, content }) => (role === "user" ? content : `You answered: ${content}`))
      .join("\n\n");
    return await session.prompt(text, {
      maxTokens: Math.min(maxTokens, 400),
      temperature: 0.7,
      signal,
      stopOnAbortSignal: true,
      ...grammar,
    });
  } finally {
    await context.dispose();
  }
}

/** The library's grammar writes every property that a schema names: of those that are too many, some are drawn. */
function drawn(schema: unknown): unknown {
  if (typeof schema !== "object" || schema === null) return schema;
  if (Array.isArray(schema)) return schema.map(drawn);
  const { properties, maxProperties } = schema as { properties?: Record<string, unknown>; maxProperties?: number };
  const entries = Object.entries(schema).map(([key, value]) => [key, drawn(value)] as const);
  if (!properties || maxProperties === undefined) return Object.fromEntries(entries);
  const names = Object.keys(properties)
    .sort(() => Math.random() - 0.5)
    .slice(0, maxProperties);
  return {
    ...Object.fromEntries(entries),
    properties: Object.fromEntries(names.map((name) => [name, properties[name]])),
  };
}

let last: Promise<unknown> = Promise.resolve();
const server = createServer((request, response) => {
  let text = "";
  request.on("data", (chunk: Buffer) => (text += chunk.toString()));
  request.on("end", () => {
    const body = JSON.parse(text) as Body;
    const gone = new AbortController(); // who asked has given up: no time for that answer any more
    response.on("close", () => gone.abort());
    const send = (status: number, value: object): void => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(value));
    };
    last = last.then(async () => {
      try {
        if (gone.signal.aborted) return;
        const content = await answer(body, gone.signal);
        send(200, {
          id: "x",
          object: "chat.completion",
          created: 0,
          model: "local",
          choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", content } }],
        });
      } catch (error) {
        const message = String(error);
        send(/schema|grammar/i.test(message) ? 400 : 500, {
          error: { message: /schema|grammar/i.test(message) ? `response_format json_schema: ${message}` : message },
        });
      }
    });
  });
});
server.listen(0, "127.0.0.1", () => console.log(`listening ${(server.address() as { port: number }).port}`));
