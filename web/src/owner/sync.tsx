//! How the copy at central stands, in words, with what to do.

import { useState } from 'preact/hooks';
import { get, post } from '../base/api';
import type { Replication } from '../base/contract';
import { clock, day, t } from '../base/i18n';
import { useAction, useLoad, useTitle } from '../ui/hooks';
import { Button, Fault, Heading } from '../ui/parts';
import { Page } from './app';
import { o } from './words';

/** How often the state is looked at. */
const EVERY_MS = 3000;

export function Sync() {
  useTitle(`${o('sync')} · ${o('app')}`);
  const now = useLoad(() => get<Replication>('/api/v1/admin/replication'), [], EVERY_MS);
  const [asked, tell] = useState(false);
  const go = useAction(async () => {
    await post('/api/v1/admin/replication/sync');
    tell(true);
    await now.reload();
  });
  return (
    <Page at="/box/sync">
      <Heading>{o('sync')}</Heading>
      <section class="panel stack">
        {!now.data && !now.fault && <p class="soft">{t('state.loading')}</p>}
        <Fault of={now.fault} />
        {now.data && <Report of={now.data} />}
        <Fault of={go.fault} />
        <div role="status">{asked && <p class="notice good">{o('sync.asked')}</p>}</div>
        <Button kind="main" busy={go.busy} disabled={now.data?.state === 'disabled'} onClick={go.run}>
          {o('sync.now')}
        </Button>
      </section>
    </Page>
  );
}

function Report({ of }: { of: Replication }) {
  const lines: [string, string | null][] = [
    [o('sync.state'), o(`sync.state.${of.state}`)],
    [o('sync.why'), of.reason],
    [o('sync.do'), of.advice],
    [o('sync.backlog'), String(of.backlog)],
    [o('sync.lag'), of.backlog > 0 ? o('sync.seconds', { n: of.lag_seconds }) : null],
    [o('sync.seq'), o('sync.of', { acked: of.acked_seq, head: of.head_seq })],
    [o('sync.last'), of.last_sync_at ? `${day(of.last_sync_at)}, ${clock(of.last_sync_at)}` : o('sync.never')],
    [o('sync.error'), of.last_error],
    [o('sync.dead'), of.dead_letters > 0 ? String(of.dead_letters) : null],
  ];
  return (
    <dl class="facts">
      {lines.map(([name, value]) =>
        value ? (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ) : null,
      )}
    </dl>
  );
}
