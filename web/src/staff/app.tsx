//! The screens of staff. Moderators read and hold, with their reason on record; the admin sees the trail and retention.

import type { ComponentChildren } from 'preact';
import { post } from '../base/api';
import type { User } from '../base/contract';
import { t } from '../base/i18n';
import { match, path } from '../base/router';
import { forget, held } from '../base/session';
import { Mark } from '../cards/face';
import { useAction, useTitle } from '../ui/hooks';
import { Languages, Login } from '../ui/login';
import { Button, Heading } from '../ui/parts';
import { MustChange } from '../ui/password';
import { type Place, Shell } from '../ui/shell';
import { Trail } from './audit';
import { Conversations } from './conversations';
import { Holds } from './holds';
import { Reading } from './reading';
import { Retention } from './retention';
import { s } from './words';

export function App() {
  const user = held.value?.user;
  if (!user) return <SignIn />;
  if (user.must_change_password) return <MustChange />;
  if (user.role !== 'moderator' && user.role !== 'admin') return <Wrong user={user} />;
  const moderator = user.role === 'moderator';
  const at = path.value;
  const one = match('/staff/c/:id', at);
  if (one?.id && moderator) return <Reading key={one.id} id={one.id} />;
  if (at === '/staff/holds' && moderator) return <Holds />;
  if (at === '/staff/retention' && !moderator) return <Retention />;
  if (at === '/staff/audit' || !moderator) return <Trail />;
  return <Conversations />;
}

function SignIn() {
  useTitle(s('app'));
  return (
    <main class="page narrow">
      <Languages />
      <header class="welcome">
        <Mark />
        <Heading>{s('app')}</Heading>
      </header>
      <Login onDone={() => undefined} />
    </main>
  );
}

function Wrong({ user }: { user: User }) {
  useTitle(s('app'));
  return (
    <main class="page narrow">
      <Heading>{s('app')}</Heading>
      <p>{s('wrong', { name: user.username })}</p>
      <Button onClick={() => forget()}>{t('me.out')}</Button>
    </main>
  );
}

/** A screen of staff with the menu of the role. */
export function Page({ at, children }: { at: string; children: ComponentChildren }) {
  const trail: Place = { path: '/staff/audit', icon: 'audit', name: s('audit') };
  const places: Place[] =
    held.value?.user.role === 'moderator'
      ? [{ path: '/staff', icon: 'chat', name: s('talks') }, { path: '/staff/holds', icon: 'hold', name: s('holds') }, trail]
      : [trail, { path: '/staff/retention', icon: 'hold', name: s('retention') }];
  const out = useAction(async () => {
    try {
      await post('/api/v1/auth/logout');
    } finally {
      forget();
    }
  });
  return (
    <Shell places={places} at={at} wide>
      {children}
      <div class="pair">
        <Languages />
        <Button kind="danger" busy={out.busy} onClick={out.run}>
          {t('me.out')}
        </Button>
      </div>
    </Shell>
  );
}
