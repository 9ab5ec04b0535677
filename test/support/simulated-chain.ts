// A chain of Things, each of which reads the next one on behalf of whoever has read it, in simulated time: a network whose
// stanzas take their time, whole Things, a caller who holds a token, and a Provisioning Server that challenges.
import { ConnectionError } from "../../src/core/errors.ts";
import { parseJid } from "../../src/core/jid.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { StanzaChannel } from "../../src/channel/stanza-channel.ts";
import { presence } from "../../src/codec/stanza.ts";
import { parseXml, type XmlElement } from "../../src/codec/xml.ts";
import { Friends } from "../../src/connection/friends.ts";
import { FriendWhereabouts } from "../../src/connection/whereabouts.ts";
import { SentTokens } from "../../src/provisioning/sent-tokens.ts";
import { answerTokenChallenges } from "../../src/provisioning/token-challenge.ts";
import { ReferenceRegistry } from "../../src/sandbox/registry.ts";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";
import { XmppDomain, type Session } from "../../src/sandbox/server/domain.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import { Acting } from "../../src/thing/acting.ts";
import { linkSeam, type MakeLink } from "../../src/thing/link.ts";
import type { ThingOptions } from "../../src/thing/options.ts";
import { Thing } from "../../src/thing/thing.ts";
import { ChallengingServer } from "./challenging-server.ts";
import { noteSent } from "./said.ts";

/** The token of the caller. */
export const TOKEN = "4lwHXOtU6CEvBXClNYHfzFXWGcXNRtQMLjADBfyXw3YNbm5qaJ57TSLSVFZ8P4V4";

/** Something that went over the network. */
export interface Seen {
  /** When it was sent, by the simulated clock. */
  readonly at: number;
  readonly from: string;
  readonly to: string;
  readonly stanza: XmlElement;
}

/** How a chain is made. */
export interface ChainOptions {
  /** How many Things there are between the caller and the Provisioning Server. */
  readonly hops: number;
  /** How long a stanza takes from the server to a client, in milliseconds. */
  readonly latency: number;
  /** Whose questions are challenged. Default: everybody's. */
  readonly challenges?: (asker: string) => boolean;
  /** Whoever is named here never hears of a challenge. */
  readonly deaf?: string;
  /** How long the Thing of that name takes before it asks the next one, in milliseconds. */
  readonly slow?: Readonly<Record<string, number>>;
}

const domainName = "localhost";
const server = `provisioning.${domainName}`;

/** A chain: `u1` to `uN`, the caller in front of the first, the Provisioning Server behind each. */
export async function startChain(options: ChainOptions) {
  const { hops, latency, deaf, slow = {} } = options;
  const clock = new SimulatedClock();
  const random = new SeededRandom("chain");
  const parts = { clock, random, logger: silentLogger };
  const domain = new XmppDomain({ domain: domainName, ...parts });
  const provisioning = new ChallengingServer(server, () => ({
    challenge: new Uint8Array([1, 2, 3]),
    response: new Uint8Array([3, 2, 1]),
  }));
  if (options.challenges) provisioning.challenges = options.challenges;
  domain.attach(provisioning);
  const registry = new ReferenceRegistry({ jid: `discovery.${domainName}`, ...parts });
  domain.attach(registry);
  const seen: Seen[] = [];
  domain.onStanza((direction, from, to, stanza) => {
    if (direction === "in") seen.push({ at: clock.monotonic(), from, to, stanza: parseXml(stanza.toString()) });
  });

  const bind = (username: string, resource: string, channel: StanzaChannel): Session => {
    if (!domain.hasAccount(username)) domain.register(username, "secret");
    let open = true;
    const session = domain.bind(
      username,
      resource,
      (stanzas) => {
        const heard = stanzas.filter((stanza) => username !== deaf || stanza.getChild("tokenChallenge") === undefined);
        clock.schedule(latency, () => open && heard.forEach((stanza) => channel.receive(stanza)));
      },
      () => (open = false),
    );
    channel.attach({
      jid: session.jid,
      write: (stanzas) => {
        if (!open) return Promise.reject(new ConnectionError("cut"));
        noteSent(stanzas);
        stanzas.forEach((stanza) => session.receive(stanza));
        return Promise.resolve();
      },
    });
    return session;
  };

  const things: Thing[] = [];
  const faults: string[] = [];
  const name = (hop: number): string => `u${hop}`;
  for (let hop = 1; hop <= hops; hop++) {
    const link: MakeLink = ({ channel, account, onState }) => {
      let session: Session | undefined;
      const begin = async (): Promise<void> => {
        const { username, resource } = await account.load(domainName);
        await account.made(domainName);
        session = bind(username, resource, channel);
        onState({ is: "online", jid: session.jid.full });
      };
      return { start: () => void begin(), stop: () => Promise.resolve(session?.end()) };
    };
    const thing: Thing = new Thing({
      [linkSeam]: link,
      ...parts,
      storage: memoryStorage(),
      server: { service: "xmpp://127.0.0.1:1", domain: domainName },
      account: { username: name(hop), password: "secret" },
      registry: registry.jid,
      provisioning: [server],
      tags: { SN: name(hop) },
      sensor: {
        fields: [{ name: "Temperature", unit: "°C" }],
        read: async ({ request, signal }) => {
          if (hop === hops) return [{ name: "Temperature", value: 21.5 }];
          const wait = slow[name(hop)];
          if (wait !== undefined) await new Promise<void>((resolve) => clock.schedule(wait, resolve));
          const next = things[hop]?.jid ?? "";
          const groups = await thing.read(next, { onBehalfOf: request, signal });
          return groups.flatMap(({ fields }) =>
            fields.flatMap((field) => (field.kind === "numeric" ? [{ name: field.name, value: field.value }] : [])),
          );
        },
      },
    } as ThingOptions);
    thing.on("fault", ({ code, message }) => faults.push(`${name(hop)} ${code}: ${message}`));
    things.push(thing);
    domain.register(name(hop), "secret");
    await thing.start();
  }

  // The caller: a device with a token, and the key behind it.
  const channel = new StanzaChannel(parts);
  const sent = new SentTokens(clock);
  answerTokenChallenges({
    ...{ channel, sent, clock, logger: silentLogger },
    servers: () => [],
    decryptChallenge: (token, challenge) =>
      token === TOKEN ? Promise.resolve(Uint8Array.from(challenge).reverse()) : undefined,
  });
  const session = bind("caller", "app", channel);
  const friends = new Friends(channel);
  const whereabouts = new FriendWhereabouts({ channel, friends, clock });
  const acting = new Acting({ channel, whereabouts, sent, clock, ownTokens: () => [TOKEN] });
  await channel.send(presence());
  for (let tries = 0; tries < 100 && things.some(({ state }) => state.link.is !== "online"); tries++) {
    await clock.advance(latency);
  }
  await clock.advance(10_000);

  /** Reads the first Thing; resolves to the values, or to what went wrong, once there is nothing to come any more. */
  const read = async (): Promise<string> => {
    let outcome = "nothing";
    seen.length = 0;
    void acting.read(things[0]?.jid ?? "", {}).then(
      (groups) =>
        (outcome = groups
          .flatMap(({ fields }) => fields.map((field) => `${field.name} ${"text" in field ? field.text : ""}`))
          .join()),
      (error: unknown) => (outcome = (error as Error).message),
    );
    await clock.advance(40_000);
    return outcome;
  };
  /** What of a kind went over the network since the last readout began, as `from → to`. */
  const went = (child: string): readonly (Seen & { readonly way: string })[] =>
    seen
      .filter(({ stanza }) => stanza.getChild(child) !== undefined)
      .map((one) => ({ ...one, way: `${short(one.from)} → ${short(one.to)}` }));
  const stop = async (): Promise<void> => {
    for (const thing of things) await thing.stop();
    session.end();
    registry.stop();
    provisioning.stop();
  };
  return { clock, things, provisioning, faults, read, went, seen, stop };
}

const short = (jid: string): string => {
  const { local, domain } = parseJid(jid);
  return local === "" ? (domain.split(".")[0] ?? "") : local;
};
