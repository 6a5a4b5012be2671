//! Accounts, for the admin: finding, stopping, new one-time passwords, new distributors and moderators, and the codes
//! that somebody waits for.

import { useState } from 'preact/hooks';
import { get, patch, post } from '../base/api';
import type { Page as PageOf, PendingCode, User } from '../base/contract';
import { clock } from '../base/i18n';
import { Confirm, Secret } from '../ui/confirm';
import { useAction, useLoad, useTitle } from '../ui/hooks';
import { Button, Choice, Fault, Field, Heading, List } from '../ui/parts';
import { Page } from './app';
import { o } from './words';

interface Shown {
  name: string;
  secret: string;
}

export function People() {
  useTitle(`${o('people')} · ${o('app')}`);
  const [query, find] = useState('');
  const [secret, show] = useState<Shown | null>(null);
  const search = query.trim().toLowerCase();
  const list = useLoad(
    async () => (await get<PageOf<User>>(`/api/v1/admin/users?limit=50&q=${encodeURIComponent(search)}`)).items,
    [search],
  );
  return (
    <Page at="/box/people">
      <Heading>{o('people')}</Heading>
      <section class="panel stack">
        <Field label={o('ppl.find')} value={query} onInput={find} attributes={{ autocomplete: 'off', maxLength: 32 }} />
        <List from={list} empty={o('ppl.none')}>
          {user => <Row key={user.id} user={user} reload={list.reload} show={show} />}
        </List>
      </section>
      <NewAccount
        onMade={async made => {
          show(made);
          await list.reload();
        }}
      />
      <Codes />
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

interface RowProps {
  user: User;
  reload: () => Promise<void>;
  show: (secret: Shown) => void;
}

function Row({ user, reload, show }: RowProps) {
  const change = useAction(async (status: User['status']) => {
    await patch(`/api/v1/admin/users/${user.id}`, { status });
    await reload();
  });
  const reset = useAction(async () => {
    const path = `/api/v1/admin/users/${user.id}/password-reset`;
    const { temporary_password } = await post<{ temporary_password: string }>(path);
    show({ name: user.username, secret: temporary_password });
  });
  const stopped = user.status === 'suspended';
  const gone = user.status === 'erased';
  return (
    <li class="row">
      <span class="grow">
        <strong>{user.username}</strong>
        {user.alias && <span>{user.alias}</span>}
        <span class="badge">{o(`role.${user.role}`)}</span>
        {stopped && <span class="badge act">{o('ppl.stopped')}</span>}
        {gone && <span class="badge">{o('ppl.gone')}</span>}
      </span>
      {user.role !== 'admin' && !gone && (
        <span class="pair">
          <Button busy={reset.busy} onClick={reset.run}>
            {o('cus.reset')}
          </Button>
          {stopped ? (
            <Button busy={change.busy} onClick={() => void change.run('active')}>
              {o('ppl.activate')}
            </Button>
          ) : (
            <Confirm
              name={o('ppl.suspend')}
              question={o('ppl.suspend.sure', { name: user.username })}
              yes={o('ppl.suspend')}
              act={() => change.run('suspended')}
            />
          )}
        </span>
      )}
      <Fault of={change.fault ?? reset.fault} />
    </li>
  );
}

type Kind = 'distributor' | 'moderator';

interface NewProps {
  onMade: (made: Shown) => Promise<void>;
  /** Within something that says already what it is for, and only for a distributor. */
  bare?: boolean;
}

export function NewAccount({ onMade, bare }: NewProps) {
  const [kind, setKind] = useState<Kind>('distributor');
  const [username, setName] = useState('');
  const [alias, setAlias] = useState('');
  const { busy, fault, run } = useAction(async () => {
    const name = username.trim().toLowerCase();
    const body = kind === 'distributor' ? { username: name, alias: alias.trim() } : { username: name };
    const made = await post<{ temporary_password?: string | null }>(`/api/v1/admin/${kind}s`, body);
    setName('');
    setAlias('');
    await onMade({ name, secret: made.temporary_password ?? '' });
  });
  const kinds = (['distributor', 'moderator'] as const).map(one => [one, o(`ppl.${one}`)] as const);
  return (
    <form
      class={bare ? 'stack' : 'panel stack'}
      noValidate
      onSubmit={event => {
        event.preventDefault();
        void run();
      }}
    >
      {!bare && <h2>{o('ppl.new')}</h2>}
      {!bare && <Choice label={o('ppl.kind')} value={kind} options={kinds} onChange={setKind} />}
      <Field
        label={o('ppl.username')}
        value={username}
        onInput={setName}
        attributes={{
          autocomplete: 'off',
          autocapitalize: 'none',
          spellcheck: false,
          maxLength: 32,
        }}
      />
      {kind === 'distributor' && (
        <Field
          label={o('ppl.alias')}
          value={alias}
          onInput={setAlias}
          attributes={{ autocomplete: 'off', maxLength: 64 }}
        />
      )}
      <Fault of={fault} />
      <Button kind="main" submit busy={busy} disabled={!username.trim() || (kind === 'distributor' && !alias.trim())}>
        {o('ppl.create')}
      </Button>
    </form>
  );
}

/** Codes that the owner hands over in person, since the box sends no text messages by itself. */
function Codes() {
  const list = useLoad(async () => (await get<PageOf<PendingCode>>('/api/v1/admin/codes')).items, [], 10_000);
  return (
    <section class="panel">
      <h2>{o('codes')}</h2>
      <List from={list} empty={o('codes.none')}>
        {one => (
          <li key={`${one.username}-${one.purpose}`} class="row">
            <span class="grow">
              <strong>{one.username}</strong>
              <span class="soft">{o('codes.until', { at: clock(one.expires_at) })}</span>
            </span>
            <span class="secret">{one.code}</span>
          </li>
        )}
      </List>
    </section>
  );
}
