// The waist of the house: above it nobody sees a socket or the @xmpp parts.
import type { CallLimits, CallOptions } from "../core/abort.ts";
import type { BareJid, Jid } from "../core/jid.ts";
import type { AbortNotice } from "../core/light-abort.ts";
import type { XmlElement } from "../codec/xml.ts";
import type { Router } from "./router.ts";

/** An IQ to be asked. */
export interface IqRequest {
  /** `get` asks, `set` changes. */
  readonly type: "get" | "set";
  /** Whom: a full JID, a component, a server; the own account when left out. */
  readonly to?: string | undefined;
  /** The one child element. */
  readonly payload: XmlElement;
}

/** Asking, answering and telling over whatever stream there is at the moment. */
export interface Channel {
  /** The own full JID while there is a stream: another object for each, also where it is the same address. */
  readonly jid: Jid | undefined;
  /** Fires when the stream that there is now ends; `undefined` without one. Left out where nobody can tell. */
  readonly stream?: AbortNotice | undefined;
  /** Handlers of what comes in. */
  readonly router: Router;
  /**
   * Asks, and resolves to the child of the result (`undefined` if it is empty). Only an answer from the JID asked
   * counts. Rejects with `ERR_STANZA` for an error answer, `ERR_TIMEOUT` without one (default 30,000 ms),
   * `ERR_CONNECTION` when there is no stream or it ends meanwhile, `ERR_PROTOCOL` if `to` is no JID.
   */
  request(iq: IqRequest, options?: CallLimits): Promise<XmlElement | undefined>;
  /** Sends stanzas in one write. Rejects with `ERR_CONNECTION` when there is no stream. */
  send(...stanzas: readonly XmlElement[]): Promise<void>;
}

/** Where services are reached. */
export interface Whereabouts {
  /**
   * The address for IQs to a service: a component's own; for an account (XEP-0324 5.1, XEP-0347 5.1) the full JID of
   * highest priority among its connections that have the feature (P-E8, P-E27). An account that does not let its presence
   * be seen yet is asked for friendship, unless `befriend` is false. Rejects with `ERR_DISCOVERY` when the account is there and none of its
   * connections has the feature, with `ERR_TIMEOUT` while it is not there (default 30,000 ms), with `ERR_CONNECTION`
   * without a stream.
   */
  addressOf(jid: BareJid, feature: string, options?: CallOptions & { readonly befriend?: boolean }): Promise<string>;
}

/** One stream, as a {@link Channel} needs it. What `connection/` makes and tests fake. */
export interface Wire {
  /** The full JID that the server bound. */
  readonly jid: Jid;
  /** How many bytes the network has not taken yet. Left out where nobody counts. */
  readonly backlog?: number;
  /** Writes stanzas in one go; resolves when they were handed to the network. */
  write(stanzas: readonly XmlElement[]): Promise<void>;
}
