// A process with 1,000 workflows in flight is killed: how long another one takes, from its start, until all are done; our
// engine beside hand-written SQL. None may be lost, none done twice.
import { howFromEnvironment } from "./support/contest/how.mjs";
import { ours } from "./support/contest/ours.mjs";
import { measureRecovery } from "./support/contest/recovery.mjs";

export const name = "recovery";

export async function run(emit) {
  const { chosen, how } = howFromEnvironment(ours);
  await measureRecovery(emit, chosen, how);
}
