// What a device developer says about what can be controlled (XEP-0325 3.2.1).
import { ConfigError } from "../core/errors.ts";
import type { BareJid } from "../core/jid.ts";
import { checkKnown } from "../core/options.ts";
import { isXmlText } from "../codec/xml.ts";
import type { IncomingRequest } from "../provisioning/incoming-request.ts";

/** Who sets a parameter, and for how long they wait for it. */
export interface ControlContext {
  /** Who sets it. They are allowed to: that is decided before. */
  readonly from: BareJid;
  /**
   * Fires when nobody waits any more: the time is up (8.5 s after the request came, the time that a provisioning server
   * took is part of it), or the connection has ended. Stop then if the device can be left as it is.
   */
  readonly signal: AbortSignal;
  /** The request that is being obeyed: to be handed on, as `onBehalfOf`, to what is asked of other Things for it. */
  readonly request: IncomingRequest;
}

/** Something of the device that can be set from outside, for instance a lamp. */
export interface ControlParameter {
  /** Its name, for instance `LED`. */
  readonly name: string;
  /** What it takes. There are no others yet. */
  readonly type: "boolean";
  /**
   * Sets it. Called only for what was allowed, and never while another call for the same Thing is running. Resolves when
   * the device has done it: then it is acknowledged. Throw `Refusal` to tell the caller why it failed; any other error's
   * text stays on the Thing.
   */
  set(value: boolean, context: ControlContext): void | Promise<void>;
}

/** Checks the definitions; throws `ERR_CONFIG` naming the one that is wrong. */
export function checkControl(parameters: readonly ControlParameter[], option = "control"): void {
  if (!Array.isArray(parameters)) throw new ConfigError(`${option}: must be a list`);
  const names = new Set<string>();
  for (const [index, parameter] of parameters.entries()) {
    const wrong = (problem: string): ConfigError => new ConfigError(`${option}[${index}]: ${problem}`);
    const given = parameter as Partial<ControlParameter> | null | undefined;
    if (typeof given !== "object" || given === null) throw wrong("must be an object");
    checkKnown(given, ["name", "type", "set"], `${option}[${index}]`);
    const { name, type, set } = given;
    if (typeof name !== "string" || name === "" || !isXmlText(name)) throw wrong("needs a name");
    if (names.has(name)) throw wrong(`"${name}" is defined twice`);
    if (type !== "boolean") throw wrong(`unknown type "${String(type)}"; there is boolean`);
    if (typeof set !== "function") throw wrong("set must be a function");
    names.add(name);
  }
}
