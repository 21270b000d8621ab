import type { Digest } from "../image/digest.ts";

/**
 * The source of a `registry-image` resource (upstream concourse/registry-image-resource, types.go), validated:
 * unknown fields are refused by name, as the resource itself does.
 */
export interface RegistryImageSource {
  /** As written; `busybox` means `docker.io/library/busybox`. */
  readonly repository: string;
  readonly tag?: string;
  readonly tag_regex?: string;
  readonly created_at_sort?: boolean;
  readonly variant?: string;
  readonly semver_constraint?: string;
  readonly pre_releases?: boolean;
  readonly pre_release_prefixes?: readonly string[];
  readonly username?: string;
  readonly password?: string;
  readonly insecure?: boolean;
  /** PEM certificates, trusted beside the system's. */
  readonly ca_certs?: readonly string[];
  readonly registry_mirror?: { readonly host: string; readonly username?: string; readonly password?: string };
  readonly platform?: { readonly architecture?: string; readonly os?: string };
  readonly aws_access_key_id?: string;
  readonly aws_secret_access_key?: string;
  readonly aws_session_token?: string;
  readonly aws_region?: string;
  readonly aws_role_arn?: string;
  readonly aws_role_arns?: readonly string[];
  readonly aws_account_id?: string;
  readonly aws_ecr_registry_id?: string;
  readonly azure_acr?: boolean;
  readonly azure_client_id?: string;
  readonly azure_tenant_id?: string;
  readonly azure_environment?: string;
  readonly label_regex?: string;
  readonly annotation_regex?: string;
  /** For put only: accepted, not used. */
  readonly content_trust?: { readonly [field: string]: unknown };
  readonly debug?: boolean;
}

/** The version of a registry-image. `digest` is absent only in a pin or a stepRunner's answer that lacks it. */
export interface ImageVersion {
  readonly tag?: string;
  readonly digest?: Digest;
}
