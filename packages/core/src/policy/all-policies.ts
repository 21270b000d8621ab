import type { Policy, PolicyDecision } from "../ports/policy.ts";

/**
 * Every policy's say: denied where any denies, hard where any does so hard, with all that were asked give as reasons. They
 * are asked in order, and nobody after one that denies hard: the cheapest belongs first. Undefined for none.
 */
export function allPolicies(policies: readonly Policy[]): Policy | undefined {
  const [only, ...more] = policies;
  if (only === undefined || more.length === 0) return only;
  return {
    async decide(question, options) {
      const reasons: string[] = [];
      let isSoft = false;
      for (const policy of policies) {
        const answer: PolicyDecision = await policy.decide(question, options);
        if (answer.decision === "allowed") continue;
        reasons.push(...answer.reasons);
        if (answer.enforcement === "hard") return { ...answer, reasons };
        isSoft = true;
      }
      return isSoft ? { decision: "denied", enforcement: "soft", reasons } : { decision: "allowed" };
    },
  };
}
