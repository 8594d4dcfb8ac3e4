import { extname } from "node:path";

/** The folder of the running package: files that are shipped as they are lie in it, beside the sources and beside the compiled ones. */
export const packageRoot = new URL(extname(import.meta.url) === ".ts" ? "../" : "../../", import.meta.url);
