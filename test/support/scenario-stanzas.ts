// Loaded before each test file: what a scenario sends, on whatever site, validates against the XEPs' schemas, or its file
// fails. What a test says in its own words, as a liar would, is exempt: `inTestsWords`.
import { afterAll, expect } from "vitest";

if (/\/test\/scenario\/[^/]+$/.test(expect.getState().testPath ?? "")) {
  const [{ SentStanzas }, { validateStanzas }] = await Promise.all([
    import("./sent-stanzas.ts"),
    import("./schema.ts"),
  ]);
  const sent = new SentStanzas();
  // Registered before those of the file: it runs after them.
  afterAll(async () => {
    sent[Symbol.dispose]();
    expect(await validateStanzas(sent.texts), "stanzas that the schemas do not allow").toEqual([]);
  }, 120_000);
}
