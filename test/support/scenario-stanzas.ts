// Loaded before each test file: what a scenario sends, on whatever site, validates against the XEPs' schemas, or its file
// fails. What a test says in its own words, as a liar would, is exempt: `inTestsWords`.
import { afterAll, expect } from "vitest";

const MOST_SHOWN = 10;
// Of XEP-0326 there is no schema here: what is built of it is compared with its listings (test/cases).
const isWithoutSchema = (text: string): boolean => text.includes(' xmlns="urn:xmpp:iot:concentrators"');

if (/\/test\/scenario\/[^/]+$/.test(expect.getState().testPath ?? "")) {
  const [{ SentStanzas }, { validateStanzas }] = await Promise.all([
    import("./sent-stanzas.ts"),
    import("./schema.ts"),
  ]);
  const sent = new SentStanzas();
  // Registered before those of the file: it runs after them.
  afterAll(async () => {
    sent[Symbol.dispose]();
    const violations = await validateStanzas(sent.texts.filter((text) => !isWithoutSchema(text)));
    expect(violations.slice(0, MOST_SHOWN), `${violations.length} stanzas that the schemas do not allow`).toEqual([]);
  }, 120_000);
}
