//! Whether the box's clock is right: shown beside the phone's, and confirmed by the admin. Old messages are destroyed only
//! by a clock that somebody vouches for.

import { useState } from 'preact/hooks';
import { post } from '../base/api';
import type { ClockState } from '../base/contract';
import { boxNow } from '../base/fetch';
import { clock, day } from '../base/i18n';
import { useAction, useTick } from '../ui/hooks';
import { Button, Fault } from '../ui/parts';
import { o } from './words';

/** Two clocks that are further apart are not the same (contract: within two minutes). */
const APART_MS = 120_000;

const told = (ms: number): string => `${day(new Date(ms).toISOString())}, ${clock(new Date(ms).toISOString())}`;

export function ClockCheck({ state, onDone }: { state: ClockState; onDone: () => Promise<void> }) {
  const [sure, tell] = useState(false);
  const phone = useTick(Date.now, 1000, true);
  const box = boxNow();
  const apart = Math.abs(phone - box) > APART_MS;
  const confirm = useAction(async () => {
    await post('/api/v1/admin/clock/confirm', { now: new Date().toISOString(), reason: o('clock.reason') });
    tell(true);
    await onDone();
  });
  return (
    <div class="stack">
      <dl class="facts">
        <div>
          <dt>{o('clock.box')}</dt>
          <dd>{told(box)}</dd>
        </div>
        <div>
          <dt>{o('clock.phone')}</dt>
          <dd>{told(phone)}</dd>
        </div>
      </dl>
      {state.trusted ? (
        <p class="notice good">{o('clock.good')}</p>
      ) : (
        <>
          <p>{o(apart ? 'clock.apart' : 'clock.ask')}</p>
          <Fault of={confirm.fault} />
          <Button kind="main" busy={confirm.busy} disabled={apart} onClick={confirm.run}>
            {o('clock.confirm')}
          </Button>
        </>
      )}
      <div role="status">{sure && state.trusted && <p class="soft">{o('clock.done')}</p>}</div>
    </div>
  );
}
