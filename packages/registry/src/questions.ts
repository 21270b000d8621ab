import type { FetchImageError } from "@fetch-image/core/registry-image";
import type { Conversation, RegistryQuestion } from "./conversation.ts";
import type { Target } from "./locate.ts";
import { unlessAborted } from "./transport/deadline.ts";
import type { Answer, Method } from "./transport/transport.ts";

/** The questions of one check, counted; what logins and redirects add is not. */
export class Questions implements Conversation {
  asked = 0;
  readonly #conversation: Conversation;

  constructor(conversation: Conversation) {
    this.#conversation = conversation;
  }

  ask<M extends Method>(target: Target, question: RegistryQuestion<M>): Promise<Answer<M>> {
    this.asked++;
    return this.#conversation.ask(target, question);
  }

  refused(target: Target, answer: Answer<Method>, subject: string): Promise<FetchImageError> {
    return this.#conversation.refused(target, answer, subject);
  }
}

/**
 * For several questions at the same time: once one of them is answered by 429, what is asked meanwhile never starts. At
 * once, and not only when the refusal has been read to its end.
 */
export function untilLimited(conversation: Conversation): Conversation {
  let limited = false;
  const noticed = <A extends { readonly status: number }>(answer: A): A => {
    limited ||= answer.status === 429;
    return answer;
  };
  return {
    ask(target, question) {
      if (limited) return unlessAborted(new Promise<never>(() => {}), question.signal);
      return conversation.ask(target, question).then(noticed);
    },
    refused: (target, answer, subject) => conversation.refused(target, answer, subject),
  };
}
