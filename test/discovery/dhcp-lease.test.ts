import { describe, expect, it } from "vitest";
import {
  parseNetworkdLease,
  parseResolvConf,
  readLeases,
  readLocalDomain,
  type LeaseFiles,
} from "../../src/discovery/dhcp-lease.ts";

// As systemd-networkd 252 writes it, with RequestOptions=224.
const lease = `# This is private data. Do not parse.
ADDRESS=10.77.0.117
NETMASK=255.255.255.0
ROUTER=10.77.0.1
SERVER_ADDRESS=10.77.0.1
BROADCAST=10.77.0.255
T1=30min
T2=52min 30s
LIFETIME=1h
DNS=10.77.0.1
DOMAINNAME=home.example
CLIENTID=ffb6220feb00020000ab11e8d2a1b0f0b7a1b3
OPTION_224=70726f6e746f2e6c6f63616c
`;

function disk(files: Readonly<Record<string, string>>): LeaseFiles {
  const all = new Map(Object.entries(files));
  const gone = (): Promise<never> => Promise.reject(Object.assign(new Error("no such file"), { code: "ENOENT" }));
  return {
    readdir: (folder) => {
      const names = [...all.keys()].filter((path) => path.startsWith(`${folder}/`));
      return names.length === 0 ? gone() : Promise.resolve(names.map((path) => path.slice(folder.length + 1)));
    },
    readFile: (path) => {
      const text = all.get(path);
      return text === undefined ? gone() : Promise.resolve(new Uint8Array(Buffer.from(text)));
    },
  };
}

describe("a lease of systemd-networkd", () => {
  it("D-3.3.1-2: holds the address, the server, the local domain and options by their codes", () => {
    const read = parseNetworkdLease(lease);
    expect(read).toMatchObject({ address: "10.77.0.117", server: "10.77.0.1", domain: "home.example" });
    const [[code, value] = []] = [...(read?.options ?? [])];
    expect([code, String.fromCharCode(...(value ?? []))]).toEqual([224, "pronto.local"]);
  });

  it("may lack all but the address", () => {
    expect(parseNetworkdLease("ADDRESS=10.0.0.2")).toEqual({
      address: "10.0.0.2",
      server: "",
      domain: undefined,
      options: new Map(),
    });
  });

  it.each([
    ["no address", "SERVER_ADDRESS=10.0.0.1"],
    ["an address that is none", "ADDRESS=10.0.0.256"],
    ["five bytes", "ADDRESS=10.0.0.1.2"],
    ["three bytes", "ADDRESS=10.0.1"],
    ["nothing", ""],
    ["bytes", "\0\xff\x7fELF"],
  ])("%s: is none", (_what, text) => {
    expect(parseNetworkdLease(text)).toBeUndefined();
  });

  it.each([
    "OPTION_224=7",
    "OPTION_224=xy",
    "OPTION_224=",
    "OPTION_0=70",
    "OPTION_255=70",
    "OPTION_1224=70",
    "#OPTION_224=70",
  ])("has no option by %s", (line) => {
    expect(parseNetworkdLease(`ADDRESS=10.0.0.2\n${line}\n`)?.options.size).toBe(0);
  });

  it("has no server and no domain of odd words", () => {
    const odd = "ADDRESS=10.0.0.2\nSERVER_ADDRESS=fe80::1\nDOMAINNAME=..\n";
    expect(parseNetworkdLease(odd)).toMatchObject({ server: "", domain: undefined });
  });

  it("is one file for each interface, among others that are none", async () => {
    const files = disk({
      "/leases/2": lease,
      "/leases/3": lease.replace("10.77.0.117", "10.78.0.5"),
      "/leases/4": "empty",
      "/leases/5": `${lease}${"x".repeat(70_000)}`,
      "/leases/.#2abc": lease,
    });
    expect((await readLeases(files, "/leases")).map(({ address }) => address)).toEqual(["10.77.0.117", "10.78.0.5"]);
  });

  it("is none where systemd-networkd does not run", async () => {
    expect(await readLeases(disk({}), "/leases")).toEqual([]);
  });
});

describe("the local domain in resolv.conf", () => {
  it.each([
    ["search home.example work.example", "home.example"],
    ["domain home.example\nnameserver 10.0.0.1", "home.example"],
    ["domain a.example\nsearch b.example", "b.example"],
    ["search b.example\ndomain a.example", "a.example"],
    ["  search\tHOME.example.  ", "home.example"],
    ["# search a.example\n; domain b.example", undefined],
    ["nameserver 10.0.0.1", undefined],
    ["search", undefined],
    ["search .", undefined],
    ["", undefined],
  ])("%j: %s", (text, domain) => {
    expect(parseResolvConf(text)).toBe(domain);
  });

  it("is not known where there is no such file", async () => {
    expect(await readLocalDomain(disk({}))).toBeUndefined();
    expect(await readLocalDomain(disk({ "/etc/resolv.conf": "search home.example\n" }))).toBe("home.example");
  });
});
