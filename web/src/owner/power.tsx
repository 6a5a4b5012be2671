//! Letting the box start again, and shutting it down: asked twice, and then followed until it is so.

import { useEffect, useState } from 'preact/hooks';
import { get, post } from '../base/api';
import type { PowerState } from '../base/contract';
import { ask } from '../base/fetch';
import { clock, day } from '../base/i18n';
import { Unreachable } from '../base/problem';
import { held } from '../base/session';
import { Confirm } from '../ui/confirm';
import { useLoad } from '../ui/hooks';
import { Loading } from '../ui/parts';
import { o } from './words';

const POWER = '/api/v1/box/power';
/** How often an ending box is looked at. */
const LOOK_MS = 700;

/** What was wished, and since when the box ran by then. */
export interface Wish {
  action: 'restart' | 'shut_down';
  was: PowerState;
}

export function Power({ onWish }: { onWish: (wish: Wish) => void }) {
  const now = useLoad(() => get<PowerState>(POWER), []);
  const wish = (action: Wish['action']) => async () => onWish({ action, was: await post<PowerState>(POWER, { action }) });
  return (
    <section class="panel stack">
      <h2>{o('power')}</h2>
      <Loading from={now} />
      {now.data && (
        <p class="soft">
          {o('power.since', { at: `${day(now.data.started_at)}, ${clock(now.data.started_at)}` })}
        </p>
      )}
      <div class="pair">
        <Confirm name={o('power.restart')} question={o('power.restart.sure')} yes={o('power.restart.yes')} act={wish('restart')} />
        <Confirm
          name={o('power.off')}
          question={o(now.data?.machine ? 'power.off.sure.machine' : 'power.off.sure')}
          yes={o('power.off.yes')}
          act={wish('shut_down')}
        />
      </div>
    </section>
  );
}

type Stage = 'ending' | 'back' | 'down';

/** Follows a box that ends. Nothing else of the page asks it for anything meanwhile. */
export function Ending({ of }: { of: Wish }) {
  const stage = useEnding(of);
  const restart = of.action === 'restart';
  return (
    <section class="panel stack" aria-live="polite">
      {stage === 'ending' && <p>{o(restart ? 'power.again' : 'power.stopping')}</p>}
      {stage === 'back' && (
        <>
          <p class="notice good">{o('power.back')}</p>
          <a class="button main" href="/box">
            {o('home')}
          </a>
        </>
      )}
      {stage === 'down' && (
        <>
          <p class="notice good">{o('power.down')}</p>
          <p>{o(of.was.machine ? 'power.down.machine' : 'power.down.plug')}</p>
        </>
      )}
    </section>
  );
}

function useEnding({ action, was }: Wish): Stage {
  const [stage, set] = useState<Stage>('ending');
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let over = false;
    const look = async () => {
      let next: Stage = 'ending';
      try {
        const { started_at } = await ask<PowerState>({ method: 'GET', path: POWER, token: held.value?.access });
        if (action === 'restart' && started_at !== was.started_at) next = 'back';
      } catch (fault) {
        if (action === 'shut_down' && fault instanceof Unreachable) next = 'down';
      }
      if (over) return;
      if (next === 'ending') timer = setTimeout(look, LOOK_MS);
      else set(next);
    };
    void look();
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, []);
  return stage;
}
