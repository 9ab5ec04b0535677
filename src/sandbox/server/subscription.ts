// RFC 6121 appendix A: the states of a subscription and what each stanza makes of them.

/** One contact's state, seen from the account that holds the roster. The nine legal ones are those of appendix A.1. */
export interface SubscriptionState {
  /** The account sees the contact's presence. */
  readonly to: boolean;
  /** The contact sees the account's presence. */
  readonly from: boolean;
  /** The account has asked to see it and waits for the answer. */
  readonly pendingOut: boolean;
  /** The contact has asked to see it and waits for the answer. */
  readonly pendingIn: boolean;
}

/** The four stanzas that change a subscription. */
export type SubscriptionType = "subscribe" | "subscribed" | "unsubscribe" | "unsubscribed";

/** What becomes of a stanza and of the state. */
export interface SubscriptionStep {
  /** The state afterwards. */
  readonly next: SubscriptionState;
  /** Outbound: the stanza goes to the contact. Inbound: it goes to the account's clients. */
  readonly pass: boolean;
}

/** No subscription either way. */
export const noSubscription: SubscriptionState = { to: false, from: false, pendingOut: false, pendingIn: false };

/** A stanza from the account to the contact (RFC 6121 appendix A.2). */
export function outbound(state: SubscriptionState, type: SubscriptionType): SubscriptionStep {
  switch (type) {
    case "subscribe": // A.2.1
      return { next: state.to ? state : { ...state, pendingOut: true }, pass: true };
    case "unsubscribe": // A.2.2
      return { next: { ...state, to: false, pendingOut: false }, pass: true };
    case "subscribed": // A.2.3. There is no pre-approval here, so only a request can be approved.
      if (!state.pendingIn) return { next: state, pass: false };
      return { next: { ...state, from: true, pendingIn: false }, pass: true };
    case "unsubscribed": // A.2.4
      return { next: { ...state, from: false, pendingIn: false }, pass: state.from || state.pendingIn };
  }
}

/** A stanza from the contact to the account (RFC 6121 appendix A.3). */
export function inbound(state: SubscriptionState, type: SubscriptionType): SubscriptionStep {
  switch (type) {
    case "subscribe": // A.3.1. One who is subscribed already is answered by the server.
      if (state.from || state.pendingIn) return { next: state, pass: false };
      return { next: { ...state, pendingIn: true }, pass: true };
    case "unsubscribe": // A.3.2
      return { next: { ...state, from: false, pendingIn: false }, pass: state.from || state.pendingIn };
    case "subscribed": // A.3.3
      if (!state.pendingOut) return { next: state, pass: false };
      return { next: { ...state, to: true, pendingOut: false }, pass: true };
    case "unsubscribed": // A.3.4
      return { next: { ...state, to: false, pendingOut: false }, pass: state.to || state.pendingOut };
  }
}

/** The value of the roster's `subscription` attribute (RFC 6121 section 2.1.2.5). */
export function subscriptionAttribute(state: SubscriptionState): "none" | "to" | "from" | "both" {
  if (state.to) return state.from ? "both" : "to";
  return state.from ? "from" : "none";
}
