// A Thing that is read often.  In the environment: SERVICE, DOMAIN, STATE, REGISTRY, PROVISIONING
import { Thing, fileStorage } from "xmpp-thing";
import { fields, read } from "./readout-fields.mjs";

const { SERVICE: service, DOMAIN: domain, STATE: folder, REGISTRY: registry, PROVISIONING: provisioning } = process.env;
const thing = new Thing({
  storage: fileStorage(folder),
  server: { service, domain },
  registry,
  provisioning: [provisioning],
  tags: { SN: "394872348732948724", MAN: "example.org" },
  sensor: { fields: fields.map((field) => ({ ...field, decimals: 1 })), read },
});
thing.on("fault", ({ code, message }) => console.error(code, message));
await thing.start();
await thing.waitFor("registered"); // which it still is when it starts again
await thing.waitFor("online");
console.log(`online ${thing.jid}`);
