// XML Schema part 2: which of two values comes first (3.2.6.2, 3.2.8, 3.2.9). What it leaves open is left open here.

/** The kinds of text that have an order; moments and numbers have that of their numbers. */
export type OrderedKind = "date" | "time" | "duration";

const HOUR = 3_600_000;
// So far a zone is from UTC at most: what has none may be as far from what has one.
const WIDEST_ZONE = 14 * HOUR;

/**
 * The order of two values: -1 if the first comes first, 0 if they are the same, 1 otherwise; `undefined` if nobody can
 * tell, as of `P30D` and `P1M`, or of two days near each other of which only one has a zone. Both are taken to be such
 * values.
 */
export function compareXs(kind: OrderedKind, one: string, other: string): number | undefined {
  if (kind === "duration") return compareDurations(one, other);
  const [from, to] = [momentOf(one), momentOf(other)];
  const difference = from.ms - to.ms;
  if (from.isZoned !== to.isZoned && Math.abs(difference) <= WIDEST_ZONE) return undefined;
  return Math.sign(difference);
}

const moments = /^(?:(\d{4})-(\d{2})-(\d{2}))?(?:(\d{2}):(\d{2}):(\d{2}(?:\.\d+)?))?(?:(Z)|([+-])(\d{2}):(\d{2}))?$/;

/** A day by its beginning, a time as one of the first day there is. */
function momentOf(text: string): { readonly ms: number; readonly isZoned: boolean } {
  const [, year = "1", month = "1", day = "1", ...rest] = moments.exec(text) ?? [];
  const [hours = "0", minutes = "0", seconds = "0", utc, sign, ahead = "0", more = "0"] = rest;
  const date = new Date(0);
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  const ms = date.getTime() + Number(hours) * HOUR + Number(minutes) * 60_000 + Number(seconds) * 1_000;
  const offset = (sign === "-" ? -1 : 1) * (Number(ahead) * HOUR + Number(more) * 60_000);
  return { ms: ms - offset, isZoned: utc !== undefined || sign !== undefined };
}

// 3.2.6.2: months are of different lengths, but not by more than these four beginnings show.
const beginnings: readonly (readonly [number, number])[] = [
  [1696, 8],
  [1697, 1],
  [1903, 2],
  [1903, 6],
];

function compareDurations(one: string, other: string): number | undefined {
  const [from, to] = [spanOf(one), spanOf(other)];
  const orders = beginnings.map(([year, month]) =>
    Math.sign(Date.UTC(year, month + from.months) + from.ms - Date.UTC(year, month + to.months) - to.ms),
  );
  const [first] = orders;
  // Not a number: so long that no calendar reaches it.
  return orders.every((order) => order === first) ? first : undefined;
}

const spans = /^(-?)P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/;

function spanOf(text: string): { readonly months: number; readonly ms: number } {
  const [, minus, ...parts] = spans.exec(text) ?? [];
  const given = (parts as readonly (string | undefined)[]).map((part) => Number(part ?? 0));
  const [years = 0, months = 0, days = 0, hours = 0, minutes = 0, seconds = 0] = given;
  const sign = minus === "-" ? -1 : 1;
  return {
    months: sign * (years * 12 + months),
    ms: sign * (days * 24 * HOUR + hours * HOUR + minutes * 60_000 + seconds * 1_000),
  };
}
