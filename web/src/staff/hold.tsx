//! The legal hold of a conversation: its banner, placing it, releasing it with what will expire.

import { useState } from 'preact/hooks';
import { del, post } from '../base/api';
import type { Conversation } from '../base/contract';
import { clock, day } from '../base/i18n';
import { useAction } from '../ui/hooks';
import { Button, Fault, Field } from '../ui/parts';
import { REASON } from './reading';
import { s } from './words';

const at = (iso: string): string => `${day(iso)}, ${clock(iso)}`;

export function Hold({ talk }: { talk: Conversation }) {
  const [now, update] = useState<Conversation>(talk);
  const [reason, setReason] = useState('');
  const [short, setShort] = useState(false);
  const held = now.legal_hold?.active === true;
  const path = `/api/v1/admin/moderation/conversations/${talk.id}/legal-hold`;
  const { busy, fault, run } = useAction(async () => {
    const body = { reason: reason.trim() };
    update(held ? await del<Conversation>(path, body) : await post<Conversation>(path, body));
    setReason('');
  });
  const { legal_hold, expiring_messages } = now;
  return (
    <form
      class="panel stack"
      noValidate
      onSubmit={event => {
        event.preventDefault();
        setShort(reason.trim().length < REASON);
        if (reason.trim().length >= REASON) void run();
      }}
    >
      {held && (
        <p class="notice hold">
          {s('hold.banner', {
            at: legal_hold?.placed_at ? at(legal_hold.placed_at) : '',
            reason: legal_hold?.reason ?? '',
          })}
        </p>
      )}
      {!held && legal_hold?.grace_until && (
        <p class="notice warn" role="status">
          {s('hold.released', { n: expiring_messages ?? 0, at: at(legal_hold.grace_until) })}
        </p>
      )}
      <h2>{s(held ? 'hold.release' : 'hold.place')}</h2>
      <p class="soft">{s(held ? 'hold.release.lead' : 'hold.place.lead')}</p>
      <Field
        label={s('hold.reason')}
        hint={s('gate.reason.hint')}
        fault={short ? s('gate.short') : undefined}
        value={reason}
        onInput={setReason}
        attributes={{ autocomplete: 'off', maxLength: 500 }}
      />
      <Fault of={fault} />
      <Button kind={held ? 'danger' : 'main'} submit busy={busy}>
        {s(held ? 'hold.release' : 'hold.place')}
      </Button>
    </form>
  );
}
