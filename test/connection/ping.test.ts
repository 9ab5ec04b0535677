import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { parseJid } from "../../src/core/jid.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { systemRandom } from "../../src/core/random.ts";
import { parseXml, type XmlElement } from "../../src/codec/xml.ts";
import { StanzaChannel } from "../../src/channel/stanza-channel.ts";
import { answerPings } from "../../src/connection/ping.ts";

async function answer(stanza: string): Promise<string> {
  const channel = new StanzaChannel({ clock: systemClock, random: systemRandom, logger: silentLogger });
  answerPings(channel);
  return new Promise((resolve) => {
    channel.attach({
      jid: parseJid("thing@example.org/r"),
      write: (stanzas: readonly XmlElement[]) => {
        resolve(stanzas.join(""));
        return Promise.resolve();
      },
    });
    channel.receive(parseXml(stanza));
  });
}

describe("a ping (XEP-0199 4.1)", () => {
  it.each(["", "from='example.org'", "from='thing@example.org'", "from='thing@example.org/r'"])(
    "of the own server or account is answered (%s)",
    async (from) => {
      const reply = await answer(`<iq type='get' id='1' ${from}><ping xmlns='urn:xmpp:ping'/></iq>`);
      expect(reply).toContain('type="result"');
    },
  );

  it.each(["stranger@example.org/x", "thing@example.org/other", "other.org"])(
    "of %s is answered like any request that is not known",
    async (from) => {
      const ping = await answer(`<iq type='get' id='1' from='${from}'><ping xmlns='urn:xmpp:ping'/></iq>`);
      const unknown = await answer(`<iq type='get' id='1' from='${from}'><unknown xmlns='urn:x'/></iq>`);
      expect(ping).toContain("service-unavailable");
      expect(ping).toBe(unknown);
    },
  );

  it("sets nothing", async () => {
    expect(await answer("<iq type='set' id='1'><ping xmlns='urn:xmpp:ping'/></iq>")).toContain("bad-request");
  });
});
