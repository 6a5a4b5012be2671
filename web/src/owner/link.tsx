//! Linking the box to a head office by the code that it gave.

import { useState } from 'preact/hooks';
import { post } from '../base/api';
import { Refusal } from '../base/problem';
import { useAction } from '../ui/hooks';
import { Button, Fault, Field } from '../ui/parts';
import { o } from './words';

/** What a refusal means here; nothing for one that means what it always does. */
function meant(fault: unknown): string | null {
  if (!(fault instanceof Refusal)) return null;
  if (fault.code === 'unavailable') return o('link.away');
  if (fault.code === 'conflict') return o('link.refused');
  return fault.code === 'validation_failed' ? o('link.part') : null;
}

export function LinkByCode({ onLinked }: { onLinked: () => Promise<void> }) {
  const [code, write] = useState('');
  const { busy, fault, run } = useAction(async () => {
    await post('/api/v1/box/sync/link', { code: code.trim() });
    write('');
    await onLinked();
  });
  const why = meant(fault);
  return (
    <form
      class="stack"
      onSubmit={event => {
        event.preventDefault();
        void run();
      }}
    >
      <Field
        label={o('link.code')}
        hint={o('link.hint')}
        value={code}
        onInput={write}
        attributes={{ autocomplete: 'off', spellcheck: false }}
      />
      {why ? (
        <p class="notice danger" role="alert">
          {why}
        </p>
      ) : (
        <Fault of={fault} />
      )}
      <Button kind="main" submit busy={busy} disabled={!code.trim()}>
        {o('link.go')}
      </Button>
    </form>
  );
}
