// XEP-0325 3.3.1, 3.3.2, 3.4.4, 3.4.5 on the Thing: getForm -> guard -> the form of what may be controlled, or an error.
import { withDeadline } from "../core/abort.ts";
import { TimeoutError } from "../core/errors.ts";
import { fewAtOnce } from "../core/few-at-once.ts";
import { Refusal } from "../core/refusal.ts";
import { parseGetForm, type GetForm } from "../codec/control-form.ts";
import { buildDataForm, type DataForm, type FormField } from "../codec/data-form.ts";
import { ns } from "../codec/namespaces.ts";
import type { NodeRef } from "../codec/node-ref.ts";
import type { XmlElement } from "../codec/xml.ts";
import type { IncomingIq } from "../channel/router.ts";
import { nodeOf, type Devices } from "../provisioning/devices.ts";
import type { Grant } from "../provisioning/grants.ts";
import type { ControlResponderOptions } from "./control-responder.ts";
import { CurrentValues } from "./current-values.ts";
import type { ControlParameter } from "./definition.ts";
import { commonField, fieldOf, pagesOf, withValue } from "./form-fields.ts";
import { namesTooMuch, reached, type ControlDevice } from "./reach.ts";
import { RunningControl } from "./running-control.ts";

// Below the time that a handler has.
const LONGEST_FORM = 8_500;
// What is compared for one form.
const MOST_PARAMETERS = 10_000;
// Values that are asked for at the same time, and the time in which they must have come; the form lacks the others.
const MOST_AT_ONCE = 8;
const LONGEST_VALUES = 4_000;
// What servers let through is 256 kB in all.
const MOST_BYTES = 240_000;

/** What control forms are made of. */
export interface FormResponderOptions extends ControlResponderOptions {
  /** The name of the Thing, for people; empty if it has none. */
  readonly title: string;
}

/** Answers `getForm` on the Thing. */
export function answerForms(options: FormResponderOptions): void {
  const values = new CurrentValues(options.clock, options.onFault);
  options.router.onIq(ns.control, "getForm", async (iq) => {
    const request = understood(iq);
    const { nodes, tokens } = request;
    // Which parameters there are is for whoever may control them to learn: the question is about all.
    const question = { kind: "control", jid: iq.from.bare, tokens, nodes, parameters: [] } as const;
    const { guard, clock } = options;
    const control = new RunningControl({ guard, question, from: iq.from, progress: [], signal: iq.signal });
    const end = guard.running.begin(control, iq.signal);
    try {
      const limits = { signal: control.signal, timeout: LONGEST_FORM };
      return await withDeadline(clock, limits, "getForm", async (signal) => {
        for (;;) {
          if (control.isStale()) await control.refresh();
          const { grants } = control;
          const payload = await answer(options, values, request, grants, signal);
          // Rights may have been taken back, and asked for anew, while the devices were asked for their values.
          if (!control.isStale() && control.grants === grants) return { payload };
        }
      });
    } catch (error) {
      if (!(error instanceof TimeoutError)) throw error;
      throw new Refusal("resource-constraint", "There was no time left for it. Try again later.");
    } finally {
      end();
      control.close();
    }
  });
}

function understood({ type, payload }: IncomingIq): GetForm {
  if (type !== "get") throw new Refusal("bad-request", "A control form is asked for by an IQ of type get.");
  const request = parseGetForm(payload);
  const { nodes, tokens } = request;
  if (namesTooMuch(tokens, nodes)) throw new Refusal("not-acceptable", "Name fewer nodes.");
  return request;
}

async function answer(
  { devices, title, clock }: FormResponderOptions,
  values: CurrentValues,
  { nodes }: GetForm,
  grants: readonly Grant[],
  signal: AbortSignal,
): Promise<XmlElement> {
  const seen = permitted(devices, nodes, grants);
  const common = inCommon(seen);
  const fields: FormField[] = common.map(({ field }) => field);
  try {
    await withDeadline(clock, { signal, timeout: LONGEST_VALUES }, "values", (limited) =>
      fewAtOnce(common.entries(), MOST_AT_ONCE, async ([index, { field, of }]) => {
        const value = await commonValue(values, of, limited);
        if (value !== undefined) fields[index] = withValue(field, value);
      }),
    );
  } catch (error) {
    if (signal.aborted || !(error instanceof TimeoutError)) throw error;
  }
  const pages = pagesOf(fields, (name) => common.find(({ field }) => field.name === name)?.of[0]?.parameter.page);
  const form: DataForm = {
    type: "form",
    title: titleOf(seen, title),
    instructions: "",
    fields,
    ...(pages.length > 0 && { pages }),
  };
  const payload = buildDataForm(form);
  if (Buffer.byteLength(String(payload)) > MOST_BYTES) {
    throw new Refusal("not-acceptable", "There is too much to be controlled for one form.");
  }
  return payload;
}

/** A device, and what of it may be set. */
interface Seen {
  readonly node: NodeRef;
  readonly parameters: readonly ControlParameter[];
}

/** The devices of which something may be set, each with just that (XEP-0324 3.4.2, 3.4.3). */
function permitted(
  devices: Devices<ControlDevice>,
  nodes: readonly NodeRef[],
  grants: readonly Grant[],
): readonly Seen[] {
  const seen = reached(devices, nodes, grants, ({ control = [] }) => control).map(({ device, allowed }): Seen => ({
    node: nodeOf(device),
    parameters: allowed,
  }));
  if (seen.reduce((sum, { parameters }) => sum + parameters.length, 0) > MOST_PARAMETERS) {
    throw new Refusal("not-acceptable", "Name fewer nodes.");
  }
  return seen;
}

/** A parameter of several devices, and the field that stands for it. */
interface Common {
  readonly field: FormField;
  readonly of: readonly { readonly node: NodeRef; readonly parameter: ControlParameter }[];
}

/** What the devices have in common (XEP-0325 3.4.4), in the order of the first. */
function inCommon(seen: readonly Seen[]): readonly Common[] {
  const named = seen.map(({ node, parameters }) => ({
    node,
    byName: new Map(parameters.map((parameter) => [parameter.name, parameter])),
  }));
  return [...(named[0]?.byName.keys() ?? [])].flatMap((name): readonly Common[] => {
    const of = named.flatMap(({ node, byName }) => {
      const parameter = byName.get(name);
      return parameter === undefined ? [] : [{ node, parameter }];
    });
    const field = of.length < named.length ? undefined : commonField(of.map(({ parameter }) => fieldOf(parameter)));
    return field === undefined ? [] : [{ field, of }];
  });
}

/** The value that they all have; `undefined` if they differ, or one is not known. */
async function commonValue(values: CurrentValues, of: Common["of"], signal: AbortSignal): Promise<string | undefined> {
  let common: string | undefined;
  for (const { node, parameter } of of) {
    const value = await values.valueOf(parameter, node, signal);
    if (value === undefined || (common !== undefined && value !== common)) return undefined;
    common = value;
  }
  return common;
}

// XEP-0325 3.4.4: so many nodes are named.
const MOST_NAMED = 2;

function titleOf(seen: readonly Seen[], ofTheThing: string): string {
  const names = seen.map(({ node: { nodeId } }) => (nodeId === "" ? ofTheThing : nodeId));
  return [...names.slice(0, MOST_NAMED), ...(names.length > MOST_NAMED ? ["..."] : [])].join(", ");
}
