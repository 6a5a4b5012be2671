//! Invites: made, shown once with their code, printed, taken back.

import { useState } from 'preact/hooks';
import { del, get, post } from '../base/api';
import type { Invite, Page as PageOf } from '../base/contract';
import { day, t } from '../base/i18n';
import { Mark } from '../cards/face';
import { Confirm } from '../ui/confirm';
import { copy } from '../ui/copy';
import { useAction, useLoad, useTitle } from '../ui/hooks';
import { Button, Choice, Fault, Field, Heading, List } from '../ui/parts';
import { Page } from './app';
import { o } from './words';

const DAYS = { '1': 'inv.day', '7': 'inv.week', '30': 'inv.month' } as const;
type Days = keyof typeof DAYS;
const DAY_S = 86_400;

export function Invites() {
  useTitle(`${o('invites')} · ${o('app')}`);
  const list = useLoad(async () => (await get<PageOf<Invite>>('/api/v1/invites?limit=100')).items, []);
  const [fresh, show] = useState<Invite | null>(null);
  return (
    <Page at="/box/invites">
      <Heading>{o('invites')}</Heading>
      {fresh ? (
        <Poster invite={fresh} onDone={() => show(null)} />
      ) : (
        <Make
          onMade={async invite => {
            show(invite);
            await list.reload();
          }}
        />
      )}
      <section class="panel">
        <List from={list} empty={o('inv.none')}>
          {invite => (
            <li key={invite.id} class="row">
              <span class="grow">
                <strong>{invite.distributor_alias ?? ''}</strong>
                <span class={invite.status === 'open' ? 'badge act' : 'badge'}>{o(`inv.status.${invite.status}`)}</span>
                <span class="soft">{o('inv.made', { at: day(invite.created_at) })}</span>
                {invite.status === 'open' && <span class="soft">{o('inv.until', { at: day(invite.expires_at) })}</span>}
              </span>
              {invite.status === 'open' && (
                <Confirm
                  name={o('inv.revoke')}
                  question={o('inv.revoke.sure')}
                  yes={o('inv.revoke')}
                  act={async () => {
                    await del(`/api/v1/invites/${invite.id}`);
                    await list.reload();
                  }}
                />
              )}
            </li>
          )}
        </List>
      </section>
    </Page>
  );
}

function Make({ onMade }: { onMade: (invite: Invite) => Promise<void> }) {
  const [name, setName] = useState('');
  const [days, setDays] = useState<Days>('7');
  const { busy, fault, run } = useAction(async () => {
    const alias = name.trim();
    const body = {
      expires_in: Number(days) * DAY_S,
      ...(alias ? { distributor_alias: alias } : {}),
    };
    await onMade(await post<Invite>('/api/v1/invites', body));
  });
  const options = (Object.keys(DAYS) as Days[]).map(key => [key, o(DAYS[key])] as const);
  return (
    <form
      class="panel stack"
      onSubmit={event => {
        event.preventDefault();
        void run();
      }}
    >
      <h2>{o('inv.new')}</h2>
      <Field
        label={o('inv.for')}
        hint={o('inv.for.hint')}
        value={name}
        onInput={setName}
        attributes={{ autocomplete: 'off', maxLength: 64 }}
      />
      <Choice label={o('inv.valid')} value={days} options={options} onChange={setDays} />
      <Fault of={fault} />
      <Button kind="main" submit busy={busy}>
        {o('inv.create')}
      </Button>
    </form>
  );
}

/** What is scanned, read out or printed. Only this part of the page is on the paper. */
function Poster({ invite, onDone }: { invite: Invite; onDone: () => void }) {
  const [copied, tell] = useState(false);
  const key = invite.code ?? invite.token ?? '';
  return (
    <section class="panel stack poster">
      <div class="paper">
        <Mark />
        <h2>{t('join.invited', { name: invite.distributor_alias ?? '' })}</h2>
        <img src={`/api/v1/invites/${encodeURIComponent(key)}/qr.svg`} alt={o('inv.qr')} width="220" height="220" />
        <p>
          {o('inv.code')}: <strong class="secret">{invite.code}</strong>
        </p>
        <p class="address">{location.origin}</p>
        <p>{t('join.lead')}</p>
        <p>{o('inv.until', { at: day(invite.expires_at) })}</p>
      </div>
      <p class="notice warn">{o('inv.once')}</p>
      <div class="pair">
        <Button onClick={() => tell(copy(invite.url ?? key))}>{copied ? o('inv.copied') : o('inv.copy')}</Button>
        <Button onClick={() => print()}>{o('inv.print')}</Button>
        <Button kind="main" onClick={onDone}>
          {o('inv.done')}
        </Button>
      </div>
    </section>
  );
}
