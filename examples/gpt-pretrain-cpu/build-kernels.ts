import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRequire } from "node:module";

/**
 * Compiles kernels.as.ts (AssemblyScript) to kernels.wasm; with --check, says
 * whether the committed file is what its source gives, byte for byte.
 */
const source = new URL("./kernels.as.ts", import.meta.url).pathname;
const target = new URL("./kernels.wasm", import.meta.url).pathname;
const compiler = createRequire(import.meta.url).resolve("assemblyscript/bin/asc.js");
const folder = mkdtempSync(join(tmpdir(), "kernels-"));
const built = join(folder, "kernels.wasm");
execFileSync(
  process.execPath,
  [compiler, source, "-O3", "--noAssert", "--runtime", "stub", "--enable", "simd", "--converge", "-o", built],
  { stdio: "inherit" },
);
const bytes = readFileSync(built);
rmSync(folder, { recursive: true });
if (!process.argv.includes("--check")) writeFileSync(target, bytes);
else if (!bytes.equals(readFileSync(target))) {
  console.error("kernels.wasm is not what kernels.as.ts compiles to: node build-kernels.ts");
  process.exitCode = 1;
} else console.log(`kernels.wasm is what kernels.as.ts compiles to (${bytes.length} bytes)`);
