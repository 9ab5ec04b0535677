// What a Thing makes of a disk that it finds after a crash, and whether it may.
import { silentLogger } from "../../src/core/logger.ts";
import { CachedServer } from "../../src/discovery/cached.ts";
import { certificateDocument, fingerprintOf } from "../../src/provisioning/made-certificate.ts";
import { tokensDocument } from "../../src/provisioning/token-store.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";
import { fileStorage } from "../../src/storage/file-storage.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { linkSeam, type MakeLink } from "../../src/thing/link.ts";
import type { ThingOptions } from "../../src/thing/options.ts";
import { Thing } from "../../src/thing/thing.ts";
import { processesOf, type CrashState } from "./crash-fs.ts";
import { FOLDER } from "./rights-life.ts";
import { textOf, Witness } from "./rights-witness.ts";
import { thingOptions } from "./site.ts";

const offline: MakeLink = () => ({ start: () => undefined, stop: () => Promise.resolve() });

/** A Thing without a link, and the codes of its faults. */
export function thingOn(storage: Storage, servers: readonly string[]): { thing: Thing; faults: string[] } {
  const where = { service: "xmpp://127.0.0.1:1", domain: "localhost" };
  const options = thingOptions(storage, where, { provisioning: [...servers] });
  const thing = new Thing({ ...options, [linkSeam]: offline, clock: new SimulatedClock() } as ThingOptions);
  const faults: string[] = [];
  thing.on("fault", ({ code }) => faults.push(code));
  return { thing, faults };
}

/** What was found. */
export interface Recovery {
  /** What must not be; none if all is well. */
  readonly complaints: readonly string[];
  /** What the Thing remembers, as texts. */
  readonly remembered: readonly string[];
  /** The codes of the faults that it has told of. */
  readonly faults: readonly string[];
}

/** Starts a Thing on what a crash has left, and once more after that; judges it by what had happened before the crash. */
export async function recover(state: CrashState, seen: ReadonlySet<string>): Promise<Recovery> {
  const witness = new Witness(state.marks);
  const boot = (name: string): Storage => fileStorage(FOLDER, { fs: state.fs, processes: processesOf(name) });
  const complaints: string[] = [];
  const complain = (what: string): void => void complaints.push(`${what} [${state.description}]`);

  const first = thingOn(boot("after"), witness.servers);
  try {
    await first.thing.start();
  } catch (error) {
    complain(`does not start: ${String(error)}`);
    return { complaints, remembered: [], faults: first.faults };
  }
  const { ownership } = first.thing.state;
  const owner = ownership.is === "claimed" ? ownership.owner : undefined;
  if (witness.owner !== undefined && owner !== witness.owner) complain("has lost its owner");
  // A QR code that was shown, and photographed, stays true.
  if (owner === undefined && witness.shown !== undefined && first.thing.claimText !== witness.shown) {
    complain("shows another claim text");
  }
  if (first.faults.includes("identity-restored")) complain("had to take an older identity");
  const found = first.thing.rights.entries();
  for (const right of found) {
    const why = witness.complaint(right) ?? (seen.has(textOf(right)) ? undefined : `never knew ${textOf(right)}`);
    if (why !== undefined) complain(why);
  }
  await first.thing.stop();

  // What was damaged is mended or left out; from then on nothing is wrong any more.
  const storage = boot("again");
  const second = thingOn(storage, witness.servers);
  await second.thing.start();
  if (second.faults.length > 0) complain(`once more: ${second.faults.join()}`);
  const again = second.thing.rights.entries();
  if (again.map(textOf).join() !== found.map(textOf).join()) complain("remembers something else at the next start");
  const heard: string[] = [];
  const server = new CachedServer({ storage, logger: { ...silentLogger, warn: (text) => heard.push(text) } });
  await server.load();
  if (heard.length > 0) complain(`has lost its server: ${heard.join()}`);
  const token = await tokenTrouble(storage);
  if (token !== undefined) complain(token);
  await second.thing.stop();
  return { complaints, remembered: found.map(textOf), faults: first.faults };
}

/** What is wrong with certificate and tokens: a token is of no use without the key that answers its challenges. */
async function tokenTrouble(storage: Storage): Promise<string | undefined> {
  const tokens = await tokensDocument(storage).load();
  const certificate = await certificateDocument(storage).load();
  if (tokens.problem !== undefined || certificate.problem !== undefined) return "had to take older tokens";
  if (tokens.value === undefined || tokens.value.tokens.length === 0) return undefined;
  const known = certificate.value !== undefined && fingerprintOf(certificate.value) === tokens.value.certificate;
  return known ? undefined : "has tokens, and not the certificate they stand for";
}
