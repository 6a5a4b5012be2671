//! Backups: made, checked and taken away; and the recovery sheet, without which none can be opened.

import { useState } from 'preact/hooks';
import { get, postOnce } from '../base/api';
import type { Backup, Backups as All, Checked, RecoverySheet } from '../base/contract';
import { download } from '../base/download';
import { clock, day } from '../base/i18n';
import { Confirm } from '../ui/confirm';
import { useAction, useLoad, useTitle } from '../ui/hooks';
import { Button, Fault, Heading, List } from '../ui/parts';
import { Page } from './app';
import { o } from './words';

export const BACKUPS = '/api/v1/admin/backups';
/** Letters of one group, as people read and type them. */
const GROUP = /.{1,5}/g;

const at = (iso: string): string => `${day(iso)}, ${clock(iso)}`;

/** A length in the unit that leaves few digits. */
function size(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB'];
  const step = bytes > 0 ? Math.min(Math.floor(Math.log(bytes) / Math.log(1024)), units.length - 1) : 0;
  const number = new Intl.NumberFormat('en-NG', { maximumFractionDigits: step > 1 ? 1 : 0 });
  return `${number.format(bytes / 1024 ** step)} ${units[step]}`;
}

export function Backups() {
  useTitle(`${o('backups')} · ${o('app')}`);
  const all = useLoad(() => get<All>(BACKUPS), [], 15_000);
  const [sheet, show] = useState<RecoverySheet | null>(null);
  const list = { ...all, data: all.data?.items ?? null };
  const make = useAction(async () => {
    await postOnce(BACKUPS);
    await all.reload();
  });
  if (sheet) {
    return (
      <Page at="/box/backups">
        <Heading>{o('sheet')}</Heading>
        <Sheet
          of={sheet}
          onDone={() => {
            show(null);
            void all.reload();
          }}
        />
      </Page>
    );
  }
  return (
    <Page at="/box/backups">
      <Heading>{o('backups')}</Heading>
      {all.data && <Recovery of={all.data} show={show} />}
      <section class="panel stack">
        {all.data?.last_good_at && <p class="notice good">{o('bak.last', { at: at(all.data.last_good_at) })}</p>}
        {all.data?.has_recovery_key && !all.data.last_good_at && <p class="notice warn">{o('bak.never')}</p>}
        {all.data?.next_due_at && <p class="soft">{o('bak.next', { at: at(all.data.next_due_at) })}</p>}
        <Fault of={make.fault} />
        <Button kind="main" busy={make.busy} disabled={!all.data?.has_recovery_key} onClick={make.run}>
          {o('bak.now')}
        </Button>
        <List from={list} empty={o('bak.none')}>
          {one => <Row key={one.name} of={one} reload={all.reload} />}
        </List>
        {all.data && <p class="soft address-small">{o('bak.where', { folder: all.data.folder, n: all.data.keep })}</p>}
      </section>
      <details class="panel">
        <summary>{o('res')}</summary>
        <p>{o('setup.restore.how')}</p>
      </details>
    </Page>
  );
}

function Row({ of, reload }: { of: Backup; reload: () => Promise<void> }) {
  const [found, tell] = useState<Checked | null>(null);
  const path = `${BACKUPS}/${encodeURIComponent(of.name)}`;
  const check = useAction(async () => {
    tell(await postOnce<Checked>(`${path}/verify`));
    await reload();
  });
  const take = useAction(() => download(path, of.name));
  return (
    <li class="row">
      <span class="grow">
        <strong>{at(of.made_at)}</strong>
        <span class="soft tabular">{size(of.bytes)}</span>
        {of.fault ? (
          <span class="badge act">{of.fault}</span>
        ) : (
          of.checked_at && <span class="badge">{o('bak.checked', { at: at(of.checked_at) })}</span>
        )}
        {found && <span class="soft">{o('bak.found', { rows: found.rows, matches: found.live_matches })}</span>}
      </span>
      <span class="pair">
        <Button busy={check.busy} label={`${o('bak.check')}: ${at(of.made_at)}`} onClick={check.run}>
          {o('bak.check')}
        </Button>
        <Button busy={take.busy} label={`${o('bak.take')}: ${at(of.made_at)}`} onClick={take.run}>
          {o('bak.take')}
        </Button>
      </span>
      <Fault of={check.fault ?? take.fault} />
    </li>
  );
}

/** Whether there is a key that opens the backups, and making one. */
export function Recovery({ of, show }: { of: All; show: (sheet: RecoverySheet) => void }) {
  const make = async (replace: boolean) => show(await postOnce<RecoverySheet>(`${BACKUPS}/recovery-key`, { replace }));
  const first = useAction(() => make(false));
  return (
    <section class="panel stack">
      <h2>{o('sheet')}</h2>
      {of.has_recovery_key ? (
        <>
          <p>{of.recovery_key_made_at ? o('sheet.made', { at: at(of.recovery_key_made_at) }) : o('sheet.there')}</p>
          <Confirm
            name={o('sheet.again')}
            question={o('sheet.again.sure')}
            yes={o('sheet.again.yes')}
            act={() => make(true)}
          />
        </>
      ) : (
        <>
          <p>{o('sheet.why')}</p>
          <Fault of={first.fault} />
          <Button kind="main" busy={first.busy} onClick={first.run}>
            {o('sheet.make')}
          </Button>
        </>
      )}
    </section>
  );
}

/** The sheet itself. The box does not keep the key: what is not printed or written down now is gone. */
export function Sheet({ of, onDone }: { of: RecoverySheet; onDone: () => void }) {
  return (
    <section class="panel stack poster">
      <div class="paper">
        <h2>{o('sheet')}</h2>
        <p>{o('sheet.paper')}</p>
        <p class="secret">{(of.recovery_key.match(GROUP) ?? []).join(' ')}</p>
        <p>
          {o('sheet.signature')}: <strong>{of.signature}</strong>
        </p>
        <p class="address">{location.origin}</p>
        <p>{o('setup.restore.how')}</p>
      </div>
      <p class="notice warn">{o('sheet.once')}</p>
      <div class="pair">
        <Button onClick={() => print()}>{o('inv.print')}</Button>
        <Confirm name={o('sheet.done')} question={o('sheet.done.sure')} yes={o('sheet.done.yes')} act={async () => onDone()} />
      </div>
    </section>
  );
}
