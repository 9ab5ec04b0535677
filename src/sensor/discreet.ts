// What a Thing says in its errors, without the tokens that it was sent: programs log them.
import { ProtocolError, StanzaError } from "../core/errors.ts";
import { hideTokens, type Tokens } from "../codec/tokens.ts";
import { ReadoutError } from "./readout-error.ts";

/** Errors hold the other one's words, and programs log them: no token that it was sent may be among those. */
export async function discreetly<T>(tokens: Tokens, doing: Promise<T>): Promise<T> {
  try {
    return await doing;
  } catch (error) {
    throw discreet(error, tokens);
  }
}

const wordsOf = (error: Error): string =>
  [error.message, ...(error instanceof StanzaError ? error.parameters.map(({ text }) => text) : [])].join("\n");

/** An error without these tokens: the same one, if they do not stand in it. */
export function discreet(error: unknown, tokens: Tokens): unknown {
  const hide = (text: string): string => hideTokens(text, tokens);
  if (!(error instanceof Error) || hide(wordsOf(error)) === wordsOf(error)) return error;
  if (error instanceof StanzaError) {
    const { condition, type, from, text, parameters } = error;
    const problems = parameters.map((problem) => ({ ...problem, text: hide(problem.text) }));
    return new StanzaError(condition, type, from, hide(text), problems);
  }
  if (error instanceof ReadoutError) {
    const failures = error.failures.map((failure) => ({
      ...failure,
      node: { ...failure.node, nodeId: hide(failure.node.nodeId) },
      text: hide(failure.text),
    }));
    return new ReadoutError(failures, error.groups);
  }
  if (!(error instanceof ProtocolError)) return error;
  const said = error.path === "" ? error.message : error.message.slice(0, -` (at ${error.path})`.length);
  return new ProtocolError(hide(said), hide(error.path)); // the names of elements are the other one's words too
}
