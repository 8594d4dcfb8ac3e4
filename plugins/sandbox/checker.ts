import { existsSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import ts from "typescript";
import type { Problem } from "./scan.ts";

/**
 * A process of its own that parses, checks and strips mechanisms' files. Types
 * are a programming language, and a file's types may compute for ever: the
 * process ends itself when one has taken more of the processor than it may.
 */
const kit = ["../../kit/index.ts", "../../kit/index.d.ts"]
  .map((name) => fileURLToPath(new URL(name, import.meta.url)))
  .find(existsSync) as string;
const mechanism = "/mechanism.ts";
const mostTold = 10;

let code = "";
let version = 0;

const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  lib: ["lib.es2022.d.ts"],
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  types: [],
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  erasableSyntaxOnly: true,
  allowImportingTsExtensions: true,
  paths: { "bilevel/kit": [kit] },
};

const host: ts.LanguageServiceHost = {
  getCompilationSettings: () => options,
  getScriptFileNames: () => [mechanism],
  getScriptVersion: (file) => (file === mechanism ? String(version) : "1"),
  getScriptSnapshot: (file) => {
    const text = file === mechanism ? code : ts.sys.readFile(file);
    return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
  },
  getCurrentDirectory: () => "/",
  getDefaultLibFileName: (settings) => ts.getDefaultLibFilePath(settings),
  fileExists: (file) => file === mechanism || ts.sys.fileExists(file),
  readFile: (file) => (file === mechanism ? code : ts.sys.readFile(file)),
};
const service = ts.createLanguageService(host);

/** Globals of the language that a mechanism may not use, and what to do instead. */
const barred: Readonly<Record<string, string>> = {
  eval: "code cannot be made from text",
  Function: "code cannot be made from text",
  Date: "there is no clock: what depends on time cannot be repeated",
  globalThis: "there are no globals: keep state in what init returns",
  Promise: "mechanisms answer at once",
  require: "only bilevel/kit can be imported",
};

function problemsOf(text: string): Problem[] {
  code = text;
  version++;
  const file = service.getProgram()?.getSourceFile(mechanism);
  if (!file) return [{ check: "types", message: "the file could not be read" }];
  const lineOf = (position: number): number => file.getLineAndCharacterOfPosition(position).line + 1;
  const syntax = service.getSyntacticDiagnostics(mechanism);
  if (syntax.length > 0) return syntax.slice(0, mostTold).map((found) => told(found, lineOf));
  const problems = formProblems(file, lineOf);
  if (problems.length > 0) return problems.slice(0, mostTold);
  const types = service.getSemanticDiagnostics(mechanism).map((found) => told(found, lineOf));
  if (types.length > 0) return types.slice(0, mostTold);
  try {
    stripTypeScriptTypes(text, { mode: "strip" });
    return [];
  } catch (error) {
    return [{ check: "types", message: `its types cannot be taken away: ${(error as Error).message.slice(0, 300)}` }];
  }
}

const told = ({ messageText, start }: ts.Diagnostic, lineOf: (position: number) => number): Problem => ({
  check: "types",
  message: ts.flattenDiagnosticMessageText(messageText, " ").slice(0, 400),
  ...(start === undefined ? {} : { line: lineOf(start) }),
});

/** What the grammar allows and a mechanism may not do. */
function formProblems(file: ts.SourceFile, lineOf: (position: number) => number): Problem[] {
  const problems: Problem[] = [];
  const refuse = (node: ts.Node, message: string): void =>
    void problems.push({ check: "imports", message, line: lineOf(node.getStart(file)) });
  for (const { pos } of [...file.referencedFiles, ...file.typeReferenceDirectives, ...file.libReferenceDirectives])
    problems.push({ check: "imports", message: "reference directives are not allowed", line: lineOf(pos) });
  const directive = /@ts-(nocheck|ignore|expect-error)/.exec(file.text);
  if (directive)
    problems.push({ check: "types", message: `@ts-${directive[1]} is not allowed`, line: lineOf(directive.index) });
  for (const statement of file.statements) {
    if (ts.isVariableStatement(statement) && !(statement.declarationList.flags & ts.NodeFlags.Const))
      problems.push({
        check: "state",
        message: "a variable at the top of the file would keep state outside reflect: put it into what init returns",
        line: lineOf(statement.getStart(file)),
      });
  }
  const visit = (node: ts.Node): void => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier) {
      const from = (node.moduleSpecifier as ts.StringLiteral).text;
      if (from !== "bilevel/kit") refuse(node, `"${from}" cannot be imported: only bilevel/kit can`);
    } else if (ts.isImportEqualsDeclaration(node) || ts.isImportTypeNode(node))
      refuse(node, "only bilevel/kit can be imported, at the top of the file");
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      refuse(node, "import() is not allowed");
    else if (ts.isMetaProperty(node) && node.keywordToken === ts.SyntaxKind.ImportKeyword)
      refuse(node, "import.meta is not allowed");
    else if (ts.isModuleDeclaration(node)) refuse(node, "modules and namespaces cannot be declared");
    else if (
      ts.isAwaitExpression(node) ||
      (ts.canHaveModifiers(node) && ts.getModifiers(node)?.some(({ kind }) => kind === ts.SyntaxKind.AsyncKeyword))
    )
      refuse(node, "mechanisms answer at once: no async, no await");
    else if (ts.isPropertyAccessExpression(node) && node.getText(file) === "Math.random")
      refuse(node, "Math.random cannot be repeated: use turn.random()");
    else if (ts.isIdentifier(node) && Object.hasOwn(barred, node.text) && isValueUse(node))
      refuse(node, `${node.text} is not allowed: ${barred[node.text]}`);
    ts.forEachChild(node, visit);
  };
  visit(file);
  return problems;
}

/** Not a type, and not a property's name. */
function isValueUse(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent) || ts.isPropertyAssignment(parent)) return parent.name !== node;
  return !ts.isTypeNode(parent) && !ts.isPropertySignature(parent) && !ts.isMethodDeclaration(parent);
}

/**
 * Ends this process when the one that asked is gone, and with SIGTERM when a file has taken so many seconds of the
 * processor (on a busy machine the clock tells nothing of a file): while types are computed nothing else here gets
 * its turn.
 */
const watch = `const { parentPort, workerData } = require("node:worker_threads");
const { ppid } = process;
let before;
parentPort.on("message", (isAsked) => (before = isAsked ? process.cpuUsage() : undefined));
setInterval(() => {
  if (process.ppid !== ppid) process.kill(process.pid, "SIGKILL");
  const { user, system } = before ? process.cpuUsage(before) : { user: 0, system: 0 };
  if (user + system > workerData * 1e6) process.kill(process.pid, "SIGTERM");
}, 250);`;
const watcher = new Worker(watch, { eval: true, workerData: Number(process.argv[2]), stdout: true, stderr: true });
watcher.unref();

problemsOf("export {};"); // loads the language's and the kit's types, which no file is to pay for
process.on("message", (text: string) => {
  let problems: Problem[];
  watcher.postMessage(true);
  try {
    problems = problemsOf(text);
  } catch (error) {
    problems = [{ check: "types", message: `the checker gave up: ${(error as Error).message.slice(0, 200)}` }];
  }
  watcher.postMessage(false);
  process.send?.(problems);
});
