// RFC 6120 section 4.9: stream errors, and what the end of a stream means for the next one.
import { ConnectionError, type SdkError } from "../core/errors.ts";
import { own, type XmlElement } from "../codec/xml.ts";
import { streamNs } from "./namespaces.ts";
import { nothingUndelivered, type Undelivered } from "./undelivered.ts";

/** How a stream ended. */
export interface StreamEnd {
  /** Why. */
  readonly reason: SdkError;
  /**
   * Another stream would do harm. So it is after `conflict` alone: another session took the same full JID, and two
   * that come back by themselves would throw each other out for ever. After everything else a new try, after growing
   * waits, is right, even where only people can help (an account removed, a domain no longer served): when they have,
   * nobody has to go where the Thing hangs.
   */
  readonly final: boolean;
  /**
   * What was written and never acknowledged (XEP-0198). It may have arrived all the same. Always nothing on a server that
   * does not count stanzas.
   */
  readonly undelivered: Undelivered;
}

/** The server ended the stream with an error (RFC 6120 section 4.9.3). */
export class StreamError extends ConnectionError {
  constructor(
    /** The defined condition, for instance `conflict`, `system-shutdown` or `see-other-host`. */
    readonly condition: string,
    /** The server's own words; empty if it gave none. */
    readonly text: string,
  ) {
    const advice = condition === "host-unknown" ? "; it does not serve that XMPP domain: check the domain" : "";
    super(`the server ended the stream: ${condition}${text === "" ? "" : ` (${text})`}${advice}`);
  }
}

// Anybody can say it, before TLS: enough for a person, too little to fill a log with.
const LONGEST_TEXT = 200;

/** Reads a stream error. Whatever is odd in it, it is one. */
export function parseStreamError(element: XmlElement): StreamError {
  const parts = element.getChildElements().filter((child) => child.getNS() === streamNs.streamErrors);
  const condition = parts.find((child) => !child.is("text"));
  const text =
    parts
      .find((child) => child.is("text"))
      ?.text()
      .slice(0, LONGEST_TEXT) ?? "";
  // Not followed (RFC 6120 section 4.9.3.19): where to connect to is for the configuration to say.
  const elsewhere = condition?.is("see-other-host")
    ? `${condition.text().slice(0, LONGEST_TEXT)}, which is not followed`
    : "";
  const name = condition?.name.slice(0, LONGEST_TEXT) ?? "undefined-condition";
  return new StreamError(own(name), own(elsewhere === "" ? text : elsewhere));
}

/** What the end of a stream means. */
export function streamEnd(reason: SdkError, undelivered: Undelivered = nothingUndelivered): StreamEnd {
  return { reason, final: reason instanceof StreamError && reason.condition === "conflict", undelivered };
}
