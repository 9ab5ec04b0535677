import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { askPeople } from "../../src/cli/ask-desk.ts";
import { OwnerClient } from "../../src/owner/owner-client.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import type { Thing } from "../../src/thing/thing.ts";
import { FakeIo } from "../support/fake-io.ts";
import { startMemorySite } from "../support/memory-site.ts";
import type { Site } from "../support/site.ts";

const LONG = { timeout: 10_000 };

let site: Site;
let thing: Thing;
let io: FakeIo;
let asking: Promise<void>;
let set: string[];
let clock: SimulatedClock;

beforeEach(async () => {
  site = await startMemorySite({ retry: 1_000 });
  io = new FakeIo();
  clock = new SimulatedClock();
  set = [];
  thing = site.thing(memoryStorage(), {
    provisioning: [site.provisioning.jid],
    control: ["LED", "Fan"].map((name) => ({
      name,
      type: "boolean",
      set: (value) => void set.push(`${name}=${value}`),
    })),
  });
  await thing.start();
  await thing.waitFor("online", LONG);
  asking = askPeople({
    servers: [site.provisioning],
    tell: io.out,
    readLine: () => io.readLine(),
    signal: io.ended,
    clock,
  });
});

afterEach(async () => {
  io.interrupt();
  await asking;
  await thing.stop();
  await site.stop();
});

/** Somebody reads fields, or all of them: the names that came, or `refused`. */
async function read(client: OwnerClient, fields?: readonly string[]): Promise<string> {
  try {
    const [group] = await client.read(thing.jid, { ...(fields && { fields }), ...LONG });
    return (group?.fields ?? []).map(({ name }) => name).join();
  } catch (error) {
    return (error as { condition?: string }).condition ?? String(error);
  }
}

/** Somebody switches things on: `done`, or the condition of the refusal. */
async function control(client: OwnerClient, names: readonly string[]): Promise<string> {
  try {
    await client.control(thing.jid, Object.fromEntries(names.map((name) => [name, true])), LONG);
    return "done";
  } catch (error) {
    return (error as { condition?: string }).condition ?? String(error);
  }
}

async function person(name: string): Promise<OwnerClient> {
  return new OwnerClient(await site.user(name));
}

/** How many questions have been shown. */
function shown(): number {
  return io.lines.filter((line) => line.startsWith("Refused until somebody answers")).length;
}

/** Waits for the so-manieth question, answers it, and waits until that is a rule, and the Thing has forgotten its no. */
async function answer(number: number, text: string, says: string): Promise<void> {
  await expect.poll(shown, LONG).toBe(number);
  io.type(text);
  await expect.poll(() => io.lines.join("\n"), LONG).toContain(says);
  await expect.poll(() => site.provisioning.unacknowledged, LONG).toEqual([]);
}

describe("people decide what no rule does", () => {
  it("is told no until somebody answers; always is for just what was asked, and the Thing asks anew", async () => {
    const anna = await person("anna");
    expect(await read(anna, ["Temperature"])).toBe("forbidden");
    await expect.poll(() => io.text, LONG).toContain("anna@localhost wants to read");
    expect(io.text).toContain('1  field "Temperature"');
    expect(io.text).toContain('2  kind "momentary"');
    expect(await read(anna, ["Temperature"])).toBe("forbidden");
    await answer(1, "always", "Allowed from now on.");
    expect(await read(anna, ["Temperature"])).toBe("Temperature");
    expect(await read(anna, ["Temperature"])).toBe("Temperature");
    expect(await read(anna, ["Door open"])).toBe("forbidden"); // which is asked about anew
    await answer(2, "never", "Refused from now on.");
    expect(await read(anna, ["Door open"])).toBe("forbidden");
    expect(await read(anna, ["Temperature"])).toBe("Temperature");
    expect(shown()).toBe(2);
  });

  it("lets somebody once, after which the Thing asks, and so do we", async () => {
    const anna = await person("anna");
    expect(await control(anna, ["LED"])).toBe("forbidden");
    await answer(1, "once", "Allowed once.");
    expect(await control(anna, ["LED"])).toBe("done");
    await expect.poll(() => site.provisioning.unacknowledged, LONG).toEqual([]);
    expect(site.provisioning.rules).toEqual([]);
    expect(await control(anna, ["LED"])).toBe("forbidden");
    await answer(2, "o", "Allowed once.");
    expect(await control(anna, ["LED"])).toBe("done");
    expect(set).toEqual(["LED=true", "LED=true"]);
    expect(await read(anna, ["Temperature"])).toBe("forbidden");
    await answer(3, "once 1", 'Allowed once, only field "Temperature".');
    expect(await read(anna, ["Temperature"])).toBe("Temperature");
  });

  it("lets a whole domain, whatever it asks for", async () => {
    expect(await read(await person("anna"), ["Temperature"])).toBe("forbidden");
    await answer(1, "domain all", "Allowed from now on, to everybody at localhost, whatever is asked for.");
    expect(await read(await person("bob"))).toBe("Temperature,Door open");
    expect(shown()).toBe(1);
  });

  it("refuses for ever, or a whole domain", async () => {
    const anna = await person("anna");
    expect(await read(anna)).toBe("forbidden");
    await answer(1, "never domain", "Refused from now on, to everybody at localhost.");
    expect(await read(anna)).toBe("forbidden");
    expect(await read(await person("bob"))).toBe("forbidden");
    expect(site.provisioning.questions.length).toBeGreaterThan(1);
    expect(shown()).toBe(1);
  });

  it("lets somebody read only some fields, by number or by name", async () => {
    const anna = await person("anna");
    expect(await read(anna, ["Temperature", "Door open"])).toBe("forbidden");
    await answer(1, "always 1", 'Allowed from now on, only field "Temperature".');
    expect(await read(anna, ["Temperature", "Door open"])).toBe("Temperature");
    const bob = await person("bob");
    expect(await read(bob)).toBe("forbidden");
    expect(io.text).toContain("not limited: nodes, fields");
    await answer(2, 'always field="Door open"', 'only field "Door open"');
    expect(await read(bob)).toBe("Door open");
    expect(shown()).toBe(2);
  });

  it("lets somebody control only some parameters", async () => {
    const anna = await person("anna");
    expect(await control(anna, ["LED", "Fan"])).toBe("forbidden");
    expect(io.text).toContain("anna@localhost wants to control");
    await answer(1, "always 2", 'only parameter "Fan"');
    expect(await control(anna, ["LED", "Fan"])).toBe("done");
    expect(set).toEqual(["Fan=true"]);
    expect(shown()).toBe(1);
  });

  it("shows one question of a flood, and keeps few of them; what had no place comes when it is asked again", async () => {
    const anna = await person("anna");
    const names = Array.from({ length: 60 }, (_, i) => `field${i}`);
    for (const name of names.slice(0, 30)) expect(await read(anna, [name])).toBe("forbidden");
    expect(shown()).toBe(1);
    expect(io.lines.length).toBeLessThan(10);
    await answer(1, "skip", "8 more wait"); // of ten that had a place
    io.lines.length = 0;
    io.type("never all");
    await expect.poll(() => io.text, LONG).toContain("8 more questions are decided by it.");
    expect(io.text).toContain("20 times a question had no place here.");
    const bob = await person("bob");
    await read(bob, names);
    await expect.poll(shown, LONG).toBe(1);
    expect(io.text).toContain('and 41 more: "more" lists them');
    expect(io.text).not.toContain("field20");
    io.type("more");
    await expect.poll(() => io.text, LONG).toContain('40  field "field39"');
  });

  it("P-3.5.1-1: a question that was skipped rests for a minute, and comes when the Thing is asked again after that", async () => {
    const anna = await person("anna");
    expect(await read(anna, ["Temperature"])).toBe("forbidden");
    await expect.poll(shown, LONG).toBe(1);
    io.type("skip");
    await read(await person("bob"), ["Temperature"]);
    await expect.poll(shown, LONG).toBe(2);
    site.provisioning.setRules([]); // has the Thing ask anew, as any other answer does
    await expect.poll(() => site.provisioning.unacknowledged, LONG).toEqual([]);
    const before = site.provisioning.count("canRead");
    expect(await read(anna, ["Temperature"])).toBe("forbidden");
    expect(site.provisioning.count("canRead")).toBeGreaterThan(before);
    await answer(2, "never", "Refused from now on.");
    expect(await read(anna, ["Temperature"])).toBe("forbidden");
    expect(shown()).toBe(2);
    await clock.advance(60_000);
    await expect.poll(() => site.provisioning.unacknowledged, LONG).toEqual([]);
    expect(await read(anna, ["Temperature"])).toBe("forbidden");
    await answer(3, "always", "Allowed from now on.");
    expect(await read(anna, ["Temperature"])).toBe("Temperature");
  });

  it("shows names from the wire as what they are, and obeys none of them", async () => {
    const anna = await person("anna");
    expect(await read(anna, ["\u001b[2JTemperature\u202e", 'x"  2  field "y'])).toBe("forbidden");
    await expect.poll(shown, LONG).toBe(1);
    expect(io.text).toContain(String.raw`1  field "\u001b[2JTemperature\u202e"`);
    expect(io.text).toContain(String.raw`2  field "x\"  2  field \"y"`);
    expect(io.text.replaceAll("\n", "")).not.toMatch(/\p{Cc}|\p{Cf}/u);
  });

  it("says what is wrong with an answer, explains, and asks on", async () => {
    const anna = await person("anna");
    await read(anna, ["Temperature"]);
    const wrong = [
      ["", "an answer is none of once, always, domain, never, skip"],
      ["yes", '"yes" is none of once'],
      ["skip 1", "skip goes with nothing"],
      ["once domain", "once is for one"],
      ["always all 1", "all, or only some"],
      ["never 1", "never refuses what was asked"],
      ["always 3", "there is no 3 in the list"],
      ["always 0", "there is no 0 in the list"],
      ["always parameter=LED", '"parameter=LED" is none of all, domain, a number, node=NAME, field=NAME, kind=NAME'],
      ["always field=Pressure", 'field "Pressure" was not asked for'],
      ["always kind=daily", 'there is no kind "daily"'],
      ["?", "allows it from now on to everybody at localhost"],
    ] as const;
    for (const [text, says] of wrong) {
      io.lines.length = 0;
      io.type(text);
      await expect.poll(() => io.text, LONG).toContain(says);
    }
    expect(site.provisioning.rules).toEqual([]);
    io.type("skip");
    await read(await person("bob"), ["Temperature"]);
    await expect.poll(() => io.text, LONG).toContain("bob@localhost wants to read");
  });

  it("asks nobody any more when the input has ended", async () => {
    io.type(undefined);
    const anna = await person("anna");
    expect(await read(anna, ["Temperature"])).toBe("forbidden");
    await asking;
    expect(io.lines.at(-1)).toBe("Nobody answers any more: what no rule decides stays refused.");
    expect(await read(await person("bob"), ["Temperature"])).toBe("forbidden");
    expect(shown()).toBe(1);
  });

  it("lets two be friends", async () => {
    const anna = await person("anna");
    await expect(anna.befriend(thing.jid.split("/")[0] ?? "", LONG)).rejects.toThrow();
    expect(io.text).toContain("anna@localhost wants to be a friend of");
    await answer(1, "always", "Allowed from now on.");
    await anna.befriend(thing.jid.split("/")[0] ?? "", LONG);
    expect(shown()).toBe(1);
  });
});
