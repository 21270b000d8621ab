/** A `Status` object (API conventions, "Response Status Kind"). */
export function status(code: number, reason: string, message: string, details: object = {}): object {
  return {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: code < 400 ? "Success" : "Failure",
    message,
    reason,
    details,
    code,
  };
}
