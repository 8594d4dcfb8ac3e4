import { readFileSync } from "node:fs";
import { createServer, request as ask, type IncomingMessage, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { connect, type AddressInfo, type Socket } from "node:net";

/** Something between a client and a server. */
export interface Gateway {
  port: number;
  /** What passed, as `METHOD target`. */
  passed: string[];
  stop(): Promise<void>;
}

const certificateFolder = new URL("tls/", import.meta.url);

/**
 * The certificate of `tlsGateway`, signed by itself: made for these tests, for localhost, and worth nothing elsewhere.
 */
export const certificate = readFileSync(new URL("cert.pem", certificateFolder), "utf8");

/** A proxy that opens tunnels (CONNECT), as undici asks for them. With `credentials`, only for those who give them. */
export async function tunnelProxy(credentials?: string): Promise<Gateway> {
  const passed: string[] = [];
  const server = createServer((_, response) => void response.writeHead(400).end());
  server.on("connect", (request: IncomingMessage, socket: Socket) => {
    const expected = credentials && `Basic ${Buffer.from(credentials).toString("base64")}`;
    if (expected && request.headers["proxy-authorization"] !== expected) {
      return void socket.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
    }
    passed.push(`CONNECT ${request.url ?? ""}`);
    const [host, port] = (request.url ?? "").split(":");
    const target = connect(Number(port), host, () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      target.pipe(socket).pipe(target);
    });
    for (const end of [target, socket]) end.on("error", () => (target.destroy(), socket.destroy()));
  });
  return listen(server, passed);
}

/** An HTTPS front, as an ingress is: everything below `prefix` goes on to the target, WebSockets too. */
export async function tlsGateway(target: string, prefix = ""): Promise<Gateway> {
  const passed: string[] = [];
  const tls = { key: readFileSync(new URL("key.pem", certificateFolder)), cert: certificate };
  const server = createTlsServer(tls, (request, response) => {
    const { method, url = "" } = request;
    passed.push(`${method ?? ""} ${url}`);
    if (!url.startsWith(prefix)) return void response.writeHead(404).end("<html>not here</html>");
    const onward = ask(target + url.slice(prefix.length), { method, headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    request.pipe(onward);
  });
  server.on("upgrade", (request: IncomingMessage, socket: Socket) => {
    const { url = "", headers } = request;
    passed.push(`UPGRADE ${url}`);
    const onward = ask(target + url.slice(prefix.length), { headers });
    onward.on("upgrade", (answer, below: Socket) => {
      const lines = Object.entries(answer.headers).map(([name, value]) => `${name}: ${String(value)}`);
      socket.write(["HTTP/1.1 101 Switching Protocols", ...lines, "", ""].join("\r\n"));
      below.pipe(socket).pipe(below);
      for (const end of [below, socket]) end.on("error", () => (below.destroy(), socket.destroy()));
    });
    onward.end();
  });
  return listen(server, passed);
}

async function listen(server: Server, passed: string[]): Promise<Gateway> {
  const sockets = new Set<Socket>();
  for (const event of ["connection", "secureConnection"]) server.on(event, (socket: Socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    passed,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
