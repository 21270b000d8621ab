export type Method = "batchAppend" | "append" | "read" | "subscribe" | "delete" | "features" | "gossip";

/** What a node does wrong from now on. Every field can be set at any time. */
export interface Faults {
  /** Calls to these are taken and never answered; what they carry is not stored. */
  readonly mute: Set<Method>;
  /** Every answer to an append or a read waits so long, in milliseconds. */
  delayMs: number;
  /** So many appends are stored without an answer. */
  loseAnswers: number;
  /** What happens to a connection that an answer is lost on: cut, or kept with nothing coming. */
  onLostAnswer: "cut" | "silence";
  /** The connection is cut after so many events of a read or subscription, once. */
  cutAfterEvents: number | undefined;
  /** So many appends are answered "Server Is Not Ready", and are not stored. */
  notReady: number;
  /** Appends that are stored, and answered with a timeout of the server's. */
  timeouts: number;
  /** Streams whose names begin so may not be read or appended to; "$all" stands for reading everything. */
  readonly denied: Set<string>;
  /** How much later it is by the server's clock than by the client's, in milliseconds. */
  clockAheadMs: number;
  /** In bytes. The server's own default: 1 MiB. */
  maxAppendSize: number;
}

export function noFaults(): Faults {
  return {
    mute: new Set(),
    delayMs: 0,
    loseAnswers: 0,
    onLostAnswer: "cut",
    cutAfterEvents: undefined,
    notReady: 0,
    timeouts: 0,
    denied: new Set(),
    clockAheadMs: 0,
    maxAppendSize: 1024 * 1024,
  };
}
