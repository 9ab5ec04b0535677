// What watches over the stanzas of every scenario: that nobody escapes it but who is meant to.
import { describe, expect, it } from "vitest";
import { ns } from "../../src/codec/namespaces.ts";
import { iq, message } from "../../src/codec/stanza.ts";
import { el, type XmlElement } from "../../src/codec/xml.ts";
import type { Connection } from "../../src/connection/connect.ts";
import { startMemorySite } from "../support/memory-site.ts";
import { inTestsWords } from "../support/said.ts";
import { validateStanzas } from "../support/schema.ts";
import { SentStanzas } from "../support/sent-stanzas.ts";
import { startSandboxSite, type Site } from "../support/site.ts";

/** No schema allows it: a `friend` without the JID. */
const wrong = (to: string): XmlElement => message({ to }, el("friend", { xmlns: ns.provisioning }));

const sites: Readonly<Record<string, () => Promise<Site>>> = { memory: startMemorySite, sandbox: startSandboxSite };

describe.each(Object.entries(sites))("what is sent on the site %s", (_, startSite) => {
  const sentBy = async (act: (someone: Connection, site: Site) => unknown): Promise<readonly string[]> => {
    using sent = new SentStanzas();
    const site = await startSite();
    const someone = await site.user("someone");
    try {
      await act(someone, site);
    } finally {
      await someone.close();
      await site.stop();
    }
    return sent.texts;
  };

  it("is seen, and found to be wrong if it is", async () => {
    const texts = await sentBy((someone) => someone.channel.send(wrong("nobody@localhost")));
    expect(await validateStanzas(texts)).toEqual([expect.stringContaining("jid")]);
  });

  it("is not held against anybody if a test says it in its own words", async () => {
    const texts = await sentBy(async (someone, site) => {
      await someone.channel.send(inTestsWords(wrong("nobody@localhost")));
      site.speaking.registry.say(wrong(someone.jid.full));
    });
    expect(texts.filter((text) => text.includes("<friend"))).toEqual([]);
    expect(await validateStanzas(texts)).toEqual([]);
  });

  it("is what services answer too", async () => {
    const texts = await sentBy((someone, { registry }) =>
      someone.channel.request({ type: "get", to: registry.jid, payload: el("query", { xmlns: ns.discoInfo }) }),
    );
    expect(texts.filter((text) => text.includes(`<feature var="${ns.discovery}"`))).toHaveLength(1);
  });

  it("is one stanza, however often it is said under another id", async () => {
    const ask = (id: string): XmlElement => iq({ type: "get", to: "localhost", id }, el("ping", { xmlns: ns.ping }));
    const texts = await sentBy((someone) => someone.channel.send(ask("a"), ask("b"), ask("c")));
    expect(texts.filter((text) => text.includes("<ping"))).toHaveLength(1);
  });
});
