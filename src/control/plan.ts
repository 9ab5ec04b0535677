// What a request asks to be set, and all of it checked before any is: XEP-0325 3.1.3, 3.3.3, 3.4.3, 3.4.6, 5.1, XEP-0324 3.4.2, 3.4.3.
import { ProtocolError, type ParameterProblem } from "../core/errors.ts";
import { Refusal } from "../core/refusal.ts";
import {
  malformedSettings,
  parseSet,
  type ParameterKind,
  type ParameterSetting,
  type SetRequest,
} from "../codec/control.ts";
import type { NodeRef } from "../codec/node-ref.ts";
import type { Tokens } from "../codec/tokens.ts";
import type { XmlElement } from "../codec/xml.ts";
import type { Devices } from "../provisioning/devices.ts";
import type { Grant } from "../provisioning/grants.ts";
import type { ControlParameter } from "./definition.ts";
import { editedFields, settingOfField } from "./form-settings.ts";
import { typeOf } from "./limits.ts";
import { namesTooMuch, reached, type ControlDevice } from "./reach.ts";
import { settingFor, stepsFor, type Setting } from "./setting.ts";

/** A value that is asked for. */
export interface Asked {
  /** The name of the parameter. */
  readonly name: string;
  /** It is a field of a control form: its words get their type from the device, and the device has its own order for it. */
  readonly isOfForm: boolean;
  /** The value for a parameter of that type, or what is wrong with it in words for the caller. */
  as(kind: ParameterKind): ParameterSetting | string;
}

/** What somebody asks to be set. */
export interface Wanted {
  /** On which nodes; none: on the Thing itself. */
  readonly nodes: readonly NodeRef[];
  /** The names of the parameters, each once. */
  readonly names: readonly string[];
  /** The tokens that came along. */
  readonly tokens: Tokens;
  /** The values, in the order in which they are to be set. */
  readonly asked: readonly Asked[];
}

// What is checked and done at once: values, each counted on each node; and the steps that patterns take for their texts, as
// nothing else goes on meanwhile.
const MOST_VALUES = 10_000;
const MOST_STEPS = 10_000_000;
// Values that cannot be read: more of them are not told.
const MOST_MALFORMED = 20;

/** Reads a request, and refuses what cannot be one whoever asks. */
export function understood(payload: XmlElement): Wanted {
  const { nodes, parameters, tokens, form } = read(payload);
  const fields = form === undefined ? [] : editedFields(form);
  const asked = [
    ...parameters.map((setting): Asked => ({ name: setting.name, isOfForm: false, as: () => setting })),
    ...fields.map((field): Asked => ({ name: field.name, isOfForm: true, as: (kind) => settingOfField(field, kind) })),
  ];
  if (asked.length === 0) throw new Refusal("bad-request", "Name at least one parameter.");
  const names = asked.map(({ name }) => name);
  if (namesTooMuch(tokens, nodes, names)) throw new Refusal("not-acceptable", "Name fewer nodes and parameters.");
  // Which of the two is meant cannot be known.
  const seen = new Set<string>();
  const twice = names.filter((name) => seen.size === seen.add(name).size);
  if (twice.length > 0) {
    throw refusal(
      "bad-request",
      twice.map((name) => ({ name, text: "Named twice." })),
    );
  }
  return { nodes, names, tokens, asked };
}

function read(payload: XmlElement): SetRequest {
  try {
    return parseSet(payload);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    const problems = malformedSettings(payload, MOST_MALFORMED);
    throw problems.length === 0 ? error : refusal("bad-request", problems);
  }
}

/** What is to be set of one device. */
export interface Plan {
  readonly device: ControlDevice;
  readonly settings: readonly Setting[];
}

/**
 * What is to be set: what is allowed, all of it checked on all nodes before any of it is done (XEP-0325 3.4.3). What is
 * not allowed is left out (P-3.4.2-6, P-3.4.3-4), whether it exists or not; if nothing is left it is a no (P-E19).
 */
export function planned(
  devices: Devices<ControlDevice>,
  { nodes, asked }: Wanted,
  grants: readonly Grant[],
): readonly Plan[] {
  const allowed = reached(devices, nodes, grants, () => asked).map(({ device, allowed: some }) => {
    return { device, some, known: knownOf(device) };
  });
  const strange = allowed.flatMap(({ some, known }) => some.filter(({ name }) => !known.has(name)));
  if (strange.length > 0) {
    throw refusal(
      "item-not-found",
      strange.map(({ name }) => ({ name, text: "No such parameter." })),
    );
  }
  const tooMany = new Refusal("not-acceptable", "Too many values for one request: name fewer nodes or parameters.");
  if (allowed.reduce((sum, { some }) => sum + some.length, 0) > MOST_VALUES) throw tooMany;
  let steps = 0;
  const problems: ParameterProblem[] = [];
  const plan = allowed.map(({ device, some, known }) => ({
    device,
    settings: inOrder(some, known).flatMap((one) => {
      const parameter = known.get(one.name) as ControlParameter;
      const given = one.as(typeOf(parameter));
      if (typeof given !== "string" && (steps += stepsFor(parameter, given)) > MOST_STEPS) throw tooMany;
      const setting = typeof given === "string" ? given : settingFor(parameter, given);
      if (typeof setting !== "string") return [setting];
      problems.push({ name: one.name, text: setting });
      return [];
    }),
  }));
  if (problems.length > 0) throw refusal("bad-request", problems);
  return plan;
}

/**
 * The order in which they are to be set: that of the caller (XEP-0325 3.2.11), but that of the device for the fields of a
 * form, which have none of their own (XEP-0325 3.3.1, 5.4).
 */
function inOrder(some: readonly Asked[], known: ReadonlyMap<string, unknown>): readonly Asked[] {
  const fields = new Map(some.filter(({ isOfForm }) => isOfForm).map((one) => [one.name, one]));
  return [...some.filter(({ isOfForm }) => !isOfForm), ...[...known.keys()].flatMap((name) => fields.get(name) ?? [])];
}

const knownOf = ({ control = [] }: ControlDevice): ReadonlyMap<string, ControlParameter> =>
  new Map(control.map((parameter) => [parameter.name, parameter]));

/** An error about parameters (XEP-0325 3.1.3, 5.1): the first thing that is wrong with each. */
function refusal(condition: "bad-request" | "item-not-found", problems: readonly ParameterProblem[]): Refusal {
  const each = new Map<string, ParameterProblem>();
  for (const one of problems) if (!each.has(one.name)) each.set(one.name, one);
  const [first = "", ...others] = new Set([...each.values()].map(({ text }) => text));
  return new Refusal(condition, others.length === 0 ? first : "Several parameters are wrong.", [...each.values()]);
}
