// People decide what no rule does (XEP-0324 3.2 to 3.4, 3.6), for the sandbox: one question at a time.
import { raceSignal, sleep } from "../core/abort.ts";
import { systemClock, type Clock } from "../core/clock.ts";
import { messageOf } from "../core/errors.ts";
import type { UndecidedQuestion } from "../sandbox/provisioning-server-options.ts";
import type { ReferenceProvisioningServer } from "../sandbox/provisioning-server.ts";
import { parseAnswer, type Decision } from "./ask-answer.ts";
import { AskQueue, type Waiting } from "./ask-queue.ts";
import { domainOf, headline, partText, partsOf, quoted, unlimited } from "./ask-question.ts";
import { printable } from "./printable.ts";

/** Where the questions come from, and where people are. */
export interface AskDeskOptions {
  /** The Provisioning Servers whose open questions are asked about. */
  readonly servers: readonly ReferenceProvisioningServer[];
  /** Shows a line. */
  readonly tell: (line: string) => void;
  /** Reads a line of what people type; `undefined` when nobody will type any more. */
  readonly readLine: (prompt: string) => Promise<string | undefined>;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Time. Default: the machine's. */
  readonly clock?: Clock;
}

/** How much of a question is shown at once. */
const SHOWN = 20;
/** How long a question rests that was skipped, in milliseconds: who asks all the time has nobody answer all the time. */
const REST = 60_000;

/** Asks people what no rule decides, and makes their answers rules, until the signal fires or nobody answers any more. */
export async function askPeople(options: AskDeskOptions): Promise<void> {
  await new AskDesk(options).run();
}

class AskDesk {
  readonly #options: AskDeskOptions;
  readonly #queue = new AskQueue();
  #wake: () => void = () => undefined;

  constructor(options: AskDeskOptions) {
    this.#options = options;
  }

  async run(): Promise<void> {
    const { servers, signal, tell } = this.#options;
    const deaf = servers.map((server) =>
      server.onUndecided((question) => {
        this.#queue.add({ server, question });
        this.#wake();
      }),
    );
    try {
      while (await this.#decide(await this.#next()));
      if (!signal.aborted) tell("Nobody answers any more: what no rule decides stays refused.");
    } catch (error) {
      if (!signal.aborted) tell(`Nobody can be asked any more: ${printable(messageOf(error))}`);
    } finally {
      for (const close of deaf) close();
    }
  }

  async #next(): Promise<Waiting> {
    for (;;) {
      const { first } = this.#queue;
      if (first !== undefined) return first;
      await raceSignal(new Promise<void>((resolve) => (this.#wake = resolve)), this.#options.signal);
    }
  }

  /** Asks until there is an answer. Tells whether there may be further ones. */
  async #decide(waiting: Waiting): Promise<boolean> {
    const { tell, readLine, signal } = this.#options;
    const parts = partsOf(waiting.question);
    let shown = Math.min(parts.length, SHOWN);
    this.#show(waiting, shown);
    for (;;) {
      const line = await raceSignal(readLine("answer> "), signal);
      if (line === undefined) return false;
      const answer = parseAnswer(line, waiting.question, parts.slice(0, shown));
      if (answer.is === "wrong") tell(`${answer.why} (? explains)`);
      if (answer.is === "help") this.#explain(waiting);
      if (answer.is === "more") {
        const from = shown;
        shown = Math.min(parts.length, from + SHOWN);
        this.#list(waiting, from, shown);
      }
      if (answer.is === "skip") this.#skip(waiting);
      if (answer.is === "decision") await this.#add(waiting, answer.decision, answer.says);
      if (answer.is !== "skip" && answer.is !== "decision") continue;
      this.#catchUp();
      return true;
    }
  }

  /** After a rest the Thing is to forget its no, and whoever asks it again is asked about again. */
  #skip(waiting: Waiting): void {
    const { clock = systemClock, signal } = this.#options;
    const wake = this.#queue.rest(waiting);
    sleep(clock, REST, signal).then(
      () => {
        wake();
        waiting.server.clearCache(waiting.question.thing);
      },
      () => undefined,
    );
  }

  /** What was decided makes the Thing forget its no, by `clearCache` (XEP-0324 3.5). */
  async #add({ server, ...waiting }: Waiting, decision: Decision, says: string): Promise<void> {
    const { tell } = this.#options;
    this.#queue.remove({ server, ...waiting });
    try {
      if ("rule" in decision) server.addRule(decision.rule);
      else server.addPrivileges(decision.privileges);
      await server.settled();
      tell(says);
    } catch (error) {
      tell(`That did not become a rule that lasts: ${printable(messageOf(error))}`);
    }
    const others = this.#queue.removeDecided();
    if (others > 0) tell(`${others} more ${others === 1 ? "question is" : "questions are"} decided by it.`);
  }

  /** Things keep the no of questions that had no place. Made to forget it, they ask again when somebody asks them. */
  #catchUp(): void {
    if (this.#queue.size > 0 || this.#queue.leftOut === 0) return;
    this.#options.tell(`${this.#queue.leftOut} times a question had no place here. It comes when it is asked again.`);
    for (const server of this.#queue.caughtUp()) server.setRules(server.rules);
  }

  #show(waiting: Waiting, shown: number): void {
    const { tell, servers } = this.#options;
    const { question, server } = waiting;
    const others = this.#queue.size - 1;
    const open = unlimited(question);
    const isWhole = partsOf(question).length === 0;
    tell("");
    tell(`${headline(question)}${isWhole ? "" : ":"}`);
    this.#list(waiting, 0, shown);
    if (open.length > 0) tell(`  not limited: ${open.join(", ")}`);
    if (question.kind === "hasPrivilege") {
      tell("  of these each stands for all below it");
      const known = question.credentials.slice(0, SHOWN).map((value) => partText({ is: "credential", value }));
      if (known.length > 0) tell(`  of the user it knows ${known.join(", ")}`);
    }
    if (question.identities.length > 0)
      tell(`  by the token of ${question.identities.slice(0, 5).map(quoted).join(", ")}`);
    if (servers.length > 1) tell(`  asked of ${server.jid}`);
    const wait = others > 0 ? ` (${others} more ${others === 1 ? "waits" : "wait"})` : "";
    tell(`Refused until somebody answers: ${answersTo(question)}; ? explains${wait}`);
  }

  #list({ question }: Waiting, from: number, to: number): void {
    const { tell } = this.#options;
    const parts = partsOf(question);
    parts.slice(from, to).forEach((part, i) => tell(`  ${String(from + i + 1).padStart(3)}  ${partText(part)}`));
    if (to < parts.length) tell(`  and ${parts.length - to} more: "more" lists them`);
  }

  #explain({ question }: Waiting): void {
    const { tell } = this.#options;
    const { kind } = question;
    const domain = domainOf(question);
    const isOfUser = kind === "canAccess" || kind === "hasPrivilege";
    const at = domain !== undefined && ` to everybody at ${printable(domain)}`;
    const lines = [
      !isOfUser && "  once     allows it one time",
      "  always   allows it from now on",
      at && `  domain   allows it from now on${at}`,
      `  never    refuses it from now on${at ? `; never domain:${at}` : ""}`,
      "  skip     leaves it open: it stays refused. A minute later the Thing forgets that, and it may come again",
      "Each speaks of just what is asked for here. Behind it may stand",
      kind !== "hasPrivilege" && "  all      whatever is asked for, now and later",
      "  1 3      of the list only these",
      !isOfUser && '  field=NAME, kind=NAME, node=ID, parameter="A NAME": only these, where a question is not limited',
    ];
    for (const line of lines) if (line !== false) tell(line);
  }
}

/** What makes sense as an answer: what users of a service may is looked at again all the time, and privileges have names alone. */
function answersTo({ kind }: UndecidedQuestion): string {
  if (kind === "hasPrivilege") return "always, never, skip";
  return kind === "canAccess" ? "always, domain, never, skip" : "once, always, domain, never, skip";
}
