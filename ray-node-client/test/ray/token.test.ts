import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { JobSubmissionClient, UnauthorizedError } from "ray-node-client";
import { RayHead } from "./head.ts";

describe("a head that asks for a token", () => {
  const token = "a-token-of-the-tests-0123456789abcdef";
  let head: RayHead;
  beforeAll(async () => void (head = await RayHead.start({ cpus: 1, token })));
  afterAll(() => head.stop());

  it.each(["Authorization", "X-Ray-Authorization"] as const)(
    "rj_4_1 rj_4_2 takes it in %s, from every call",
    async (tokenHeader) => {
      await using client = new JobSubmissionClient(head.address, { token: () => token, tokenHeader });
      const id = await client.submitJob({ entrypoint: "echo in" });
      let text = "";
      for await (const piece of client.tailJobLogs(id)) text += piece;
      expect(text).toMatch(/^in$/m);
      expect((await client.getClusterResources()).total.CPU).toBe(1);
    },
  );

  it("rj_4_3 rj_4_4 tells a missing token from a wrong one", async () => {
    await using without = new JobSubmissionClient(head.address, { token: false });
    await expect(without.getVersion()).rejects.toBeInstanceOf(UnauthorizedError);
    await expect(without.getVersion()).rejects.toMatchObject({
      kind: "unauthorized",
      code: "TOKEN_MISSING",
      status: 401,
    });
    await expect(without.tailJobLogs("x").next()).rejects.toMatchObject({ code: "TOKEN_MISSING" });
    await using wrong = new JobSubmissionClient(head.address, { token: "wrong" });
    await expect(wrong.submitJob({ entrypoint: "true" })).rejects.toMatchObject({ code: "TOKEN_REFUSED", status: 403 });
  });
});
