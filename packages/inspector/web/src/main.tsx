import { render } from "preact";
import "./style.css";
import { openChosenBuild } from "./live/build.ts";
import { listFromServer } from "./live/list.ts";
import { unlock } from "./live/server.ts";
import { openChosenTag } from "./live/tags.ts";
import { App } from "./views/app.tsx";

const place = document.querySelector("#inspector");
if (place !== null) render(<App />, place);
openChosenBuild();
openChosenTag();
await takeTokenFromAddress();
await listFromServer();

/** A token in the address (`#token=…`) is used once and taken out: addresses are shared, and kept in histories. */
async function takeTokenFromAddress(): Promise<void> {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token === null) return;
  history.replaceState(null, "", location.pathname + location.search);
  // The list asks for it where this one is wrong.
  await unlock(token).catch(() => false);
}
