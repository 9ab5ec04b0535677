import type { Io } from "./io.ts";
import { printable } from "./printable.ts";

const WIDTH = 80;

/** Writes a line that begins with a label. A person gets it in lines of 80 columns, a program as one. */
export function outLabelled(io: Io, label: string, text: string, labelWidth: number): void {
  const line = printable(`${label.padEnd(labelWidth)}${text}`);
  for (const part of io.terminal ? wrap(line, labelWidth) : [line]) io.out(part);
}

/** Breaks a line at blanks behind its label, where it is longer than 80 columns. What has no blank stays whole. */
export function wrap(line: string, labelWidth: number): readonly string[] {
  const lines: string[] = [];
  let rest = line;
  while (rest.length > WIDTH) {
    const blank = rest.lastIndexOf(" ", WIDTH);
    const at = blank > labelWidth ? blank : rest.indexOf(" ", WIDTH);
    if (at < 0) break;
    lines.push(rest.slice(0, at));
    rest = `${" ".repeat(labelWidth)}${rest.slice(at + 1)}`;
  }
  return [...lines, rest];
}
