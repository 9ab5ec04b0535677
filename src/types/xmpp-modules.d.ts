// The parts of @xmpp that this library uses, as it uses them. They ship no types, and those of DefinitelyTyped need
// `skipLibCheck` in every consumer; nothing of what stands here reaches the published declarations.

declare module "@xmpp/xml" {
  import { EventEmitter } from "node:events";
  export class Element {
    constructor(name: string, attrs?: Record<string, string | undefined>);
    name: string;
    attrs: Record<string, string>;
    children: (Element | string)[];
    parent: Element | null;
    is(name: string, ns?: string): boolean;
    getNS(): string | undefined;
    getChild(name: string, ns?: string): Element | undefined;
    getChildren(name: string, ns?: string): Element[];
    getChildElements(): Element[];
    text(): string;
    toString(): string;
    append(...nodes: (Element | string)[]): this;
    clone(): Element;
  }
  export class Parser extends EventEmitter {
    root: Element | null;
    cursor: Element | null;
    write(text: string): void;
    end(text?: string): void;
  }
  export default function xml(
    name: string,
    attrs?: Record<string, string | undefined>,
    ...children: (Element | string | undefined)[]
  ): Element;
}

declare module "@xmpp/tcp/lib/Connection.js" {
  import { EventEmitter } from "node:events";
  import type { Socket } from "node:net";
  import type { Element, Parser } from "@xmpp/xml";
  import type TlsSocket from "@xmpp/tls/lib/Socket.js";
  export default class Connection extends EventEmitter {
    constructor(options: { domain: string });
    /** How long `open` waits, in milliseconds; 0 for no limit and no timer. */
    timeout: number;
    socket: Socket | TlsSocket | null;
    parser: Parser | null;
    connect(service: string): Promise<void>;
    open(options: { domain: string; lang?: string }): Promise<Element>;
    write(text: string): Promise<void>;
    footer(): string;
    socketParameters(service: string): { host: string; port: number } | undefined;
    _onData(data: Buffer): void;
    _attachSocket(socket: Socket | TlsSocket): void;
    _detachSocket(): void;
    _attachParser(parser: Parser): void;
    _detachParser(): void;
    _status(status: string, ...details: unknown[]): void;
  }
}

declare module "@xmpp/debug" {
  import type { EventEmitter } from "node:events";
  /** Prints the events `element`, `send`, `status` and `error`. @param force without it only if XMPP_DEBUG is set */
  export default function debug(entity: EventEmitter, force?: boolean): void;
}

declare module "@xmpp/tls/lib/Socket.js" {
  import { EventEmitter } from "node:events";
  import type { ConnectionOptions, TLSSocket } from "node:tls";
  export default class Socket extends EventEmitter {
    readonly secure: true;
    socket: TLSSocket | null;
    connect(options: ConnectionOptions): void;
    end(): void;
    write(data: string, written?: (error?: Error) => void): void;
  }
}
