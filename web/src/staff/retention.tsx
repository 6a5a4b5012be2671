//! Retention: what is past its time, looked at or destroyed now.

import { useState } from 'preact/hooks';
import { post } from '../base/api';
import type { Ran } from '../base/contract';
import { Confirm } from '../ui/confirm';
import { useAction, useTitle } from '../ui/hooks';
import { Button, Fault, Heading } from '../ui/parts';
import { Page } from './app';
import { s } from './words';

const run = (dry_run: boolean): Promise<Ran> => post('/api/v1/admin/archive-expiry/run', { dry_run });

export function Retention() {
  useTitle(`${s('retention')} · ${s('app')}`);
  const [ran, tell] = useState<{ of: Ran; dry: boolean } | null>(null);
  const look = useAction(async () => tell({ of: await run(true), dry: true }));
  return (
    <Page at="/staff/retention">
      <Heading>{s('retention')}</Heading>
      <section class="panel stack">
        <p>{s('run.lead')}</p>
        <Fault of={look.fault} />
        <div role="status">{ran && <Result of={ran.of} dry={ran.dry} />}</div>
        <Button kind="main" busy={look.busy} onClick={look.run}>
          {s('run.look')}
        </Button>
        <Confirm
          name={s('run.go')}
          question={s('run.sure')}
          yes={s('run.go')}
          act={async () => tell({ of: await run(false), dry: false })}
        />
      </section>
    </Page>
  );
}

function Result({ of, dry }: { of: Ran; dry: boolean }) {
  const { examined, expired, held, waiting } = of;
  return (
    <>
      <p class="notice good">
        {dry ? s('run.would', { examined, held }) : s('run.result', { examined, expired, held })}
      </p>
      {waiting && <p class="notice warn">{s('run.waiting', { why: waiting })}</p>}
    </>
  );
}
