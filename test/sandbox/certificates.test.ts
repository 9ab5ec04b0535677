import { X509Certificate, createPrivateKey } from "node:crypto";
import { createSecureContext } from "node:tls";
import { beforeAll, expect, test, vi } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { systemRandom } from "../../src/core/random.ts";
import { makeCertificates, type Certificates } from "../../src/sandbox/certificates.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";

let made: Certificates;
let ca: X509Certificate;
let server: X509Certificate;

beforeAll(async () => {
  made = await makeCertificates("example.test", new SimulatedClock());
  ca = new X509Certificate(made.ca);
  server = new X509Certificate(made.certificate);
});

test("the CA has signed the server's certificate, and nothing else may sign", () => {
  expect(server.verify(ca.publicKey)).toBe(true);
  expect(server.checkIssued(ca)).toBe(true);
  expect([ca.ca, server.ca]).toEqual([true, false]);
});

test("the certificate is for the domain, its subdomains and the loopback address", () => {
  expect(server.subjectAltName).toBe("DNS:example.test, DNS:*.example.test, IP Address:127.0.0.1");
  expect(server.checkHost("discovery.example.test")).toBeDefined();
  expect(server.checkHost("example.org")).toBeUndefined();
});

test("the key belongs to the certificate", () => {
  expect(server.checkPrivateKey(createPrivateKey(made.key))).toBe(true);
});

test("it is valid around the clock's time", () => {
  const year = 365 * 24 * 3_600_000;
  expect(Date.parse(server.validFrom)).toBeCloseTo(Date.UTC(2026, 0, 1) - 2 * year, -4);
  expect(Date.parse(server.validTo)).toBeCloseTo(Date.UTC(2026, 0, 1) + 10 * year, -4);
});

test("every call makes a CA of its own, with other serial numbers", async () => {
  const other = await makeCertificates("example.test", new SimulatedClock());
  expect(server.verify(new X509Certificate(other.ca).publicKey)).toBe(false);
  const serials = [made.ca, made.certificate, other.ca, other.certificate].map(
    (pem) => new X509Certificate(pem).serialNumber,
  );
  expect(new Set(serials).size).toBe(4);
});

test("a domain longer than a common name may be is still named in full", async () => {
  const domain = `${"a".repeat(60)}.example.test`;
  const { certificate } = await makeCertificates(domain, new SimulatedClock());
  expect(new X509Certificate(certificate).checkHost(domain)).toBe(domain);
});

test.each([0x00, 0x7f, 0x80, 0xff])(
  "OpenSSL can read them, whatever chance makes of them (bytes of %i)",
  async (byte) => {
    const bytes = vi.spyOn(systemRandom, "bytes").mockImplementation((count) => new Uint8Array(count).fill(byte));
    try {
      const { ca: authority, certificate, key } = await makeCertificates("localhost", systemClock);
      expect(() => createSecureContext({ ca: authority, cert: certificate, key })).not.toThrow();
    } finally {
      bytes.mockRestore();
    }
  },
);
