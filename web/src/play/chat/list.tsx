//! Everybody this person can write to.

import { post } from '../../base/api';
import type { Conversation } from '../../base/contract';
import { clock, plural, t } from '../../base/i18n';
import { navigate } from '../../base/router';
import { held } from '../../base/session';
import { useAction, useLoad, useTitle } from '../../ui/hooks';
import { Button, Fault, Heading, List } from '../../ui/parts';
import { Page } from '../app';
import { contacts } from './people';

/** How often the list looks for news. An open conversation hears by its socket. */
const EVERY_MS = 6000;

export function ChatList() {
  useTitle(`${t('chat.title')} · ${t('app.title')}`);
  const list = useLoad(contacts, [], EVERY_MS);
  const start = useAction(async (id: string) => {
    const talk = await post<Conversation>('/api/v1/conversations', {
      participant_id: id,
    });
    navigate(`/chat/${talk.id}`);
  });
  const role = held.value?.user.role;
  const empty = t(role === 'distributor' ? 'chat.none.distributor' : 'chat.none.nobody');
  return (
    <Page at="chat">
      <Heading>{t('chat.title')}</Heading>
      <section class="panel">
        <List from={list} empty={empty}>
          {one => {
            const { conversation } = one;
            const fresh = conversation?.unread_count ?? 0;
            return (
              <li key={one.id} class="row">
                <span class="grow">
                  <strong>{one.name || '…'}</strong>
                  {fresh > 0 && (
                    <span class="badge act">
                      {t(plural(fresh, 'chat.unread.one' as const, 'chat.unread.other' as const), { n: fresh })}
                    </span>
                  )}
                  {conversation?.last_message_at && (
                    <span class="soft tabular">{clock(conversation.last_message_at)}</span>
                  )}
                </span>
                {conversation ? (
                  <a
                    class="button plain"
                    href={`/chat/${conversation.id}`}
                    aria-label={t('chat.with', { name: one.name })}
                  >
                    {t('menu.chat')}
                  </a>
                ) : (
                  <Button busy={start.busy} onClick={() => void start.run(one.id)}>
                    {t('chat.start', { name: one.name })}
                  </Button>
                )}
              </li>
            );
          }}
        </List>
        <Fault of={start.fault} />
      </section>
      <section class="panel stack">
        <h2>{t('chat.about')}</h2>
        <p>{t('chat.vanish')}</p>
        <p>{t('chat.privacy')}</p>
      </section>
    </Page>
  );
}
