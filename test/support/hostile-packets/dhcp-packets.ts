// Answers of DHCP servers, made by hand from RFC 2131 and not by the library's own code.

/** What a server says. */
export interface Said {
  readonly xid: number;
  readonly hardware?: string;
  /** 5, DHCPACK, if nothing else is said; `undefined` for none. */
  readonly type?: number | undefined;
  readonly options?: readonly (readonly [code: number, value: Uint8Array | string])[];
  /** Bytes of the fields that may hold options too. */
  readonly sname?: Uint8Array;
  readonly file?: Uint8Array;
  /** Anything else: by offset. */
  readonly bytes?: Readonly<Record<number, number>>;
  /** What stands behind the options. Default: the end. */
  readonly end?: readonly number[];
}

const binary = (value: Uint8Array | string): Uint8Array =>
  typeof value === "string" ? Uint8Array.from(value, (one) => one.charCodeAt(0)) : value;

/** One behind the other. */
export function concat(...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Code, length, value of each. */
export function optionBytes(options: readonly (readonly [number, Uint8Array | string])[]): Uint8Array {
  return concat(...options.flatMap(([code, value]) => [[code, value.length], binary(value)]));
}

/** The packet. */
export function dhcpAnswer(said: Said): Uint8Array {
  const { xid, hardware = "02:00:00:00:00:01", options = [], sname, file, bytes = {}, end = [255] } = said;
  const head = new Uint8Array(240);
  head.set([2, 1, 6]);
  new DataView(head.buffer).setUint32(4, xid);
  head.set(
    hardware.split(":").map((byte) => Number.parseInt(byte, 16)),
    28,
  );
  if (sname !== undefined) head.set(sname, 44);
  if (file !== undefined) head.set(file, 108);
  head.set([0x63, 0x82, 0x53, 0x63], 236);
  const type = "type" in said ? said.type : 5;
  const first = type === undefined ? [] : ([[53, Uint8Array.of(type)]] as const);
  const packet = concat(head, optionBytes([...first, ...options]), end);
  for (const [at, byte] of Object.entries(bytes)) packet[Number(at)] = byte;
  return packet;
}
