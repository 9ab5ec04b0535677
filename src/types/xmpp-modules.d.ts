// The parts of @xmpp that this library uses, as it uses them. They ship no types, and those of DefinitelyTyped need
// `skipLibCheck` in every consumer; nothing of what stands here reaches the published declarations.

declare module "@xmpp/jid" {
  class JID {
    local: string;
    domain: string;
    resource: string;
    bare(): JID;
    toString(): string;
  }
  export { JID };
  export default function jid(local: string, domain?: string, resource?: string): JID;
}

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
