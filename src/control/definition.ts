// What a device developer says about what can be controlled (XEP-0325 3.2.1 to 3.2.10, 3.3.1).
import type { BareJid } from "../core/jid.ts";
import type { IncomingRequest } from "../provisioning/incoming-request.ts";

/** Who sets a parameter, and for how long they wait for it. */
export interface ControlContext {
  /** Who sets it. They are allowed to: that is decided before. */
  readonly from: BareJid;
  /**
   * Fires when nobody waits any more: the time is up (8.5 s after the request came, the time that a provisioning server
   * took is part of it; or the parameter's `timeout`), or the connection has ended. Stop then if the device can be left as it is.
   */
  readonly signal: AbortSignal;
  /** The request that is being obeyed: to be handed on, as `onBehalfOf`, to what is asked of other Things for it. */
  readonly request: IncomingRequest;
  /**
   * The value as it was written: `123.200` with all its decimals, `2013-04-02T08:00:00` without a zone if there was none,
   * `3399ff` in the letter case in which it came.
   */
  readonly text: string;
}

/** What all parameters have. */
export interface ParameterBase<T> {
  /** Its name, for instance `LED`. */
  readonly name: string;
  /** What people see in a control form instead of the name. Default: the name. */
  readonly label?: string;
  /** What people are told of it in a control form. Default nothing. */
  readonly description?: string;
  /** The page of the control form on which it stands (XEP-0141). Default: no page. */
  readonly page?: string;
  /** Parameters of the same group belong together, and should be set together (XEP-0325 5.4). Default: none. */
  readonly group?: string;
  /**
   * How long a call of `set` may take, in milliseconds. Then it is given up: its signal fires, what comes of it counts no
   * more, the next one is called, and there is a fault `control`. Default 30,000. The caller waits 8,500 at most.
   */
  readonly timeout?: number;
  /** Its value now, for control forms; `undefined` if it is not known. Default: not known. */
  get?(): T | undefined | Promise<T | undefined>;
  /**
   * Sets it. Called only for what was allowed, and never while another call for the same Thing is running, unless that one
   * hangs (`timeout`). Resolves when the device has done it: then it is acknowledged. Throw `Refusal` to tell the caller why
   * it failed; any other error's text stays on the Thing.
   */
  set(value: T, context: ControlContext): void | Promise<void>;
}

/** Something that is on or off (XEP-0325 3.2.1). */
export interface BooleanParameter extends ParameterBase<boolean> {
  /** Default `boolean`. */
  readonly type?: "boolean";
}

/** Values between which others lie. */
export interface Bounds<T> {
  /** The least that it takes. Default: no limit but that of the type. */
  readonly min?: T;
  /** The most that it takes. Default: no limit but that of the type. */
  readonly max?: T;
}

/** A number (XEP-0325 3.2.2, 3.2.5). */
export interface NumberParameter extends ParameterBase<number>, Bounds<number> {
  /** `int`: a whole number from -2^31 to 2^31-1; `double`: any finite number. */
  readonly type: "int" | "double";
  /** The values that it takes, if it takes only some. Default: all between `min` and `max`. */
  readonly options?: readonly number[];
  /** The unit, for people. Default none. */
  readonly unit?: string;
}

/** A whole number of 64 bits (XEP-0325 3.2.3). */
export interface LongParameter extends ParameterBase<bigint>, Bounds<bigint> {
  /** From -2^63 to 2^63-1. */
  readonly type: "long";
  /** The values that it takes, if it takes only some. Default: all between `min` and `max`. */
  readonly options?: readonly bigint[];
  /** The unit, for people. Default none. */
  readonly unit?: string;
}

/** A text (XEP-0325 3.2.4). */
export interface StringParameter extends ParameterBase<string> {
  /** Any text that XML can hold. */
  readonly type: "string";
  /** How many characters it takes. Default 1,000; never more than 65,536. */
  readonly maxLength?: number;
  /**
   * A regular expression of XML Schema that the whole text must match, for instance `[A-Z]{2}\d{3}`: without `^` and `$`,
   * back references and look-around. It is matched in a time that grows no faster than the text. Default: any text.
   */
  readonly pattern?: string;
  /** The texts that it takes, if it takes only some (XEP-0325 5.2.3). Default: any. */
  readonly options?: readonly string[];
}

/** A day, a time of day, or a span of time, as text (XEP-0325 3.2.6, 3.2.7, 3.2.9). */
export interface TemporalParameter extends ParameterBase<string>, Bounds<string> {
  /** `date`: `2013-05-01`; `time`: `08:00:00`; both perhaps with a zone. `duration`: `PT3M30S`, perhaps with a `-`. */
  readonly type: "date" | "time" | "duration";
  /** The values that it takes, if it takes only some; `PT60S` is `PT1M`. Default: all between `min` and `max`. */
  readonly options?: readonly string[];
}

/** A moment (XEP-0325 3.2.8). */
export interface DateTimeParameter extends ParameterBase<Date>, Bounds<Date> {
  /** One without a zone is taken for the local time of the Thing; the text tells whether there was one. */
  readonly type: "dateTime";
}

/** A colour (XEP-0325 3.2.10). */
export interface ColorParameter extends ParameterBase<string> {
  /** `RRGGBB`, or `RRGGBBAA` with how opaque it is; hexadecimal, handed to `set` in capitals. */
  readonly type: "color";
  /** The colours that it takes, if it takes only some, in either letter case. Default: all. */
  readonly options?: readonly string[];
}

/** Something of the device that can be set from outside, for instance a lamp. */
export type ControlParameter =
  | BooleanParameter
  | NumberParameter
  | LongParameter
  | StringParameter
  | TemporalParameter
  | DateTimeParameter
  | ColorParameter;
