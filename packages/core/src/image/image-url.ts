const scheme = "docker:///";

/** What a fetch returns to the runtime: `docker:///` and the reference, as Concourse writes it. */
export function imageURL(reference: string): string {
  return `${scheme}${reference}`;
}

/** The inverse of `imageURL`: the reference, which a pod's `image:` takes; undefined when the text is no ImageURL. */
export function referenceOfImageURL(url: string): string | undefined {
  return url.startsWith(scheme) ? url.slice(scheme.length) : undefined;
}
