//! Whether all is good, and one button for each thing that is not.

import { get, post } from '../base/api';
import type { Page as PageOf, Relationship, Replication } from '../base/contract';
import { ask } from '../base/fetch';
import { lang, plural, t } from '../base/i18n';
import { navigate } from '../base/router';
import { forget, held } from '../base/session';
import { useAction, useLoad, useTitle } from '../ui/hooks';
import { Languages } from '../ui/login';
import { Button, Heading, Loading } from '../ui/parts';
import { Address } from './address';
import { Page } from './app';
import { done, type Facts, facts, STEPS } from './setup';
import { o } from './words';

/** How often the state of the box is looked at. */
const EVERY_MS = 10_000;

interface Ready {
  replication: string;
  expiry: string;
  websockets: number;
}

interface Finding {
  text: string;
  button?: string;
  to?: string;
}

/** What should be done, worst first. `lang` is read, so that the words follow it. */
function findings({ ready, sync, empty, setup }: State, admin: boolean): Finding[] {
  const found: Finding[] = [];
  const left = setup ? STEPS.filter(step => !done(step, setup)) : [];
  if (left.length > 0) {
    const key = plural(left.length, 'find.setup.one' as const, 'find.setup.other' as const);
    found.push({ text: o(key, { n: left.length }), button: o('find.setup.do'), to: '/box/setup' });
  }
  if (sync && sync.state !== 'live' && sync.state !== 'disabled' && sync.backlog > 0) {
    found.push({
      text: o('find.sync', { advice: sync.advice ?? '' }),
      button: o('sync'),
      to: '/box/sync',
    });
  }
  const dead = sync?.dead_letters ?? 0;
  if (dead > 0)
    found.push({
      text: o(plural(dead, 'find.dead.one' as const, 'find.dead.other' as const), { n: dead }),
      button: o('sync'),
      to: '/box/sync',
    });
  // A clock that nobody vouches for is a step of setting up.
  if (ready.expiry !== 'ok' && !left.includes('clock')) found.push({ text: o('find.expiry', { why: ready.expiry }) });
  if (empty && admin && !left.includes('people'))
    found.push({
      text: o('find.nobody'),
      button: o('find.nobody.do'),
      to: '/box/people',
    });
  if (empty && !admin)
    found.push({
      text: o('find.empty'),
      button: o('find.empty.do'),
      to: '/box/invites',
    });
  return found;
}

interface State {
  ready: Ready;
  sync: Replication | null;
  empty: boolean;
  setup: Facts | null;
}

async function state(admin: boolean): Promise<State> {
  const ready = ask<Ready>({ method: 'GET', path: '/readyz' });
  if (admin) {
    const setup = await facts();
    return { ready: await ready, sync: setup.sync, empty: setup.distributors === 0, setup };
  }
  const some = await get<PageOf<Relationship>>('/api/v1/relationships?limit=1');
  return { ready: await ready, sync: null, empty: some.items.length === 0, setup: null };
}

export function Home({ admin }: { admin: boolean }) {
  useTitle(o('app'));
  const now = useLoad(() => state(admin), [admin], EVERY_MS);
  const found = now.data ? findings(now.data, admin) : [];
  const out = useAction(async () => {
    try {
      await post('/api/v1/auth/logout');
    } finally {
      forget();
    }
  });
  return (
    <Page at="/box">
      <header class="greeting">
        <Heading>{held.value?.user.alias ?? held.value?.user.username ?? o('app')}</Heading>
        <Languages />
      </header>
      <section class="panel stack" aria-live="polite" lang={lang.value === 'en' ? 'en-NG' : 'pcm'}>
        <Loading from={now} />
        {now.data && !now.fault && (
          <h2 class={`verdict ${found.length === 0 ? 'good' : 'warn'}`}>
            {o(found.length === 0 ? 'good' : 'attention')}
          </h2>
        )}
        {found.map(({ text, button, to }) => (
          <div key={text} class="row">
            <p class="grow">{text}</p>
            {button && to && <Button onClick={() => navigate(to)}>{button}</Button>}
          </div>
        ))}
        {now.data && (
          <p class="soft">
            {o(plural(now.data.ready.websockets, 'sockets.one' as const, 'sockets.other' as const), {
              n: now.data.ready.websockets,
            })}
          </p>
        )}
      </section>
      <section class="panel stack">
        <h2>{o('join.at')}</h2>
        <Address />
        <p class="soft">{o('join.how')}</p>
      </section>
      <a class="button plain" href="/box/games">
        {o('games')}
      </a>
      {admin && (
        <a class="button plain" href="/box/settings">
          {o('settings.power')}
        </a>
      )}
      {!admin && (
        <a class="button plain" href="/play" data-reload>
          {o('to.play')}
        </a>
      )}
      <Button kind="danger" busy={out.busy} onClick={out.run}>
        {t('me.out')}
      </Button>
    </Page>
  );
}
