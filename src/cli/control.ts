import { ProtocolError, StanzaError, TimeoutError } from "../core/errors.ts";
import { tryParseJid } from "../core/jid.ts";
import { parameterKinds, type ParameterKind } from "../codec/control.ts";
import { parseXs } from "../codec/xs-values.ts";
import type { ControlForm } from "../control/control-form.ts";
import type { ParameterValue } from "../control/control-values.ts";
import { OwnerClient } from "../owner/owner-client.ts";
import { accountHelp, accountOptions, connectAs, timeoutOf } from "./account.ts";
import { UsageError, parse } from "./args.ts";
import { formJson, formLines } from "./form-words.ts";
import { exitCode } from "./io.ts";
import { nodeHelp, nodeOf, nodeOptions, withNodeHint } from "./named-thing.ts";
import type { Command } from "./command.ts";
import { jsonText, printable } from "./printable.ts";

/** `xmpp-thing control JID NAME=VALUE`, `xmpp-thing control JID --form` (XEP-0325 3.1.2, 3.2, 3.3.1). */
export const control: Command = {
  summary: "Set what can be controlled of a Thing",
  help: `Usage: xmpp-thing control JID NAME=VALUE ... [OPTIONS]
       xmpp-thing control JID --form [OPTIONS]

Sets parameters of a Thing, in this order. A bare JID (name@domain) is befriended first; a full one
(name@domain/resource) is told as it is. Ends with 1 if you may not set all of them.

The types of values other than true and false are looked up in the control form of the Thing, unless
they are named: NAME:TYPE=VALUE, with one of boolean, int, long, double, string, date, time,
dateTime, duration, color.

  --form            show what you may control, and set nothing
${nodeHelp}
${accountHelp}`,
  async run(argv, io) {
    const options = { ...accountOptions, ...nodeOptions, form: { type: "boolean" } } as const;
    const args = parse(argv, options, argv.includes("--form") ? ["JID"] : ["JID", "NAME=VALUE..."]);
    const [jid = "", ...words] = args.operands;
    const address = tryParseJid(jid);
    if (address === undefined || address.local === "") {
      throw new UsageError(`"${jid}" is not the address of a Thing, name@domain`);
    }
    const wishes = wishesOf(words);
    const thing = { jid, node: nodeOf(args) };
    await using connection = await connectAs(args, io);
    const owner = new OwnerClient(connection);
    const limits = { timeout: timeoutOf(args), signal: io.ended };
    if (args.flags.has("form")) {
      const form = await explained(owner.getForm(thing, limits));
      if (args.flags.has("json")) io.out(jsonText(formJson(form)));
      else for (const line of formLines(form)) io.out(printable(line));
      return exitCode.done;
    }
    const form = wishes.some(isOpen) ? await formIfAny(owner.getForm(thing, limits)) : undefined;
    if (form !== undefined) checkTypes(wishes, form);
    const { parameters } = await explained(owner.control(thing, valuesOf(wishes, form), limits));
    const left = wishes.map(({ name }) => name).filter((name) => !parameters.includes(name));
    if (args.flags.has("json")) io.out(jsonText({ set: parameters, notAllowed: left }));
    else for (const { name, text } of wishes) if (!left.includes(name)) io.out(printable(`${name}: ${text}`));
    if (left.length === 0) return exitCode.done;
    io.err(`You may not set: ${left.join(", ")}`);
    return exitCode.failed;
  },
};

/** A word of the command line. */
interface Wish {
  readonly name: string;
  readonly type: ParameterKind | undefined;
  readonly text: string;
}

const typed = new RegExp(`^(.+):(${parameterKinds.join("|")})$`, "s");

function wishesOf(words: readonly string[]): readonly Wish[] {
  const names = new Set<string>();
  return words.map((word): Wish => {
    const [, given, text = ""] = /^([^=]+)=(.*)$/s.exec(word) ?? [];
    if (given === undefined) throw new UsageError(`"${word}" is not NAME=VALUE`);
    const [, name = given, type] = typed.exec(given) ?? [];
    if (names.has(name)) throw new UsageError(`"${name}" is given twice`);
    names.add(name);
    return { name, type: parameterKinds.find((kind) => kind === type), text };
  });
}

const isFlag = (text: string): boolean => text === "true" || text === "false";

// Parameters may have colons in their names too.
const strangeType = (name: string): string | undefined => /:([A-Za-z]+)$/.exec(name)?.[1];

/** Whether the Thing has to be asked for the type, or for whether what looks like one belongs to the name. */
const isOpen = ({ name, type, text }: Wish): boolean =>
  type === undefined && (!isFlag(text) || strangeType(name) !== undefined);

/** Refuses a name that only a type that there is not can have made. */
function checkTypes(wishes: readonly Wish[], { parameters }: ControlForm): void {
  const known = new Set(parameters.map(({ name }) => name));
  for (const { name, type } of wishes) {
    const strange = type === undefined && !known.has(name) ? strangeType(name) : undefined;
    if (strange === undefined) continue;
    const there = `there are ${parameterKinds.join(", ")}`;
    throw new UsageError(`"${name}" is no parameter that you may control, and "${strange}" no type; ${there}`);
  }
}

function valuesOf(wishes: readonly Wish[], form: ControlForm | undefined): readonly ParameterValue[] {
  const types = new Map(form?.parameters.map(({ name, type }) => [name, type]));
  return wishes.map(({ name, type = types.get(name), text }) => {
    const kind = type ?? likeliest(text);
    try {
      const { value } = parseXs(kind, text);
      // As they are written: with their decimals, and their zone.
      return { name, type: kind, value: kind === "double" || kind === "dateTime" ? text.trim() : value };
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      throw new UsageError(`${name}: "${text}" is ${error.message}, like ${EXAMPLES[kind]}`);
    }
  });
}

const EXAMPLES: Readonly<Record<ParameterKind, string>> = {
  boolean: "true or false",
  int: "42",
  long: "12345678901",
  string: "some words",
  double: "21.5",
  date: "2026-03-07",
  time: "08:00:00",
  dateTime: "2026-03-07T08:00:00Z",
  duration: "PT1H30M",
  color: "3399FF",
};

/** The type of a parameter of which the Thing says nothing. */
function likeliest(text: string): ParameterKind {
  if (isFlag(text)) return "boolean";
  if (/^-?\d{1,9}$/.test(text)) return "int";
  return /^-?\d+\.\d+$/.test(text) ? "double" : "string";
}

/** The form; `undefined` from a Thing that has none: the types are guessed then. */
async function formIfAny(asking: Promise<ControlForm>): Promise<ControlForm | undefined> {
  try {
    return await asking;
  } catch (error) {
    const without: readonly string[] = ["feature-not-implemented", "service-unavailable", "bad-request"];
    if (error instanceof StanzaError && without.includes(error.condition)) return undefined;
    return explained(Promise.reject(error as Error));
  }
}

async function explained<T>(controlling: Promise<T>): Promise<T> {
  try {
    return await controlling;
  } catch (error) {
    if (error instanceof TimeoutError) {
      const why = "it is offline, not claimed yet, or the address is wrong; whether it was set is not known";
      throw new TimeoutError(`${error.message}: ${why}`, { cause: error });
    }
    if (!(error instanceof StanzaError)) throw error;
    if (error.condition === "forbidden") {
      const who =
        "claim it first if nobody has, or ask who runs its provisioning server; names count upper and lower case";
      throw new Error(`you may not control this Thing: ${who}`, { cause: error });
    }
    if (error.condition === "service-unavailable") {
      const why = "it is offline, or no Thing, or one of which nothing can be controlled";
      throw new Error(`${error.message}: ${why}`, { cause: error });
    }
    const problems = error.parameters.map(({ name, text }) => `${name}: ${text}`).join("\n");
    if (problems === "") throw withNodeHint(error);
    // Said once: of one parameter, or of several with the same mistake, there is nothing to be said of all.
    const isSaid = error.text !== "" && error.parameters.every(({ text }) => text === error.text);
    const message = isSaid ? error.message.slice(0, -`: ${error.text}`.length) : error.message;
    const hint = "Names count upper and lower case; --form shows what you may control, and the type of each.";
    throw new Error(`${message}\n${problems}\n${hint}`, { cause: error });
  }
}
