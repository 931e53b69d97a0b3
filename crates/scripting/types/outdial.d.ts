// What server scripts of Outdial are given, may return and find. Keep it beside your scripts for completion and checks:
//   /// <reference path="./outdial.d.ts" />

/** A contact, as it is when the script runs. */
interface Contact {
  readonly id: string;
  /** What its source calls it. */
  readonly externalId: string;
  /** The campaign's fields, by their names. */
  readonly fields: Readonly<Record<string, string | number | boolean>>;
  readonly phones: readonly Phone[];
  /** The position of the number that is next. */
  readonly phone: number;
  /** 0 (last) to 100 (first). */
  readonly priority: number;
  readonly attempts: number;
  readonly lastResult: CallResult | null;
  /** Whether a call was promised. */
  readonly isCallback: boolean;
}

interface Phone {
  readonly position: number;
  /** E.164, such as +33123456789. */
  readonly number: string;
  readonly attempts: number;
  readonly isDialable: boolean;
}

/** A call that is over. Instants are RFC 3339. */
interface Call {
  readonly attempt: string;
  readonly result: CallResult;
  readonly resultCode: number;
  readonly agent: string | null;
  readonly disposition: string | null;
  readonly notes: string | null;
  readonly callbackAt: string | null;
  readonly ringingAt: string | null;
  readonly answeredAt: string | null;
  readonly connectedAt: string | null;
  readonly endedAt: string | null;
}

/** A call that was picked up, and goes on. Instants are RFC 3339. */
interface PickedUp {
  readonly attempt: string;
  /** Which attempt on the contact it is, from 1. */
  readonly attemptNumber: number;
  /** `unsure`: detection came to no conclusion, so it may be a person. */
  readonly detected: 'machine' | 'unsure' | 'silence' | 'fax';
  readonly ringingAt: string | null;
  readonly answeredAt: string | null;
}

interface Context {
  readonly phase: 'preCall' | 'detected' | 'beforeReschedule' | 'afterReschedule';
  readonly campaign: { readonly id: string; readonly name: string };
  readonly group: { readonly name: string };
  readonly now: string;
  /** In afterReschedule: what the treatments planned. */
  readonly plan?: unknown;
}

/** What a feed script's `main` is given. */
interface FeedContext {
  readonly phase: 'feed';
  readonly campaign: { readonly id: string; readonly name: string };
  readonly group: { readonly id: string; readonly name: string };
  readonly skill: string;
  readonly fresh: number;
  readonly ready: number;
  readonly available: number;
  /** How many contacts are wanted. */
  readonly retrieve: number;
  readonly now: string;
}

/** What `checkIn` is given beside the contact. */
interface CheckInContext {
  readonly phase: 'checkIn';
  /** The same each time that this check-in is tried, also by another process: for the other system to know it by. */
  readonly id: string;
  readonly campaign: { readonly id: string; readonly name: string };
  readonly now: string;
  readonly finalReason: string | null;
}

type CallResult =
  | 'answer' | 'abandoned' | 'dropped' | 'busy' | 'no_answer' | 'answering_machine' | 'fax_detected' | 'silence'
  | 'sit_detected' | 'sit_invalid_number' | 'sit_vacant' | 'sit_operator_intercept' | 'sit_no_circuit' | 'sit_reorder'
  | 'all_trunks_busy' | 'dial_error' | 'switch_error' | 'system_error' | 'general_error' | 'unknown' | 'stale'
  | 'wrong_party' | 'wrong_number' | 'do_not_call' | 'cancelled' | 'agent_callback_error';

type Fields = Record<string, string | number | boolean | null>;

/** Nothing means: dial. */
type PreCallVerdict =
  | void | null | true
  | { action?: 'dial'; phone?: number; callerId?: string; fields?: Fields }
  | { action: 'skip'; until?: string; minutes?: number; fields?: Fields }
  | { action: 'close'; reason?: string; fields?: Fields }
  /** Not dialled, and treated as if a call had ended like this. */
  | { action: 'treat'; result: CallResult | number; fields?: Fields };

/** Nothing changes nothing. */
type BeforeReschedule = void | null | {
  result?: CallResult | number;
  disposition?: string;
  /** As if the person had agreed to it. */
  callbackAt?: string;
  /** Call the same number again then, whatever the treatments say. */
  retryAt?: string;
  retryMinutes?: number;
  phoneStatus?: 'active' | 'bad' | 'suppressed' | 'exhausted';
  priority?: number;
  fields?: Fields;
};

/** Nothing leaves the plan. */
type AfterReschedule = void | null | {
  next?:
    | { action: 'dial'; at?: string; minutes?: number; phone?: number }
    | { action: 'callback'; at?: string; minutes?: number; agent?: string }
    | { action: 'final' };
  fields?: Fields;
};

/** What `onDetected` may return. Nothing leaves it to the detection profile. */
type DetectedVerdict =
  | void | null
  | { action?: undefined }
  /** Like a person: to an agent, or in groups without agents to their message. */
  | { action: 'connect' }
  | { action: 'hang_up' }
  /** A message by its name; without one that of the group without agents, or the detection profile's. */
  | { action: 'leave_message'; message?: string };

interface ScriptResponse {
  readonly status: number;
  readonly ok: boolean;
  readonly url: string;
  readonly headers: { get(name: string): string | null; has(name: string): boolean };
  text(): Promise<string>;
  json(): Promise<any>;
}

/** Hosts that the operator allows only. */
declare function fetch(
  url: string,
  options?: { method?: string; headers?: Record<string, string>; body?: string | object },
): Promise<ScriptResponse>;

declare const sql: {
  /** Rows as objects; for a statement without rows `{ changed }`. Parameters are bound: never put them into the text. */
  query(connection: string, statement: string, parameters?: readonly unknown[]): Promise<any>;
};

/** What the scripts of a campaign remember. */
declare const kv: {
  get(key: string): Promise<any>;
  set(key: string, value: unknown): Promise<void>;
  delete(key: string): Promise<void>;
};

declare function log(...values: unknown[]): void;
/** The present, RFC 3339. */
declare function now(): string;
declare function uuid(): Promise<string>;

declare function createProspects(prospects: {
  skill: string;
  sourceName: string;
  data: readonly object[];
}): Promise<{ successful: number; failed: object[] }>;

declare function scheduleCallback(callback: CallbackRequest & { due: string }): Promise<{ id: string; due: string }>;
declare function queueCallback(callback: CallbackRequest): Promise<{ id: string; due: string }>;

interface CallbackRequest {
  phoneNumber: string;
  skill?: string;
  agent?: string;
  firstName?: string;
  lastName?: string;
  notes?: string;
}
