import { FetchImageError, type ScopeLimits, showText } from "@fetch-image/core/fetching";
import { defaultSettings, type EngineSettings, type ScopeRule, type ScopeSettings } from "./options.ts";

/** The engine's settings, and what holds for each scope. */
export interface EffectiveSettings extends EngineSettings {
  /** `repository`: canonical, without tag. */
  forScope(repository: string): EffectiveScopeSettings;
}

/** What holds for one scope. */
export interface EffectiveScopeSettings extends ScopeSettings {
  readonly limits: ScopeLimits;
}

/** Lays what was given over the defaults. Throws `FI_SETTING_INVALID`, naming the setting, for what no engine can run with. */
export function effectiveSettings(
  given: Partial<EngineSettings> = {},
  rules: readonly ScopeRule[] = [],
): EffectiveSettings {
  const settings: EngineSettings = { ...defaultSettings, ...definedOf(given) };
  judge(settings, "settings");
  const usual = withLimits(settings);
  const read = rules.map((rule, index) => readRule(rule, index, settings));
  const known = new Map<string, EffectiveScopeSettings>();
  const forScope = (repository: string): EffectiveScopeSettings => {
    if (read.length === 0) return usual;
    const before = known.get(repository);
    if (before !== undefined) return before;
    // In order: of the rules that fit, the first that has a setting decides it.
    const fitting = read.filter(({ matches }) => matches(repository)).map(({ own }) => own);
    const found = fitting.length === 0 ? usual : withLimits({ ...usual, ...Object.assign({}, ...fitting.reverse()) });
    if (known.size >= mostRemembered) known.clear();
    known.set(repository, found);
    return found;
  };
  return { ...settings, forScope };
}

const mostRemembered = 10_000;

function readRule(rule: ScopeRule, index: number, settings: EngineSettings) {
  const { repositories, ...own } = rule;
  const where = `scopes[${index}]`;
  if (typeof repositories !== "string" || !/^[^\s@:]+(?::\d+)?[^\s@:]*$/.test(repositories)) {
    throw invalid(
      `${where}.repositories`,
      "a repository such as registry.example.com/team/*, without a tag",
      repositories,
    );
  }
  const unknown = Object.keys(own).find((name) => !Object.hasOwn(scopeSettingNames, name));
  if (unknown !== undefined) {
    throw invalid(`${where}.${unknown}`, `one of ${Object.keys(scopeSettingNames).join(", ")}`, unknown);
  }
  const defined = definedOf(own);
  judge({ ...settings, ...defined }, where);
  const pattern = new RegExp(`^${repositories.split("*").map(escaped).join(".*")}$`, "s");
  return { own: defined, matches: (repository: string) => pattern.test(repository) };
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}

const scopeSettingNames: { readonly [Name in keyof ScopeSettings]: true } = {
  checkIntervalMs: true,
  staleWhileRevalidateMs: true,
  stalenessBoundMs: true,
  failureBackoffBaseMs: true,
  failureBackoffCapMs: true,
  refusalMemoryMs: true,
  claimMs: true,
  shareByUser: true,
};

/** What may be 0 is off then. */
const leastMs: { readonly [Name in keyof EngineSettings]?: number } = {
  checkIntervalMs: 0,
  staleWhileRevalidateMs: 0,
  stalenessBoundMs: 0,
  failureBackoffBaseMs: 1,
  failureBackoffCapMs: 1,
  refusalMemoryMs: 0,
  claimMs: 1,
  backoffBaseMs: 0,
  backoffCapMs: 0,
  retryAfterPatienceMs: 0,
  storePatienceMs: 0,
};

function judge(settings: EngineSettings, where: string): void {
  for (const [name, least] of Object.entries(leastMs)) {
    const value: unknown = settings[name as keyof EngineSettings];
    if (typeof value !== "number" || !Number.isFinite(value) || value < least) {
      throw invalid(`${where}.${name}`, `milliseconds from ${least} on`, value);
    }
  }
  const { failureBackoffBaseMs, failureBackoffCapMs, attempts, rateLimitReserve, shareByUser } = settings;
  if (typeof shareByUser !== "boolean") throw invalid(`${where}.shareByUser`, "true or false", shareByUser);
  if (failureBackoffCapMs < failureBackoffBaseMs) {
    throw invalid(
      `${where}.failureBackoffCapMs`,
      `at least failureBackoffBaseMs, ${failureBackoffBaseMs}`,
      failureBackoffCapMs,
    );
  }
  if (!Number.isInteger(attempts) || attempts < 1)
    throw invalid(`${where}.attempts`, "a whole number from 1 on", attempts);
  if (!(rateLimitReserve >= 0 && rateLimitReserve <= 1)) {
    throw invalid(`${where}.rateLimitReserve`, "a number from 0 to 1", rateLimitReserve);
  }
}

/** Throws `FI_SETTING_INVALID` for what could be guessed; the text is not shown. */
export function readKey(credentialKey: unknown): string {
  if (typeof credentialKey === "string" && credentialKey.length >= shortestKey) return credentialKey;
  throw new FetchImageError("FI_SETTING_INVALID", {
    message: `credentialKey must be a text of at least ${shortestKey} characters that nobody can guess`,
    hint: "Make one with `openssl rand -base64 32`, and give all nodes the same.",
    details: { setting: "credentialKey" },
  });
}

const shortestKey = 16;

function invalid(setting: string, wants: string, value: unknown): FetchImageError {
  return new FetchImageError("FI_SETTING_INVALID", {
    message: `${setting} must be ${wants}, not ${typeof value === "number" ? value : showText(String(value))}`,
    details: { setting },
  });
}

function withLimits(settings: ScopeSettings): EffectiveScopeSettings {
  const { staleWhileRevalidateMs, stalenessBoundMs, refusalMemoryMs } = settings;
  const failureBackOff = { baseMs: settings.failureBackoffBaseMs, capMs: settings.failureBackoffCapMs };
  return { ...settings, limits: { staleWhileRevalidateMs, stalenessBoundMs, refusalMemoryMs, failureBackOff } };
}

function definedOf<T extends object>(values: T): Partial<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>;
}
