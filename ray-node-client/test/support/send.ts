import type { ServerResponse } from "node:http";

/** Answers a request with plain text, as Ray does with its errors. */
export function send(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { "content-type": "text/plain", ...headers });
  response.end(text);
}
