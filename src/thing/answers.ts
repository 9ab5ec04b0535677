// What a Thing answers, and to whom (design, section 4).
import type { BareJid } from "../core/jid.ts";
import { Refusal } from "../core/refusal.ts";
import type { StanzaChannel } from "../channel/stanza-channel.ts";
import { nodeText } from "../codec/node-ref.ts";
import type { Tag } from "../codec/tags.ts";
import { answerConcentrator } from "../concentrator/concentrator-responder.ts";
import type { NodeView } from "../concentrator/visible-nodes.ts";
import { answerControl, type ControlDevice } from "../control/control-responder.ts";
import { answerForms } from "../control/form-responder.ts";
import { answerClearCache } from "../provisioning/clear-cache.ts";
import type { Devices } from "../provisioning/devices.ts";
import type { Guard } from "../provisioning/guard.ts";
import type { RightsCache } from "../provisioning/rights-cache.ts";
import { answerNotices, type Notice } from "../registry/registry-client.ts";
import { answerReadouts, type SensorDevice } from "../sensor/sensor-responder.ts";
import { abilitiesOf, answerDisco } from "./disco.ts";
import type { FaultCode } from "./faults.ts";
import type { NodeSettings } from "./node-definition.ts";
import type { Nodes } from "./nodes.ts";
import type { ThingSettings } from "./options.ts";
import { trustedServers, type ThingEvent, type ThingState } from "./state.ts";

/** What a notice of the Registry becomes. */
export type NoticeEvent = Extract<ThingEvent, { type: Notice["type"] }>;

/** What the answers of a Thing are made of. */
export interface AnswerParts {
  readonly channel: StanzaChannel;
  readonly settings: ThingSettings;
  readonly guard: Guard;
  readonly cache: RightsCache;
  /** What can be read and set: the Thing itself, and the nodes behind it. */
  readonly devices: Devices<SensorDevice & ControlDevice>;
  /** The nodes; `undefined`: the Thing is no concentrator. */
  readonly nodes: Pick<Nodes, "accept" | "settings"> | undefined;
  /** The state now. */
  readonly state: () => ThingState;
  /** The Registry whose notices count. */
  readonly registry: () => BareJid | undefined;
  /** Makes an event durable; resolves to what starts its effects. */
  readonly apply: (event: NoticeEvent) => Promise<() => void>;
  /** Told when a server had all rights forgotten. */
  readonly onCleared: (server: BareJid) => void;
  readonly onFault: (code: FaultCode, message: string, cause?: unknown) => void;
}

/** Registers everything a Thing answers. */
export function answerRequests(parts: AnswerParts): void {
  const { channel, settings, guard, cache, devices, onFault } = parts;
  const { router } = channel;
  const { clock } = settings;
  const can = abilitiesOf(settings);
  answerDisco(router, can);
  answerClearCache({
    router,
    cache,
    servers: () => trustedServers(parts.state()),
    onCleared: parts.onCleared,
    onFault,
  });
  answerNotices({
    router,
    registry: parts.registry,
    accept: async (registry, notice) => {
      const { node } = notice;
      // A Thing is its own owner by its own wish only (XEP-0347 3.7), and nobody could ever disown it.
      if (notice.type === "claimed" && notice.owner === channel.jid?.bare) {
        const what = node === undefined ? "this Thing" : `the node ${nodeText(node)}`;
        onFault(
          "owner-change-ignored",
          `${registry} says that ${what} belongs to the Thing itself, which has not asked for that: it stays as it is`,
        );
        return () => undefined;
      }
      if (node === undefined) return parts.apply(eventOf(registry, notice));
      // A Thing that is no concentrator registered itself and no node.
      if (parts.nodes === undefined) throw new Refusal("item-not-found");
      return parts.nodes.accept(registry, { ...notice, node });
    },
  });
  if (can.sense) answerReadouts({ channel, guard, devices, clock, onFault });
  if (can.control) {
    answerControl({ router, guard, devices, clock, onFault });
    answerForms({ router, guard, devices, clock, onFault, title: titleOf(settings.tags) });
  }
  const { nodes } = parts;
  if (nodes !== undefined) answerConcentrator({ router, guard, nodes: () => nodes.settings().map(viewOf) });
}

/** How people know a Thing that has a name, or at least a model (XEP-0347 5.2). */
function titleOf(tags: readonly Tag[]): string {
  const of = (wanted: string): Tag | undefined => tags.find(({ name }) => name === wanted);
  return String((of("NAME") ?? of("MODEL"))?.value ?? "");
}

/** A node, as others may see it. */
function viewOf({ sensor, control, ...node }: NodeSettings): NodeView {
  return { ...node, isReadable: sensor !== undefined, isControllable: control.length > 0 };
}

/** What a notice about the Thing itself means to its state. */
export function eventOf(registry: BareJid, notice: Notice): NoticeEvent {
  if (notice.type !== "claimed") return { type: notice.type, registry };
  return { type: "claimed", registry, owner: notice.owner, public: notice.public };
}
