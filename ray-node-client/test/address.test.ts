import { describe, expect, it } from "vitest";
import { resolveAddress } from "../src/address.ts";

describe("the address", () => {
  it("rj_4_6 is the one given, else RAY_API_SERVER_ADDRESS, else RAY_ADDRESS, else the default", () => {
    const env = { RAY_API_SERVER_ADDRESS: "http://a:1", RAY_ADDRESS: "http://b:2" };
    expect(resolveAddress("http://c:3", env)).toBe("http://c:3");
    expect(resolveAddress(undefined, env)).toBe("http://a:1");
    expect(resolveAddress(undefined, { RAY_ADDRESS: "http://b:2" })).toBe("http://b:2");
    expect(resolveAddress(undefined, {})).toBe("http://127.0.0.1:8265");
  });

  it("rj_4_6 keeps its path and loses its last slash", () => {
    expect(resolveAddress("https://host/team/ray//")).toBe("https://host/team/ray");
    expect(resolveAddress("http://[::1]:8265/")).toBe("http://[::1]:8265");
  });

  it.each([
    ["ray://head:10001", "http://head:8265"],
    ["ray://10.0.0.5", "http://10.0.0.5:8265"],
    ["head:6379", "http://head:8265"],
    ["head:10001", "http://head:8265"],
    ["head:8265", "http://head:8265"],
    ["head:9999", "http://head:9999"],
    ["head", "http://head:8265"],
    ["[fd00::1]:6379", "http://[fd00::1]:8265"],
    ["auto", "http://127.0.0.1:8265"],
    ["local", "http://127.0.0.1:8265"],
  ])("rj_4_6 %s is answered with the dashboard to try", (address, suggestion) => {
    const error = expect.objectContaining({ kind: "refused", code: "INVALID_ADDRESS" }) as Error;
    expect(() => resolveAddress(address)).toThrow(error);
    expect(() => resolveAddress(address)).toThrow(`try the dashboard: ${suggestion}`);
    expect(() => resolveAddress(undefined, { RAY_ADDRESS: address })).toThrow("RAY_ADDRESS");
  });

  it.each(["ftp://host", "http://", "http://user:pass@host", "http://host?x=1", "http://host#x"])(
    "refuses %s",
    (address) => {
      expect(() => resolveAddress(address)).toThrow(expect.objectContaining({ code: "INVALID_ADDRESS" }) as Error);
    },
  );
});
