import { StateError } from "../../core/errors.ts";
import type { Logger } from "../../core/logger.ts";
import type { Certificates } from "../certificates.ts";
import type { XmppDomain } from "./domain.ts";

/** What an {@link XmppListener} is made of. */
export interface XmppListenerOptions {
  /** The domain that clients reach through it. */
  readonly domain: XmppDomain;
  /** Key and certificate for STARTTLS. */
  readonly certificates: Pick<Certificates, "key" | "certificate">;
  /** The address to listen on. Default 127.0.0.1. */
  readonly host?: string;
  /** The port; 0 (the default) lets the system choose. */
  readonly port?: number;
  /** Where oddities are told. Silent by default. */
  readonly logger?: Logger | undefined;
}

/** Listens for clients on TCP. */
export class XmppListener implements AsyncDisposable {
  constructor(readonly options: XmppListenerOptions) {}

  /** Begins to listen; resolves to the port. Rejects with `ERR_CONNECTION` if that cannot be had. */
  listen(): Promise<number> {
    return Promise.reject(new StateError("not built yet"));
  }

  /** Stops listening and cuts every connection. */
  close(): Promise<void> {
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
