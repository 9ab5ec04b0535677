import { describe, expect, it } from "vitest";
import type { BindingType } from "../../src/connection/channel-binding.ts";
import { chooseMechanism } from "../../src/connection/mechanism.ts";

const data = new Uint8Array([1, 2]);
const channel = (...types: BindingType[]): Map<BindingType, Uint8Array> => new Map(types.map((type) => [type, data]));
const tls13 = channel("tls-server-end-point", "tls-exporter");
const tls12 = channel("tls-server-end-point");
const all = ["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"];
const plus = ["SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-512-PLUS"];
const both = ["tls-unique", "tls-server-end-point", "tls-exporter"];

describe("the way to log in", () => {
  it.each([
    [["PLAIN", "SCRAM-SHA-1"], "SCRAM-SHA-1"],
    [["SCRAM-SHA-256", "PLAIN", "SCRAM-SHA-1"], "SCRAM-SHA-256"],
    [all, "SCRAM-SHA-512"],
  ])("is the strongest of %j, unbound where nothing is offered to bind by", (mechanisms, name) => {
    // RFC 5802 section 6: whoever has taken the offer of binding away is found out by the `y`.
    expect(chooseMechanism({ mechanisms, bindings: [] }, tls13)).toMatchObject({ name, binding: "y" });
  });

  it("is bound where both can, by tls-exporter before tls-server-end-point", () => {
    const offer = { mechanisms: [...all, ...plus], bindings: both };
    expect(chooseMechanism(offer, tls13)).toEqual({
      name: "SCRAM-SHA-512-PLUS",
      hash: "SHA-512",
      binding: { type: "tls-exporter", data },
    });
    expect(chooseMechanism(offer, tls12)).toMatchObject({ binding: { type: "tls-server-end-point" } });
    expect(chooseMechanism({ ...offer, bindings: ["tls-server-end-point"] }, tls13)).toMatchObject({
      binding: { type: "tls-server-end-point" },
    });
  });

  it("is rather bound than of the strongest hash", () => {
    const offer = { mechanisms: [...all, "SCRAM-SHA-1-PLUS"], bindings: both };
    expect(chooseMechanism(offer, tls13)).toMatchObject({ name: "SCRAM-SHA-1-PLUS" });
  });

  it("says that we cannot, where a binding is offered that is not ours", () => {
    const offer = { mechanisms: [...all, ...plus], bindings: ["tls-unique"] };
    expect(chooseMechanism(offer, tls13)).toMatchObject({ name: "SCRAM-SHA-512", binding: "n" });
    expect(chooseMechanism({ ...offer, bindings: ["tls-exporter"] }, tls12)).toMatchObject({ binding: "n" });
    // Prosody 0.12 and ejabberd 23.01: they mean tls-unique, and do not say so.
    expect(chooseMechanism({ ...offer, bindings: [] }, tls13)).toMatchObject({ name: "SCRAM-SHA-512", binding: "n" });
  });

  it("says that we cannot, where there is nothing to bind to", () => {
    expect(chooseMechanism({ mechanisms: all, bindings: [] }, channel())).toMatchObject({ binding: "n" });
  });

  it("guesses how to bind only where nothing else is offered", () => {
    const offer = { mechanisms: plus, bindings: [] };
    expect(chooseMechanism(offer, tls13)).toMatchObject({ binding: { type: "tls-exporter" } });
    expect(chooseMechanism(offer, tls12)).toMatchObject({ binding: { type: "tls-server-end-point" } });
    expect(chooseMechanism(offer, channel())).toBeUndefined();
  });

  it("is never PLAIN, nor anything that is not known", () => {
    for (const mechanisms of [[], ["PLAIN"], ["PLAIN", "ANONYMOUS", "X-OAUTH2", "EXTERNAL", "SCRAM-MD5"]]) {
      expect(chooseMechanism({ mechanisms, bindings: both }, tls13)).toBeUndefined();
    }
  });
});
