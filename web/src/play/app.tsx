//! Which screen is shown: by the path, and by whether somebody is signed in.

import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import { t } from '../base/i18n';
import { match, navigate, path } from '../base/router';
import { held } from '../base/session';
import { useTitle } from '../ui/hooks';
import { Heading } from '../ui/parts';
import { MustChange } from '../ui/password';
import { Shell } from '../ui/shell';
import { ChatList } from './chat/list';
import { Thread } from './chat/thread';
import { Help } from './help';
import { Join } from './join';
import { Lobby } from './lobby';
import { Me } from './me';
import { Table } from './table/table';

export function App() {
  const at = path.value;
  const user = held.value?.user;
  const here = at === '/index.html' ? '/' : at;
  useEffect(() => {
    if (user && here === '/') navigate('/play', 'replace');
  }, [user, here]);
  if (here === '/help') return <Help />;
  if (match('/join', here) || match('/join/:token', here)) return <Join />;
  if (!user) return <Join />;
  if (user.must_change_password) return <MustChange />;
  if (here === '/' || here === '/play') return <Lobby />;
  if (here === '/me') return <Me />;
  if (here === '/chat') return <ChatList />;
  const game = match('/play/g/:id', here);
  if (game?.id) return <Table key={game.id} id={game.id} />;
  const chat = match('/chat/:id', here);
  if (chat?.id) return <Thread key={chat.id} id={chat.id} />;
  return <Missing />;
}

function Missing() {
  useTitle(t('missing.title'));
  return (
    <Page at="play">
      <Heading>{t('missing.title')}</Heading>
      <p>{t('missing.text')}</p>
      <a class="button main" href="/play">
        {t('go.lobby')}
      </a>
    </Page>
  );
}

type Place = 'play' | 'chat' | 'me' | 'help';
const PLACES: readonly Place[] = ['play', 'chat', 'me', 'help'];

/** A screen of the player with its menu. */
export function Page({ at, children }: { at: Place; children: ComponentChildren }) {
  const places = PLACES.map(place => ({
    path: `/${place}`,
    icon: place,
    name: t(`menu.${place}`),
  }));
  return (
    <Shell places={places} at={`/${at}`}>
      {children}
    </Shell>
  );
}
