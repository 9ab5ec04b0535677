// Refusals in the words of a protocol's own, where RFC 6120 has an error: those of before 2014 in XEP-0323 (P-E3) and
// XEP-0325 (P-E4), those of XEP-0326 (S-E7). slixmpp's devices still speak so.
import type { ParameterProblem } from "../core/errors.ts";
import { notDoneCode } from "./concentrator.ts";
import { refusalCode } from "./control.ts";
import { ns } from "./namespaces.ts";
import { optional, own, type XmlElement } from "./xml.ts";

/** A refusal, as an error of RFC 6120 would say it. */
export interface OldRefusal {
  /** The defined condition. */
  readonly condition: string;
  /** Words for people; the old code where there are none. */
  readonly text: string;
  /** What is wrong with single control parameters. */
  readonly parameters: readonly ParameterProblem[];
}

/** What the codes say in the words of RFC 6120; of others no more is known than that they are failures. */
const conditions: ReadonlyMap<string, string> = new Map([
  ["InsufficientPrivileges", "forbidden"],
  ["NotFound", "item-not-found"],
  ["NotImplemented", "feature-not-implemented"],
  ["Locked", "conflict"],
  ["FormError", "bad-request"],
]);

const conditionOf = (code: string): string => conditions.get(code) ?? "undefined-condition";

/** The refusal that a child of an answer is; `undefined` for every other element, and for success. */
export function oldRefusal(element: XmlElement): OldRefusal | undefined {
  if (element.is("rejected", ns.sensorData)) {
    return { condition: "forbidden", text: words(element).join(" "), parameters: [] };
  }
  const code = refusalCode(element);
  if (code !== undefined) {
    const [text = code] = words(element);
    return { condition: conditionOf(code), text, parameters: problems(element, text) };
  }
  const notDone = notDoneCode(element);
  return notDone === undefined ? undefined : { condition: conditionOf(notDone), text: notDone, parameters: [] };
}

/** What the `error` children say. Some peers write them in no namespace. */
const words = (element: XmlElement): readonly string[] =>
  element
    .getChildren("error")
    .map((error) => own(error.text().trim()))
    .filter((text) => text !== "");

/** The parameters that a response names. Its errors need not: slixmpp names one `Output` whatever it is about. */
function problems(response: XmlElement, text: string): readonly ParameterProblem[] {
  return response.getChildren("parameter", ns.control).flatMap((parameter) => {
    const name = optional(parameter, "name");
    return name === undefined ? [] : [{ name, text }];
  });
}
