import { describe, expect, it } from "vitest";
import { ConnectionError, DiscoveryError, TlsPolicyError } from "../../src/core/errors.ts";
import { StreamError } from "../../src/connection/stream-end.ts";
import { LinkLostError, lossIn, lossOf, reasonOf, windowOf, type Failure } from "../../src/connection/loss.ts";

const failed = (code: string): ConnectionError =>
  new ConnectionError(`cannot connect: ${code}`, { cause: Object.assign(new Error(code), { code }) });
const failure = (reason: Failure["reason"], host = "192.0.2.1"): Failure => ({
  address: { host, port: 5222, domain: "example.org" },
  reason,
});

describe("what was lost", () => {
  it.each([
    ["server", new StreamError("system-shutdown", "")],
    ["server", new ConnectionError("the server closed the stream")],
    ["server", failed("ECONNREFUSED")],
    ["server", failed("ECONNRESET")],
    // Somebody else's machine is off, for everybody.
    ["server", failed("EHOSTUNREACH")],
    ["server", new TlsPolicyError("another CA")],
    ["link", failed("ENETUNREACH")],
    ["link", failed("ENETDOWN")],
    ["link", failed("EAI_AGAIN")],
    ["link", failed("ETIMEDOUT")],
    ["link", new LinkLostError("no sign of life")],
    ["search", new DiscoveryError("nothing found")],
  ] as const)("is the %s: %s", (loss, reason) => {
    expect(lossOf(reason)).toBe(loss);
  });

  it("is the own link only if that is so for every server that was tried", () => {
    const [refused, unreachable] = [failure(failed("ECONNREFUSED")), failure(failed("ENETUNREACH"))];
    expect(lossIn([unreachable, refused])).toBe("server");
    expect(lossIn([unreachable, unreachable])).toBe("link");
    expect(lossIn([])).toBe("search");
    expect(lossIn([failure(new DiscoveryError("another domain")), unreachable])).toBe("link");
  });
});

describe("the first window", () => {
  it("is 10 s after a lost server, which has many to take back, and 1 s after a lost link of one's own", () => {
    expect(windowOf("server")).toEqual({ first: 10_000, cap: 300_000 });
    expect(windowOf("link")).toEqual({ first: 1_000, cap: 300_000 });
  });

  it("grows no further than a minute for a search: a server that is switched on later is found soon", () => {
    expect(windowOf("search")).toEqual({ first: 1_000, cap: 60_000 });
    expect(windowOf("search", { link: 5, cap: 40 })).toEqual({ first: 5, cap: 40 });
  });
});

describe("the reason of a round", () => {
  it("is that of the one server there is", () => {
    const reason = failed("ECONNREFUSED");
    expect(reasonOf([failure(reason)])).toBe(reason);
  });

  it("names each server and what came of it, and of many the first five", () => {
    const two = reasonOf([failure(failed("ECONNREFUSED")), failure(new TlsPolicyError("another CA"), "192.0.2.2")]);
    expect(two).toMatchObject({
      code: "ERR_CONNECTION",
      message:
        "none of 2 servers could be used: example.org at 192.0.2.1:5222: cannot connect: ECONNREFUSED; example.org at 192.0.2.2:5222: another CA",
    });
    const many = reasonOf(Array.from({ length: 64 }, () => failure(failed("ECONNREFUSED"))));
    expect(many.message).toMatch(/; and 59 more$/);
    expect(many.message.length).toBeLessThan(500);
  });

  it("says when there was no server at all", () => {
    expect(reasonOf([])).toMatchObject({ code: "ERR_DISCOVERY" });
  });
});
