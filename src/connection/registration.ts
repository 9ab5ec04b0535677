// XEP-0077 In-Band Registration 2.4, section 3.1: an account, made before the login. Only ever on verified TLS (D-E25).
import { ProtocolError, RegistrationError, StanzaError } from "../core/errors.ts";
import { fillIn, formTypeOf, type DataForm } from "../codec/data-form.ts";
import { ns } from "../codec/namespaces.ts";
import {
  buildFormAnswer,
  buildRegistration,
  buildRegistrationRequest,
  parseRegistrationForm,
  type Registration,
  type RegistrationForm,
} from "../codec/registration.ts";
import type { XmlElement } from "../codec/xml.ts";
import type { AskServer } from "./iq-exchange.ts";

// What a Thing can tell of itself.
const KNOWN: ReadonlySet<string> = new Set(["username", "password"]);
// Enough for a person, too little to fill a log with.
const LONGEST_TEXT = 200;
const BY_HAND = "make the account by hand and give it in `account.username` and `account.password`";

/**
 * Makes an account. Rejects with `ERR_REGISTRATION`: its condition is the server's (`conflict`: the name is taken), or
 * `not-acceptable` when the server asks for more than a name and a password, and `registered` when it takes the
 * connection for one that has an account. The message says what people can do.
 */
export async function register(ask: AskServer, domain: string, account: Registration): Promise<void> {
  await explained(async () => ask("set", await prepare(ask, domain, account), domain));
}

/**
 * Asks what an account would take, and makes none: the form names nobody. Rejects as {@link register} does when a device
 * cannot make one.
 */
export async function checkRegistration(ask: AskServer, domain: string): Promise<void> {
  await explained(() => prepare(ask, domain, { username: "nobody", password: "none" }));
}

/** What would be sent to make the account. */
async function prepare(ask: AskServer, domain: string, account: Registration): Promise<XmlElement> {
  const query = await ask("get", buildRegistrationRequest(), domain);
  const answer = query === undefined ? undefined : answerTo(read(query), account);
  if (answer === undefined) throw unacceptable(`does not say what it wants to know: ${BY_HAND}`);
  return answer;
}

/** Turns what a server refuses into an error that says what people can do. */
async function explained(run: () => Promise<unknown>): Promise<void> {
  try {
    await run();
  } catch (cause) {
    if (!(cause instanceof StanzaError)) throw cause;
    const { condition } = cause;
    const words = cause.text === "" ? "" : ` (${short(cause.text)})`;
    const advice = adviceFor.get(condition);
    const message = `the server made no account: ${condition}${words}${advice === undefined ? "" : `: ${advice}`}`;
    throw new RegistrationError(message, condition, { cause });
  }
}

// What each of them comes to, of those that XEP-0077 and servers know. For `conflict` another name is tried.
const SWITCHED_OFF = `no accounts can be made on this server over XMPP, or not from here: switch registration on, or ${BY_HAND}`;
const TOO_MANY = "too many accounts were made from here lately, or there are too many: it is tried again";
const adviceFor: ReadonlyMap<string, string> = new Map([
  [
    "not-acceptable",
    `the server has rules that this name or password does not meet, or takes no more accounts from here for now: ${BY_HAND}`,
  ],
  ["resource-constraint", TOO_MANY],
  ["policy-violation", TOO_MANY],
  ["not-allowed", SWITCHED_OFF],
  ["forbidden", SWITCHED_OFF],
  ["service-unavailable", SWITCHED_OFF],
  ["feature-not-implemented", SWITCHED_OFF],
]);

/** XEP-0077 section 6: the data form comes before the plain fields, and both are never sent. */
function answerTo(form: RegistrationForm, account: Registration): XmlElement | undefined {
  if (form.registered) {
    throw new RegistrationError(
      `the server says that this connection has an account already: ${BY_HAND}`,
      "registered",
    );
  }
  if (form.form !== undefined) return filled(form.form, form, account);
  if (form.fields.length === 0) {
    if (form.instructions.trim() === "" && form.url === "") return undefined;
    // Section 5: it sends people to a page on the Web.
    const where = form.url === "" ? "elsewhere" : `to ${short(form.url)}`;
    throw unacceptable(`makes no accounts over XMPP, and sends people ${where}${saying(form)}: ${BY_HAND}`);
  }
  // Section 3.1: each of the plain fields must be filled in.
  const more = form.fields.filter((name) => !KNOWN.has(name));
  if (more.length > 0 || form.fields.length < KNOWN.size) throw tooMuch(form.fields, form);
  return buildRegistration(account);
}

function filled(form: DataForm, around: RegistrationForm, { username, password }: Registration): XmlElement {
  const purpose = formTypeOf(form);
  const names = form.fields.map(({ name }) => name);
  const needed = form.fields.filter(({ name, required, media }) => (required || media) && !KNOWN.has(name));
  // Of no purpose: older servers leave it out (section 4, rule 4).
  const isOurs = (purpose === "" || purpose === ns.register) && [...KNOWN].every((name) => names.includes(name));
  // XEP-0158 section 3: what tells people from machines.
  const captcha = form.fields.some(({ name, media }) => media || name === "ocr" || name.startsWith("captcha"));
  if (captcha && (!isOurs || needed.length > 0)) {
    throw unacceptable(
      `asks whoever wants an account to read a picture or solve a riddle (CAPTCHA), which no device can${saying(around)}: switch that off for devices, or ${BY_HAND}`,
    );
  }
  if (!isOurs || needed.length > 0)
    throw tooMuch(isOurs ? [...KNOWN, ...needed.map(describe)] : form.fields.filter(visible).map(describe), around);
  return buildFormAnswer(fillIn(form, new Map(Object.entries({ username, password }))));
}

function tooMuch(asked: readonly string[], form: RegistrationForm): RegistrationError {
  const names = short(asked.join(", ")) || "nothing that is understood";
  return unacceptable(
    `asks a new account for ${names}, and a device gives a name and a password${saying(form)}: have it ask for no more, or ${BY_HAND}`,
  );
}

const visible = ({ type }: { type: string }): boolean => type !== "hidden" && type !== "fixed";

function describe({ name, label }: { name: string; label: string }): string {
  return label === "" || label === name ? name : `${name} (${label})`;
}

/** The server's own words. */
function saying({ instructions, url, form }: RegistrationForm): string {
  const words = [form?.instructions || instructions, url].filter((text) => text !== "").join(" ");
  return words === "" ? "" : ` (it says: ${JSON.stringify(short(words))})`;
}

function read(query: XmlElement): RegistrationForm {
  try {
    return parseRegistrationForm(query);
  } catch (cause) {
    if (!(cause instanceof ProtocolError)) throw cause;
    const message = `the server sent a form for a new account that cannot be read: ${cause.message}`;
    throw new RegistrationError(message, "not-acceptable", { cause });
  }
}

function unacceptable(what: string): RegistrationError {
  return new RegistrationError(`the server ${what}`, "not-acceptable");
}

/** Words of a stranger, in one line that fits into a log. */
function short(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > LONGEST_TEXT ? `${line.slice(0, LONGEST_TEXT)}…` : line;
}
