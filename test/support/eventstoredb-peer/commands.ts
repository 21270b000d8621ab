import type { Faults, Method } from "./faults.ts";

/** What a peer that is a process of its own can be told. Nodes are numbered from 0. */
export type PeerCommand =
  | { readonly do: "faults"; readonly node: number; readonly set: Partial<Omit<Faults, "mute" | "denied">> }
  | { readonly do: "mute"; readonly node: number; readonly methods: readonly Method[] }
  | { readonly do: "cut" | "stop" | "kill" | "start" | "lead"; readonly node: number }
  | { readonly do: "count"; readonly prefix: string };

/** The answer to each, in order; how many events there are of streams whose names begin so, where that was asked. */
export type PeerReply = { readonly done: number | null } | { readonly failed: string };

/** What the process says once it can be talked to. */
export interface PeerReady {
  readonly url: string;
}
