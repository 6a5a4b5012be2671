//! The audit trail, newest first, and whether its chain is unbroken.

import { get } from '../base/api';
import type { Audit, Page as PageOf } from '../base/contract';
import { save } from '../base/download';
import { clock, day } from '../base/i18n';
import { useLoad, useTitle } from '../ui/hooks';
import { Button, Heading, List } from '../ui/parts';
import { Page } from './app';
import { Beside } from './trail';
import { s } from './words';

/** Pages of 200 entries that one look fetches. */
const MAX_PAGES = 25;

async function trail(): Promise<{ items: Audit[]; more: boolean }> {
  const items: Audit[] = [];
  let cursor: string | null = '';
  for (let page = 0; page < MAX_PAGES && cursor !== null; page += 1) {
    const at: string = cursor ? `&cursor=${encodeURIComponent(cursor)}` : '';
    const next: PageOf<Audit> = await get<PageOf<Audit>>(`/api/v1/admin/moderation/audits?limit=200${at}`);
    items.push(...next.items);
    cursor = next.next_cursor;
  }
  return { items, more: cursor !== null };
}

/** The first entry that does not follow from the one before it; null where the chain is whole. */
export function broken(items: readonly Audit[]): number | null {
  const ordered = [...items].sort((a, b) => a.seq - b.seq);
  for (const [index, entry] of ordered.entries()) {
    const before = ordered[index - 1];
    if (before && (entry.prev_hash !== before.hash || entry.seq !== before.seq + 1)) return entry.seq;
  }
  return null;
}

/** A table for a spreadsheet. A cell that begins like a formula is made a text. */
export function csv(items: readonly Audit[]): string {
  const columns = ['seq', 'at', 'moderator_id', 'action', 'code', 'reason', 'conversation_id', 'hash'] as const;
  const cell = (value: unknown) => {
    const text = String(value ?? '');
    return `"${(/^[=+\-@\t\r]/.test(text) ? `'${text}` : text).replace(/"/g, '""')}"`;
  };
  const lines = items.map(item => columns.map(column => cell(item[column])).join(','));
  return [columns.join(','), ...lines].join('\r\n');
}

export function Trail() {
  useTitle(`${s('audit')} · ${s('app')}`);
  const all = useLoad(trail, []);
  const items = all.data?.items ?? [];
  const list = { ...all, data: all.data ? [...items].reverse() : null };
  const bad = broken(items);
  const [first, last] = [items[0], items[items.length - 1]];
  return (
    <Page at="/staff/audit">
      <Heading>{s('audit')}</Heading>
      <Beside onChange={() => void all.reload()} />
      {bad !== null && <p class="notice danger">{s('audit.bad', { n: bad })}</p>}
      {bad === null && first && last && <p class="notice good">{s('audit.good', { from: first.seq, to: last.seq })}</p>}
      {all.data?.more && <p class="notice warn">{s('audit.partly', { n: items.length })}</p>}
      <section class="panel">
        <List from={list} empty={s('audit.none')}>
          {entry => (
            <li key={entry.id} class="row">
              <span class="grow">
                <strong>{s('audit.entry', { n: entry.seq })}</strong>
                <span class="badge">{entry.action}</span>
                <span class="badge">{entry.code}</span>
                <span>{entry.reason}</span>
                <span class="soft tabular">
                  {day(entry.at)}, {clock(entry.at)}
                </span>
                <span class="soft address-small">{entry.moderator_id}</span>
              </span>
            </li>
          )}
        </List>
      </section>
      {items.length > 0 && (
        <Button onClick={() => save(new Blob([csv(items)], { type: 'text/csv' }), 'audit.csv')}>
          {s('audit.export')}
        </Button>
      )}
    </Page>
  );
}
