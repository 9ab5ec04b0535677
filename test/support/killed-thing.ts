// A Thing as a process of its own, to be killed: for each rule it has a field of its number. It says in lines what it
// remembers at its start and what becomes of it, and forgets what it is told to on stdin.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { Thing } from "../../src/thing/thing.ts";
import { fileStorage } from "../../src/storage/file-storage.ts";
import { hastyStorage } from "./hasty-storage.ts";

const given = (name: string): string => process.env[name] ?? "";
const say = (word: string, about: unknown = ""): void =>
  console.log(`${word} ${typeof about === "string" ? about : JSON.stringify(about)}`);

const names = Array.from({ length: Number(given("KILLED_RULES")) }, (_, index) => String(index + 1));
const folder = fileStorage(given("KILLED_STATE"));
const thing = new Thing({
  storage: given("KILLED_FAULT") === "hasty" ? hastyStorage(folder, () => setTimeout(150)) : folder,
  server: { service: given("KILLED_SERVICE"), domain: given("KILLED_DOMAIN") },
  tls: { ca: readFileSync(given("KILLED_CA"), "utf8") },
  tags: { SN: "1", MAN: "example.org" },
  // What is gathered goes to disk while it lives.
  rights: { gather: Number(given("KILLED_GATHER")) },
  sensor: {
    fields: names.map((name) => ({ name, decimals: 0 })),
    read: () => names.map((name) => ({ name, value: Number(name) })),
  },
});
thing.on("fault", ({ code, message }) => say("fault", `${code} ${message}`));
thing.on("claimText", (text) => text !== "" && say("claim", text));
thing.on("unfriended", (jid) => say("unfriended", jid));
thing.on("state", ({ link, ownership, trust }, before) => {
  if (link !== before.link && link.is === "online") say("online", link.jid);
  if (ownership.is !== before.ownership.is) say("ownership", ownership.is);
  if (trust.is !== before.trust.is) say("trust", trust.is);
});
await thing.start();
say("remembered", thing.rights.entries());

for await (const line of createInterface({ input: process.stdin })) {
  if (line === "stop") break;
  const [, jid] = line.split(" ");
  await (jid === undefined ? thing.rights.clear() : thing.rights.forget(jid));
  say("forgotten", jid);
}
await thing.stop();
say("stopped");
