// XEP-0324 3.1.3.2 and 3.1.5: how the use of a token is challenged, as the reference Provisioning Server has it.
import { beforeEach, describe, expect, it } from "vitest";
import { parseXml, type XmlElement } from "../../src/codec/xml.ts";
import { canonical } from "../support/canonical.ts";
import { makeKeyHolder } from "./key-holder.ts";
import { CALLER, SERVER, THING, TokenSite } from "./token-site.ts";

const service = makeKeyHolder({ name: "service" });
const device = makeKeyHolder({ name: "device" });
const user = makeKeyHolder({ name: "user" });
const CALLER_FULL = `${CALLER}/x`;

let site: TokenSite;
let tokens: Record<"service" | "device" | "user", string>;

/** A server that lets whoever holds the service's key read the temperature, and nobody else anything. */
const begin = (...given: ConstructorParameters<typeof TokenSite>): void => {
  site = new TokenSite(...given);
  site.server.enrol(service.pem, "billing");
  site.server.enrol(user.pem, "anna");
  site.server.setRules([{ service: "billing", read: { fields: ["Temperature"] } }]);
  const padding = given[0]?.padding ?? "oaep";
  tokens = {
    service: site.tokenFor(service, CALLER_FULL, padding),
    device: site.tokenFor(device, CALLER_FULL, padding),
    user: site.tokenFor(user, CALLER_FULL, padding),
  };
};

beforeEach(() => begin());

const answers = (): readonly XmlElement[] => site.taken();

describe("tokenChallenge", () => {
  it("P-3.1.3-4, P-3.1.3-18, P-3.1.3-19, P-3.1.3-20, P-3.1.3-21: goes to who sent the token, whose answer opens the question (Listing 7)", () => {
    expect(site.ask({ attributes: `serviceToken='${tokens.service}'` })).toEqual([]);
    const [challenge, ...more] = answers();
    expect(more).toEqual([]);
    const encrypted = challenge?.getChild("tokenChallenge")?.text() ?? "";
    expect(canonical(challenge!)).toEqual(
      canonical(
        parseXml(`<iq xmlns='jabber:client' type='get' from='${SERVER}' to='${THING}' id='${challenge?.attrs["id"]}'>
          <tokenChallenge xmlns='urn:xmpp:iot:provisioning' token='${tokens.service}'>${encrypted}</tokenChallenge></iq>`),
      ),
    );
    expect(site.server.pending).toBe(1);
    site.answer(challenge, service);
    const [answer, ...rest] = answers();
    expect(rest).toEqual([]);
    expect(canonical(answer!)).toEqual(
      canonical(
        parseXml(`<iq xmlns='jabber:client' type='result' from='${SERVER}' to='${THING}' id='q'>
          <canReadResponse xmlns='urn:xmpp:iot:provisioning' jid='${CALLER}' result='true'><field name='Temperature'/></canReadResponse></iq>`),
      ),
    );
    expect(site.server.questions).toEqual([
      { thing: "thing@example.org", kind: "canRead", jid: CALLER, result: true, identities: ["billing"] },
    ]);
    expect([site.server.pending, site.clock.pending]).toEqual([0, 1]); // what is left: the end of the certificate
  });
});
