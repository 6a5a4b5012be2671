//! The legal hold of a conversation: its banner, placing it, releasing it with what will expire.

import { useState } from 'preact/hooks';
import { del, get, post } from '../base/api';
import type { Conversation, Hold as HoldState } from '../base/contract';
import { clock, day, plural } from '../base/i18n';
import { myId } from '../base/session';
import { useAction, useLoad } from '../ui/hooks';
import { Button, Fault } from '../ui/parts';
import { ReasonField, useReason } from './reason';
import { s } from './words';

const at = (iso: string): string => `${day(iso)}, ${clock(iso)}`;

export function Hold({ talk }: { talk: Conversation }) {
  const [now, update] = useState<Conversation>(talk);
  const reason = useReason();
  const held = now.legal_hold?.active === true;
  const path = `/api/v1/admin/moderation/conversations/${talk.id}/legal-hold`;
  const { busy, fault, run } = useAction(async () => {
    const body = { reason: reason.text };
    update(held ? await del<Conversation>(path, body) : await post<Conversation>(path, body));
    reason.clear();
  });
  const { legal_hold, expiring_messages, release_requested: asked } = now;
  const wider = (now.held_by ?? []).filter(scope => scope !== 'conversation');
  // What goes when it is released is told before, not after.
  const after = useLoad(() => (held ? get<HoldState>(path) : Promise.resolve(null)), [held, path]);
  return (
    <form
      class="panel stack"
      noValidate
      onSubmit={reason.before(run)}
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
      {wider.length > 0 && <p class="notice hold">{s('hold.wider')}</p>}
      {held && asked && <Asked of={asked} />}
      <h2>{s(held ? 'hold.release' : 'hold.place')}</h2>
      <p class="soft">{s(held ? 'hold.release.lead' : 'hold.place.lead')}</p>
      {held && after.data?.on_release && <Expiring of={after.data.on_release} />}
      <ReasonField of={reason} label={s('hold.reason')} />
      <Fault of={fault} />
      <Button kind={held ? 'danger' : 'main'} submit busy={busy}>
        {s(held ? 'hold.release' : 'hold.place')}
      </Button>
    </form>
  );
}

/** A release that waits for a second moderator. */
export function Asked({ of }: { of: NonNullable<HoldState['release_requested']> }) {
  const key = of.requested_by === myId() ? 'hold.asked.own' : 'hold.asked';
  return (
    <p class="notice warn" role="status">
      {s(key, { at: at(of.requested_at), reason: of.reason })}
    </p>
  );
}

/** What the end of the grace would destroy. */
export function Expiring({ of }: { of: NonNullable<HoldState['on_release']> }) {
  if (of.messages === 0) return <p class="notice good">{s('hold.after.none')}</p>;
  const key = plural(of.messages, 'hold.after.one' as const, 'hold.after.other' as const);
  return <p class="notice warn">{s(key, { n: of.more ? `${of.messages}+` : of.messages, at: at(of.expires_at) })}</p>;
}
