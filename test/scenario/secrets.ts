// A whole scenario with everything that can be seen of it (trace, log, faults, events), and every secret that was in it.
import { inspect } from "node:util";
import { expect, vi } from "vitest";
import type { LogFields, Logger } from "../../src/core/logger.ts";
import { buildReq } from "../../src/codec/sensor-data.ts";
import { ScramClient } from "../../src/connection/scram.ts";
import { OwnerClient } from "../../src/owner/owner-client.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import type { Storage } from "../../src/storage/storage.ts";
import type { Thing } from "../../src/thing/thing.ts";
import type { ThingEvents } from "../../src/thing/events.ts";
import type { Site } from "../support/site.ts";

/** What could be seen, and what must not be in it: secrets by what they are. */
export interface Seen {
  readonly output: string;
  readonly secrets: ReadonlyMap<string, string>;
}

const EVENTS: readonly (keyof ThingEvents)[] = [
  "state",
  "claimed",
  "friended",
  "rightsCleared",
  "decision",
  "fault",
  "healed",
];

/** The secrets whose like is found in a text: as they are, and in the forms in which they travel. */
export function found({ output, secrets }: Seen): string[] {
  const forms = (secret: string): string[] => [
    secret,
    Buffer.from(secret).toString("base64"),
    Buffer.from(secret).toString("hex"),
    encodeURIComponent(secret),
    JSON.stringify(secret).slice(1, -1),
    secret.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;").replaceAll("'", "&apos;"),
  ];
  return [...secrets].filter(([, secret]) => forms(secret).some((form) => output.includes(form))).map(([what]) => what);
}

/** Lives a life with two Things and three people, on the console as `THING_DEBUG=1` has it. Closes the site. */
export async function liveWatched(startSite: () => Promise<Site>): Promise<Seen> {
  const lines: string[] = [];
  const secrets = new Map<string, string>();
  const write = (...words: unknown[]): void => {
    lines.push(
      words.map((word) => (typeof word === "string" ? word : inspect(word, { depth: 20, showHidden: true }))).join(" "),
    );
  };
  const log =
    (level: string) =>
    (message: string, fields: LogFields = {}): void =>
      write(level, message, fields);
  const logger: Logger = { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") };
  for (const method of ["debug", "error", "log", "info", "warn"] as const) {
    vi.spyOn(console, method).mockImplementation(write);
  }
  vi.stubEnv("THING_DEBUG", "1");
  rememberLogins(secrets);
  const site = await startSite();
  try {
    await live(site, logger, secrets, write);
  } finally {
    await site.stop();
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
  }
  return { output: lines.join("\n"), secrets };
}

/** What goes through the logins is known to nobody else than those who log in. */
function rememberLogins(secrets: Map<string, string>): void {
  // As they are, whatever is put in their place.
  const { first, final, verify } = Object.getOwnPropertyDescriptors(ScramClient.prototype);
  const add = (what: string, message: string, fields: RegExp): void => {
    const number = secrets.size;
    secrets.set(`${what} ${number}`, message);
    for (const [part] of message.matchAll(fields)) secrets.set(`${what} ${number} ${part.slice(0, 2)}`, part.slice(2));
  };
  vi.spyOn(ScramClient.prototype, "first").mockImplementation(function (this: ScramClient) {
    const message = (first.value as ScramClient["first"]).call(this);
    add("client's first", message, /r=[^,]*/g);
    return message;
  });
  vi.spyOn(ScramClient.prototype, "final").mockImplementation(async function (this: ScramClient, server) {
    add("server's first", server, /[rs]=[^,]*/g);
    const message = await (final.value as ScramClient["final"]).call(this, server);
    add("client's final", message, /p=.*/g);
    return message;
  });
  vi.spyOn(ScramClient.prototype, "verify").mockImplementation(function (this: ScramClient, server) {
    add("server's final", server, /v=.*/g);
    (verify.value as ScramClient["verify"]).call(this, server);
  });
}

async function live(
  site: Site,
  logger: Logger,
  secrets: Map<string, string>,
  write: (...words: unknown[]) => void,
): Promise<void> {
  const watch = (thing: Thing): void => {
    for (const event of EVENTS) thing.on(event, (...about: unknown[]) => write(event, ...about));
  };
  const storage = memoryStorage();
  const thing = site.thing(storage, { logger });
  watch(thing);
  await thing.start();
  await thing.waitFor("registered", { timeout: 20_000 });
  secrets.set("the account's password", await passwordIn(storage));
  secrets.set("KEY, made", /KEY:(.*)$/.exec(thing.claimText)?.[1] ?? "");

  const given = { username: "given", password: "given pass<word & more" };
  const key = "given-KEY-0123456789";
  secrets.set("the account's password, given", given.password);
  secrets.set("KEY, given", key);
  const other = site.thing(memoryStorage(), {
    logger,
    account: given,
    tags: { SN: "2", MAN: "example.org", KEY: key },
  });
  watch(other);
  await other.start();
  await other.waitFor("registered", { timeout: 20_000 });

  const [owner, friend, stranger] = [await site.user("owner"), await site.user("friend"), await site.user("stranger")];
  site.provisioning.setRules([{ jid: friend.jid.bare, friend: true, read: true }]);
  const anna = new OwnerClient(owner);
  await expect(anna.claim({ SN: "2", KEY: "another-KEY-1" })).rejects.toThrow();
  secrets.set("KEY, tried", "another-KEY-1");
  await anna.claim(thing.claimText);
  await anna.claim(other.claimText);
  for (const one of [thing, other]) await one.waitFor("provisioned", { timeout: 20_000 });
  await expect.poll(() => site.provisioning.unacknowledged, { timeout: 10_000 }).toEqual([]);

  const tokens = {
    deviceToken: "device-T0KEN-1",
    serviceToken: "service-T0KEN-1 service-T0KEN-2",
    userToken: "user-T0KEN-1",
  };
  for (const [name, token] of Object.entries(tokens)) secrets.set(name, token);
  for (const reader of [friend, stranger]) {
    const payload = buildReq({ seqnr: 7, types: new Set(["momentary"] as const), nodes: [], fields: [], tokens });
    await reader.channel.request({ type: "get", to: thing.jid, payload }).catch(write);
  }
  // What would come in the life of a Thing with certificates, from somebody who should not.
  const challenge = "a-CHALLENGE-of-mine";
  secrets.set("challenge", challenge);
  const { el } = await import("../../src/codec/xml.ts");
  const payload = el("tokenChallenge", { xmlns: "urn:xmpp:iot:provisioning", token: tokens.userToken }, challenge);
  await stranger.channel.request({ type: "get", to: thing.jid, payload }).catch(write);

  await site.cut(thing);
  await thing.waitFor(({ link }) => link.is !== "online", { timeout: 10_000 });
  await thing.waitFor(({ link }) => link.is === "online", { timeout: 20_000 });
  await thing.stop();

  // A password that is wrong.
  const wrong = { username: given.username, password: "wrong-pa55word" };
  secrets.set("a wrong password", wrong.password);
  await other.stop();
  const refused = site.thing(memoryStorage(), { logger, account: wrong });
  watch(refused);
  const fault = new Promise((resolve) => refused.once("fault", resolve));
  await refused.start();
  await fault;
  await refused.stop();
  await Promise.all([owner, friend, stranger].map((one) => one.close()));
}

async function passwordIn(storage: Storage): Promise<string> {
  await storage.open().catch(() => undefined);
  const saved = Buffer.from((await storage.read("thing")) ?? new Uint8Array()).toString();
  return /"password":"([^"]+)"/.exec(saved)?.[1] ?? "";
}
