import { expect, test } from "vitest";
import { loadSdk } from "./load-sdk.ts";

test("a library that is not installed is named, with the field that wants it and the way to get it", async () => {
  const missing = Object.assign(new Error("Cannot find package '@aws-sdk/client-ecr'"), {
    code: "ERR_MODULE_NOT_FOUND",
  });
  const loading = loadSdk("@aws-sdk/client-ecr", "aws_region", () => Promise.reject(missing));
  await expect(loading).rejects.toMatchObject({
    code: "FI_SETTING_INVALID",
    message: expect.stringContaining("aws_region of the source needs the package @aws-sdk/client-ecr"),
    hint: expect.stringContaining("npm install @aws-sdk/client-ecr"),
    details: { field: "aws_region", package: "@aws-sdk/client-ecr" },
    cause: missing,
  });
});

test("one that is there is handed on", async () => {
  expect(await loadSdk("x", "azure_acr", () => Promise.resolve({ loaded: true }))).toEqual({ loaded: true });
});
