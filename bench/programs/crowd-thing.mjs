// Things, many in one process.  In the environment: SERVICE, DOMAIN, REGISTRY, PROVISIONING, COUNT
import { Thing, memoryStorage } from "xmpp-thing";
import { heap, crowd } from "./crowd.mjs";

const { SERVICE: service, DOMAIN: domain, REGISTRY: registry, PROVISIONING: provisioning } = process.env;
await crowd(async (index) => {
  const thing = new Thing({
    storage: memoryStorage(),
    server: { service, domain },
    registry,
    provisioning: [provisioning],
    tags: { SN: String(index), MAN: "example.org" },
    sensor: {
      fields: [{ name: "Temperature", unit: "°C", decimals: 1 }],
      read: () => [{ name: "Temperature", value: 21.5 }],
    },
  });
  thing.on("fault", ({ code, message }) => console.error(code, message));
  await thing.start();
  await thing.waitFor("registered", { timeout: 60_000 });
  return thing;
}, heap);
