import { systemClock } from "../../src/core/clock.ts";
import { ConnectionError } from "../../src/core/errors.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { randomToken, systemRandom } from "../../src/core/random.ts";
import { StanzaChannel } from "../../src/channel/stanza-channel.ts";
import { presence } from "../../src/codec/stanza.ts";
import { parseXml, type XmlElement } from "../../src/codec/xml.ts";
import type { Connection } from "../../src/connection/connect.ts";
import { Friends } from "../../src/connection/friends.ts";
import { answerPings } from "../../src/connection/ping.ts";
import { streamEnd, type StreamEnd } from "../../src/connection/stream-end.ts";
import { AccountSession } from "../../src/sandbox/account-session.ts";
import { XmppDomain, type Session } from "../../src/sandbox/server/domain.ts";
import type { StanzaService } from "../../src/sandbox/stanza-service.ts";
import { Thing } from "../../src/thing/thing.ts";
import { linkSeam, type MakeLink } from "../../src/thing/link.ts";
import type { ThingOptions } from "../../src/thing/options.ts";
import { Holdable } from "./holdable.ts";
import { noteSent } from "./said.ts";
import { bystander, makeServices, thingOptions, type Site, type SiteOptions } from "./site.ts";

const nowhere = { service: "xmpp://127.0.0.1:1", domain: "localhost" };
const parts = { clock: systemClock, random: systemRandom, logger: silentLogger };

/** Binds a channel to the domain. Stanzas arrive one turn later, in order, as they would from a network. */
function attach(
  domain: XmppDomain,
  channel: StanzaChannel,
  username: string,
  resource: string,
  onOnline: () => void,
  onClosed: () => void,
): Session {
  const ended = (): void => {
    channel.detach(new ConnectionError("cut"));
    onClosed();
  };
  let open = true;
  const session = domain.bind(
    username,
    resource,
    (stanzas) => setImmediate(() => open && stanzas.forEach((stanza) => channel.receive(stanza))),
    () => {
      open = false;
      ended();
    },
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
  onOnline();
  return session;
}

/** Runs a service as an account of the domain. Returns how to cut its link, which comes back one turn later. */
function hostAccount(domain: XmppDomain, service: StanzaService): { cut: () => void; end: () => void } {
  const username = service.jid.slice(0, service.jid.indexOf("@"));
  domain.register(username, "secret");
  let current: { session: Session; account: AccountSession } | undefined;
  let ended = false;
  const bind = (): void => {
    if (ended) return;
    const session = domain.bind(
      username,
      "service",
      (stanzas) => setImmediate(() => stanzas.forEach((stanza) => account.receive(stanza))),
      () => {
        account.end();
        setImmediate(bind);
      },
    );
    const account = new AccountSession({
      ...{ service, jid: session.jid, random: systemRandom, logger: silentLogger },
      write: (stanzas) => {
        noteSent(stanzas);
        stanzas.forEach((stanza) => session.receive(stanza));
      },
      onReady: () => undefined,
      onFailed: () => undefined,
    });
    current = { session, account };
    account.begin();
  };
  service.onOutput((stanzas) => current?.account.send(stanzas));
  bind();
  return {
    cut: () => domain.drop(service.jid),
    end: () => {
      ended = true;
      current?.session.end();
    },
  };
}

/** The scenario's site without a socket: channels bound straight to the domain; with more components, if there are any. */
export function startMemorySite(
  options: SiteOptions & { readonly services?: readonly StanzaService[] } = {},
): Promise<Site> {
  const domain = new XmppDomain({ domain: "localhost", ...parts });
  const there = options.elsewhere === true ? new XmppDomain({ domain: "elsewhere.localhost", ...parts }) : domain;
  if (there !== domain) domain.federate(there);
  const { registry, provisioning } = makeServices(options, domain.domain, there.domain);
  const hold = new Holdable(provisioning);
  const speaking = { registry: new Holdable(registry), provisioning: hold, other: bystander(domain.domain) };
  const accounts: { cut: () => void; end: () => void }[] = [];
  for (const service of Object.values(speaking)) {
    const where = service === hold ? there : domain;
    if (service.jid.includes("@")) accounts.push(hostAccount(where, service));
    else where.attach(service);
  }
  for (const service of options.services ?? []) domain.attach(service);
  const sent: XmlElement[] = [];
  domain.onStanza((direction, _from, _to, stanza) => direction === "in" && sent.push(stanza));

  const devices: StanzaChannel[] = [];
  const link: MakeLink = ({ channel, account, onState }) => {
    devices.push(channel);
    let session: Session | undefined;
    let begun: Promise<void> | undefined;
    answerPings(channel);
    const begin = async (): Promise<void> => {
      const { username, password, resource, pending } = await account.load("localhost");
      if (pending && !domain.hasAccount(username)) domain.register(username, password);
      if (pending) await account.made("localhost");
      const online = (): void => onState({ is: "online", jid: `${username}@localhost/${resource}` });
      session = attach(domain, channel, username, resource, online, () => undefined);
    };
    return {
      start: () => void (begun = begin()),
      stop: async () => {
        await begun;
        session?.end();
      },
    };
  };

  const user = async (name: string): Promise<Connection> => {
    if (!domain.hasAccount(name)) domain.register(name, "secret");
    const channel = new StanzaChannel(parts);
    const friends = new Friends(channel);
    answerPings(channel);
    let tellEnd: (end: StreamEnd) => void = () => undefined;
    const ended = new Promise<StreamEnd>((resolve) => (tellEnd = resolve));
    const session = attach(
      domain,
      channel,
      name,
      randomToken(systemRandom, 9),
      () => undefined,
      () => tellEnd(streamEnd(new ConnectionError("cut"))),
    );
    await friends.load();
    await channel.send(presence());
    const close = (): Promise<void> => {
      session.end();
      channel.detach(new ConnectionError("closed"));
      return Promise.resolve();
    };
    return { channel, friends, jid: session.jid, ended, close, [Symbol.asyncDispose]: close };
  };

  return Promise.resolve({
    name: "memory",
    domain: "localhost",
    registry,
    provisioning,
    hold,
    speaking,
    forge: (stanza) => devices.at(-1)?.receive(parseXml(stanza.toString())),
    sent,
    thing: (storage, overrides) =>
      new Thing({ ...thingOptions(storage, nowhere, overrides), [linkSeam]: link } as ThingOptions),
    user,
    cut: (thing) => {
      domain.drop(thing.jid);
      return Promise.resolve();
    },
    cutServices: () => accounts.forEach((account) => account.cut()),
    stop: () => {
      registry.stop();
      provisioning.stop();
      for (const account of accounts) account.end();
      return Promise.resolve();
    },
  });
}
