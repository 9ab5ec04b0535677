// node-forge does what Node.js does not: it writes certificates and reads PKCS #12. It is large, and most Things need neither.
type Module = typeof import("node-forge");

/** What is used of it. */
export type Forge = Pick<Module, "asn1" | "md" | "pkcs12" | "pki" | "util">;

/** Fetches it when it is needed. */
export async function loadForge(): Promise<Forge> {
  return (await import("node-forge")).default;
}
