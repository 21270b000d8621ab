import type { JsonObject } from "@fetch-image/core";

export type Command = { readonly id: number } & (
  | { readonly do: "open"; readonly directory: string; readonly access: "write" | "read" }
  | { readonly do: "append-forever"; readonly stream: string }
  | { readonly do: "append"; readonly stream: string; readonly count: number }
  | { readonly do: "read"; readonly stream: string }
  | { readonly do: "close" }
  | { readonly do: "exit" }
);

export type Told = string | readonly string[] | null;

export type Reply =
  | { readonly ready: true }
  | { readonly id: number; readonly result: Told }
  | {
      readonly id: number;
      readonly error: { readonly code: string; readonly message: string; readonly details: JsonObject };
    }
  | { readonly acknowledged: string };
