export { createStatelyServer, type StatelyServerOptions } from "./stately-server.ts";
