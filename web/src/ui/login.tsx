//! Signing in, for every app alike.

import { useState } from 'preact/hooks';
import { open } from '../base/api';
import type { Session, User } from '../base/contract';
import { LANGS, type Lang, lang, speak, t } from '../base/i18n';
import { adopt, ended } from '../base/session';
import { useAction } from './hooks';
import { Button, Fault, Field } from './parts';

/** What is said to who was signed out. */
const WHY = { session: 'login.ended', suspended: 'login.suspended', erased: 'login.erased' } as const;

export function Languages() {
  return (
    <div class="languages">
      {(Object.keys(LANGS) as Lang[]).map(key => (
        <button
          type="button"
          key={key}
          lang={LANGS[key].tag}
          aria-pressed={lang.value === key}
          onClick={() => speak(key)}
        >
          {LANGS[key].name}
        </button>
      ))}
    </div>
  );
}

interface LoginProps {
  onDone: (user: User) => void;
  /** Another way in, below the form. */
  other?: { text: string; go: () => void };
}

export function Login({ onDone, other }: LoginProps) {
  const [username, setName] = useState('');
  const [password, setPassword] = useState('');
  const { busy, fault, run } = useAction(async () => {
    const body = { username: username.trim().toLowerCase(), password };
    const session = await open<Session>('POST', '/api/v1/auth/login', body);
    adopt(session);
    onDone(session.user);
  });
  const why = ended.value;
  return (
    <form
      class="stack"
      onSubmit={event => {
        event.preventDefault();
        void run();
      }}
      noValidate
    >
      {why && <p class="notice warn">{t(WHY[why])}</p>}
      <Name value={username} onInput={setName} />
      <Secret value={password} onInput={setPassword} />
      <Fault of={fault} />
      <Button kind="main" submit busy={busy} disabled={!username.trim() || !password}>
        {t('login.start')}
      </Button>
      {other && (
        <Button kind="quiet" onClick={other.go}>
          {other.text}
        </Button>
      )}
    </form>
  );
}

interface LineProps {
  value: string;
  onInput: (value: string) => void;
  fault?: string | undefined;
}

export function Name({ value, onInput, fault }: LineProps) {
  return (
    <Field
      label={t('join.name')}
      hint={t('join.name.hint')}
      fault={fault}
      value={value}
      onInput={onInput}
      attributes={{
        autocomplete: 'username',
        autocapitalize: 'none',
        spellcheck: false,
        maxLength: 32,
      }}
    />
  );
}

export function Secret({ value, onInput, fault, fresh }: LineProps & { fresh?: boolean }) {
  return (
    <Field
      label={t('join.password')}
      hint={t('join.password.hint')}
      fault={fault}
      value={value}
      onInput={onInput}
      secret
      attributes={{
        autocomplete: fresh ? 'new-password' : 'current-password',
        maxLength: 256,
      }}
    />
  );
}
