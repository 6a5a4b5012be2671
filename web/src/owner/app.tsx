//! The owner's screens. The admin sees people and sync, a distributor invites and customers.

import type { ComponentChildren } from 'preact';
import type { User } from '../base/contract';
import { t } from '../base/i18n';
import { path } from '../base/router';
import { forget, held } from '../base/session';
import { Mark } from '../cards/face';
import { useTitle } from '../ui/hooks';
import { Languages, Login } from '../ui/login';
import { Button, Heading } from '../ui/parts';
import { MustChange } from '../ui/password';
import { type Place, Shell } from '../ui/shell';
import { Backups } from './backups';
import { Customers } from './customers';
import { Games } from './games';
import { Health } from './health';
import { Home } from './home';
import { Invites } from './invites';
import { People } from './people';
import { Restore } from './restore';
import { Settings } from './settings';
import { Setup } from './setup';
import { Sync } from './sync';
import { o } from './words';

export function App() {
  const user = held.value?.user;
  if (!user) return <SignIn />;
  if (user.must_change_password) return <MustChange />;
  if (user.role !== 'admin' && user.role !== 'distributor') return <Wrong user={user} />;
  const admin = user.role === 'admin';
  const at = path.value;
  if (at === '/box/invites' && !admin) return <Invites />;
  if (at === '/box/customers' && !admin) return <Customers />;
  if (at === '/box/games') return <Games />;
  if (at === '/box/people' && admin) return <People />;
  if (at === '/box/sync' && admin) return <Sync />;
  if (at === '/box/backups' && admin) return <Backups />;
  if (at === '/box/health' && admin) return <Health />;
  if (at === '/box/setup' && admin) return <Setup />;
  if (at === '/box/restore' && admin) return <Restore />;
  if (at === '/box/settings' && admin) return <Settings />;
  return <Home admin={admin} />;
}

function SignIn() {
  useTitle(o('app'));
  return (
    <main class="page narrow">
      <Languages />
      <header class="welcome">
        <Mark />
        <Heading>{o('app')}</Heading>
      </header>
      <Login onDone={() => undefined} />
    </main>
  );
}

function Wrong({ user }: { user: User }) {
  useTitle(o('app'));
  return (
    <main class="page narrow">
      <Heading>{o('app')}</Heading>
      <p>{o('wrong', { name: user.username })}</p>
      <a class="button main" href="/play" data-reload>
        {o('to.play')}
      </a>
      <Button onClick={() => forget()}>{t('me.out')}</Button>
    </main>
  );
}

/** A screen of the owner with the menu of the role. */
export function Page({ at, children }: { at: string; children: ComponentChildren }) {
  const admin = held.value?.user.role === 'admin';
  const home: Place = { path: '/box', icon: 'home', name: o('home') };
  const places: Place[] = admin
    ? [
        home,
        { path: '/box/people', icon: 'people', name: o('people') },
        { path: '/box/sync', icon: 'sync', name: o('sync') },
        { path: '/box/backups', icon: 'hold', name: o('backups') },
        { path: '/box/health', icon: 'help', name: o('health') },
      ]
    : [
        home,
        { path: '/box/invites', icon: 'invite', name: o('invites') },
        { path: '/box/customers', icon: 'people', name: o('customers') },
      ];
  return (
    <Shell places={places} at={at} wide>
      {children}
    </Shell>
  );
}
