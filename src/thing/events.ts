// What a Thing tells the program it lives in.
import type { EventEmitter } from "node:events";
import { refuseEventsBut } from "../core/events.ts";
import type { BareJid } from "../core/jid.ts";
import type { NodeRef } from "../codec/node-ref.ts";
import type { Decision } from "../provisioning/decision.ts";
import type { Question } from "../provisioning/questions.ts";
import type { Fault, FaultCode } from "./faults.ts";
import type { Ownership } from "./ownership.ts";
import type { Paired, PairingEnded, PairingWindow } from "./pairing.ts";
import type { ThingState } from "./state.ts";

/** A decision about rights, as it is told. */
export interface DecisionMade {
  /** What was asked, without the tokens of the asker. */
  readonly question: Question;
  /** What came out. */
  readonly decision: Decision;
  /** How long it took, in milliseconds. */
  readonly ms: number;
}

/** A claim, as it is told. */
export interface ThingClaimed {
  /** The owner. */
  readonly owner: BareJid;
  /** False if the owner keeps the Thing out of searches. */
  readonly public: boolean;
}

/** That the owner has removed the Thing from the Registry, as it is told (XEP-0347 3.10). */
export interface ThingRemoved {
  /** The Registry, in which nobody finds the Thing any more. */
  readonly registry: BareJid;
  /** The owner, who stays the owner; `undefined` for a Thing that is its own. */
  readonly owner: BareJid | undefined;
}

/** That the owner has disowned the Thing, as it is told (XEP-0347 3.17). */
export interface ThingDisowned {
  /** The Registry that said so. */
  readonly registry: BareJid;
  /** Who was the owner. */
  readonly owner: BareJid;
}

/** The events of a Thing and what their listeners are given. */
export interface ThingEvents {
  /** The state has changed, and the change is durable: the new one, the one before. */
  state: [state: ThingState, before: ThingState];
  /** What the QR code must show has changed; empty once claimed: show none then. */
  claimText: [text: string];
  /** What the QR code of a node behind the Thing must show has changed; empty once nobody has to claim it. */
  nodeClaimText: [text: string, node: NodeRef];
  /** A node behind the Thing has another owner, or none: the ownership now, the one before. */
  node: [node: NodeRef, ownership: Ownership, before: Ownership];
  /** The Thing has an owner. */
  claimed: [claim: ThingClaimed];
  /** The owner has removed the Thing from the Registry: nobody finds it there any more, and it changes no tags there. */
  removed: [removal: ThingRemoved];
  /** The Thing has no owner any more; show the new claim text. */
  disowned: [disowning: ThingDisowned];
  /** Somebody may now see the Thing's presence and ask it directly. */
  friended: [jid: BareJid];
  /** Somebody is no friend any more: a provisioning server said so, or they have disowned the Thing. */
  unfriended: [jid: BareJid];
  /** Light the LED: somebody asks for friendship, and `pressButton()` accepts. */
  pairing: [window: PairingWindow];
  /** Put the LED out: the window has ended. */
  pairingEnded: [ended: PairingEnded];
  /** Somebody whom the button has accepted has said what it is. It may take until it is online. */
  paired: [paired: Paired];
  /** A provisioning server said that rights have changed: everything remembered is forgotten. */
  rightsCleared: [server: BareJid];
  /** Somebody asked for something, and this is what they got. */
  decision: [made: DecisionMade];
  /** Background trouble. Most of it heals by itself. */
  fault: [fault: Fault];
  /** What a fault has told of works again: the connection is up, the Registry has answered, the disk takes what is written. */
  healed: [code: FaultCode];
}

// An object, so that the compiler asks for each event here.
const EVENTS: Readonly<Record<keyof ThingEvents, true>> = {
  state: true,
  claimText: true,
  nodeClaimText: true,
  node: true,
  claimed: true,
  removed: true,
  disowned: true,
  friended: true,
  unfriended: true,
  pairing: true,
  pairingEnded: true,
  paired: true,
  rightsCleared: true,
  decision: true,
  fault: true,
  healed: true,
};

/** Refuses listeners to what is never told: a slip of the pen would otherwise wait for ever. `on` throws `ERR_CONFIG`. */
export function refuseUnknownEvents(emitter: EventEmitter): void {
  refuseEventsBut(emitter, Object.keys(EVENTS));
}
