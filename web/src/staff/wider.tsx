//! The first placing of a hold beyond one conversation: on all between the two, or on everything of the distributor.

import { useState } from 'preact/hooks';
import { post } from '../base/api';
import type { Conversation, Hold } from '../base/contract';
import { useAction } from '../ui/hooks';
import { Button, Choice, Fault } from '../ui/parts';
import { pathOf } from './holds';
import { ReasonField, useReason } from './reason';
import { s } from './words';

const SCOPES = ['relationship', 'distributor'] as const;
type Scope = (typeof SCOPES)[number];

export function Wider({ talk }: { talk: Conversation }) {
  const [scope, setScope] = useState<Scope>('relationship');
  const reason = useReason();
  const [placed, tell] = useState<Scope | null>(null);
  const { busy, fault, run } = useAction(async () => {
    tell(null);
    const { distributor_id, customer_id } = talk;
    await post<Hold>(pathOf({ scope, distributor_id, customer_id }), { reason: reason.text });
    reason.clear();
    tell(scope);
  });
  return (
    <form
      class="panel stack"
      noValidate
      onSubmit={reason.before(run)}
    >
      <h2>{s('wide.title')}</h2>
      <p class="soft">{s('wide.lead')}</p>
      <Choice
        label={s('wide.scope')}
        value={scope}
        options={SCOPES.map(each => [each, s(`holds.${each}`)] as const)}
        onChange={setScope}
      />
      <ReasonField of={reason} label={s('wide.reason')} />
      <Fault of={fault} />
      <div role="status">
        {placed && (
          <p class="notice hold">
            {s('wide.done')} <a href="/staff/holds">{s('holds')}</a>
          </p>
        )}
      </div>
      <Button submit busy={busy}>
        {s('wide.place')}
      </Button>
    </form>
  );
}
