//! What a call to the box may end in, beside its answer.

import type { Problem } from './contract';

/** The box refused, and said why (RFC 9457). */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  readonly fields: Record<string, string>;
  readonly retryAfter: number | null;

  constructor(problem: Problem) {
    super(problem.detail);
    this.status = problem.status;
    this.code = problem.code;
    this.fields = Object.fromEntries((problem.errors ?? []).map(fault => [fault.field, fault.message]));
    this.retryAfter = problem.retry_after ?? null;
  }
}

/** The box could not be reached, or did not answer in time. */
export class Unreachable extends Error {}

/** The person is no longer signed in. */
export class SignedOut extends Error {}
