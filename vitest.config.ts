import { defineConfig } from "vitest/config";

const at = (path: string): string => new URL(path, import.meta.url).pathname;

/** Sources are tested as they are; a config's imports from "bilevel" get them too. */
const alias = [
  { find: /^bilevel$/, replacement: at("./index.ts") },
  { find: /^bilevel\/kit$/, replacement: at("./kit/index.ts") },
  { find: /^bilevel\/mechanisms\/(.*)$/, replacement: at("./plugins/mechanisms/$1.ts") },
  { find: /^bilevel\/presets\/(.*)$/, replacement: at("./presets/$1.ts") },
  { find: /^#?ray-node-client$/, replacement: at("./ray-node-client/src/index.ts") },
];

const shared = { resolve: { alias } };

export default defineConfig({
  test: {
    projects: [
      {
        ...shared,
        test: {
          name: "quick",
          setupFiles: ["test/support/properties.ts"],
          include: ["test/**/*.test.ts", "ray-node-client/test/**/*.test.ts"],
          exclude: ["test/full/**", "test/ray/**", "ray-node-client/test/ray/**"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        ...shared,
        test: {
          name: "full",
          include: ["test/full/**/*.test.ts"],
          globalSetup: ["test/support/pack.ts"],
          testTimeout: 600_000,
          hookTimeout: 600_000,
        },
      },
      {
        ...shared,
        test: {
          name: "ray",
          include: ["ray-node-client/test/ray/**/*.test.ts", "test/ray/**/*.test.ts"],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          fileParallelism: false, // a head takes some 20 processes
          retry: 1, // on a busy machine a head is now and then slower than the deadlines of its own parts
          sequence: { groupOrder: 1 }, // after all else, which would slow the start of jobs
        },
      },
    ],
  },
});
