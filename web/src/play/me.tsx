//! The person and this phone: language, look, sounds, password, where one is signed in.

import { useState } from 'preact/hooks';
import { del, get, post } from '../base/api';
import type { Page as PageOf, SignedIn } from '../base/contract';
import { download } from '../base/download';
import { clock, day, LANGS, type Lang, lang, speak, t } from '../base/i18n';
import { type Look, look, set } from '../base/look';
import { forget, held } from '../base/session';
import { useAction, useLoad, useTitle } from '../ui/hooks';
import { Button, Choice, Dialog, Fault, Field, Heading, List, Switch } from '../ui/parts';
import { PasswordForm } from '../ui/password';
import { Page } from './app';

export function Me() {
  useTitle(`${t('me.title')} · ${t('app.title')}`);
  const out = useAction(async () => {
    try {
      await post('/api/v1/auth/logout');
    } finally {
      forget();
    }
  });
  return (
    <Page at="me">
      <Heading>{held.value?.user.username ?? t('me.title')}</Heading>
      <Preferences />
      <Password />
      <Sessions />
      <Data />
      <Button kind="danger" busy={out.busy} onClick={out.run}>
        {t('me.out')}
      </Button>
    </Page>
  );
}

function Preferences() {
  const now = look.value;
  const theme: [Look['theme'], string][] = [
    ['auto', t('theme.auto')],
    ['light', t('theme.light')],
    ['dark', t('theme.dark')],
  ];
  const deck: [Look['deck'], string][] = [
    ['colour', t('deck.colour')],
    ['classic', t('deck.classic')],
  ];
  const langs = (Object.keys(LANGS) as Lang[]).map(key => [key, LANGS[key].name] as const);
  return (
    <section class="panel stack">
      <h2>{t('me.look')}</h2>
      <Choice label={t('me.lang')} value={lang.value} options={langs} onChange={speak} />
      <Choice label={t('me.theme')} value={now.theme} options={theme} onChange={theme => set({ theme })} />
      <Choice label={t('me.deck')} value={now.deck} options={deck} onChange={deck => set({ deck })} />
      <Switch label={t('me.hints')} on={now.hints} onChange={hints => set({ hints })} />
      <Switch label={t('me.sound')} on={now.sound} onChange={sound => set({ sound })} />
      <Switch label={t('me.vibration')} on={now.vibration} onChange={vibration => set({ vibration })} />
    </section>
  );
}

function Password() {
  const [done, setDone] = useState(false);
  return (
    <details class="panel">
      <summary>{t('me.password')}</summary>
      {done && (
        <p class="notice good" role="status">
          {t('me.password.done')}
        </p>
      )}
      <PasswordForm onDone={() => setDone(true)} />
    </details>
  );
}

function Sessions() {
  const list = useLoad(async () => (await get<PageOf<SignedIn>>('/api/v1/users/me/sessions')).items, []);
  const end = useAction(async (sid: string) => {
    await del(`/api/v1/users/me/sessions/${sid}`);
    await list.reload();
  });
  return (
    <section class="panel">
      <h2>{t('me.sessions')}</h2>
      <List from={list} empty={t('me.sessions.this')}>
        {item => (
          <li key={item.id} class="row">
            <span>
              {item.current && <strong>{t('me.sessions.this')} · </strong>}
              {t('me.sessions.since', {
                at: `${day(item.created_at)}, ${clock(item.created_at)}`,
              })}
            </span>
            {!item.current && (
              <Button busy={end.busy} onClick={() => void end.run(item.id)}>
                {t('me.sessions.end')}
              </Button>
            )}
          </li>
        )}
      </List>
      <Fault of={end.fault} />
    </section>
  );
}

/** What the box holds about the person: given out, or taken away for good. */
function Data() {
  const [asking, ask] = useState(false);
  const take = useAction(() => download('/api/v1/users/me/export', 'whot'));
  return (
    <section class="panel stack">
      <h2>{t('me.data')}</h2>
      <p>{t('me.data.hint')}</p>
      <Button busy={take.busy} onClick={take.run}>
        {t('me.data.take')}
      </Button>
      <Fault of={take.fault} />
      <Button kind="danger" onClick={() => ask(true)}>
        {t('me.erase')}
      </Button>
      {asking && <Goodbye onClose={() => ask(false)} />}
    </section>
  );
}

function Goodbye({ onClose }: { onClose: () => void }) {
  const [password, setPassword] = useState('');
  const { busy, fault, run } = useAction(async () => {
    await del('/api/v1/users/me', { password });
    forget('erased');
  });
  return (
    <Dialog title={t('me.erase')} onClose={onClose}>
      <form
        class="stack"
        noValidate
        onSubmit={event => {
          event.preventDefault();
          void run();
        }}
      >
        <p>{t('me.erase.what')}</p>
        <Field
          label={t('me.password.now')}
          value={password}
          onInput={setPassword}
          secret
          attributes={{ autocomplete: 'current-password' }}
        />
        <Fault of={fault} />
        <Button kind="danger" submit busy={busy} disabled={!password}>
          {t('me.erase.yes')}
        </Button>
        <Button onClick={onClose}>{t('go.cancel')}</Button>
      </form>
    </Dialog>
  );
}
