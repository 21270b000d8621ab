import { expect, test } from "vitest";
import { pullableRepository } from "./pullable-repository.ts";
import type { RegistryImageSource } from "./registry-image-source.ts";

const ecr = { repository: "team/app", aws_region: "eu-west-1" };

test.each<[string, RegistryImageSource, string | undefined]>([
  ["is canonical", { repository: "busybox" }, "docker.io/library/busybox"],
  [
    "is ECR's, with region and account",
    { ...ecr, aws_account_id: "1234" },
    "1234.dkr.ecr.eu-west-1.amazonaws.com/team/app",
  ],
  [
    "is ECR's, as the resource writes it, in China too",
    { ...ecr, aws_region: "cn-north-1", aws_account_id: "1234" },
    "1234.dkr.ecr.cn-north-1.amazonaws.com/team/app",
  ],
  [
    "has no library in it at ECR",
    { repository: "app", aws_region: "eu-west-1", aws_account_id: "1234" },
    "1234.dkr.ecr.eu-west-1.amazonaws.com/app",
  ],
  ["is not known where only AWS knows the account", ecr, undefined],
  [
    "is not told by the account's older name, which the resource ignores",
    { ...ecr, aws_ecr_registry_id: "1234" },
    undefined,
  ],
  [
    "is the source's own where an account stands without a region",
    { repository: "a/b", aws_account_id: "1" },
    "docker.io/a/b",
  ],
  ["is none where account and region make no host", { ...ecr, aws_account_id: "1 2" }, undefined],
])("the repository to pull from %s", (_, source, repository) => {
  expect(pullableRepository(source)).toBe(repository);
});
