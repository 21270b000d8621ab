import { createHash } from "node:crypto";

/** Stately's own inspector, where the user's browser finds it. */
export const hostedInspector = "https://stately.ai/inspect";

/**
 * A page that hands on what comes over the WebSocket to an inspector in a frame, as `@statelyai/inspect/server` has one;
 * to that inspector's origin alone.
 */
export function bridgePage(inspectorUrl: string): { readonly html: string; readonly policy: string } {
  const { origin, href } = new URL(inspectorUrl);
  const script = bridgeScript(origin);
  const style = "html,body,iframe{margin:0;border:0;width:100%;height:100%;display:block}";
  const html = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>fetch-image in Stately's inspector</title>
<style>${style}</style>
<iframe id="inspector" title="Stately's inspector" src="${href.replaceAll("&", "&amp;").replaceAll('"', "&quot;")}"></iframe>
<script>${script}</script>
</html>
`;
  const hashed = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
  const policy = [
    "default-src 'none'",
    `script-src ${hashed(script)}`,
    `style-src ${hashed(style)}`,
    `frame-src ${origin}`,
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
  return { html, policy };
}

/** Also run by a test, in a window that is none. */
function bridgeScript(origin: string): string {
  return `"use strict";
const origin = ${JSON.stringify(origin).replaceAll("<", "\\u003c")};
const inspector = document.getElementById("inspector");
let waiting = [];
addEventListener("message", ({ data, source }) => {
  if (source !== inspector.contentWindow || !data || data.type !== "@statelyai.connected") return;
  for (const message of waiting ?? []) inspector.contentWindow.postMessage(message, origin);
  waiting = undefined;
});
const token = new URLSearchParams(location.hash.slice(1)).get("token");
const query = token === null ? "" : "?token=" + encodeURIComponent(token);
const socket = new WebSocket("ws://" + location.host + "/" + query);
socket.onmessage = ({ data }) => {
  const message = JSON.parse(data);
  if (waiting === undefined) inspector.contentWindow.postMessage(message, origin);
  else waiting.push(message);
};
`;
}
