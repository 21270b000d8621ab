import { expect, test } from "vitest";
import { azureCloud } from "./azure-cloud.ts";

// As upstream's own table has it (azure_test.go, TestResolveAzureCloud).
test.each([
  ["acme.azurecr.io", undefined, "https://management.azure.com/.default", "https://login.microsoftonline.com/"],
  ["acme.azurecr.us", undefined, "https://management.usgovcloudapi.net/.default", "https://login.microsoftonline.us/"],
  ["acme.azurecr.cn", "", "https://management.chinacloudapi.cn/.default", "https://login.chinacloudapi.cn/"],
  [
    "acme.azurecr.io",
    "AzureGovernment",
    "https://management.usgovcloudapi.net/.default",
    "https://login.microsoftonline.us/",
  ],
  ["acme.azurecr.us", "AzurePublic", "https://management.azure.com/.default", "https://login.microsoftonline.com/"],
  [
    "acme.azurecr.us",
    "InvalidCloud",
    "https://management.usgovcloudapi.net/.default",
    "https://login.microsoftonline.us/",
  ],
  ["registry.example.com", undefined, "https://management.azure.com/.default", "https://login.microsoftonline.com/"],
  ["Acme.AzureCR.US", undefined, "https://management.usgovcloudapi.net/.default", "https://login.microsoftonline.us/"],
])("the cloud of %s, said to be in %s, gives tokens for %s at %s", (host, environment, scope, authority) => {
  expect(azureCloud(host, environment)).toEqual({ scope, authority });
});
