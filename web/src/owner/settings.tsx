//! The settings of the box, each with where it was said and where it can be changed; and restart and shut-down.

import { useState } from 'preact/hooks';
import { get } from '../base/api';
import type { Setting } from '../base/contract';
import { t } from '../base/i18n';
import { useLoad, useTitle } from '../ui/hooks';
import { Fault, Heading } from '../ui/parts';
import { Page } from './app';
import { Ending, Power, type Wish } from './power';
import { o } from './words';

/** What an owner asks about first; the rest is for whoever looks after the machine. */
const FIRST = [
  'open_registration',
  'code_sender',
  'archive_days',
  'hold_grace_hours',
  'backup_dir',
  'backup_keep',
  'public_url',
] as const;
type First = (typeof FIRST)[number];

export function Settings() {
  useTitle(`${o('settings')} · ${o('app')}`);
  const [wish, tell] = useState<Wish | null>(null);
  if (wish) {
    return (
      <main class="page wide">
        <Heading>{o('power')}</Heading>
        <Ending of={wish} />
      </main>
    );
  }
  return (
    <Page at="/box/settings">
      <Heading>{o('settings')}</Heading>
      <All />
      <Power onWish={tell} />
    </Page>
  );
}

function All() {
  const all = useLoad(async () => (await get<{ settings: Setting[] }>('/api/v1/admin/settings')).settings, []);
  const first = FIRST.flatMap(name => all.data?.find(one => one.name === name) ?? []);
  const rest = all.data?.filter(one => !FIRST.includes(one.name as First)) ?? [];
  return (
    <section class="panel stack">
      <p>{o('set.how')}</p>
      {!all.data && !all.fault && <p class="soft">{t('state.loading')}</p>}
      <Fault of={all.fault} />
      {all.data && (
        <>
          <dl class="facts">
            {first.map(one => (
              <Row key={one.name} of={one} name={o(`set.${one.name as First}`)} />
            ))}
          </dl>
          <details>
            <summary>{o('set.more')}</summary>
            <dl class="facts">
              {rest.map(one => (
                <Row key={one.name} of={one} name={one.name} />
              ))}
            </dl>
          </details>
        </>
      )}
    </section>
  );
}

function Row({ of, name }: { of: Setting; name: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <strong>{said(of)}</strong>
        <span class="soft"> · {origin(of)}</span>
      </dd>
    </div>
  );
}

function said({ name, value }: Setting): string {
  if (value === null || value === '') return o('set.none');
  if (typeof value === 'boolean') return o(value ? 'set.yes' : 'set.no');
  if (name.endsWith('_days')) return o('set.days', { n: String(value) });
  if (name.endsWith('_hours')) return o('set.hours', { n: String(value) });
  if (name.endsWith('_minutes')) return o('set.minutes', { n: String(value) });
  if (Array.isArray(value)) return value.length === 0 ? o('set.none') : value.join(', ');
  return name === 'code_sender' ? o(`set.sender.${value as 'owner'}`) : String(value);
}

function origin({ source, place }: Setting): string {
  switch (source) {
    case 'default':
      return o('set.from.default');
    case 'central':
      return o('set.from.central');
    default:
      return o(`set.from.${source}`, { place: place ?? '' });
  }
}
