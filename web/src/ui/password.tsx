//! Changing one's password, of one's own will or because it was given by somebody else.

import { useState } from 'preact/hooks';
import { get, post } from '../base/api';
import type { User } from '../base/contract';
import { t } from '../base/i18n';
import { Refusal } from '../base/problem';
import { know } from '../base/session';
import { Mark } from '../cards/face';
import { useAction, useTitle } from './hooks';
import { Button, Fault, Field, Heading } from './parts';

export function PasswordForm({ onDone }: { onDone: () => void }) {
  const [now, setNow] = useState('');
  const [next, setNext] = useState('');
  const [short, setShort] = useState(false);
  const { busy, fault, run } = useAction(async () => {
    await post('/api/v1/auth/password', {
      current_password: now,
      new_password: next,
    });
    know(await get<User>('/api/v1/users/me'));
    setNow('');
    setNext('');
    onDone();
  });
  const weak = fault instanceof Refusal ? fault.fields.new_password : undefined;
  return (
    <form
      class="stack"
      noValidate
      onSubmit={event => {
        event.preventDefault();
        setShort(next.length < 8);
        if (next.length >= 8) void run();
      }}
    >
      <Field
        label={t('me.password.now')}
        value={now}
        onInput={setNow}
        secret
        attributes={{ autocomplete: 'current-password' }}
      />
      <Field
        label={t('me.password.next')}
        hint={t('join.password.hint')}
        fault={short ? t('err.password_short') : weak ? t('err.password_weak') : undefined}
        value={next}
        onInput={setNext}
        secret
        attributes={{ autocomplete: 'new-password', maxLength: 256 }}
      />
      {!weak && <Fault of={fault} />}
      <Button kind="main" submit busy={busy} disabled={!now || !next}>
        {t('go.save')}
      </Button>
    </form>
  );
}

/** Nothing else can be done before the password is one's own (contract 2). */
export function MustChange() {
  useTitle(t('me.password'));
  return (
    <main class="page narrow">
      <header class="welcome">
        <Mark />
        <Heading>{t('me.password')}</Heading>
      </header>
      <p>{t('me.password.must')}</p>
      <PasswordForm onDone={() => undefined} />
    </main>
  );
}
