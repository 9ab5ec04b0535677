// What the guides type in a terminal: `npx xmpp-thing …` and its likes, run in this process.
import { readFileSync, writeFileSync } from "node:fs";
import { expect } from "vitest";
import { main } from "../../../src/cli/main.ts";
import type { Sandbox } from "../../../src/sandbox/sandbox.ts";
import { FakeIo } from "../fake-io.ts";
import { root, type Snippet } from "./snippets.ts";
import type { World } from "./world.ts";

const { scripts } = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as { scripts: Record<string, string> };

/** A line of a terminal. */
export interface Command {
  /** What is set in front of it: `THING_DEBUG=1`. */
  readonly env: Readonly<Record<string, string>>;
  /** The arguments of this project's command line; `undefined`: it is another program. */
  readonly args: readonly string[] | undefined;
  /** The program and what it is told, word by word. */
  readonly words: readonly string[];
}

/** The words of a line, as a shell divides them. */
function wordsOf(line: string): readonly string[] {
  const words: string[] = [];
  // A word is of pieces, with quotation marks or without; a comment begins with a word of its own.
  for (const [word] of line.replace(/(^|\s)#.*$/, "").matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g))
    words.push(word.replace(/'([^']*)'|"([^"]*)"/g, "$1$2"));
  return words;
}

const entries = [
  ["npx", "xmpp-thing"],
  ["npx", "tsx", "src/cli/bin.ts"],
  ["tsx", "src/cli/bin.ts"],
];

/** The commands of a block of shell. */
export function commandsOf({ text }: Pick<Snippet, "text">): readonly Command[] {
  const lines = text.split(/\n|&&|;(?= )|\|(?= )/).map(wordsOf);
  return lines
    .filter((words) => words.length > 0)
    .map((all) => {
      const at = all.findIndex((word) => !/^[A-Z_]+=/.test(word));
      const env = Object.fromEntries(
        all.slice(0, at).map((word) => word.split(/=(.*)/s).slice(0, 2) as [string, string]),
      );
      const words = all.slice(at);
      const [, script = ""] = /^npm run (?:-s )?(\S+)$/.exec(words.join(" ")) ?? [];
      const whole = scripts[script]?.split(" ") ?? words;
      const entry = entries.find((entry) => entry.every((word, index) => whole[index] === word));
      return { env, words, args: entry && whole.slice(entry.length) };
    });
}

/** A command that was run. */
export interface Ran {
  readonly args: readonly string[];
  readonly code: number;
  /** What it has printed. */
  readonly text: string;
}

/** What stands in a guide, and what is meant here: `IoTDisco;…` and the like. */
export type Meant = Readonly<Record<string, string>>;

/** A terminal in which what the guide tells to export is exported. */
export class Terminal {
  readonly #sandbox: Sandbox;
  readonly #env: Readonly<Record<string, string>>;
  readonly #password: string;

  private constructor(sandbox: Sandbox, password: string) {
    writeFileSync("desk-ca.pem", sandbox.ca);
    this.#sandbox = sandbox;
    this.#password = password;
    this.#env = {
      THING_SERVICE: sandbox.service,
      THING_DOMAIN: sandbox.domain,
      THING_CA: "desk-ca.pem",
      OWNER_USERNAME: "anna",
      OWNER_PASSWORD: password,
    };
  }

  /** That of anna. */
  static async open(world: World, domain?: string): Promise<Terminal> {
    const sandbox = await world.sandbox(domain);
    return new Terminal(sandbox, sandbox.addUser("anna", "secret").password);
  }

  /** What there is for a command; without what its own options say. */
  io(args: readonly string[], env: Command["env"] = {}): FakeIo {
    const io = new FakeIo();
    const { OWNER_PASSWORD, OWNER_USERNAME, THING_SERVICE, ...others } = this.#env;
    const said = args.includes("--service");
    io.env = { ...others, ...(!said && { OWNER_PASSWORD, OWNER_USERNAME, THING_SERVICE }), ...env };
    // Who names the account is asked for its password.
    io.terminal = said;
    io.secret = this.#password;
    io.answer = "yes";
    return io;
  }

  /** The arguments as they are meant here. */
  meant(args: readonly string[], meant: Meant = {}): readonly string[] {
    const all = { "xmpp://example.org": this.#sandbox.service, ...meant };
    return args.map((arg) => Object.entries(all).reduce((text, [from, to]) => text.replace(from, to), arg));
  }

  /** Runs the commands of a block that are this project's, one after the other; each must end with 0. */
  async run(block: Pick<Snippet, "text">, meant?: Meant): Promise<readonly [Ran, ...Ran[]]> {
    const ran: Ran[] = [];
    for (const { args: written, env } of commandsOf(block)) {
      if (written === undefined) continue;
      const args = this.meant(written, meant);
      const io = this.io(args, env);
      const code = await main([...args], io);
      expect(io.errors, args.join(" ")).toEqual([]);
      expect(code, args.join(" ")).toBe(0);
      ran.push({ args, code, text: io.text });
    }
    const [first, ...others] = ran;
    if (first === undefined) throw new Error("no command of this project");
    return [first, ...others];
  }

  /** Runs the one command of a block that goes on until Ctrl-C, and meanwhile what is given. */
  async during(
    block: Pick<Snippet, "text">,
    meant: Meant,
    more: readonly string[],
    does: (io: FakeIo) => Promise<void>,
  ): Promise<void> {
    const [command, second] = commandsOf(block).filter((one) => one.args !== undefined);
    if (command?.args === undefined || second !== undefined) throw new Error("not one command");
    const args = [...this.meant(command.args, meant), ...more];
    const io = this.io(args, command.env);
    const running = main([...args], io);
    try {
      await expect.poll(() => io.text, { timeout: 15_000, interval: 10 }).toContain("Ctrl-C stops it");
      await does(io);
    } finally {
      io.interrupt();
      expect(await running).toBe(0);
    }
    expect(io.errors).toEqual([]);
  }
}
