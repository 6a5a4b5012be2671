//! What a fault is called, in the person's words: what happened and what to do.

import { known, t } from '../base/i18n';
import { Refusal, SignedOut, Unreachable } from '../base/problem';

/** How long to wait when the box does not say. */
const WAIT_S = 30;

export function explain(fault: unknown): string {
  if (fault instanceof Unreachable) return t('net.off');
  if (fault instanceof SignedOut) return t('login.ended');
  if (!(fault instanceof Refusal)) return t('err.internal');
  const s = fault.retryAfter ?? WAIT_S;
  if (fault.code === 'too_many_attempts') return t('err.too_many_attempts', { s });
  if (fault.code === 'too_many_requests') return t('err.too_many_requests', { s });
  const key = `err.${fault.code}`;
  return known(key) ? t(key) : t('err.other', { detail: fault.message });
}
