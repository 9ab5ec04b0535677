// What the server answers itself, for the domain and in the name of an account (RFC 6121 section 8.5.2.1.3).
import { ns } from "../../codec/namespaces.ts";
import { el, nonEmpty, type XmlElement } from "../../codec/xml.ts";
import type { Jid } from "../../core/jid.ts";
import { sessionOf, type Hub } from "./hub.ts";
import { registeredAccount } from "./registration.ts";
import { getRoster, setRoster } from "./roster-iq.ts";
import type { Account, BoundSession } from "./session.ts";
import { StanzaFault } from "./stanza-fault.ts";
import type { Subscriptions } from "./subscriptions.ts";

/** RFC 3921 section 3: an empty step that older clients take after binding. */
const SESSION = "urn:ietf:params:xml:ns:xmpp-session";

const features = [ns.discoInfo, ns.discoItems, ns.ping, ns.register, ns.roster, "msgoffline"];

/** A request, as the answers below need it. */
interface Request {
  readonly type: "get" | "set";
  readonly payload: XmlElement;
  readonly from: Jid;
  /** What was asked: the domain, the asker's own account, or somebody else's. */
  readonly scope: "domain" | "own" | "other";
  /** Whose account was asked. */
  readonly account: Account | undefined;
}

/** An answer, and what is done once it lies ready. */
export interface IqAnswer {
  /** The child of the result; none for an empty result. */
  readonly payload?: XmlElement | undefined;
  /** What must not come before the answer. */
  readonly afterwards?: () => void;
}

/** Answers IQ requests for addresses without a resource. */
export class ServerIq {
  readonly #hub: Hub;
  readonly #subscriptions: Subscriptions;

  constructor(hub: Hub, subscriptions: Subscriptions) {
    this.#hub = hub;
    this.#subscriptions = subscriptions;
  }

  /** Answers a request, or throws the {@link StanzaFault} it is refused with. */
  answer(payload: XmlElement, type: "get" | "set", from: Jid, to: Jid): IqAnswer {
    const account = to.local === "" ? undefined : this.#hub.accounts.at(to);
    if (to.local !== "" && account === undefined) throw new StanzaFault("service-unavailable"); // RFC 6121 8.5.1
    const scope = to.local === "" ? "domain" : to.bare === from.bare ? "own" : "other";
    const request: Request = { type, payload, from, scope, account };
    if (payload.is("query", ns.roster)) return this.#roster(request);
    if (payload.is("query", ns.register)) return this.#register(request);
    const known = this.#get(request);
    if (known === undefined) throw new StanzaFault("service-unavailable");
    return known;
  }

  /** What changes nothing. */
  #get(request: Request): IqAnswer | undefined {
    const { type, payload, scope } = request;
    if (payload.is("session", SESSION) && type === "set" && scope !== "other") return {};
    if (type !== "get" || !this.#maySee(request)) return undefined;
    if (payload.is("ping", ns.ping)) return {};
    if (payload.is("query", ns.discoInfo)) return { payload: this.#info(request) };
    if (payload.is("query", ns.discoItems)) return { payload: this.#items(request) };
    return undefined;
  }

  /** XEP-0030 section 8: what an account has and that it exists is for its owner and subscribers. */
  #maySee({ scope, account, from }: Request): boolean {
    return scope !== "other" || account?.roster.stateOf(from.bare).from === true;
  }

  #info({ payload, scope }: Request): XmlElement {
    refuseNode(payload);
    const identity =
      scope === "domain"
        ? { category: "server", type: "im", name: "xmpp-thing sandbox" }
        : { category: "account", type: "registered" };
    const vars = scope === "domain" ? features : [ns.discoInfo, ns.discoItems];
    const children = [el("identity", identity), ...vars.map((name) => el("feature", { var: name }))];
    return el("query", { xmlns: ns.discoInfo }, ...children);
  }

  #items({ payload, scope }: Request): XmlElement {
    refuseNode(payload);
    const services = scope === "domain" ? this.#hub.services() : [];
    const items = services.map(({ jid, name }) => el("item", { jid, name: name === "" ? undefined : name }));
    return el("query", { xmlns: ns.discoItems }, ...items);
  }

  #roster({ type, payload, from, scope }: Request): IqAnswer {
    const session = scope === "own" ? sessionOf(this.#hub, from) : undefined;
    // RFC 6121 section 2.3.3: nobody touches another's roster
    if (session === undefined) throw new StanzaFault(scope === "other" ? "forbidden" : "service-unavailable");
    if (type === "get") return { payload: getRoster(session) };
    setRoster(session, payload, this.#subscriptions);
    return {};
  }

  #register({ type, payload, from, scope }: Request): IqAnswer {
    const session = scope === "other" ? undefined : sessionOf(this.#hub, from);
    if (session === undefined) throw new StanzaFault(scope === "other" ? "forbidden" : "service-unavailable");
    const { account } = session;
    const answer = registeredAccount(type, payload, account, this.#hub.accounts);
    return {
      payload: answer.payload,
      afterwards: () => {
        if (answer.remove) this.#hub.removeAccount(account);
        else if (type === "set") this.#endOthers(session);
      },
    };
  }

  /** Whoever logged in with the old password does it again. */
  #endOthers(session: BoundSession): void {
    for (const other of [...session.account.sessions.values()]) {
      if (other !== session) this.#hub.endStream(other, "reset");
    }
  }
}

/** There are no nodes here. */
function refuseNode(query: XmlElement): void {
  if (nonEmpty(query, "node") !== undefined) throw new StanzaFault("item-not-found");
}
