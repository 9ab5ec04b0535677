// Run inside a host of a test's network: a Thing whose readout takes its time, so that something can happen meanwhile.
import { readFileSync } from "node:fs";
import { Thing, fileStorage } from "../../src/index.ts";

const env = (name: string): string => process.env[name] ?? "";
const fields = Array.from({ length: 20 }, (_, index) => `Temperature ${index}`);
const STEP = 75;

const thing = new Thing({
  storage: fileStorage(env("THING_STATE")),
  tls: { ca: readFileSync(env("THING_CA"), "utf8") },
  tags: { SN: "2", MAN: "x.example" },
  ...(env("THING_KEEPALIVE") !== "" && { keepalive: JSON.parse(env("THING_KEEPALIVE")) as object }),
  sensor: {
    fields: fields.map((name) => ({ name, unit: "°C" })),
    async *read() {
      console.log("reading");
      for (const [index, name] of fields.entries()) {
        await new Promise((resolve) => setTimeout(resolve, STEP));
        yield { name, value: index };
      }
      console.log("read");
    },
  },
});
thing.on("state", ({ link, ownership, trust }, before) => {
  if (link !== before.link) console.log(`link ${link.is}${link.is === "online" ? ` ${link.jid}` : ""}`);
  if (ownership !== before.ownership && ownership.is === "registered")
    console.log(`ownership registered ${ownership.registry}`);
  if (ownership !== before.ownership && ownership.is === "claimed") {
    console.log(`ownership claimed ${ownership.owner} ${ownership.public ? "public" : "private"}`);
  }
  if (trust !== before.trust && trust.is === "delegated") {
    console.log(`trust delegated ${trust.servers.map(({ jid }) => jid).join(" ")}`);
  }
});
thing.on("claimText", (text) => console.log(`claim ${text}`));
thing.on("fault", ({ code, message }) => console.log(`fault ${code} ${message}`));
process.on("SIGTERM", () => void thing.stop());
await thing.start();
