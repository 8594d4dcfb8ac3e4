import { createServer, request as ask, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** What happens to a request: it is answered here, goes on late, or goes on and its answer is lost. */
export type Fault = { status: number; text: string } | { delayMs: number } | "lose the answer";

/** Something between the evaluator and the dashboard that can fail. */
export interface FaultyGateway {
  address: string;
  /** Asked for every request; undefined: it goes on. */
  fault: (method: string, path: string) => Fault | undefined;
  stop(): Promise<void>;
}

/** A gateway in front of a dashboard, which lets everything pass until it is given a fault. */
export async function faultyGateway(target: string): Promise<FaultyGateway> {
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => void handle(request, response));
  server.on("connection", (socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const gateway: FaultyGateway = {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    fault: () => undefined,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return gateway;

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", url = "", headers } = request;
    const fault = gateway.fault(method, url);
    if (typeof fault === "object" && "status" in fault) {
      request.resume();
      response.writeHead(fault.status, { "content-type": "text/plain" }).end(fault.text);
      return;
    }
    if (typeof fault === "object") await sleep(fault.delayMs);
    const onward = ask(target + url, { method, headers }, (answer) => {
      if (fault === "lose the answer") return void request.socket.destroy();
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    response.on("close", () => onward.destroy()); // a stream that nobody reads any more
    request.pipe(onward);
  }
}
