//! How the copy at central stands, in words, with what to do.

import { useState } from 'preact/hooks';
import { get, post } from '../base/api';
import type { Replication, SyncHistory } from '../base/contract';
import { clock, day } from '../base/i18n';
import { useAction, useLoad, useTitle } from '../ui/hooks';
import { Button, Fault, Heading, List, Loading } from '../ui/parts';
import { Page } from './app';
import { LinkByCode } from './link';
import { has, o } from './words';

const when = (iso: string): string => `${day(iso)}, ${clock(iso)}`;

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
        <Loading from={now} />
        {now.data && <Report of={now.data} />}
        {now.data?.state === 'disabled' ? (
          <>
            <p>{o('setup.link.how')}</p>
            <LinkByCode onLinked={now.reload} />
          </>
        ) : (
          <>
            <Fault of={go.fault} />
            <div role="status">{asked && <p class="notice good">{o('sync.asked')}</p>}</div>
            <Button kind="main" busy={go.busy} onClick={go.run}>
              {o('sync.now')}
            </Button>
          </>
        )}
      </section>
      <History />
    </Page>
  );
}

/** What has passed between the box and central. */
function History() {
  const all = useLoad(() => get<SyncHistory>('/api/v1/box/sync'), [], 30_000);
  const again = useAction(async () => {
    await post('/api/v1/box/sync/redrive');
    await all.reload();
  });
  if (!all.data) {
    return (
      <section class="panel">
        <Loading from={all} />
      </section>
    );
  }
  const part = <K extends keyof SyncHistory>(name: K) => ({ ...all, data: all.data?.[name] ?? null });
  return (
    <>
      <section class="panel stack">
        <h2>{o('hist.compared')}</h2>
        <List from={part('comparisons')} empty={o('hist.compared.none')}>
          {one => (
            <li key={one.finished_at} class="row">
              <span class="grow">
                <strong>{o(one.kind === 'repair' ? 'hist.repair' : 'hist.verify')}</strong>
                <span class="soft">{when(one.finished_at)}</span>
                <span class={one.diverged > 0 ? 'badge act' : 'badge'}>
                  {one.diverged > 0
                    ? o('hist.differ', { n: one.diverged, rows: one.rows })
                    : o('hist.same', { rows: one.rows })}
                </span>
                {one.unsettled > 0 && <span class="badge">{o('hist.unsettled', { n: one.unsettled })}</span>}
              </span>
            </li>
          )}
        </List>
      </section>
      <section class="panel stack">
        <h2>{o('hist.orders')}</h2>
        <List from={part('orders')} empty={o('hist.orders.none')}>
          {one => (
            <li key={one.seq} class="row">
              <span class="grow">
                <strong>
                  {one.seq}. {one.kind}
                </strong>
                <span class="soft">{when(one.at)}</span>
                <span class={one.outcome === 'refused' ? 'badge act' : 'badge'}>
                  {o(one.outcome === 'refused' ? 'hist.refused' : 'hist.applied')}
                </span>
                {one.detail && (
                  <span class="soft" lang="en-NG">
                    {one.detail}
                  </span>
                )}
              </span>
            </li>
          )}
        </List>
      </section>
      <section class="panel stack">
        <h2>{o('hist.dead')}</h2>
        <List from={part('refused')} empty={o('hist.dead.none')}>
          {one => (
            <li key={`${one.table}/${one.id}`} class="row">
              <span class="grow">
                <strong class="address-small">{one.id}</strong>
                <span class="soft">{when(one.refused_at)}</span>
                <span>{o('hist.dead.why', { table: one.table, n: one.tries, why: one.reason })}</span>
              </span>
            </li>
          )}
        </List>
        <Fault of={again.fault} />
        {(all.data?.refused.length ?? 0) > 0 && (
          <Button busy={again.busy} onClick={again.run}>
            {o('hist.again')}
          </Button>
        )}
      </section>
    </>
  );
}

/** Why nothing moves and what to do, in the owner's language where the box names the reason, else as the box says it. */
function reason(of: Replication): [string | null, string | null] {
  const name = /^([a-z_]+): /.exec(of.reason ?? '')?.[1] ?? of.state;
  const [why, mend] = [`why.${name}`, `mend.${name}`];
  return has(why) && has(mend) ? [o(why), o(mend)] : [of.reason, of.advice];
}

function Report({ of }: { of: Replication }) {
  const linked = of.state !== 'disabled';
  // Where there is no central, the form below says what to do, and there is nothing to count.
  const [why, mend] = linked ? reason(of) : [null, null];
  const lines: [string, string | null][] = [
    [o('sync.state'), o(`sync.state.${of.state}`)],
    [o('sync.why'), why],
    [o('sync.do'), mend],
    [o('sync.backlog'), linked ? String(of.backlog) : null],
    [o('sync.lag'), of.backlog > 0 ? o('sync.seconds', { n: of.lag_seconds }) : null],
    [o('sync.seq'), linked ? o('sync.of', { acked: of.acked_seq, head: of.head_seq }) : null],
    [o('sync.last'), linked ? (of.last_sync_at ? when(of.last_sync_at) : o('sync.never')) : null],
    [o('sync.error'), of.last_error],
    [o('sync.verified'), of.last_verified_at ? when(of.last_verified_at) : null],
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
