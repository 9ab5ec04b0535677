// A Thing that is online.  In the environment: SERVICE, DOMAIN, STATE, REGISTRY, PROVISIONING
import { Thing, fileStorage } from "xmpp-thing";

const { SERVICE: service, DOMAIN: domain, STATE: folder, REGISTRY: registry, PROVISIONING: provisioning } = process.env;
const thing = new Thing({
  storage: fileStorage(folder),
  server: { service, domain },
  registry,
  provisioning: [provisioning],
  tags: { SN: "394872348732948723", MAN: "example.org" },
  sensor: {
    fields: [{ name: "Temperature", unit: "°C", decimals: 1 }],
    read: () => [{ name: "Temperature", value: 21.5 }],
  },
});
thing.on("fault", ({ code, message }) => console.error(code, message));
await thing.start();
await thing.waitFor("online");
console.log("online 1");
await thing.waitFor("registered");
console.log(`registered ${thing.jid}`);
process.stdin.on("data", (line) => {
  if (String(line).trim() === "stop") return void thing.stop().then(() => process.exit());
  const before = process.memoryUsage.rss();
  globalThis.gc();
  console.log(`rss ${before}\ntidy ${process.memoryUsage.rss()}`);
});
