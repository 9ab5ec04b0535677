/** One requirement of the two XEPs. */
export interface Requirement {
  readonly id: string;
  readonly section: string;
  readonly strength: string;
  readonly who: readonly string[];
}
export function idsIn(name: string): string[];
export function requirementsIn(markdown: string): Requirement[];
export function gapsIn(
  requirements: readonly Requirement[],
  shown: ReadonlyMap<string, ReadonlySet<string>>,
): Requirement[];
export function renderCoverage(
  requirements: readonly Requirement[],
  shown: ReadonlyMap<string, ReadonlySet<string>>,
  reasons: ReadonlyMap<string, string>,
): string;
