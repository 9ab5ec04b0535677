// A bare @xmpp/client that is online and does nothing.  In the environment: SERVICE, DOMAIN, CLIENT, PASSWORD
import { client } from "@xmpp/client";

const { SERVICE: service, DOMAIN: domain, CLIENT: username, PASSWORD: password } = process.env;
const xmpp = client({ service, domain, username, password });
xmpp.on("error", (error) => console.error(error));
xmpp.once("online", () => console.log("online 1"));
await xmpp.start();
process.stdin.once("data", () => {
  const before = process.memoryUsage.rss();
  globalThis.gc();
  console.log(`rss ${before}\ntidy ${process.memoryUsage.rss()}`);
});
