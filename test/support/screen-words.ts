/** Words that say something to whoever reads the code only; ARCHITECTURE.md has what the screen says instead. */
export const codeWords =
  /\b(incumbents?|verdicts?|probation|undecided|revert(ed)?|discard(ed)?|drafts?|arms?|segments?|turns?|inert|spoken|briefs?|touch(es|ed)?|outcomes?|candidates?|individuals?|fitness|agents?)\b/i;

/** The lines of a screen that have one of them. */
export const codeWordsIn = (text: string): string[] => text.split("\n").filter((line) => codeWords.test(line));
