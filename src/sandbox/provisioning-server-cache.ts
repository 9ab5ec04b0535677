// XEP-0324 Internet of Things - Provisioning 0.5.1, section 3.5: `clearCache` until it is acknowledged.
import type { Clock, Timer } from "../core/clock.ts";
import type { BareJid, Jid } from "../core/jid.ts";
import type { Logger } from "../core/logger.ts";
import { randomToken, type RandomSource } from "../core/random.ts";
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
  timer: Timer | undefined;
}

/**
 * Keeps track of the Things that may have answers in their caches, of where they are, and of who has yet to
 * acknowledge a change (P-3.5.1-1, -2, -4; P-5.2-5, -6).
 */
export class CacheInvalidation {
  readonly #options: CacheInvalidationOptions;
  readonly #devices = new Map<BareJid, Device>();

  constructor(options: CacheInvalidationOptions) {
    this.#options = options;
  }

  /** The Things that have yet to acknowledge that the rules changed. */
  get due(): readonly BareJid[] {
    return [...this.#devices].filter(([, device]) => device.due).map(([jid]) => jid);
  }

  /** Tells whether a Thing has asked about friends before (P-3.2.3-2). */
  hasConsulted(thing: BareJid): boolean {
    return this.#devices.get(thing)?.consulted ?? false;
  }

  /** A Thing asked a question whose answer it may keep. */
  asked(from: Jid, kind?: QuestionKind): void {
    const device = this.#device(from.bare);
    device.asked = true;
    if (kind === "isFriend") device.consulted = true;
    if (!this.#options.byPresence && isAddress(from)) this.#address(device, from.full);
  }

  /** A service that is called so asks from there. */
  serves(jid: BareJid, service: readonly string[]): void {
    const { services } = this.#device(jid);
    for (const name of service) if (services.size < MOST_SERVICES) services.add(name);
  }

  /** Something changed: every Thing and service that ever asked, and is concerned, must forget. Left out: all are. */
  changed(isConcerned: IsConcerned = () => true): void {
    const stanzas: XmlElement[] = [];
    for (const [jid, device] of this.#devices) {
      if (!device.asked || !isConcerned(jid, device.services)) continue;
      this.#isDue(device);
      stanzas.push(...this.#send(device, [...device.addresses.values()]));
    }
    if (stanzas.length > 0) this.#options.output(stanzas);
  }

  /** An answer is not to be kept: gives what goes out behind it. */
  forget(from: Jid): readonly XmlElement[] {
    const device = this.#devices.get(from.bare);
    if (device === undefined) return [];
    this.#isDue(device);
    return this.#send(device, [...device.addresses.values()]);
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
      if (payload === undefined || payload.is("clearCacheResponse", ns.provisioning)) this.#acknowledged(device);
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
      if (!device.asked) this.#devices.delete(jid);
    }
  }

  /** Stops repeating. */
  stop(): void {
    for (const device of this.#devices.values()) device.timer?.cancel();
  }

  #isDue(device: Device): void {
    device.due = true;
    // A new id: only what is sent from now on counts as acknowledged.
    for (const address of device.addresses.values()) Object.assign(address, { id: undefined, refused: false });
  }

  #device(jid: BareJid): Device {
    const known = this.#devices.get(jid);
    if (known !== undefined) return known;
    const device: Device = {
      ...{ asked: false, consulted: false, due: false, timer: undefined },
      addresses: new Map(),
      services: new Set(),
    };
    this.#devices.set(jid, device);
    return device;
  }

  #address(device: Device, full: string): Address {
    const known = device.addresses.get(full);
    if (known !== undefined) return known;
    const address: Address = { full, present: false, id: undefined, refused: false };
    device.addresses.set(full, address);
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

  #acknowledged(device: Device): void {
    device.due = false;
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
    // Somebody who never asked anything is nobody to remember.
    if (!device.asked && device.addresses.size === 0) this.#devices.delete(jid.bare);
  }
}

/** To a bare account JID the server answers itself (P-E8). A component's address has no resource. */
function isAddress(jid: Jid): boolean {
  return jid.resource !== "" || jid.local === "";
}
