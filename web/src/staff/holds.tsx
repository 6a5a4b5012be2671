//! Holds on whole relationships and distributors: what stands, what its release would destroy, and the release.

import { del, get, post } from '../base/api';
import type { Hold, Page as PageOf } from '../base/contract';
import { clock, day } from '../base/i18n';
import { useAction, useLoad, useTitle } from '../ui/hooks';
import { Button, Fault, Heading, List } from '../ui/parts';
import { Page } from './app';
import { Asked, Expiring } from './hold';
import { whoIn } from './names';
import { ReasonField, useReason } from './reason';
import { s } from './words';

const ALL = '/api/v1/admin/moderation';

/** The route of one wide hold. */
export const pathOf = (hold: Pick<Hold, 'scope' | 'distributor_id' | 'customer_id'>): string =>
  hold.scope === 'distributor'
    ? `${ALL}/distributors/${hold.distributor_id}/legal-hold`
    : `${ALL}/relationships/${hold.distributor_id}/${hold.customer_id}/legal-hold`;

export function Holds() {
  useTitle(`${s('holds')} · ${s('app')}`);
  const list = useLoad(async () => {
    const { items } = await get<PageOf<Hold>>(`${ALL}/holds?limit=100`);
    return Promise.all(items.map(async hold => ({ hold, who: await whoIn(hold) })));
  }, []);
  return (
    <Page at="/staff/holds">
      <Heading>{s('holds')}</Heading>
      <p class="soft">{s('holds.lead')}</p>
      <List from={list} empty={s('holds.none')}>
        {({ hold, who }) => <One key={pathOf(hold)} first={hold} who={who} />}
      </List>
    </Page>
  );
}

function One({ first, who }: { first: Hold; who: string }) {
  const reason = useReason();
  const path = pathOf(first);
  const now = useLoad(() => get<Hold>(path), [path]);
  const hold = now.data ?? first;
  const { busy, fault, run } = useAction(async () => {
    const body = { reason: reason.text };
    await (hold.active ? del(path, body) : post(path, body));
    reason.clear();
    await now.reload();
  });
  const act = s(hold.active ? 'hold.release' : 'hold.place');
  return (
    <li class="panel">
      <form
        class="stack"
        noValidate
        onSubmit={reason.before(run)}
      >
        <h2>
          {who} <span class="badge">{s(hold.scope === 'distributor' ? 'holds.distributor' : 'holds.relationship')}</span>
        </h2>
        {hold.active && hold.placed_at && (
          <p class="notice hold">
            {s('hold.banner', { at: `${day(hold.placed_at)}, ${clock(hold.placed_at)}`, reason: hold.reason ?? '' })}
          </p>
        )}
        {!hold.active && <p class="soft">{s('holds.over')}</p>}
        {hold.active && hold.release_requested && <Asked of={hold.release_requested} />}
        {hold.active && hold.on_release && <Expiring of={hold.on_release} />}
        <ReasonField of={reason} label={s('hold.reason')} />
        <Fault of={fault ?? now.fault} />
        <Button kind={hold.active ? 'danger' : 'main'} submit busy={busy} label={`${act}: ${who}`}>
          {act}
        </Button>
      </form>
    </li>
  );
}
