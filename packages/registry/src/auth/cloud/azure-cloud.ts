/** One of Azure's clouds, which share nothing. */
export interface AzureCloud {
  /** Who gives out tokens: Microsoft Entra ID's address in that cloud. */
  readonly authority: string;
  /** What a registry's token is exchanged for a token of. */
  readonly scope: string;
}

const clouds = {
  AzurePublic: { authority: "https://login.microsoftonline.com/", scope: "https://management.azure.com/.default" },
  AzureGovernment: {
    authority: "https://login.microsoftonline.us/",
    scope: "https://management.usgovcloudapi.net/.default",
  },
  AzureChina: { authority: "https://login.chinacloudapi.cn/", scope: "https://management.chinacloudapi.cn/.default" },
} as const satisfies { readonly [name: string]: AzureCloud };

/** The cloud that `azure_environment` names, else that of the registry's domain (types.go, `resolveAzureCloud`). */
export function azureCloud(host: string, environment: string | undefined): AzureCloud {
  const named = Object.entries(clouds).find(([name]) => name === environment);
  if (named) return named[1];
  const domain = host.toLowerCase();
  if (domain.endsWith(".azurecr.us")) return clouds.AzureGovernment;
  return domain.endsWith(".azurecr.cn") ? clouds.AzureChina : clouds.AzurePublic;
}
