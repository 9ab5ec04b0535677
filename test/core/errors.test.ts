import { describe, expect, it } from "vitest";
import {
  AuthenticationError,
  ConfigError,
  ConnectionError,
  DiscoveryError,
  ProtocolError,
  RegistrationError,
  SdkError,
  StanzaError,
  StateError,
  StorageError,
  TimeoutError,
  TlsPolicyError,
  isSdkError,
  messageOf,
  type AnySdkError,
} from "../../src/core/errors.ts";

const all: readonly [string, AnySdkError][] = [
  ["ERR_CONFIG", new ConfigError("m")],
  ["ERR_STATE", new StateError("m")],
  ["ERR_TIMEOUT", new TimeoutError("m")],
  ["ERR_STORAGE", new StorageError("m")],
  ["ERR_PROTOCOL", new ProtocolError("m", "a/@b")],
  ["ERR_STANZA", new StanzaError("forbidden", "cancel", "a@b")],
  ["ERR_CONNECTION", new ConnectionError("m")],
  ["ERR_TLS_POLICY", new TlsPolicyError("m")],
  ["ERR_AUTHENTICATION", new AuthenticationError("m")],
  ["ERR_REGISTRATION", new RegistrationError("m", "conflict")],
  ["ERR_DISCOVERY", new DiscoveryError("m")],
];

describe("the errors of the library", () => {
  it.each(all)("%s is an Error of the tree, named after its class", (code, error) => {
    expect(error.code).toBe(code);
    expect(error).toBeInstanceOf(SdkError);
    expect(error).toBeInstanceOf(Error);
    expect(error.name).toBe(error.constructor.name);
    expect(isSdkError(error)).toBe(true);
  });

  it("have a code each", () => {
    expect(new Set(all.map(([code]) => code)).size).toBe(all.length);
  });

  it("are recognised from another copy of the library, which shares no class", () => {
    expect(isSdkError({ [Symbol.for("xmpp-thing.error")]: true })).toBe(true);
  });

  it.each([undefined, null, 0, "ERR_STATE", {}, new Error("m"), { code: "ERR_STATE" }])(
    "do not include %o",
    (value) => {
      expect(isSdkError(value)).toBe(false);
    },
  );

  it("keep what led to them", () => {
    const cause = new Error("below");
    expect(new StorageError("above", { cause }).cause).toBe(cause);
    expect(new ProtocolError("above", "iq", { cause }).cause).toBe(cause);
    expect(new RegistrationError("above", "conflict", { cause }).cause).toBe(cause);
  });

  it("say where a stanza was wrong, if that is known", () => {
    expect(new ProtocolError("missing attribute", "req/@seqnr").message).toBe("missing attribute (at req/@seqnr)");
    expect(new ProtocolError("not well-formed XML", "").message).toBe("not well-formed XML");
  });

  it("say who answered an error, and in which words", () => {
    const mute = new StanzaError("item-not-found", "cancel", "registry.example");
    expect(mute.message).toBe("registry.example answered item-not-found");
    expect(mute.text).toBe("");
    expect(new StanzaError("forbidden", "auth", "a@b", "Go away.").message).toBe("a@b answered forbidden: Go away.");
  });
});

describe("messageOf", () => {
  it.each([
    [new Error("plain"), "plain"],
    ["a text", "a text"],
    [undefined, "undefined"],
    [null, "null"],
    [7, "7"],
    [Symbol("s"), "Symbol(s)"],
  ])("of %o is %s", (thrown, message) => {
    expect(messageOf(thrown)).toBe(message);
  });

  it("is a text even for what cannot be made one: anything can be thrown", () => {
    const hostile = {
      toString(): string {
        throw new Error("no");
      },
    };
    const strange = Object.defineProperty(new Error(), "message", { get: () => Object.create(null) as unknown });
    for (const thrown of [Object.create(null), hostile, strange]) {
      expect(messageOf(thrown)).toBe("a value without words");
    }
  });
});
