// The part of dhcp 0.2.20 (CommonJS, no types) that `sandbox/announce-inform.ts` uses.

declare module "dhcp/lib/protocol.js" {
  /** A packet of RFC 2131. */
  export interface DhcpPacket {
    readonly op: number;
    readonly htype: number;
    readonly hlen: number;
    readonly hops: number;
    readonly xid: number;
    readonly secs: number;
    readonly flags: number;
    readonly ciaddr: string;
    readonly yiaddr: string;
    readonly siaddr: string;
    readonly giaddr: string;
    /** `02-00-00-00-00-01` */
    readonly chaddr: string;
    readonly sname: string;
    readonly file: string;
    /** By their codes, each in the form that the table of options says. */
    readonly options: Readonly<Record<number, unknown>>;
  }

  const protocol: {
    /** Throws for what it cannot read; prints what it does not know. */
    parse(packet: Buffer): DhcpPacket & { readonly magicCookie: number };
    format(packet: DhcpPacket): { readonly _data: Buffer; readonly _w: number };
  };
  export default protocol;
}

declare module "dhcp/lib/options.js" {
  const table: { addOption(code: number, option: { name: string; type: "ASCII"; config: string }): void };
  export default table;
}
