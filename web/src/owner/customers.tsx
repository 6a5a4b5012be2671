//! The own customers: a new one-time password, and the end of the link.

import { useState } from 'preact/hooks';
import { del, get, post } from '../base/api';
import type { Page as PageOf, Relationship } from '../base/contract';
import { day } from '../base/i18n';
import { Confirm, Secret } from '../ui/confirm';
import { useAction, useLoad, useTitle } from '../ui/hooks';
import { Button, Fault, Heading, List } from '../ui/parts';
import { Page } from './app';
import { o } from './words';

export function Customers() {
  useTitle(`${o('customers')} · ${o('app')}`);
  const list = useLoad(async () => (await get<PageOf<Relationship>>('/api/v1/relationships?limit=200')).items, []);
  const [secret, show] = useState<{ name: string; secret: string } | null>(null);
  const reset = useAction(async (one: Relationship) => {
    const path = `/api/v1/admin/users/${one.customer_id}/password-reset`;
    const { temporary_password } = await post<{ temporary_password: string }>(path);
    show({ name: one.customer_username, secret: temporary_password });
  });
  return (
    <Page at="/box/customers">
      <Heading>{o('customers')}</Heading>
      <section class="panel">
        <Fault of={reset.fault} />
        <List from={list} empty={o('cus.none')}>
          {one => (
            <li key={one.customer_id} class="row">
              <span class="grow">
                <strong>{one.customer_username}</strong>
                {one.status === 'ended' && <span class="badge">{o('cus.ended')}</span>}
                <span class="soft">{o('cus.since', { at: day(one.created_at) })}</span>
              </span>
              {one.status === 'active' && (
                <span class="pair">
                  <Button busy={reset.busy} onClick={() => void reset.run(one)}>
                    {o('cus.reset')}
                  </Button>
                  <Confirm
                    name={o('cus.end')}
                    question={o('cus.end.sure', {
                      name: one.customer_username,
                    })}
                    yes={o('cus.end.yes')}
                    act={async () => {
                      await del(`/api/v1/relationships/${one.customer_id}`);
                      await list.reload();
                    }}
                  />
                </span>
              )}
            </li>
          )}
        </List>
      </section>
      {secret && (
        <Secret
          title={o('secret.title')}
          text={o('secret.text', { name: secret.name })}
          secret={secret.secret}
          onClose={() => show(null)}
        />
      )}
    </Page>
  );
}
