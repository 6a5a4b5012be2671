//! A second look before what cannot be taken back, and a secret that is shown once.

import { useState } from 'preact/hooks';
import { t } from '../base/i18n';
import { useAction } from './hooks';
import { Button, Dialog, Fault } from './parts';

interface ConfirmProps {
  /** The button that asks, and the title of the question. */
  name: string;
  question: string;
  yes: string;
  act: () => Promise<unknown>;
}

export function Confirm({ name, question, yes, act }: ConfirmProps) {
  const [asking, ask] = useState(false);
  const { busy, fault, run } = useAction(async () => {
    await act();
    ask(false);
  });
  return (
    <>
      <Button kind="danger" onClick={() => ask(true)}>
        {name}
      </Button>
      {asking && (
        <Dialog title={name} onClose={() => ask(false)}>
          <p>{question}</p>
          <Fault of={fault} />
          <Button kind="danger" busy={busy} onClick={run}>
            {yes}
          </Button>
          <Button onClick={() => ask(false)}>{t('go.cancel')}</Button>
        </Dialog>
      )}
    </>
  );
}

export function Secret({
  title,
  text,
  secret,
  onClose,
}: {
  title: string;
  text: string;
  secret: string;
  onClose: () => void;
}) {
  return (
    <Dialog title={title} onClose={onClose}>
      <p>{text}</p>
      <p class="secret">{secret}</p>
      <Button kind="main" onClick={onClose}>
        {t('go.close')}
      </Button>
    </Dialog>
  );
}
