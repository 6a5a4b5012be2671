import { describe, expect, it } from 'vitest';
import type { Audit } from '../base/contract';
import { broken, csv } from './audit';

const entry = (seq: number, prev: string, hash: string, reason = 'a report of a customer'): Audit => ({
  id: `a${seq}`,
  seq,
  conversation_id: null,
  moderator_id: 'm',
  action: 'read',
  code: 'report',
  reason,
  at: '2026-11-22T10:00:00.000Z',
  prev_hash: prev,
  subject: null,
  hash,
});

describe('the audit chain', () => {
  const whole = [entry(1, '00', 'aa'), entry(2, 'aa', 'bb'), entry(3, 'bb', 'cc')];

  it('is whole where every entry follows from the one before', () => {
    expect(broken(whole)).toBeNull();
    expect(broken([...whole].reverse())).toBeNull();
    expect(broken([])).toBeNull();
  });

  it('is broken where an entry is missing or changed', () => {
    expect(broken([entry(1, '00', 'aa'), entry(3, 'bb', 'cc')])).toBe(3);
    expect(broken([entry(1, '00', 'aa'), entry(2, 'xx', 'bb')])).toBe(2);
  });
});

describe('the table for a spreadsheet', () => {
  it('runs no formula that somebody wrote as a reason', () => {
    const lines = csv([entry(1, '00', 'aa', '=HYPERLINK("http://x")')]).split('\r\n');
    expect(lines).toHaveLength(2);
    expect(lines[1]).toContain(`"'=HYPERLINK(""http://x"")"`);
  });
});
