import { describe, expect, it } from "vitest";
import { Router } from "../../src/channel/router.ts";
import { el, parseXml } from "../../src/codec/xml.ts";

describe("Router", () => {
  const handler = () => ({});
  const listener = () => undefined;

  it("finds the handler by namespace and name, whatever the prefix", () => {
    const router = new Router();
    router.onIq("urn:x", "ask", handler);
    router.onMessage("urn:x", "tell", listener);
    expect(router.iqHandler(el("ask", { xmlns: "urn:x" }))).toBe(handler);
    expect(router.iqHandler(parseXml("<p:ask xmlns:p='urn:x'/>"))).toBe(handler);
    expect(router.messageHandler(el("tell", { xmlns: "urn:x" }))).toBe(listener);
  });

  it.each([
    el("ask"),
    el("ask", { xmlns: "urn:y" }),
    el("Ask", { xmlns: "urn:x" }),
    el("tell", { xmlns: "urn:x" }),
    el("x ask", { xmlns: "urn" }),
    parseXml("<p:ask xmlns='urn:x'/>"),
    parseXml("<constructor xmlns='urn:x'/>"),
  ])("has none for %s", (payload) => {
    const router = new Router();
    router.onIq("urn:x", "ask", handler);
    expect(router.iqHandler(payload)).toBeUndefined();
    expect(router.messageHandler(payload)).toBeUndefined();
  });

  it("keeps IQs and messages apart", () => {
    const router = new Router();
    router.onIq("urn:x", "both", handler);
    router.onMessage("urn:x", "both", listener);
    expect(router.iqHandler(el("both", { xmlns: "urn:x" }))).toBe(handler);
    expect(router.messageHandler(el("both", { xmlns: "urn:x" }))).toBe(listener);
  });

  it("refuses a second handler for the same thing: that is a mistake in the program", () => {
    const router = new Router();
    router.onIq("urn:x", "ask", handler);
    expect(() => router.onIq("urn:x", "ask", handler)).toThrow(TypeError);
    router.onMessage("urn:x", "tell", listener);
    expect(() => router.onMessage("urn:x", "tell", listener)).toThrow("two handlers for tell in urn:x");
  });

  it("has any number of handlers of presence, until they are taken back", () => {
    const router = new Router();
    const second = () => undefined;
    const takeBack = router.onPresence(listener);
    router.onPresence(second);
    expect(router.presenceHandlers()).toEqual([listener, second]);
    takeBack();
    takeBack();
    expect(router.presenceHandlers()).toEqual([second]);
  });
});
