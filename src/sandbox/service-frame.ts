// What both reference services have in common: taking stanzas apart (RFC 6120 section 8), XEP-0030, XEP-0199.
import { ConfigError, ProtocolError, type StanzaError } from "../core/errors.ts";
import { configJid, tryParseJid, type Jid } from "../core/jid.ts";
import { Refusal } from "../core/refusal.ts";
import { buildInfo, type DiscoInfo } from "../codec/disco.ts";
import { ns } from "../codec/namespaces.ts";
import { buildError, iq, iqType, stanzaErrorOf } from "../codec/stanza.ts";
import { isXmlText, nonEmpty, optional, type XmlElement } from "../codec/xml.ts";
import type { ServiceFriends } from "./service-friends.ts";

/** An IQ request to a service. */
export interface ServiceRequest {
  /** Who asks, normalised. */
  readonly from: Jid;
  /** The one child element. */
  readonly payload: XmlElement;
}

/** What a service does with an IQ request. */
export interface ServiceAnswer {
  /** The child of the result; none for an empty result. */
  readonly payload?: XmlElement;
  /** What goes out behind the result. */
  readonly after?: readonly XmlElement[];
}

/** An answer that is not there yet. Others are answered meanwhile. */
export interface LaterAnswer {
  /**
   * Called once, with what takes the answer when it is there: a function that makes it, which may throw as a request's
   * handler does. It may be called at once, and need never be: who asked may be gone.
   */
  later(answer: (make: () => ServiceAnswer) => void): void;
}

/** An answer to an IQ that the service sent. */
export interface ServiceReply {
  /** Who answers, normalised. */
  readonly from: Jid;
  /** The id of the request. */
  readonly id: string;
  /** The child of the result. */
  readonly payload: XmlElement | undefined;
  /** The error, if it is one. */
  readonly error: StanzaError | undefined;
}

/** What a service does with what comes in. Its methods may throw `Refusal` and `ERR_PROTOCOL` where they answer. */
export interface ServiceHandlers {
  /** Its address. */
  readonly address: Jid;
  /** What it says of itself. */
  readonly info: DiscoInfo;
  /** Its friends, if it is an account. */
  readonly friends: ServiceFriends | undefined;
  /** Somebody asks something, whatever it is. What this gives goes out before the answer. */
  seen(from: Jid): readonly XmlElement[];
  /** Counts a request that has a name here. */
  count(name: string): void;
  /** Answers a request, now or later; `undefined` if there is nothing of that name here. */
  request(request: ServiceRequest): ServiceAnswer | LaterAnswer | undefined;
  /** Carries away what answers a request later. */
  output?(stanzas: readonly XmlElement[]): void;
  /** Takes a message, which nobody is answered; left out where messages mean nothing. */
  message?(from: Jid, payload: XmlElement): void;
  /** Takes an answer. */
  reply(reply: ServiceReply): void;
  /** Somebody came or went. */
  presence(from: Jid, available: boolean): readonly XmlElement[];
}

/** The address of a service: a domain for a component, a bare JID for an account. Throws `ERR_CONFIG` otherwise. */
export function serviceAddress(jid: string): Jid {
  const address = configJid(jid, "jid");
  if (address.resource !== "") throw new ConfigError(`jid: "${jid}" has a resource`);
  return address;
}

/** What a service says of itself. Things go by the feature (XEP-0324 4, XEP-0347 4), people by the rest. */
export function serviceInfo(address: Jid, name: string, feature: string): DiscoInfo {
  const kind = address.local === "" ? { category: "component", type: "generic" } : { category: "client", type: "bot" };
  return { identities: [{ ...kind, name }], features: [ns.discoInfo, feature, ns.ping] };
}

/** Takes a stanza apart and gives what is to be sent at once. Never throws for what the stanza holds. */
export function serve(stanza: XmlElement, handlers: ServiceHandlers): readonly XmlElement[] {
  const from = tryParseJid(optional(stanza, "from") ?? "");
  if (from === undefined) return []; // nobody to answer
  if (stanza.is("iq")) return serveIq(stanza, from, handlers);
  if (stanza.is("presence") && isForService(stanza, handlers)) return servePresence(stanza, from, handlers);
  if (stanza.is("message") && isForService(stanza, handlers)) serveMessage(stanza, from, handlers);
  return [];
}

/** Errors come back of what the service has sent by itself: nothing to take. */
function serveMessage(stanza: XmlElement, from: Jid, handlers: ServiceHandlers): void {
  if (optional(stanza, "type") === "error") return;
  for (const payload of stanza.getChildElements()) handlers.message?.(from, payload);
}

/**
 * The whole domain of a component is delivered to it; only the service's own address is somebody. An account is
 * reached at its full JID and its bare one.
 */
function isForService(stanza: XmlElement, { address }: ServiceHandlers): boolean {
  const to = optional(stanza, "to");
  if (to === undefined) return true;
  const jid = tryParseJid(to);
  return address.local === "" ? jid?.full === address.full : jid?.bare === address.bare;
}

function servePresence(stanza: XmlElement, from: Jid, handlers: ServiceHandlers): readonly XmlElement[] {
  const { friends, address } = handlers;
  const type = optional(stanza, "type");
  if (address.local !== "" && from.bare === address.bare) return []; // an account sees its own presence
  switch (type) {
    case undefined:
      return handlers.presence(from, true);
    case "error": // for presence that could not be delivered: that address is gone
      friends?.failed(from, stanzaErrorOf(stanza, from.full));
      return handlers.presence(from, false);
    case "unavailable":
      return handlers.presence(from, false);
    case "unsubscribed": // the Thing lets itself be seen no more: its address is forgotten
      friends?.take(type, from);
      return friends === undefined ? [] : handlers.presence(tryParseJid(from.bare) ?? from, false);
    case "subscribe":
    case "subscribed":
    case "unsubscribe":
      // A component needs no friendship (XEP-0347 5.1, XEP-0324 5.1).
      return friends?.take(type, from) ?? [];
    default:
      return [];
  }
}

function serveIq(stanza: XmlElement, from: Jid, handlers: ServiceHandlers): readonly XmlElement[] {
  const type = optional(stanza, "type");
  const id = optional(stanza, "id") ?? "";
  if (type === "result" || type === "error") {
    if (!isForService(stanza, handlers)) return [];
    const error = stanzaErrorOf(stanza, from.full);
    handlers.reply({ from, id, payload: stanza.getChildElements()[0], error });
    return [];
  }
  // RFC 6120 section 8.1.2.1: an answer comes from the address that was asked.
  const frame = { id, to: optional(stanza, "from"), from: optional(stanza, "to") ?? handlers.address.full };
  if (!isForService(stanza, handlers)) return [iq({ ...frame, type: "error" }, refusal("service-unavailable"))];
  const before = handlers.seen(from);
  const refuse = (error: unknown): readonly XmlElement[] => [iq({ ...frame, type: "error" }, errorFor(error))];
  const finish = (make: () => ServiceAnswer): readonly XmlElement[] => {
    try {
      const answer = make();
      return [iq({ ...frame, type: "result" }, answer.payload), ...(answer.after ?? [])];
    } catch (error) {
      return refuse(error);
    }
  };
  let now: readonly XmlElement[] | undefined = [];
  try {
    const answer = answerRequest(stanza, from, handlers);
    if (!("later" in answer)) return [...before, ...finish(() => answer)];
    answer.later((make) => {
      // What must go out before an answer may have changed while it was waited for.
      if (now === undefined) handlers.output?.([...handlers.seen(from), ...finish(make)]);
      else now = finish(make);
    });
    return [...before, ...now];
  } catch (error) {
    return [...before, ...refuse(error)];
  } finally {
    now = undefined; // from here on it is later
  }
}

function answerRequest(stanza: XmlElement, from: Jid, handlers: ServiceHandlers): ServiceAnswer | LaterAnswer {
  const type = iqType(stanza); // throws for one that does not exist
  const children = stanza.getChildElements();
  const payload = children[0];
  // RFC 6120 section 8.2.3: a request holds exactly one child.
  if (payload === undefined || children.length > 1) throw new Refusal("bad-request");
  const answer =
    type === "get" && payload.is("query", ns.discoInfo)
      ? answerInfo(payload, handlers)
      : type === "get" && payload.is("ping", ns.ping)
        ? answerPing(handlers)
        : handlers.request({ from, payload });
  if (answer === undefined) throw new Refusal("service-unavailable");
  return answer;
}

function answerInfo(query: XmlElement, handlers: ServiceHandlers): ServiceAnswer {
  handlers.count("query");
  // XEP-0030 section 3.1: a node that does not exist.
  if (nonEmpty(query, "node") !== undefined) throw new Refusal("item-not-found");
  return { payload: buildInfo(handlers.info) };
}

function answerPing(handlers: ServiceHandlers): ServiceAnswer {
  handlers.count("ping");
  return {};
}

function refusal(condition: Refusal["condition"]): XmlElement {
  return buildError(new Refusal(condition));
}

function errorFor(error: unknown): XmlElement {
  if (error instanceof Refusal) return buildError(error);
  if (!(error instanceof ProtocolError)) throw error; // a mistake in the service: its host tells
  // The message names elements as the asker wrote them: what is no XML must not go out again.
  return buildError(new Refusal("bad-request", isXmlText(error.message) ? error.message : ""));
}
