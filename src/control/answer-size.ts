// How much an answer holds: one that is too large for a server would end the stream. XEP-0325 3.1.2, 3.1.3.
import { Refusal } from "../core/refusal.ts";
import { shortened } from "../core/shortened.ts";
import { buildSetResponse, type SetResponse } from "../codec/control.ts";
import { buildError } from "../codec/stanza.ts";
import { xmlOf, type XmlElement } from "../codec/xml.ts";

// All servers take 10,000 bytes (RFC 6120 13.12); as for readouts, the rest is for what is around it.
const MOST_BYTES = 8_500;
// In characters: each takes five bytes at most.
const LONGEST_TEXT = 1_600;

const bytesOf = (element: XmlElement): number => Buffer.byteLength(xmlOf(element));

/** An error, as far as an answer holds it. Of what is wrong with single parameters what is left out is told when the rest is right. */
export function fittingRefusal({ condition, type, text: all, parameters }: Refusal): Refusal {
  const text = shortened(all, LONGEST_TEXT);
  const sizeWith = (problems: Refusal["parameters"]): number =>
    bytesOf(buildError({ condition, type, text, parameters: problems }));
  const alone = sizeWith([]);
  let bytes = alone;
  const told = parameters.flatMap((problem) => {
    const one = { ...problem, text: shortened(problem.text, LONGEST_TEXT) };
    const size = sizeWith([one]) - alone;
    if (bytes + size > MOST_BYTES) return [];
    bytes += size;
    return [one];
  });
  return new Refusal(condition, text, told);
}

/** What was done, as far as an answer holds it: nothing is acknowledged that was not done, and of each list at least one is told. */
export function fittingResponse({ nodes, parameters }: SetResponse): XmlElement {
  const names = first(parameters, nodes.length === 0 ? MOST_BYTES : MOST_BYTES / 2, (some) =>
    buildSetResponse({ nodes: [], parameters: some }),
  );
  const rest = MOST_BYTES - bytesOf(buildSetResponse({ nodes: [], parameters: names }));
  const told = first(nodes, rest, (some) => buildSetResponse({ nodes: some, parameters: [] }));
  return buildSetResponse({ nodes: told, parameters: names });
}

/** As many of a list as fit, from its beginning, and one of it in any case. An empty list stays one. */
function first<T>(all: readonly T[], room: number, build: (some: readonly T[]) => XmlElement): readonly T[] {
  const alone = bytesOf(build([]));
  let bytes = alone;
  const end = all.findIndex((one) => (bytes += bytesOf(build([one])) - alone) > room);
  return end < 0 ? all : all.slice(0, Math.max(1, end));
}
