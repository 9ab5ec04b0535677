// Says what in a list of stanzas the schemas of the XEPs and RFC 6120 do not allow.
import { readFile, readdir } from "node:fs/promises";
import { memoryPages, validateXML } from "xmllint-wasm";
import { ns } from "../../src/codec/namespaces.ts";
import { isXmlText, parseXml, type XmlElement } from "../../src/codec/xml.ts";
import { messageOf } from "../../src/core/errors.ts";

const folder = new URL("../schema/xsd/", import.meta.url);
const entry = "stanzas.xsd";
// Each call starts a WebAssembly machine of its own: few and large ones, but not larger than its memory.
const STANZAS_A_CALL = 2_000;

interface Schema {
  readonly fileName: string;
  readonly contents: string;
}

let loaded: Promise<readonly Schema[]> | undefined;

async function load(): Promise<readonly Schema[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".xsd"));
  return Promise.all(
    names.map(async (fileName) => ({ fileName, contents: await readFile(new URL(fileName, folder), "utf8") })),
  );
}

/**
 * Checks stanzas, as elements or as XML, and gives a line for each violation: what is wrong, and the stanza. A stanza
 * without a namespace counts as one of `jabber:client`, as on a client's stream.
 */
export async function validateStanzas(stanzas: readonly (XmlElement | string)[]): Promise<string[]> {
  const violations: string[] = [];
  const wellFormed: string[] = [];
  for (const stanza of stanzas) {
    const xml = String(stanza);
    const problems = wordingProblems(xml);
    violations.push(...problems.map((problem) => `${problem}: ${xml}`));
    // One that is no XML would spoil the document for all the others.
    if (problems.length === 0) wellFormed.push(xml);
  }
  for (let start = 0; start < wellFormed.length; start += STANZAS_A_CALL) {
    violations.push(...(await schemaProblems(wellFormed.slice(start, start + STANZAS_A_CALL))));
  }
  return violations;
}

/** What XML and RFC 6120 section 8.2.3 want, and XML Schema cannot say. */
function wordingProblems(xml: string): readonly string[] {
  if (!isXmlText(xml)) return ["a character that XML forbids"];
  let stanza: XmlElement;
  try {
    stanza = parseXml(xml);
  } catch (error) {
    return [messageOf(error)];
  }
  if (!["iq", "message", "presence"].includes(stanza.name)) return ["not a stanza"];
  if (![undefined, ns.client as string].includes(stanza.getNS())) return ["not a stanza of jabber:client"];
  if (!stanza.is("iq")) return [];
  const children = stanza.getChildElements();
  const errors = children.filter((child) => child.is("error"));
  const { type } = stanza.attrs;
  const problems: string[] = [];
  if ((type === "get" || type === "set") && children.length !== 1) problems.push("a request holds exactly one child");
  if (type === "result" && children.length > 1) problems.push("a result holds at most one child");
  if ((type === "error") !== (errors.length === 1)) problems.push("an error element stands in errors, and only there");
  return problems;
}

async function schemaProblems(stanzas: readonly string[]): Promise<readonly string[]> {
  loaded ??= load();
  const schemas = await loaded;
  // A stanza a line: the line of a violation names its stanza.
  const lines = stanzas.map((xml) => xml.replaceAll("\n", "&#10;").replaceAll("\r", "&#13;"));
  const result = await validateXML({
    xml: {
      fileName: "sent.xml",
      contents: ["<t:stanzas xmlns:t='urn:xmpp-thing:stanzas' xmlns='jabber:client'>", ...lines, "</t:stanzas>"].join(
        "\n",
      ),
    },
    schema: schemas.filter(({ fileName }) => fileName === entry),
    preload: schemas.filter(({ fileName }) => fileName !== entry),
    initialMemoryPages: 16 * memoryPages.MiB,
    maxMemoryPages: 512 * memoryPages.MiB,
  });
  return result.errors.map(({ message, loc }) => {
    const stanza = loc === null ? undefined : stanzas[loc.lineNumber - 2];
    return `${message}: ${stanza ?? "the whole document"}`;
  });
}
