import type { JsonObject } from "../json.ts";

/** Structured logging, handed in by the host. Pino, Winston and `console` fit behind it. No field ever holds a secret. */
export interface Logger {
  debug(message: string, fields?: JsonObject): void;
  info(message: string, fields?: JsonObject): void;
  warn(message: string, fields?: JsonObject): void;
  error(message: string, fields?: JsonObject): void;
}

export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };
