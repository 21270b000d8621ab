// A policy agent's HTTP side: it answers what it is told, and keeps what it was asked.
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { text } from "node:stream/consumers";
import { listenOnLoopback } from "./listen.ts";
import type { TestCertificate } from "./certificates.ts";

export interface PolicyAgent extends AsyncDisposable {
  readonly url: string;
  readonly host: string;
  /** The inputs so far. */
  readonly inputs: { readonly [field: string]: unknown }[];
  /** Each is given once, in order, and the last one from then on. A number is a status, the text `hang` no answer at all. */
  answers: (object | string | number)[];
}

export async function startPolicyAgent(certificate?: TestCertificate): Promise<PolicyAgent> {
  const inputs: PolicyAgent["inputs"] = [];
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const body: { readonly input: { readonly [field: string]: unknown } } = JSON.parse(await text(request));
    inputs.push(body.input);
    const answer = agent.answers.length > 1 ? agent.answers.shift() : agent.answers[0];
    if (answer === "hang") return;
    if (typeof answer === "number") response.writeHead(answer).end("hunter2");
    else response.writeHead(200).end(typeof answer === "string" ? answer : JSON.stringify(answer));
  };
  const listener = (request: IncomingMessage, response: ServerResponse) => void handle(request, response);
  const server = certificate === undefined ? createHttpServer(listener) : createHttpsServer(certificate, listener);
  const { host, close } = await listenOnLoopback(server);
  const agent: PolicyAgent = {
    url: `${certificate === undefined ? "http" : "https"}://${host}/v1/data/concourse/decision`,
    host,
    inputs,
    answers: [{ result: { allowed: true } }],
    [Symbol.asyncDispose]: close,
  };
  return agent;
}
