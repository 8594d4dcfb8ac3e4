import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What is written in AssemblyScript, and where its compiled form is. */
export const kernels = [
  { source: "examples/gpt-pretrain-cpu/kernels.as.ts", target: "examples/gpt-pretrain-cpu/kernels.wasm" },
  { source: "plugins/propose-search/kernels.as.ts", target: "plugins/propose-search/kernels.wasm.ts" },
].map(({ source, target }) => ({ source: pathOf(source), target: pathOf(target) }));

function pathOf(file: string): string {
  return new URL(`../../${file}`, import.meta.url).pathname;
}

/** The target's content: WebAssembly, as text where the target is a module. */
export function compiled({ source, target }: (typeof kernels)[number]): Buffer {
  const folder = mkdtempSync(join(tmpdir(), "kernels-"));
  try {
    const built = join(folder, "kernels.wasm");
    const compiler = createRequire(import.meta.url).resolve("assemblyscript/bin/asc.js");
    const options = ["-O3", "--noAssert", "--runtime", "stub", "--enable", "simd", "--converge"];
    execFileSync(process.execPath, [compiler, source, ...options, "-o", built], { stdio: "inherit" });
    const bytes = readFileSync(built);
    if (!target.endsWith(".ts")) return bytes;
    const about = "/** What kernels.as.ts compiles to, in base64: npm run build:kernels */";
    return Buffer.from(`${about}\nexport const wasm =\n  "${bytes.toString("base64")}";\n`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

if (import.meta.main) for (const one of kernels) writeFileSync(one.target, compiled(one));
