import type { Json } from "@fetch-image/core";
import type { Audit } from "@fetch-image/engine";
import { Query } from "./query.ts";
import { Refusal } from "./refusal.ts";

export const auditPath = "/api/v1/fetch-image/";

/**
 * The audit as JSON, below {@link auditPath}: `builds/:id/images`, `builds/:id/why?plan=`, `builds/:id/rerun`,
 * `builds/:id/statement`, `builds?digest=|ref=`, `versions?ref=`, `as-of?ref=&time=`, `drift`. Times are ISO 8601 with a
 * zone. Long answers come in pages: `limit`, and `page` with `next` of the page before.
 */
export async function auditAnswer(audit: Audit, url: string): Promise<Json> {
  const { pathname, searchParams } = new URL(url, "http://localhost");
  const [page = "", id, part, ...rest] = pathname.slice(auditPath.length).split("/");
  const asked = new Query(searchParams);
  if (rest.length > 0) throw unknownPage();
  // What the audit answers is JSON as it is.
  return (await answer(audit, { page, id, part }, asked)) as Json;
}

interface Path {
  readonly page: string;
  readonly id: string | undefined;
  readonly part: string | undefined;
}

function answer(audit: Audit, { page, id, part }: Path, asked: Query): Promise<unknown> {
  if (page === "builds" && id !== undefined) return ofBuild(audit, { buildId: decoded(id), part }, asked);
  if (id !== undefined) throw unknownPage();
  switch (page) {
    case "builds": {
      const {
        ref: reference,
        all,
        ...question
      } = asked.take("digest", "ref", "since", "until", "all", "limit", "page");
      return audit.builds({ ...question, ...given("reference", reference), ...limitOf(asked), all: all === "true" });
    }
    case "drift": {
      const { ref: reference, ...question } = asked.take("ref", "since", "until", "limit", "page");
      return audit.drift({ ...question, ...given("reference", reference), ...limitOf(asked) });
    }
    case "versions": {
      const { before } = asked.take("ref", "limit", "before");
      return audit.versions(asked.need("ref"), { ...limitOf(asked), ...given("before", before) });
    }
    case "as-of":
      asked.take("ref", "time");
      return audit.asOf(asked.need("ref"), asked.need("time"));
    default:
      throw unknownPage();
  }
}

function ofBuild(
  audit: Audit,
  { buildId, part }: { readonly buildId: string; readonly part: string | undefined },
  asked: Query,
): Promise<unknown> {
  if (part === "why") return audit.why(buildId, asked.take("plan").plan);
  asked.take();
  switch (part) {
    case "images":
      return audit.images(buildId);
    case "rerun":
      return audit.rerunPlan(buildId);
    case "statement":
      return audit.statement(buildId);
    default:
      throw unknownPage();
  }
}

function limitOf(asked: Query): { readonly limit?: number } {
  const limit = asked.number("limit");
  return limit === undefined ? {} : { limit };
}

function given<Name extends string>(name: Name, value: string | undefined): { readonly [N in Name]?: string } {
  return value === undefined ? {} : ({ [name]: value } as { readonly [N in Name]: string });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw unknownPage();
  }
}

function unknownPage(): Refusal {
  return new Refusal(404, "this API has no such page");
}
