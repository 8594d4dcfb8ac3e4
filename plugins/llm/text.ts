/** Text of programs and logs as data: cut to size, in a fence that nothing in it can close. */
export function fenced(text: string, most = 4000): string {
  const cut =
    text.length > most
      ? `${text.slice(0, most / 2)}\n… ${text.length - most} characters left out …\n${text.slice(-most / 2)}`
      : text;
  const longest = Math.max(0, ...[...cut.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = "`".repeat(Math.max(3, longest + 1));
  return `${fence}\n${cut}\n${fence}`;
}

/** Without what looks like a key or is this one. */
export function redacted(text: string, key?: string): string {
  const known = key && key.length >= 6 ? text.split(key).join("[key]") : text;
  return known
    .replace(/\b(sk|pk|rk|ghp|gho|hf|xox[abp])[-_][A-Za-z0-9_-]{8,}/g, "[key]")
    .replace(/\b(Bearer)\s+[A-Za-z0-9._~+/-]{8,}=*/gi, "$1 [key]")
    .replace(/\b([A-Z][A-Z0-9_]*(?:KEY|TOKEN|SECRET|PASSWORD))\s*[=:]\s*\S+/g, "$1=[key]");
}
