// What a home network does to a Thing. Once each in the tests, ten times each in the soak.
import { join } from "node:path";
import { expect } from "vitest";
import { DOMAIN, liveALife, readIt, startHome, startLiar, type Got, type Home, type Household } from "./home.ts";
import { startDnsmasq, startNetwork, startProsodyOn, type Running } from "../support/network.ts";

/** The ways in which a Thing can find its server here. */
export type Ways = "DHCP and multicast DNS" | "DHCP alone" | "multicast DNS alone";

const announced = (by: Ways): { dhcp: boolean; mdns: boolean } => ({
  dhcp: by !== "multicast DNS alone",
  mdns: by !== "DHCP alone",
});

async function inHome(starting: Promise<Home>, story: (home: Home) => Promise<void>): Promise<void> {
  const home = await starting;
  try {
    await story(home);
  } finally {
    await home.stop();
  }
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Nothing but authorities, state and tags: it is registered, claimed, provisioned, read; and again after a restart. */
export function findsIts(by: Ways): Promise<void> {
  return inHome(startHome(announced(by)), async (home) => {
    const thing = home.thermometer();
    const jid = await liveALife(thing, home.household);
    expect(jid).toMatch(/@pronto\.example$/);
    const { things } = await home.household.registry();
    expect(things).toMatchObject([{ jid, owner: `owner@${DOMAIN}`, hasKey: false }]);
    await thing.stop();
    expect(await thing.exited).toBe(0);
  });
}

/** The Thing is there first; its server comes when one search or more have come to nothing. */
export function startsBeforeItsServer(by: Ways, afterSearch: boolean): Promise<void> {
  return inHome(startHome({ later: true }), async (home) => {
    const thing = home.thermometer();
    await thing.says(/^link discovering$/m);
    if (afterSearch) await thing.says(/^fault discovery /m);
    await home.open(announced(by));
    await liveALife(thing, home.household);
  });
}

/** The server comes back at another address of the network. A Thing that is claimed finds it there, as what it was. */
export function serverMoves(to = "10.77.0.77"): Promise<void> {
  return inHome(startHome({ mdns: true }), async (home) => {
    const thing = home.thermometer();
    const jid = await liveALife(thing, home.household);
    thing.forget();
    await home.prosody.kill();
    home.server.readdress(to);
    await home.prosody.restart();
    await thing.says(/^link online /m, 90_000);
    await readIt(home.household, jid);
    const { things, requests } = await home.household.registry();
    expect(things).toHaveLength(1);
    expect(requests["register"]).toBe(1);
  });
}

/** The name of the server, which is configured, gets another address: it is looked up anew for each try. */
export async function nameGetsAnotherAddress(to = "10.77.0.88"): Promise<void> {
  const network = await startNetwork({ hosts: ["router", "server", "device"] });
  try {
    const [router, server, device] = ["router", "server", "device"].map((name) => network.host(name));
    if (router === undefined || server === undefined || device === undefined) throw new Error("a host is missing");
    const tell = (address: string): Promise<Running> =>
      startDnsmasq(router, { dns: [`host-record=${DOMAIN},${address}`, "local-ttl=1"] });
    const names = await tell(server.address);
    const prosody = await startProsodyOn(server, { domain: DOMAIN });
    const state = join(device.folder, "state");
    const env = { THING_DOMAIN: DOMAIN, THING_CA: prosody.caFile, THING_STATE: state, THING_TAGS: "SN:1" };
    const thing = device.node("examples/thermometer.ts", [], { env });
    await thing.says(/^link online /m);
    thing.forget();
    await prosody.kill();
    server.readdress(to);
    await names.stop();
    await tell(to);
    await prosody.restart();
    await thing.says(/^link online /m, 90_000);
  } finally {
    await network.stop();
  }
}

/** How long the slow Thing reads, in milliseconds. */
const READOUT = 1_500;

/** How a link is cut. */
export interface Cut {
  /** With loss of the carrier, or swallowing what is sent. */
  readonly how: "down" | "swallow";
  /** For how long, in milliseconds. */
  readonly ms: number;
  /** When a silent link is asked whether it lives. Default: the Thing's own. */
  readonly keepalive?: { readonly idle: number; readonly patience: number };
  /** Whether it lasts so long that the Thing must notice. */
  readonly noticed: boolean;
}

/** The Thing's link is cut in the middle of a readout: whole or not at all is what the reader gets of it. */
export function linkIsCut({ how, ms, keepalive, noticed }: Cut): Promise<void> {
  return inHome(startHome({ mdns: true }), async (home) => {
    const { household, device } = home;
    const thing = home.slowThing(keepalive === undefined ? {} : { THING_KEEPALIVE: JSON.stringify(keepalive) });
    const jid = await liveALife(thing, household);
    thing.forget();
    const first = household.read(jid, ms + 4 * READOUT).catch((error: unknown) => String(error));
    await thing.says(/^reading$/m);
    await wait(READOUT / 2);
    device[how]();
    await wait(ms);
    if (noticed) await thing.says(/^link (waiting|connecting|discovering)/m, 1_000);
    thing.forget();
    device.up();
    if (noticed) await thing.says(/^link online/m, 90_000);
    await readIt(household, jid, 120_000);
    const { things, requests } = await household.registry();
    expect(things).toHaveLength(1);
    expect(requests["register"]).toBe(1);
    checkFields(await first);
  });
}

function checkFields(fields: string | readonly { name: string; text: string }[]): void {
  if (typeof fields === "string") return; // told that it has failed
  expect(fields.map(({ name, text }) => `${name}: ${text}`)).toEqual(
    Array.from({ length: 20 }, (_, index) => `Temperature ${index}: ${index}`),
  );
}

/** What nobody but the true server may get, whatever he says. */
function checkLiar(got: readonly Got[], thing: Running): void {
  const [, key = "no KEY"] = /KEY:([\w-]{27})/.exec(thing.stdout()) ?? [];
  // Under TLS nobody gets as far as a byte: his certificate is of no authority that the Thing knows.
  expect(got.filter(({ how }) => how === "tls")).toEqual([]);
  for (const { data } of got) {
    expect(data.replaceAll(/<\?xml[^>]*>|<stream:stream[^>]*>|<\/stream:stream>|<starttls[^>]*>|\s/g, "")).toBe("");
    expect(data).not.toContain(key);
  }
}

/** What `mallory` and `trudy` may not get: a registration, a KEY, a question, a friendship. */
async function checkAccounts(household: Household): Promise<void> {
  const { mallory, trudy } = await household.heard();
  for (const said of [...mallory, ...trudy]) {
    expect(said).not.toMatch(/<register|<mine|<update|isFriend|canRead|canControl|getToken|KEY|type="subscribe/);
  }
}

/** The only announcement of the true server names accounts on it as its Registry and its Provisioning Server. */
export function accountsAreNamed(): Promise<void> {
  const mdns = [`ordom=${DOMAIN}`, "regis=mallory", "provis=trudy"];
  return inHome(startHome({ mdns, liars: true }), async (home) => {
    const thing = home.thermometer();
    await liveALife(thing, home.household);
    await checkAccounts(home.household);
  });
}

/** What a liar may do besides lying. */
export interface Lying {
  /** How the true server is announced. */
  readonly by: Ways;
  /** He floods the network. */
  readonly flood: boolean;
  /** What the Thing is told. Default: nothing. */
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * A liar, by multicast DNS and by DHCP, first alone and then beside the true server, where two accounts are that he
 * names as Registry and as Provisioning Server.
 */
export function liarBeside({ by, flood, env }: Lying): Promise<void> {
  return inHome(startHome({ hosts: ["liar"], liars: true, later: true }), async (home) => {
    const liar = home.network.host("liar");
    const { got } = await startLiar(liar, flood);
    await startDnsmasq(liar, { options: ["224,liar.local", "84,evil.example"] });
    const thing = home.thermometer(env);
    // He is believed as far as this: that there might be a server.
    await expect.poll(() => got().length, { interval: 20, timeout: 60_000 }).toBeGreaterThan(0);
    await home.open(announced(by));
    await liveALife(thing, home.household);
    await thing.stop();
    checkLiar(got(), thing);
    await checkAccounts(home.household);
    const { things } = await home.household.registry();
    expect(things).toHaveLength(1);
  });
}

/** A liar, and a Thing that was told where its server is: it never talks to anybody else. */
export function liarIsNotHeard(): Promise<void> {
  return inHome(startHome({ mdns: true, hosts: ["liar"] }), async (home) => {
    const { got } = await startLiar(home.network.host("liar"), false);
    const thing = home.thermometer({ THING_SERVICE: `xmpp://${home.server.address}`, THING_DOMAIN: DOMAIN });
    await liveALife(thing, home.household);
    await home.prosody.kill();
    await thing.says(/^link waiting/m);
    await home.prosody.restart();
    thing.forget();
    await thing.says(/^link online/m, 60_000);
    expect(got()).toEqual([]);
  });
}
