import { formatReference, parseReference } from "../image/reference.ts";
import type { RegistryImageSource } from "./registry-image-source.ts";
import { isSet } from "./source-fields.ts";

/**
 * The canonical repository, without tag, that the image of a source is pulled from; undefined where only a login at AWS
 * tells it: ECR's host holds the account. Upstream: types.go, `AuthenticateToECR`, which puts the host before the
 * repository as it is written, and takes `amazonaws.com` for every region when an account is given.
 */
export function pullableRepository(source: RegistryImageSource): string | undefined {
  const { repository, aws_region: region, aws_account_id: account } = source;
  if (!isSet(region)) return canonical(repository);
  return isSet(account) ? canonical(`${account}.dkr.ecr.${region}.amazonaws.com/${repository}`) : undefined;
}

function canonical(text: string): string | undefined {
  const parsed = parseReference(text);
  if (!parsed.ok) return undefined;
  const { domain, path } = parsed.reference;
  return formatReference({ domain, path });
}
