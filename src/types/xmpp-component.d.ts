// The part of @xmpp/component 0.13 (CommonJS, no types) that `sandbox/attach-component.ts` uses.

declare module "@xmpp/component" {
  import type { EventEmitter } from "node:events";
  import type { Socket } from "node:net";
  import type { Element } from "@xmpp/xml";

  export interface Component extends EventEmitter {
    readonly status: string;
    readonly socket: Socket | null;
    readonly parser: { write(text: string): void } | null;
    readonly reconnect: { stop(): void };
    connect(service: string): Promise<unknown>;
    open(options: { domain: string }): Promise<unknown>;
    stop(): Promise<unknown>;
    sendMany(elements: readonly unknown[]): Promise<void>;
    /** Takes the bytes of the socket. */
    _onData(data: Buffer): void;
    /** Takes a stream error, before the stream is closed. */
    _onStreamError(element: Element): void;
  }

  const library: { component: (options: { service: string; domain: string; password: string }) => Component };
  export default library;
}
