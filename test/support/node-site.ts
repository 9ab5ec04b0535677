// A Thing with nodes, at a stream whose other end is the test: guard, readouts, control and listings, nothing else.
import type { Clock } from "../../src/core/clock.ts";
import { bareJid, type BareJid } from "../../src/core/jid.ts";
import { buildCanControlResponse } from "../../src/codec/can-control.ts";
import type { NodeRef } from "../../src/codec/node-ref.ts";
import { buildCanReadResponse, parseCanRead } from "../../src/codec/provisioning.ts";
import { parseFailure, parseFields } from "../../src/codec/sensor-data.ts";
import type { XmlElement } from "../../src/codec/xml.ts";
import { answerControl, type ControlDevice } from "../../src/control/control-responder.ts";
import { answerForms } from "../../src/control/form-responder.ts";
import { Barrier } from "../../src/provisioning/barrier.ts";
import { DeviceIndex } from "../../src/provisioning/devices.ts";
import { Guard, type Standing } from "../../src/provisioning/guard.ts";
import { RightsCache } from "../../src/provisioning/rights-cache.ts";
import type { SensorDefinition } from "../../src/sensor/definition.ts";
import { answerReadouts, type SensorDevice } from "../../src/sensor/sensor-responder.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import { listeningLogger, scriptedChannel } from "./scripted-wire.ts";

/** The provisioning servers. */
export const server = bareJid("provisioning.example.org");
export const second = bareJid("second.example.org");
/** Who owns the Thing. */
export const owner = bareJid("owner@example.org");
/** Who reads and controls. */
export const reader = "reader@example.org/desk";

/** A device that can be read and controlled. */
export type NodeDevice = SensorDevice & ControlDevice;

/** Puts the devices behind one address. The server grants everything until it is told otherwise. */
export async function nodeSite(
  of: readonly NodeDevice[] | ((clock: Clock) => readonly NodeDevice[]),
  servers: readonly BareJid[] = [server],
) {
  const logger = listeningLogger();
  const parts = scriptedChannel({ logger });
  const storage = memoryStorage();
  await storage.open();
  const cache = new RightsCache({ storage, logger, onFault: () => undefined });
  await cache.load();
  const now: { standing: Standing } = { standing: { owner, registry: undefined, servers } };
  const guard = new Guard({
    ...{ ...parts, cache, barrier: new Barrier(), logger },
    standing: () => now.standing,
    onDecision: () => undefined,
  });
  const devices = new DeviceIndex<NodeDevice>(typeof of === "function" ? of(parts.clock) : of);
  const trouble: string[] = [];
  const onFault = (_: string, message: string): void => void trouble.push(message);
  answerReadouts({ ...parts, guard, devices, onFault });
  const control = { ...parts, router: parts.channel.router, guard, devices, onFault };
  answerControl(control);
  answerForms({ ...control, title: "Dimmer" });
  parts.wire.peer(server, (payload) => yes(payload));
  return { ...parts, cache, guard, now, devices, trouble };
}

/** What a server says that grants these nodes, and these names of fields or parameters; empty lists restrict nothing. */
export function yes(question: XmlElement, nodes: readonly NodeRef[] = [], names: readonly string[] = []): XmlElement {
  return question.is("canRead")
    ? buildCanReadResponse({ result: true, types: new Set(), nodes, fields: names })
    : buildCanControlResponse({ result: true, nodes, parameters: names });
}

/** What a server says that grants nothing. */
export function no(question: XmlElement): XmlElement {
  return question.is("canRead")
    ? buildCanReadResponse({ result: false, types: new Set(), nodes: [], fields: [] })
    : buildCanControlResponse({ result: false, nodes: [], parameters: [] });
}

/** The ids of the nodes that a server was asked about. */
export const nodesIn = (question: XmlElement): readonly string[] =>
  parseCanRead(question).nodes.map(({ nodeId }) => nodeId);

/** A sensor with one field, `Temperature`. */
export const sensing = (read: SensorDefinition["read"]): SensorDefinition => ({
  fields: [{ name: "Temperature" }],
  read,
});

/** A sensor that is read at once. */
export const quick = (value = 21): SensorDefinition => sensing(() => [{ name: "Temperature", value }]);

/** What was told of a readout, message by message: `node: field field`, `node! words`, and `done` in the last. */
export function told(messages: readonly XmlElement[]): readonly string[] {
  return messages.map((message) => {
    const [payload] = message.getChildElements();
    if (payload === undefined) return "";
    const isFailure = payload.is("failure");
    const parts = isFailure
      ? parseFailure(payload).errors.map(({ node, text }) => `${node.nodeId}! ${text}`)
      : parseFields(payload).groups.map(
          ({ node, fields }) => `${node.nodeId}: ${fields.map(({ name }) => name).join(" ")}`,
        );
    const { done } = isFailure ? parseFailure(payload) : parseFields(payload);
    return [...parts, ...(done ? ["done"] : [])].join(", ");
  });
}
