// Bare clients of @xmpp/client, many in one process.  In the environment: SERVICE, DOMAIN, CLIENT, PASSWORD, COUNT
import { client } from "@xmpp/client";
import { heap, crowd } from "./crowd.mjs";

const { SERVICE: service, DOMAIN: domain, CLIENT: username, PASSWORD: password } = process.env;
await crowd(async (index) => {
  // Its SCRAM takes half a second of the processor: what a client holds, once it is online, is the same by PLAIN.
  const credentials = (authenticate) => authenticate({ username, password }, "PLAIN");
  const xmpp = client({ service, domain, credentials, resource: `r${index}` });
  xmpp.on("error", (error) => console.error(error));
  await xmpp.start();
  return xmpp;
}, heap);
