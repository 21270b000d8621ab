import { FetchImageError } from "@fetch-image/core";
import { expect, test } from "vitest";
import { asFetchImageError, errorJson, showError } from "./show-error.ts";

const unreachable = new FetchImageError("FI_REGISTRY_UNREACHABLE", {
  message: "r.example refuses connections",
  hint: "Is it up?",
});

test("an error is its code, its message and its fix", () => {
  expect(showError(unreachable, { color: false })).toBe(
    "error FI_REGISTRY_UNREACHABLE: r.example refuses connections\n  fix: Is it up?\n",
  );
});

test("what is behind it is told where the message has not said it", () => {
  const said = new FetchImageError("FI_CHECK_FAILED", {
    message: `image check failed: ${unreachable.message}`,
    cause: unreachable,
  });
  expect(showError(said, { color: false })).toBe(
    "error FI_CHECK_FAILED: image check failed: r.example refuses connections\n  fix: Is it up?\n",
  );
  const unsaid = new FetchImageError("FI_GET_FAILED", { message: "no bytes", hint: "Wait.", cause: unreachable });
  expect(showError(unsaid, { color: false })).toBe(
    "error FI_GET_FAILED: no bytes\n  because FI_REGISTRY_UNREACHABLE: r.example refuses connections\n  fix: Wait.\n  fix: Is it up?\n",
  );
  expect(errorJson(unsaid)).toMatchObject({
    code: "FI_GET_FAILED",
    cause: { code: "FI_REGISTRY_UNREACHABLE", message: "r.example refuses connections" },
  });
});

test("whatever was thrown becomes the one error class, and its text obeys no terminal", () => {
  expect(asFetchImageError(unreachable)).toBe(unreachable);
  const error = asFetchImageError(new TypeError("x\u001b[2J"));
  expect(error).toMatchObject({ code: "FI_INTERNAL", message: "TypeError: x\u001b[2J" });
  expect(showError(error, { color: false })).not.toContain("\u001b");
  expect(asFetchImageError("plain").message).toBe("plain");
});
