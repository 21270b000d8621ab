export { createOpaPolicy, type OpaOptions } from "./opa-policy.ts";
