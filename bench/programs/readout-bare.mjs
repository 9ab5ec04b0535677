// A bare @xmpp/client with TCP_NODELAY that answers by one IQ result with the fields in it.
// In the environment: SERVICE, DOMAIN, CLIENT, PASSWORD
import { client, xml } from "@xmpp/client";
import { fields, read } from "./readout-fields.mjs";

const NS = "urn:xmpp:iot:sensordata";
const units = new Map(fields.map(({ name, unit }) => [name, unit]));
const { SERVICE: service, DOMAIN: domain, CLIENT: username, PASSWORD: password } = process.env;
const xmpp = client({ service, domain, username, password });
xmpp.on("error", (error) => console.error(error));
xmpp.iqCallee.get(NS, "req", ({ element }) =>
  xml(
    "fields",
    { xmlns: NS, seqnr: element.attrs.seqnr, done: "true" },
    xml(
      "node",
      { nodeId: "" },
      xml(
        "timestamp",
        { value: new Date().toISOString() },
        ...read().map(({ name, value }) =>
          xml("numeric", {
            ...{ name, momentary: "true", automaticReadout: "true" },
            ...{ value: value.toFixed(1), unit: units.get(name) },
          }),
        ),
      ),
    ),
  ),
);
const jid = await xmpp.start();
xmpp.socket.socket.setNoDelay(true);
await xmpp.send(xml("presence"));
console.log(`online ${jid}`);
