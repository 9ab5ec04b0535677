// XEP-0324 Internet of Things - Provisioning 0.5.1, section 3.5: `clearCache` until it is acknowledged.
import type { Clock, Timer } from "../core/clock.ts";
import type { BareJid, Jid } from "../core/jid.ts";
import type { Logger } from "../core/logger.ts";
import { randomToken, type RandomSource } from "../core/random.ts";
import { Refusal } from "../core/refusal.ts";
import { buildClearCache } from "../codec/provisioning.ts";
import { iq } from "../codec/stanza.ts";
import { ns } from "../codec/namespaces.ts";
import type { XmlElement } from "../codec/xml.ts";
import type { QuestionKind } from "./provisioning-server-options.ts";
import type { ServiceReply } from "./service-frame.ts";

/** What {@link CacheInvalidation} is made of. */
export interface CacheInvalidationOptions {
  /** The server's address. */
  readonly from: string;
  /** Randomness for ids. */
  readonly random: RandomSource;
  /** Time for repeating. */
  readonly clock: Clock;
  /** Where oddities are told. */
  readonly logger: Logger;
  /** The wait before repeating, in milliseconds. */
  readonly retry: number;
  /** Carries away what is sent without anything coming in. */
  readonly output: (stanzas: readonly XmlElement[]) => void;
  /** Only presence tells where a Thing is: the server is an account, whose friends say when they come and go (P-E8). */
  readonly byPresence: boolean;
  /**
   * What is to be kept of somebody who asks is this now.
   *
   * @param lazily nothing that is said depends on it
   */
  readonly keep: (jid: BareJid, is: KeptDevice, lazily: boolean) => void;
}

/** Somebody who asks, as kept: plain data, fit for JSON. */
export interface KeptDevice {
  /** Where it asked from last, where that is an address that may last. */
  readonly address?: string;
  /** It has yet to acknowledge a change. */
  readonly due: boolean;
  /** It has asked about friends. */
  readonly consulted: boolean;
  /** What services that have asked from there are called. */
  readonly services: readonly string[];
}

/** Tells whether somebody who asked is concerned by a change, by the services that asked from there. */
export type IsConcerned = (jid: BareJid, services: ReadonlySet<string>) => boolean;

// Several from one address are rare; a certificate of one's own costs nothing.
const MOST_SERVICES = 32;

/** An address at which a Thing can be told. */
interface Address {
  readonly full: string;
  /** It sent presence: it will say when it goes, and come again by presence. Others may be replaced unseen. */
  present: boolean;
  /** The id of the `clearCache` last sent there; the same when it is repeated. */
  id: string | undefined;
  /** It answered that it will not. Nothing is repeated to it. */
  refused: boolean;
}

interface Device {
  readonly addresses: Map<string, Address>;
  /** It keeps answers: it has asked something, ever. */
  asked: boolean;
  /** It has asked about friends, ever (P-3.2.3-2). */
  consulted: boolean;
  /** What services that have asked from there are called. */
  readonly services: Set<string>;
  /** The rules changed, and it has not acknowledged since. */
  due: boolean;
  /** The moment of the last change that it is to forget by. */
  changedAt: number;
  /** It has forgotten what it was told before this moment. */
  forgotAt: number;
  /** The full JID that it asked from last, of those that may last. */
  last: string | undefined;
  timer: Timer | undefined;
}

// Each is kept, and anybody can ask: at 200 bytes these are twenty megabytes.
const MOST_DEVICES = 100_000;
// A session each, as at the Registry; who makes more of them is told at the newest. One of them that forgets is enough.
const MOST_ADDRESSES = 16;

/**
 * Keeps track of the Things that may have answers in their caches, of where they are, and of who has yet to
 * acknowledge a change (P-3.5.1-1, -2, -4; P-5.2-5, -6).
 */
export class CacheInvalidation {
  readonly #options: CacheInvalidationOptions;
  readonly #devices = new Map<BareJid, Device>();
  /** Those of them that have sent presence, and not asked anything yet; the oldest first. */
  readonly #strangers = new Set<BareJid>();
  /** Counts changes. */
  #moment = 0;

  constructor(options: CacheInvalidationOptions) {
    this.#options = options;
  }

  /** The Things that have yet to acknowledge that the rules changed. */
  get due(): readonly BareJid[] {
    return [...this.#devices].filter(([, device]) => device.due).map(([jid]) => jid);
  }

  /** Counts on with each change that somebody is to forget by. */
  get moment(): number {
    return this.#moment;
  }

  /** Tells whether somebody has acknowledged a change that came after that moment. */
  hasForgotten(jid: BareJid, moment: number): boolean {
    return (this.#devices.get(jid)?.forgotAt ?? 0) > moment;
  }

  /** Takes up again who was kept. Who has yet to acknowledge is told where it asked from last, or when it comes. */
  restore(jid: BareJid, { address, due, consulted, services }: KeptDevice): void {
    const device = this.#device(jid);
    Object.assign(device, { asked: true, consulted, due, last: address });
    if (due) device.changedAt = ++this.#moment;
    for (const service of services) device.services.add(service);
    this.#strangers.delete(jid);
    if (address !== undefined && !this.#options.byPresence) this.#address(device, address);
    this.#schedule(device);
  }

  /** Tells whether a Thing has asked about friends before (P-3.2.3-2). */
  hasConsulted(thing: BareJid): boolean {
    return this.#devices.get(thing)?.consulted ?? false;
  }

  /** A Thing asked a question whose answer it may keep. Throws the `Refusal` that goes back where too many have asked. */
  asked(from: Jid, kind?: QuestionKind): void {
    const known = this.#devices.get(from.bare);
    if (known?.asked !== true && this.#devices.size - this.#strangers.size >= MOST_DEVICES)
      throw new Refusal("resource-constraint", "Too many Things have asked.");
    const device = this.#device(from.bare);
    const isNews = !device.asked || (kind === "isFriend" && !device.consulted);
    this.#strangers.delete(from.bare);
    device.asked = true;
    if (kind === "isFriend") device.consulted = true;
    const lasts = !this.#options.byPresence && isAddress(from);
    if (lasts) this.#address(device, from.full);
    const hasMoved = lasts && device.last !== from.full;
    if (lasts) device.last = from.full;
    if (isNews || hasMoved) this.#keep(from.bare, device, !isNews);
  }

  /** A service that is called so asks from there. */
  serves(jid: BareJid, service: readonly string[]): void {
    const device = this.#device(jid);
    const { size } = device.services;
    for (const name of service) if (device.services.size < MOST_SERVICES) device.services.add(name);
    if (device.asked && device.services.size > size) this.#keep(jid, device);
  }

  /** Something changed: every Thing and service that ever asked, and is concerned, must forget. */
  changed(isConcerned: IsConcerned): void {
    const stanzas: XmlElement[] = [];
    for (const [jid, device] of this.#devices) {
      if (!device.asked || !isConcerned(jid, device.services)) continue;
      this.#isDue(jid, device);
      stanzas.push(...this.#send(device, [...device.addresses.values()]));
    }
    if (stanzas.length > 0) this.#options.output(stanzas);
  }

  /**
   * An answer is not to be kept for long: what was asked for has the time of one repetition to be done. A Thing looks
   * again at what it is doing when it must forget (P-3.5.1-1), and would stop it.
   */
  forget(from: Jid): void {
    const device = this.#devices.get(from.bare);
    if (device === undefined) return;
    this.#isDue(from.bare, device);
    this.#schedule(device);
  }

  /** Presence came or went. Gives what is due to the one who came. */
  presence(from: Jid, available: boolean): readonly XmlElement[] {
    if (!available) {
      this.#gone(from);
      return [];
    }
    if (!isAddress(from)) return [];
    const device = this.#device(from.bare);
    // A new stream, as far as can be known: what went to the old one may be lost.
    const address = Object.assign(this.#address(device, from.full), { present: true, refused: false });
    return device.due ? this.#send(device, [address]) : [];
  }

  /** A request came, of whatever kind. Gives what must go out before its answer. */
  request(from: Jid): readonly XmlElement[] {
    const device = this.#devices.get(from.bare);
    if (!device?.due || !isAddress(from)) return [];
    const { byPresence } = this.#options;
    const address = byPresence ? device.addresses.get(from.full) : this.#address(device, from.full);
    if (address === undefined || address.refused) return [];
    // Where there was no presence, the same address may be a new stream by now.
    return address.present && address.id !== undefined ? [] : this.#send(device, [address]);
  }

  /** An answer came. */
  reply({ from, id, payload, error }: ServiceReply): void {
    const device = this.#devices.get(from.bare);
    const address = device?.addresses.get(from.full);
    if (device === undefined || address === undefined || !device.due || address.id !== id) return;
    if (error === undefined) {
      if (payload === undefined || payload.is("clearCacheResponse", ns.provisioning))
        this.#acknowledged(from.bare, device);
      return;
    }
    this.#options.logger.warn("a Thing did not clear its cache", { thing: from.full, why: error.condition });
    // It tried and failed, or is busy: it is asked again. Anything else is its last word on this stream.
    if (error.type === "wait" || error.condition === "internal-server-error") return;
    // The server's words for an address that nobody is at.
    if (["service-unavailable", "recipient-unavailable"].includes(error.condition)) this.#gone(from);
    else address.refused = true;
    this.#schedule(device);
  }

  /** The server's own stream has begun anew or ended: what it knew of presence is void. */
  forgetPresence(): void {
    for (const [jid, device] of this.#devices) {
      device.addresses.clear();
      this.#schedule(device);
      if (!device.asked) this.#forgetStranger(jid);
    }
  }

  /** Stops repeating. */
  stop(): void {
    for (const device of this.#devices.values()) device.timer?.cancel();
  }

  #isDue(jid: BareJid, device: Device): void {
    device.changedAt = ++this.#moment;
    if (!device.due) {
      device.due = true;
      this.#keep(jid, device);
    }
    // A new id: only what is sent from now on counts as acknowledged.
    for (const address of device.addresses.values()) Object.assign(address, { id: undefined, refused: false });
  }

  #device(jid: BareJid): Device {
    const known = this.#devices.get(jid);
    if (known !== undefined) return known;
    const device: Device = {
      ...{ asked: false, consulted: false, due: false, changedAt: 0, forgotAt: 0, last: undefined, timer: undefined },
      addresses: new Map(),
      services: new Set(),
    };
    const [oldest] = this.#strangers;
    if (oldest !== undefined && this.#strangers.size >= MOST_DEVICES) this.#forgetStranger(oldest);
    this.#devices.set(jid, device);
    this.#strangers.add(jid);
    return device;
  }

  /** Somebody who never asked anything is nobody to remember. */
  #forgetStranger(jid: BareJid): void {
    this.#devices.delete(jid);
    this.#strangers.delete(jid);
  }

  #keep(jid: BareJid, { last, due, consulted, services }: Device, lazily = false): void {
    const address = last === undefined ? {} : { address: last };
    this.#options.keep(jid, { ...address, due, consulted, services: [...services] }, lazily);
  }

  #address(device: Device, full: string): Address {
    const address = device.addresses.get(full) ?? { full, present: false, id: undefined, refused: false };
    device.addresses.delete(full);
    device.addresses.set(full, address); // the newest last
    const [oldest = ""] = device.addresses.keys();
    if (device.addresses.size > MOST_ADDRESSES) device.addresses.delete(oldest);
    return address;
  }

  #send(device: Device, addresses: readonly Address[]): readonly XmlElement[] {
    const { from, random } = this.#options;
    const stanzas = addresses.map((address) => {
      address.id ??= randomToken(random);
      return iq({ type: "set", id: address.id, from, to: address.full }, buildClearCache());
    });
    this.#schedule(device);
    return stanzas;
  }

  /** The next repetition, from now; none if there is nobody to repeat to. */
  #schedule(device: Device): void {
    device.timer?.cancel();
    device.timer = undefined;
    if (!device.due || this.#willing(device).length === 0) return;
    device.timer = this.#options.clock.schedule(this.#options.retry, () =>
      this.#options.output(this.#send(device, this.#willing(device))),
    );
  }

  #willing(device: Device): readonly Address[] {
    return [...device.addresses.values()].filter((address) => !address.refused);
  }

  #acknowledged(jid: BareJid, device: Device): void {
    device.due = false;
    device.forgotAt = device.changedAt;
    this.#keep(jid, device, true); // lost, it costs a clearCache more
    for (const address of device.addresses.values()) address.id = undefined;
    this.#schedule(device);
  }

  /** A bare JID goes with all its resources. */
  #gone(jid: Jid): void {
    const device = this.#devices.get(jid.bare);
    if (device === undefined) return;
    if (jid.resource === "") device.addresses.clear();
    device.addresses.delete(jid.full);
    this.#schedule(device);
    if (!device.asked && device.addresses.size === 0) this.#forgetStranger(jid.bare);
  }
}

/** To a bare account JID the server answers itself (P-E8). A component's address has no resource. */
function isAddress(jid: Jid): boolean {
  return jid.resource !== "" || jid.local === "";
}
