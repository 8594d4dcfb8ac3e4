import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { JobSubmissionClient, type ConnectionOptions } from "ray-node-client";
import { tokenFromEnvironment } from "../src/token.ts";
import { certificate, tlsGateway, tunnelProxy, type Gateway } from "./support/gateways.ts";
import { StandIn } from "./support/stand-in.ts";

const token = "the-token";
let standIn: StandIn;
const gateways: Gateway[] = [];
beforeEach(async () => {
  for (const name of ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"])
    vi.stubEnv(name, undefined);
  standIn = await StandIn.start({ token });
});
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const gateway of gateways.splice(0)) await gateway.stop();
  await standIn.stop();
});
const opened = async (gateway: Promise<Gateway>): Promise<Gateway> => {
  gateways.push(await gateway);
  return gateway;
};

/** A job's whole way, its log by both channels. */
async function roundTrip(address: string, options: ConnectionOptions): Promise<void> {
  await using client = new JobSubmissionClient(address, { token, retryForMs: 0, ...options });
  for (const prefer of ["socket", "stream"] as const) {
    const id = await client.submitJob({ entrypoint: "echo through; exec sleep 60" });
    let text = "";
    for await (const piece of client.tailJobLogs(id, { prefer })) {
      text += piece;
      if (text.includes("through\n")) break; // while the job runs, so that it came by the connection that is meant
    }
    expect(text).toMatch(/^through$/m);
    await client.stopJob(id);
  }
}

describe("the token", () => {
  it.each(["Authorization", "X-Ray-Authorization"] as const)(
    "rj_4_2 goes in %s, with its prefix",
    async (tokenHeader) => {
      await roundTrip(standIn.address, { tokenHeader });
    },
  );

  it("rj_4_2 is asked for anew before each request where it is a function", async () => {
    let asked = 0;
    await using client = new JobSubmissionClient(standIn.address, {
      token: async () => (++asked > 1 ? token : "expired"),
    });
    await expect(client.getVersion()).rejects.toMatchObject({
      kind: "unauthorized",
      code: "TOKEN_REFUSED",
      status: 403,
    });
    expect((await client.getVersion()).apiVersion).toBe("4");
  });

  it("rj_4_3 says how to give one where none was sent", async () => {
    await using client = new JobSubmissionClient(standIn.address, { token: false });
    await expect(client.getVersion()).rejects.toThrow(/401 .*pass `token`, or set RAY_AUTH_MODE=token/);
    await expect(client.tailJobLogs("x").next()).rejects.toMatchObject({ code: "TOKEN_MISSING" });
  });

  it("rj_4_1 comes from the environment as for Ray's own clients", () => {
    const folder = mkdtempSync(join(tmpdir(), "token-"));
    const file = join(folder, "token");
    writeFileSync(file, "from-file\n");
    const mode = { RAY_AUTH_MODE: "token", HOME: folder };
    expect(tokenFromEnvironment({ ...mode, RAY_AUTH_TOKEN: "a", RAY_AUTH_TOKEN_PATH: file })).toBe("a");
    expect(tokenFromEnvironment({ ...mode, RAY_AUTH_TOKEN_PATH: file })).toBe("from-file");
    expect(tokenFromEnvironment(mode)).toBe(false);
    const missing = { ...mode, RAY_AUTH_TOKEN_PATH: join(folder, "nosuch") };
    expect(() => tokenFromEnvironment(missing)).toThrow(expect.objectContaining({ code: "TOKEN_UNREADABLE" }) as Error);
    rmSync(folder, { recursive: true });
  });

  it("rj_4_7 is not taken from a file that Ray once wrote, unless the mode says so", async () => {
    const home = mkdtempSync(join(tmpdir(), "home-"));
    mkdirSync(join(home, ".ray"));
    writeFileSync(join(home, ".ray", "auth_token"), token);
    vi.stubEnv("HOME", home);
    await using without = new JobSubmissionClient(standIn.address);
    await expect(without.getVersion()).rejects.toMatchObject({ code: "TOKEN_MISSING" });
    vi.stubEnv("RAY_AUTH_MODE", "token");
    await using client = new JobSubmissionClient(standIn.address);
    expect((await client.getVersion()).apiVersion).toBe("4");
    rmSync(home, { recursive: true });
  });

  it.each([` ${token}\n`, () => `${token}\r\n`])("rj_4_2 goes without the white space around it", async (given) => {
    await using client = new JobSubmissionClient(standIn.address, { token: given });
    expect((await client.getVersion()).apiVersion).toBe("4");
  });

  it.each(["one\ntwo", "nul\0", "l’apostrophe"])("rj_4_2 is refused where no header can hold it: %j", async (given) => {
    const refused = { kind: "refused", code: "INVALID_OPTIONS", message: expect.not.stringContaining(given) as string };
    const making = (): unknown => new JobSubmissionClient(standIn.address, { token: given });
    expect(making).toThrow(expect.objectContaining(refused) as Error);
    await using client = new JobSubmissionClient(standIn.address, { token: () => given });
    await expect(client.getVersion()).rejects.toMatchObject(refused);
    await expect(client.tailJobLogs("x").next()).rejects.toMatchObject(refused);
    expect(standIn.requests).toEqual([]);
  });

  it("is unreadable where its function fails, whatever it fails with", async () => {
    const missing = (): string => readFileSync("/nosuch/token", "utf8");
    await using client = new JobSubmissionClient(standIn.address, { token: missing });
    await expect(client.getVersion()).rejects.toMatchObject({ kind: "unauthorized", code: "TOKEN_UNREADABLE" });
    await expect(client.getVersion()).rejects.toThrow("/nosuch/token");
  });

  it("rj_4_1 of the environment gives way to the user's own header", async () => {
    vi.stubEnv("RAY_AUTH_MODE", "token");
    vi.stubEnv("RAY_AUTH_TOKEN", "wrong");
    await using client = new JobSubmissionClient(standIn.address, { headers: { Authorization: `Bearer ${token}` } });
    expect((await client.getVersion()).apiVersion).toBe("4");
  });
});

describe("headers", () => {
  it("rj_4_6 come from RAY_JOB_HEADERS and from the options", async () => {
    vi.stubEnv("RAY_JOB_HEADERS", JSON.stringify({ authorization: `Bearer ${token}` }));
    await using client = new JobSubmissionClient(standIn.address);
    expect((await client.getVersion()).apiVersion).toBe("4");
    vi.stubEnv("RAY_JOB_HEADERS", "{");
    expect(() => new JobSubmissionClient(standIn.address)).toThrow("RAY_JOB_HEADERS");
  });

  it.each([
    ["Origin", "x"],
    ["referer", "x"],
    ["Sec-Fetch-Mode", "cors"],
    ["User-Agent", "Mozilla/5.0"],
  ])("rj_1_2 are refused where Ray would take them for a browser's: %s", (name, value) => {
    const making = (): unknown => new JobSubmissionClient(standIn.address, { headers: { [name]: value } });
    expect(making).toThrow(expect.objectContaining({ code: "INVALID_OPTIONS" }) as Error);
  });

  it.each([
    ["a name", "x"],
    ["Cookie", "a=1\nb=2"],
  ])("are refused where HTTP has no such: %s", (name, value) => {
    const making = (): unknown => new JobSubmissionClient(standIn.address, { headers: { [name]: value } });
    expect(making).toThrow(expect.objectContaining({ kind: "refused", code: "INVALID_OPTIONS" }) as Error);
  });

  it("are refused where they are the connection's own", async () => {
    await using client = new JobSubmissionClient(standIn.address, { token, headers: { "Transfer-Encoding": "x" } });
    await expect(client.getVersion()).rejects.toMatchObject({ kind: "refused", code: "INVALID_OPTIONS" });
  });
});

describe("the way to the dashboard", () => {
  it("rj_4_5 leads through TLS with an own authority, and below a path", async () => {
    const gateway = await opened(tlsGateway(standIn.address, "/team/ray"));
    const address = `https://localhost:${gateway.port}/team/ray/`;
    await roundTrip(address, { ca: certificate });
    await roundTrip(address, { rejectUnauthorized: false });
    expect(gateway.passed).toContain("POST /team/ray/api/jobs/");
    expect(gateway.passed.some((line) => line.startsWith("UPGRADE /team/ray/api/jobs/"))).toBe(true);
  });

  it("rj_4_5 ends at a certificate that nobody vouches for, at once, and says what to pass", async () => {
    const gateway = await opened(tlsGateway(standIn.address));
    await using client = new JobSubmissionClient(`https://localhost:${gateway.port}`, { token });
    await expect(client.getVersion()).rejects.toMatchObject({ kind: "infrastructure", code: "TLS" });
    await expect(client.getVersion()).rejects.toThrow("`ca`");
  });

  it("leads through a proxy that is given, with its name and password", async () => {
    const proxy = await opened(tunnelProxy("user:pass"));
    await roundTrip(standIn.address, { proxy: `http://user:pass@127.0.0.1:${proxy.port}` });
    expect(proxy.passed).toContain(`CONNECT ${new URL(standIn.address).host}`);
    await using client = new JobSubmissionClient(standIn.address, { proxy: `http://127.0.0.1:${proxy.port}` });
    await expect(client.getVersion()).rejects.toMatchObject({ kind: "infrastructure", code: "PROXY" });
  });

  it.each(["nowhere", "ftp://127.0.0.1:1"])("leads through no proxy of such a URL: %s", (proxy) => {
    const making = (): unknown => new JobSubmissionClient(standIn.address, { proxy });
    expect(making).toThrow(expect.objectContaining({ kind: "refused", code: "INVALID_OPTIONS" }) as Error);
  });

  it("leads through the proxy of the environment, and past it where the environment or the options say so", async () => {
    const proxy = await opened(tunnelProxy());
    vi.stubEnv("HTTP_PROXY", `http://127.0.0.1:${proxy.port}`);
    await roundTrip(standIn.address, {});
    const passed = proxy.passed.length;
    expect(passed).toBeGreaterThan(0);
    await roundTrip(standIn.address, { proxy: false });
    vi.stubEnv("NO_PROXY", "127.0.0.1");
    await roundTrip(standIn.address, {});
    expect(proxy.passed.length).toBe(passed);
  });
});
