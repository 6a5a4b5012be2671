//! The conversations of this box: who, how many messages, and whether they are held. No content.

import { useState } from 'preact/hooks';
import { get } from '../base/api';
import type { Conversation, Page as PageOf } from '../base/contract';
import { clock, day, plural } from '../base/i18n';
import { useLoad, useTitle } from '../ui/hooks';
import { Button, Heading, List } from '../ui/parts';
import { Page } from './app';
import { namesOf } from './names';
import { s } from './words';

export function Conversations() {
  useTitle(`${s('talks')} · ${s('app')}`);
  const [pages, show] = useState(1);
  const [more, follow] = useState(false);
  const list = useLoad(async () => {
    const all: Conversation[] = [];
    let cursor = '';
    for (let page = 0; page < pages; page += 1) {
      const at = cursor ? `&cursor=${encodeURIComponent(cursor)}` : '';
      const next = await get<PageOf<Conversation>>(`/api/v1/admin/moderation/conversations?limit=100${at}`);
      all.push(...next.items);
      cursor = next.next_cursor ?? '';
      if (!cursor) break;
    }
    follow(cursor !== '');
    return Promise.all(all.map(async talk => ({ talk, names: await namesOf(talk) })));
  }, [pages]);
  return (
    <Page at="/staff">
      <Heading>{s('talks')}</Heading>
      <section class="panel">
        <List from={list} empty={s('talks.none')}>
          {({ talk, names }) => (
            <li key={talk.id} class="row">
              <span class="grow">
                <strong>{s('talks.between', { distributor: names.distributor, customer: names.customer })}</strong>
                {talk.legal_hold?.active && <span class="badge act">{s('talks.hold')}</span>}
                <Count n={talk.message_count ?? 0} />
                {talk.last_message_at && (
                  <span class="soft">
                    {s('talks.last', { at: `${day(talk.last_message_at)}, ${clock(talk.last_message_at)}` })}
                  </span>
                )}
              </span>
              <a class="button plain" href={`/staff/c/${talk.id}`} aria-label={`${s('talks.open')}: ${names.customer}`}>
                {s('talks.open')}
              </a>
            </li>
          )}
        </List>
        {more && <Button onClick={() => show(pages + 1)}>{s('talks.more')}</Button>}
      </section>
    </Page>
  );
}

function Count({ n }: { n: number }) {
  return <span class="soft">{s(plural(n, 'talks.count.one' as const, 'talks.count.other' as const), { n })}</span>;
}
